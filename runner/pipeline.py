"""The flow: `run_job` takes items from the source through the engine to the output, in one place.

What is written when is decided here: a list of outcomes is delivered (appended in commit order, the budget
judged), now and then a checkpoint makes what was delivered durable, and nothing appears at a final path
before everything is done. An unfinished run of the same job is gone on with; one of another job is not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any
from weakref import ref

from runner.clock import Clock
from runner.config import Config
from runner.delivery import PASSED, Delivery
from runner.destination import Destination, find_destination, is_to_skip, shorten
from runner.engine.attempt import make_attempt, make_full_attempt, message_of, rescue, type_name
from runner.engine.guarded import GuardedPool, Policies
from runner.engine.stop import GRACE_SECONDS, Stop
from runner.engine.threads import Attempt, OpenWorker, ThreadPool, shared
from runner.engine.window import LONGEST_GRACE, Message, Outcomes, Pool
from runner.errors import OutputBroken, Refused, WorkerBroken
from runner.files import Files
from runner.item import Context, Current, Item
from runner.jobfile import Job, LoadedJob
from runner.jobfile.fingerprint import changes, fingerprint
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.committer import Committer
from runner.ledger.manifest import Manifest, differences
from runner.ledger.publication import Publication, Unfinished
from runner.ledger.receipt import Receipt
from runner.observers.log import RunLog
from runner.observers.progress import Progress
from runner.observers.summary import escape
from runner.outcome import ExitCode, Outcome, RunSummary
from runner.policies.rate_limit import RateLimit
from runner.policies.retry import RetryPolicy
from runner.sources.base import Sameness, Source
from runner.sources.python_iterable import PythonOptions
from runner.task import Task, hash_code, user_frames

Factory = Callable[..., Iterable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything a run needs; made by the command line, used up by `run_job`.

    Attributes:
        loaded: The job file.
        task: The task, imported and checked.
        retry: The rules of `retry:`, their exceptions found; `None` for one attempt an item.
        factory: What makes the items of a `python` input, imported; else `None`.
        config: The operator's settings.
        summary: Filled while the run goes on.
        stop: How somebody else ends the run.
        log: The run's log.
        current: Which item each worker is at, for the log.
        progress: Told of the total.
        clock: Time.
        files: The disk.
        date: ISO date of the run's first start: what `${run.date}` is.
        limit: Most items to take from the input; `None` for all.
        must_resume: Whether to go on with an unfinished run or not to run at all.
        must_restart: Whether to start over, whatever stands there.
        accept: What may have changed since the unfinished run: `code`, `input`.
        say: Writes a line for the person who watches.
    """

    loaded: LoadedJob
    task: Task
    retry: RetryPolicy | None = None
    factory: Factory | None
    config: Config
    summary: RunSummary
    stop: Stop
    log: RunLog
    current: Current
    progress: Progress
    clock: Clock
    files: Files
    date: str
    limit: int | None = None
    must_resume: bool = False
    must_restart: bool = False
    accept: frozenset[str] = frozenset()
    say: Callable[[str], None]

    @property
    def job(self) -> Job:
        """The job of the file."""
        assert self.loaded.job is not None
        return self.loaded.job


def run_job(run: Run) -> None:
    """Run the job to its end, and leave in `run.summary` how it ended.

    Raises:
        JobInvalid: An output path is a directory.
        Refused: Going on would mix two runs, or a file stands where none may be replaced.
        Locked: Another run works on the same output.
        Broken: Input, output or workers broke; what was delivered before is committed.
    """
    source, destination = _open_source(run), find_destination(run.loaded, run.config, limit=run.limit)
    publication = destination.publication(run.files)
    if run.must_resume and publication.find() is None:
        raise _nothing_to_resume(run, source, destination)
    # A run that died while it published may have put the output there itself: it is finished first.
    is_publishing = not run.must_restart and publication.is_publishing()
    publication.sweep(run_id=run.summary.run_id)
    if not is_publishing and is_to_skip(run.job, destination, limit=run.limit):
        return _skip(run, destination)
    run.summary.output = destination.shown
    publication.lock(run_id=run.summary.run_id)
    try:
        is_over = is_publishing and _finish_earlier(run, source, destination, publication)
        if is_over and is_to_skip(run.job, destination, limit=run.limit):
            return _skip(run, destination)
        checkpoint = _begin(run, source, destination, publication)
        delivery = Delivery(run, source, publication, checkpoint)
        if checkpoint.state != "running":
            return _publish(run, destination, publication, checkpoint)
        _announce(run, source, destination, checkpoint)
        is_complete = _deliver(run, source, publication, delivery, checkpoint)
        if delivery.conclude(is_complete=is_complete):
            _publish(run, destination, publication, delivery.freeze())
    finally:
        _leave(run, source, destination, publication)


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
    source, destination = _open_source(run), find_destination(run.loaded, run.config, limit=run.limit)
    publication = destination.publication(run.files)
    try:
        if run.must_resume and publication.find() is None:
            raise _nothing_to_resume(run, source, destination)
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


