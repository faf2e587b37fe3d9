"""The flow: `run_job` takes items from the source through the engine to the output, in one place.

What is written when is decided here: a list of outcomes is delivered (appended in commit order, the budget
judged), now and then a checkpoint makes what was delivered durable, and nothing appears at a final path
before everything is done. An unfinished run of the same job is gone on with; one of another job is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty
from threading import Thread

from runner.delivery import Delivery
from runner.destination import Destination, is_to_skip, shorten
from runner.ends import open_ends
from runner.engine.messages import LONGEST_GRACE
from runner.engine.stop import GRACE_SECONDS
from runner.errors import OutputBroken
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.committer import Committer
from runner.ledger.publication import Publication
from runner.observers.summary import escape
from runner.outcome import ExitCode
from runner.paths import near
from runner.resumption import begin, finish_earlier, is_resumable, leave_receipt, nothing_to_resume, now_of
from runner.run import Run
from runner.sources.base import Source
from runner.sources.python_iterable import PythonOptions
from runner.sources.records import RecordSource
from runner.workers import start_engine


def run_job(run: Run) -> None:
    """Run the job to its end, and leave in `run.summary` how it ended.

    Raises:
        JobInvalid: An output path is a directory.
        Refused: Going on would mix two runs, or a file stands where none may be replaced.
        Locked: Another run works on the same output.
        Broken: Input, output or workers broke; what was delivered before is committed.
    """
    source, destination = open_ends(run)
    publication = destination.publication(run.files)
    if run.must_resume and publication.find() is None:
        raise nothing_to_resume(run, source, destination)
    # A run that died while it published may have put the output there itself: it is finished first.
    is_publishing = not run.must_restart and publication.is_publishing()
    publication.sweep(run_id=run.summary.run_id)
    if not is_publishing and is_to_skip(run.job, destination, limit=run.limit):
        return _skip(run, destination)
    run.summary.output = destination.shown
    publication.lock(run_id=run.summary.run_id)
    try:
        is_over = is_publishing and finish_earlier(run, source, destination, publication)
        if is_over and is_to_skip(run.job, destination, limit=run.limit):
            return _skip(run, destination)
        checkpoint = begin(run, source, destination, publication)
        delivery = Delivery(run, source, publication, checkpoint)
        if checkpoint.state != "running":
            return _publish(run, destination, publication, checkpoint)
        _announce(run, source, destination, checkpoint)
        is_complete = _deliver(run, source, publication, delivery, checkpoint)
        _tell_left(run, source)
        if delivery.conclude(is_complete=is_complete):
            _publish(run, destination, publication, delivery.freeze())
    finally:
        _leave(run, source, destination, publication)


def _deliver(
    run: Run, source: Source, publication: Publication, delivery: Delivery, checkpoint: Checkpoint
) -> bool:
    """Deliver until the input, the budget or somebody ends it; return whether every item was delivered.

    Whatever ended it, a failing input included, what was delivered is committed.
    """
    commit = run.job.commit
    committer = Committer(delivery.freeze, publication.commit, every=commit.every, size=commit.bytes)
    is_kept = is_resumable(run, source)
    try:
        outcomes = start_engine(run, source, delivery, checkpoint)
        try:
            with outcomes, _deadline(run):
                run.stop.attach(outcomes)
                delivery.begin()
                if is_kept:
                    committer.start()
                for batch in outcomes:
                    with committer.lock:
                        goes_on = delivery.take(batch)
                    committer.touched(delivery.size)
                    if not goes_on:
                        break
                delivery.note_times(outcomes)
        finally:
            run.summary.abandoned_threads = outcomes.abandoned
            if outcomes.is_reader_abandoned:
                run.summary.hung_input = _described(run, source)
        return outcomes.complete
    finally:
        if is_kept:
            try:
                committer.stop()
                publication.commit(delivery.freeze())
            finally:
                run.summary.is_kept = publication.holds_work


@contextmanager
def _deadline(run: Run) -> Iterator[None]:
    """Stop the run when `deadline` has passed before the block ends."""
    if run.job.deadline is None:
        yield
        return
    seconds, ended = min(run.job.deadline, LONGEST_GRACE), run.clock.queue()

    def wait() -> None:
        try:
            ended.get(timeout=seconds)
        except Empty:
            run.stop.request("deadline", grace=GRACE_SECONDS)

    Thread(target=wait, name="runner-deadline", daemon=True).start()
    try:
        yield
    finally:
        ended.put(None)


def _publish(run: Run, destination: Destination, publication: Publication, checkpoint: Checkpoint) -> None:
    """Show the finished files, leave the receipt, clear up. From the first on, the run has succeeded."""
    published = publication.publish(checkpoint, at=now_of(run))
    run.summary.is_published = True
    leave_receipt(run, destination, publication, published)
    try:
        publication.clear()
    except OutputBroken as error:
        if checkpoint.state == "published":
            raise  # once more: if this were a success, no run of this job would ever work again
        run.say(f"warning: {error}")
    run.summary.status, run.summary.exit_code = "completed", ExitCode.DONE


def _leave(run: Run, source: Source, destination: Destination, publication: Publication) -> None:
    """Keep the work of a run that did not publish, if there is any, and say where the dead letters lie.

    A run whose task knows its id is kept in any case: see `_keeps_its_name`.
    """
    summary = run.summary
    dead_letter = destination.dead_letter
    if summary.is_published:
        publication.release()
    else:
        has_keys = run.task.context is not None and is_resumable(run, source)
        if not publication.abandon(keep=publication.dead_size > 0 or has_keys):
            return
        if publication.dead_size == 0:
            return  # the failure that ended the run is not committed, so it is in no file
        dead_letter = publication.staged_dead_letters
    summary.dead_letter = shorten(dead_letter, run.loaded.root)


def _skip(run: Run, destination: Destination) -> None:
    run.summary.status, run.summary.exit_code = "skipped", ExitCode.DONE
    run.summary.output = destination.shown
    run.summary.message = f"{destination.called} exists and `if_exists` is `skip`"


def _announce(run: Run, source: Source, destination: Destination, checkpoint: Checkpoint) -> None:
    job, output = run.job, destination.output
    replaces = " (replaced at the end)" if output is not None and output.exists() else ""
    target = f" into {destination.called}{replaces}" if destination.called is not None else ""
    threads = f"{job.pool.size} thread{'s' if job.pool.size != 1 else ''}"
    run.say(escape(f"{job.name}: {job.task.call} on {_described(run, source)}{target}, {threads}"))
    run.log.event(
        "run.resumed" if run.summary.resumed_from is not None else "run.started",
        path=str(run.loaded.path),
        task=job.task.call,
        input=job.input.model_dump(mode="json").get("type"),
        index=checkpoint.index,
        total=run.progress.total,
        size=job.pool.size,
        chunksize=job.pool.chunksize,
        ordered=job.pool.ordered,
        window=job.pool.window,
        output=destination.shown,
        dead_letter=shorten(destination.dead_letter, run.loaded.root),
    )


def _tell_left(run: Run, source: Source) -> None:
    """Say what is no item because it has no line end yet: of a file that never gets one it never will be."""
    left = source.left if isinstance(source, RecordSource) else {}
    for name, size in left.items():
        run.log.event("input.left", "warning", file=name, bytes=size)
        last = "last byte" if size == 1 else f"last {size:,} bytes"
        shown = escape(near(name, run.loaded.root))
        run.say(
            f"warning: the {last} of {shown} can be no item yet: the line or quote there has no end, "
            "and with `input.append: allow` more may follow; `refuse` takes them"
        )


def _described(run: Run, source: Source) -> str:
    path = getattr(run.job.input, "path", None)
    if isinstance(path, str):
        return "standard input" if path == "-" else near(path, run.loaded.root)
    if isinstance(path, list):
        return ", ".join(near(each, run.loaded.root) for each in path)
    if isinstance(run.job.input, PythonOptions):
        return run.job.input.call
    return f"{source.total:,} items" if source.total is not None else "its input"
