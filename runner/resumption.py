"""What an earlier run has left, and whether this one goes on with it: one rule for `run` and for `plan`.

An unfinished run of the same job is gone on with; one of another job is not. A run that had done all its
items is brought to its end first. One that had committed nothing is begun again under its own id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.destination import Destination, is_to_skip
from runner.ends import open_ends
from runner.errors import OutputBroken, Refused
from runner.jobfile.fingerprint import changes, fingerprint
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.manifest import Manifest, differences
from runner.ledger.publication import Publication, Unfinished
from runner.ledger.receipt import Receipt
from runner.run import Run
from runner.sources.base import Sameness, Source
from runner.task import hash_code


def begin(run: Run, source: Source, destination: Destination, publication: Publication) -> Checkpoint:
    """Go on with the unfinished run that stands here, or begin a new one; return where to start.

    Raises:
        Refused: See `_find_unfinished`.
    """
    unfinished = _find_unfinished(run, source, destination, publication)
    if unfinished is not None:
        return _resume(run, source, publication, unfinished)
    publication.begin(_manifest(run, source))
    return Checkpoint()


def _find_unfinished(
    run: Run, source: Source, destination: Destination, publication: Publication
) -> Unfinished | None:
    """Return the unfinished run to go on with; `None` where a new one begins. Writes nothing.

    Raises:
        Refused: One stands here that cannot be gone on with, or `--resume` finds none.
    """
    unfinished = None if run.must_restart else publication.find()
    if unfinished is not None and _is_to_be_resumed(run, unfinished, source):
        return unfinished
    if run.must_resume:
        raise nothing_to_resume(run, source, destination)
    return None


def nothing_to_resume(run: Run, source: Source, destination: Destination) -> Refused:
    """Return what `--resume` is refused with where no unfinished run stands; a receipt says when it ended."""
    receipt = Receipt.read(destination.receipt)
    if not is_resumable(run, source):
        told = f" ({receipt.told()})" if receipt is not None else ""
        return Refused(
            "--resume needs an input that can be read again and an output file; save standard input to a "
            f"file first (a pipe, too), and give the output a path{told}"
        )
    if receipt is None:
        return Refused(f"there is no unfinished run of {run.job.name} to resume; run it without --resume")
    return Refused(f"there is nothing to resume: {receipt.told()}; run it again without --resume")


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a run would begin with.

    Attributes:
        source: The input, opened.
        destination: Where it would publish.
        unfinished: The unfinished run that it would go on with.
        is_skipped: Whether it would be skipped for what stands there.
        refusal: Why it would be refused.
    """

    source: Source
    destination: Destination
    unfinished: Unfinished | None = None
    is_skipped: bool = False
    refusal: Refused | None = None


def foresee(run: Run) -> Foresight:
    """Return what `run_job` would begin with now, by the same decisions; locks nothing, writes nothing.

    What `run_job` would say about an unfinished run goes to `run.say`.

    Raises:
        JobInvalid: As `run_job`.
        Broken: As `run_job`.
    """
    source, destination = open_ends(run)
    publication = destination.publication(run.files)
    try:
        if run.must_resume and publication.find() is None:
            raise nothing_to_resume(run, source, destination)
        is_publishing = not run.must_restart and publication.is_publishing()
        earlier = _judge_earlier(run, source, publication) if is_publishing else None
        if earlier is not None and earlier.checkpoint.state == "complete":
            run.say(f"run {earlier.manifest.run_id}, which has done all its items, is published first")
            if is_to_skip(run.job, destination, limit=run.limit, will_exist=True):
                return Foresight(source, destination, is_skipped=True)
            return Foresight(source, destination)
        is_over = not is_publishing or earlier is not None
        if is_over and is_to_skip(run.job, destination, limit=run.limit):
            return Foresight(source, destination, is_skipped=True)
        if earlier is not None:
            return Foresight(source, destination)
        unfinished = _find_unfinished(run, source, destination, publication)
        if unfinished is not None and _is_fresh(unfinished.checkpoint):
            unfinished = None
        return Foresight(source, destination, unfinished)
    except Refused as refusal:
        return Foresight(source, destination, refusal=refusal)


def finish_earlier(run: Run, source: Source, destination: Destination, publication: Publication) -> bool:
    """Bring a run to its end that had done all its items; return whether it was another one than this.

    False where it is this very run, which then goes on with it.

    Raises:
        Refused: See `_judge_earlier`.
    """
    earlier = _judge_earlier(run, source, publication)
    if earlier is None:
        return False
    if earlier.checkpoint.state == "complete":
        published = publication.publish(earlier.checkpoint, at=now_of(run))
        leave_receipt(run, destination, publication, published)
        run_id = earlier.manifest.run_id
        run.say(f"published the output of run {run_id}, which had done all its items; this run begins")
    publication.clear()
    return True


def _judge_earlier(run: Run, source: Source, publication: Publication) -> Unfinished | None:
    """Return a run that had done all its items and must be brought to its end before this one begins.

    `None` where there is none, and where it is this very run. Writes nothing.

    Raises:
        Refused: It cannot be finished by this job, and only `--restart` may throw it away.
    """
    found = publication.find()
    if found is None or found.checkpoint.state == "running":
        return None
    before, checkpoint = found.manifest, found.checkpoint
    if checkpoint.state == "published":
        is_same = publication.is_shown(checkpoint) and not _differences(run, found, source)
        return None if is_same else found
    if before.is_repeatable or run.must_resume or run.job.unfinished == "refuse":
        return None
    # Its input cannot be read again, so what is done would be lost: it is published, and this run begins.
    changed = changes(before.fingerprint, fingerprint(run.job, limit=run.limit))
    if changed:
        keys = ", ".join(f"`{key}`" for key in changed)
        raise Refused(
            f"a run of {checkpoint.items:,} items is done and not yet published, its input cannot be read "
            f"again, and {keys} changed since: undo that, then --resume publishes it, or throw it away with "
            "--restart"
        )
    return found