def _deliver(
    run: Run, source: Source, publication: Publication, delivery: Delivery, checkpoint: Checkpoint
) -> bool:
    """Deliver until the input, the budget or somebody ends it; return whether every item was delivered.

    Whatever ended it, a failing input included, what was delivered is committed.
    """
    commit = run.job.commit
    committer = Committer(delivery.freeze, publication.commit, every=commit.every, size=commit.bytes)
    is_kept = _is_resumable(run, source)
    try:
        outcomes = _start_engine(run, source, delivery, checkpoint)
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


def _start_engine(run: Run, source: Source, delivery: Delivery, checkpoint: Checkpoint) -> Outcomes[Outcome]:
    """Start the engine on what is left of the source, as `pool:` and the policies say."""
    pool, policies = run.job.pool, _policies(run)
    items: Iterator[Item] = source.items(checkpoint.index, checkpoint.position)
    if run.limit is not None:
        items = _first(items, run.limit - checkpoint.index)
    # `auto` is 1 for threads: see `runner.engine.mapping`; and for policies, see `runner.engine.guarded`.
    chunksize = 1 if pool.chunksize == "auto" or policies else pool.chunksize
    open_worker = _open_worker(run, source, delivery, is_guarded=bool(policies))

    def make_pool(done: SimpleQueue[Message]) -> Pool:
        if not policies:
            return _unforked(ThreadPool(open_worker, rescue, done, size=pool.size, is_chunked=chunksize > 1))
        delivery.pool = GuardedPool(
            open_worker, done, policies=policies, watcher=delivery.watch(), size=pool.size, clock=run.clock
        )
        return _unforked(delivery.pool)

    return Outcomes(
        items,
        make_pool,
        chunksize=chunksize,
        ordered=pool.ordered,
        window=pool.window,
        window_bytes=pool.window_bytes,
        weigh=source.weigh,
        clock=run.clock,
    )


def _unforked(pool: Pool) -> Pool:
    """Let a child that a task forks end when it comes back from the task.

    It would work on with a copy of the queue, and what it has inherited holds the lock. A child that ends
    within the task, or calls exec, is not touched.
    """
    found = ref(pool)

    def end() -> None:
        mine = found()
        if mine is not None:
            mine.stop(drop=True)

    os.register_at_fork(after_in_child=end)
    return pool


def _policies(run: Run) -> Policies:
    """Return what the job file says about attempts."""
    limit = run.job.rate_limit
    return Policies(
        retry=run.retry,
        timeout=run.job.timeout,
        rate_limit=None if limit is None else RateLimit(limit.rate, limit.burst),
    )


def _open_worker(run: Run, source: Source, delivery: Delivery, *, is_guarded: bool) -> OpenWorker:
    """Return what each worker calls, in its own thread, before its first item."""
    task = run.task
    if not (is_guarded or task.is_class or task.is_many or task.context):
        attempt = make_attempt(
            source.decode,
            task.open()[0],
            delivery.encode,
            delivery.seen,
            current=run.current,
            quick=source.quick_decode,
            convert=task.convert,
        )
        return shared(_passing(attempt, delivery.is_done))

    def open_worker() -> tuple[Attempt, Callable[[], None] | None]:
        call, close = _opened(run)
        attempt = make_full_attempt(
            source.decode,
            call,
            delivery.encode,
            failed=None if is_guarded else delivery.seen,
            current=run.current,
            quick=source.quick_decode,
            convert=task.convert,
            context=partial(_context, run) if task.context is not None else None,
            is_many=task.is_many,
            settles=delivery.settles,
        )
        return _passing(attempt, delivery.is_done), close

    return open_worker


def _opened(run: Run) -> tuple[Callable[..., object], Callable[[], None] | None]:
    """Open the task for one worker; return what is called, and what closes it without ever raising."""
    try:
        call, close = run.task.open()
    except BaseException as error:
        mask = run.loaded.secrets.mask
        run.log.event("worker.open_failed", "error", traceback=user_frames(error, mask))
        said = f"{type_name(error)}: {message_of(error, mask)}"
        raise WorkerBroken(f"a worker could not be set up: `{run.task.dotted}` raised {said}") from error
    return call, None if close is None else partial(_close, run, close, os.getpid())


def _close(run: Run, close: Callable[[], object], pid: int) -> None:
    if os.getpid() != pid:
        os._exit(1)  # a child that the task has forked and let return; what it would close is its parent's
    try:
        close()
    except BaseException as error:  # all its items are done; it is told, and changes nothing
        mask = run.loaded.secrets.mask
        run.log.event("worker.close_failed", "error", traceback=user_frames(error, mask))
        said = escape(f"{type_name(error)}: {message_of(error, mask)}")
        run.say(f"warning: a worker could not be closed: `{run.task.dotted}` raised {said}")


def _context(run: Run, index: int, number: int) -> Context:
    return Context(index, number, run.summary.run_id, run.job.params)


def _passing(attempt: Any, is_done: Callable[[int], bool] | None) -> Any:
    """Return `attempt` for items that are not done; those that are, behind a gap, are passed over."""
    if is_done is None:
        return attempt

    def passing(item: Item, *turn: Any) -> Outcome | None:
        if is_done(item.index):
            return Outcome(item, None, 0, PASSED)
        return attempt(item, *turn)  # type: ignore[no-any-return]

    return passing


def _first(items: Iterator[Item], limit: int) -> Iterator[Item]:
    """Yield at most `limit` items, draw no more than that, and close `items`."""
    try:
        yield from islice(items, max(0, limit))
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _begin(run: Run, source: Source, destination: Destination, publication: Publication) -> Checkpoint:
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
        raise _nothing_to_resume(run, source, destination)
    return None


def _nothing_to_resume(run: Run, source: Source, destination: Destination) -> Refused:
    receipt = Receipt.read(destination.receipt)
    if not _is_resumable(run, source):
        told = f" ({receipt.told()})" if receipt is not None else ""
        return Refused(
            "--resume needs an input that can be read again and an output file; save standard input to a "
            f"file first, and give the output a path{told}"
        )
    if receipt is None:
        return Refused(f"there is no unfinished run of {run.job.name} to resume; run it without --resume")
    return Refused(f"there is nothing to resume: {receipt.told()}; run it again without --resume")


def _finish_earlier(run: Run, source: Source, destination: Destination, publication: Publication) -> bool:
    """Bring a run to its end that had done all its items; return whether it was another one than this.

    False where it is this very run, which then goes on with it.

    Raises:
        Refused: See `_judge_earlier`.
    """
    earlier = _judge_earlier(run, source, publication)
    if earlier is None:
        return False
    if earlier.checkpoint.state == "complete":
        published = publication.publish(earlier.checkpoint, at=_now(run))
        _leave_receipt(run, destination, publication, published)
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
        return True  # it is this very run: see `_finish_earlier`
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
        is_repeatable=_is_resumable(run, source),
    )


def _is_resumable(run: Run, source: Source) -> bool:
    return source.is_repeatable and getattr(run.job.output, "path", None) != "-"


def _may_grow(run: Run) -> bool:
    return getattr(run.job.input, "append", "refuse") == "allow"


def _publish(run: Run, destination: Destination, publication: Publication, checkpoint: Checkpoint) -> None:
    """Show the finished files, leave the receipt, clear up. From the first on, the run has succeeded."""
    published = publication.publish(checkpoint, at=_now(run))
    run.summary.is_published = True
    _leave_receipt(run, destination, publication, published)
    try:
        publication.clear()
    except OutputBroken as error:
        if checkpoint.state == "published":
            raise  # once more: if this were a success, no run of this job would ever work again
        run.say(f"warning: {error}")
    run.summary.status, run.summary.exit_code = "completed", ExitCode.DONE


def _leave_receipt(
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


def _now(run: Run) -> str:
    return run.clock.now().isoformat(timespec="seconds")


def _leave(run: Run, source: Source, destination: Destination, publication: Publication) -> None:
    """Keep the work of a run that did not publish, if there is any, and say where the dead letters lie.

    A run whose task knows its id is kept in any case: see `_keeps_its_name`.
    """
    summary = run.summary
    dead_letter = destination.dead_letter
    if summary.is_published:
        publication.release()
    else:
        has_keys = run.task.context is not None and _is_resumable(run, source)
        if not publication.abandon(keep=publication.dead_size > 0 or has_keys):
            return
        dead_letter = publication.staged_dead_letters
    summary.dead_letter = shorten(dead_letter, run.loaded.root)


def _open_source(run: Run) -> Source:
    options = run.job.input
    if isinstance(options, PythonOptions):
        assert run.factory is not None
        return options.bind(run.factory, run.loaded.secrets.reveal(options.with_))
    return options.open(run.loaded.root)


def _skip(run: Run, destination: Destination) -> None:
    run.summary.status, run.summary.exit_code = "skipped", ExitCode.DONE
    run.summary.output = destination.shown
    run.summary.message = f"{destination.shown} exists and `if_exists` is `skip`"


def _announce(run: Run, source: Source, destination: Destination, checkpoint: Checkpoint) -> None:
    job, output = run.job, destination.output
    replaces = " (replaced at the end)" if output is not None and output.exists() else ""
    shown = "standard output" if destination.is_stdout else destination.shown
    target = f" into {shown}{replaces}" if shown is not None else ""
    threads = f"{job.pool.size} thread{'s' if job.pool.size != 1 else ''}"
    run.say(escape(f"{job.name}: {job.task.call} on {_described(job, source)}{target}, {threads}"))
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


def _described(job: Job, source: Source) -> str:
    path = getattr(job.input, "path", None)
    if isinstance(path, str):
        return "standard input" if path == "-" else path
    if isinstance(path, list):
        return ", ".join(path)
    return f"{source.total:,} items" if source.total is not None else "its input"