def _is_to_be_resumed(run: Run, unfinished: Unfinished, source: Source) -> bool:
    before, checkpoint = unfinished.manifest, unfinished.checkpoint
    if checkpoint.state == "published":
        return True  # it is this very run: see `finish_earlier`
    is_done = checkpoint.state == "complete"
    if not before.is_repeatable and not is_done:
        if not run.must_resume:
            run.say("an unfinished run stands here whose input cannot be read again; this run starts over")
        return False
    if _is_fresh(checkpoint):
        return _keeps_its_name(run, unfinished, source)
    done = f"{checkpoint.items:,} items are committed"
    if not run.must_resume:
        if run.job.unfinished == "restart":
            run.say(f"an unfinished run stands here ({done}); `unfinished: restart` starts over")
            return False
        if run.job.unfinished == "refuse":
            raise Refused(
                f"an unfinished run stands here ({done}) and `unfinished` is `refuse`; "
                "--resume goes on with it, --restart starts over"
            )
    found = _differences(run, unfinished, source)
    if found:
        raise Refused(
            f"an unfinished run stands here ({done}), and going on would mix two runs: "
            f"{'; '.join(found)}. Undo that and run again, or start over with --restart"
        )
    return True


def _keeps_its_name(run: Run, unfinished: Unfinished, source: Source) -> bool:
    """Return whether a run that has committed nothing is begun once more under its own id.

    Nothing is lost by starting over, but its tasks may have been called: a service that was given an
    `idempotency_key` must get the same one again.
    """
    if run.must_resume or run.job.unfinished == "restart":
        return False
    return not _differences(run, unfinished, source)


def _differences(run: Run, unfinished: Unfinished, source: Source) -> list[str]:
    """Return what keeps this run from going on with the unfinished one, each a phrase."""
    before = unfinished.manifest
    position = unfinished.checkpoint.position

    def check(path: str) -> Sameness:
        found = source.check_read(path, position) if position is not None else "same"
        if found == "same":
            run.say(f"the input file {path} was written since; what was read of it is the same")
        return found

    now = _manifest(run, source, sizes=before.input_sizes)
    return differences(before, now, accept=run.accept, may_grow=_may_grow(run), check=check)


def _resume(run: Run, source: Source, publication: Publication, unfinished: Unfinished) -> Checkpoint:
    checkpoint = unfinished.checkpoint
    run.summary.run_id = unfinished.manifest.run_id
    run.log.continue_as(unfinished.manifest.run_id)
    is_fresh = _is_fresh(checkpoint)
    run.summary.resumed_from = None if is_fresh else checkpoint.index
    if checkpoint.state == "published":
        run.say("an earlier run had published everything; clearing up what it left")
        return checkpoint
    if checkpoint.state == "complete":
        run.say("an earlier run had done all its items; publishing them now")
        return checkpoint
    try:
        publication.resume(checkpoint)
    except Refused:
        if not is_fresh:
            raise
        publication.begin(_manifest(run, source))  # its files are damaged, and nothing was in them
        return Checkpoint()
    publication.commit(checkpoint)
    if not is_fresh:
        run.say(f"going on with the unfinished run {run.summary.run_id} from item {checkpoint.index:,}")
    return checkpoint


def _is_fresh(checkpoint: Checkpoint) -> bool:
    """Return whether nothing is committed yet, so that a run which goes on from there begins anew."""
    return checkpoint.is_empty and checkpoint.state == "running"


def _manifest(run: Run, source: Source, *, sizes: Mapping[str, int] | None = None) -> Manifest:
    functions = [run.task.function] if run.factory is None else [run.task.function, run.factory]
    return Manifest(
        run_id=run.summary.run_id,
        job=run.job.name,
        date=run.date,
        fingerprint=fingerprint(run.job, limit=run.limit),
        code=hash_code(run.loaded.root, *functions),
        input=source.identity(sizes),
        is_repeatable=is_resumable(run, source),
    )


def is_resumable(run: Run, source: Source) -> bool:
    """Return whether a run of this job can be gone on with: its input read again, its output a file."""
    return source.is_repeatable and getattr(run.job.output, "path", None) != "-"


def _may_grow(run: Run) -> bool:
    return getattr(run.job.input, "append", "refuse") == "allow"


def leave_receipt(
    run: Run, destination: Destination, publication: Publication, published: Checkpoint
) -> None:
    """Leave the receipt of the run that was published, which an earlier process may have begun."""
    facts = published.published
    manifest = Manifest.from_bytes(facts["manifest"].encode())
    receipt = Receipt(
        run_id=manifest.run_id,
        job=manifest.job,
        date=manifest.date,
        published_at=facts["at"],
        items=published.items,
        failed=published.failed,
        rows=published.rows,
        output=facts.get("output"),
        dead_letter=facts["dead_letter"],
    )
    try:
        publication.put(destination.receipt, receipt.to_bytes())
    except OutputBroken as error:
        run.say(f"warning: {error}")


def now_of(run: Run) -> str:
    """Return the wall-clock time as a receipt has it."""
    return run.clock.now().isoformat(timespec="seconds")
