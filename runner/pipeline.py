"""The flow: `run_job` takes items from the source through the engine to the output, in one place.

The order of what is written is decided here and nowhere else: rows and dead letters of a list of outcomes
are appended in commit order (the order of the input, or the order in which items finish), the budget is
judged at each failure in that order, and nothing appears at a final path before everything is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from runner.clock import Clock
from runner.config import Config
from runner.engine.attempt import make_attempt, message_of, rescue, type_name
from runner.engine.stop import Stop
from runner.engine.threads import ThreadPool
from runner.engine.window import Outcomes
from runner.errors import JobInvalid, Refused, RowRefused
from runner.files import Files
from runner.item import Current, Item
from runner.jobfile import Job, LoadedJob, Problem
from runner.ledger.dead_letter import dead_letter
from runner.ledger.publication import Publication
from runner.observers.log import FailureLog, RunLog
from runner.observers.progress import Progress
from runner.outcome import ExitCode, Failure, FailureGroup, Outcome, RunSummary
from runner.policies.budget import FailureBudget
from runner.sinks.base import Encoder, FileSinkOptions
from runner.sinks.json_text import encode_json
from runner.sources.base import Source
from runner.sources.python_iterable import PythonOptions
from runner.task import Task, user_frames

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a run needs; made by the command line, used up by `run_job`.

    Attributes:
        loaded: The job file.
        task: The task, imported and checked.
        factory: What makes the items of a `python` input, imported; else `None`.
        config: The operator's settings.
        summary: Filled while the run goes on.
        stop: How somebody else ends the run.
        log: The run's log.
        current: Which item each worker is at, for the log.
        progress: Told of the total.
        clock: Time.
        files: The disk.
        limit: Most items to take from the input; `None` for all.
        say: Writes a line for the person who watches.
    """

    loaded: LoadedJob
    task: Task
    factory: Callable[..., Iterable[object]] | None
    config: Config
    summary: RunSummary
    stop: Stop
    log: RunLog
    current: Current
    progress: Progress
    clock: Clock
    files: Files
    limit: int | None
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
        Refused: A file stands where none may be replaced.
        Locked: Another run works on the same output.
        Broken: Input, output or workers broke; nothing was published.
    """
    job = run.job
    source = _open(run)
    places = _Places.of(run)
    if places.is_skipped:
        run.summary.status, run.summary.exit_code = "skipped", ExitCode.DONE
        run.summary.message = f"{places.output} exists and `if_exists` is `skip`"
        return
    publication = places.publication(run)
    publication.open(run_id=run.summary.run_id)
    delivered = False
    try:
        delivery = _Delivery(run, source, job.output.encoder(), publication)
        _announce(run, source, places, publication)
        with _start(run, source, delivery) as outcomes:
            run.stop.attach(outcomes)
            delivery.begin()
            for batch in outcomes:
                if not delivery.take(batch):
                    break
            delivery.note_times(outcomes)
            delivered = delivery.conclude(is_complete=outcomes.complete)
        if delivered:
            publication.publish()
            run.summary.is_published = True
    finally:
        if not run.summary.is_published:
            run.summary.dead_letter = _relative(publication.staged_dead_letters, run.loaded.root)
            publication.abandon()


def _open(run: Run) -> Source:
    options = run.job.input
    if isinstance(options, PythonOptions):
        assert run.factory is not None
        return options.bind(run.factory)
    return options.open(run.loaded.root)


def _start(run: Run, source: Source, delivery: _Delivery) -> Outcomes[Outcome]:
    """Start the engine on the source, as `pool:` says."""
    pool = run.job.pool
    attempt = make_attempt(
        source.decode, run.task.bind(), delivery.encode, delivery.seen, run.current, source.quick_decode
    )
    chunksize = 1 if pool.chunksize == "auto" else pool.chunksize
    items = source.items() if run.limit is None else _first(source.items(), run.limit)
    return Outcomes(
        items,
        lambda done: ThreadPool(attempt, rescue, done, size=pool.size, is_chunked=chunksize > 1),
        chunksize=chunksize,  # `auto` is 1 for threads: see `runner.engine.mapping`
        ordered=pool.ordered,
        window=pool.window,
        window_bytes=pool.window_bytes,
        weigh=source.weigh,
        clock=run.clock,
    )


def _first(items: Iterator[Item], limit: int) -> Iterator[Item]:
    """Yield at most `limit` items, and draw no more than that."""
    try:
        for _, item in zip(range(limit), items, strict=False):
            yield item
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


class _Delivery:
    """Takes outcomes in commit order to the output, the dead letters, the summary and the log."""

    def __init__(self, run: Run, source: Source, encoder: Encoder | None, publication: Publication) -> None:
        self._run = run
        self._source = source
        self._encoder = encoder
        self._publication = publication
        self._summary = run.summary
        total = source.total
        if total is not None and run.limit is not None:
            total = min(total, run.limit)
        run.progress.total = total
        run.progress.is_ordered = run.job.pool.ordered
        tolerate = run.job.failures.tolerate
        self._budget = FailureBudget(tolerate.count, tolerate.percent, total)
        self._failures_seen = count(1)
        self._failure_log = FailureLog(run.log)
        self._settle = encoder.settle if encoder is not None and encoder.settles else None
        self._has_output_offset = run.job.pool.ordered and encoder is not None
        self._verdict = ""
        self._started_at = run.clock.monotonic()

    @property
    def encode(self) -> Callable[[object], object] | None:
        """What the workers do with a row."""
        return self._encoder.encode if self._encoder is not None else None

    def seen(self) -> None:
        """Called by the workers at each failure: once the budget cannot hold, nothing more is started."""
        if self._budget.seen(next(self._failures_seen)):
            self._run.stop.request("failures")

    def begin(self) -> None:
        """Write what comes before the first row."""
        if self._encoder is not None:
            self._write([self._encoder.prologue()])

    def take(self, outcomes: list[Outcome]) -> bool:
        """Deliver; return whether to go on. The failure that breaks the budget is not written."""
        rows: list[bytes] = []
        taken = row_count = 0
        goes_on = True
        settle = self._settle
        for outcome in outcomes:
            item, data, item_rows, failure = outcome
            if failure is None and data is not None and settle is not None:
                try:
                    data = settle(data)
                except RowRefused as error:
                    failure = Failure("encode", type_name(error), message_of(error), error)
                    self.seen()
            taken += 1
            if failure is None:
                row_count += item_rows
                if data is not None:
                    rows.append(data)
                continue
            self._write(rows)
            rows = []
            if not self._fail(item, failure, self._summary.items + taken):
                goes_on = False
                break
        self._write(rows)
        self._summary.items += taken
        self._summary.rows += row_count
        self._summary.succeeded = self._summary.items - self._summary.failed
        return goes_on

    def note_times(self, outcomes: Outcomes[Outcome]) -> None:
        """Keep for the summary where the time went."""
        summary = self._summary
        summary.running_seconds = self._run.clock.monotonic() - self._started_at
        summary.reading_seconds = min(outcomes.reading_seconds(), summary.running_seconds)
        summary.waiting_seconds = min(outcomes.waited_seconds, summary.running_seconds)

    def conclude(self, *, is_complete: bool) -> bool:
        """Decide how the run ended; return whether its output is to be published."""
        summary, reason = self._summary, self._run.stop.reason
        if not self._verdict and is_complete and self._budget.at_end(summary.items):
            self._verdict = "more items failed than are tolerated"
        if self._verdict or (not is_complete and reason == "failures"):
            summary.status, summary.exit_code = "failed", ExitCode.FAILED
            summary.message = self._verdict or "more items failed than are tolerated"
            return False
        if not is_complete:
            is_term = reason == "SIGTERM"
            summary.status = "interrupted"
            summary.exit_code = ExitCode.TERMINATED if is_term else ExitCode.INTERRUPTED
            summary.message = f"stopped by {reason}; nothing was published, and the next run starts over"
            return False
        if self._encoder is not None:
            self._write([self._encoder.epilogue()])
        summary.status, summary.exit_code = "completed", ExitCode.DONE
        return True

    def _write(self, rows: list[bytes]) -> None:
        data = b"".join(rows)
        if data:
            self._publication.append(data)

    def _fail(self, item: Item, failure: Failure, items_so_far: int) -> bool:
        kind = (failure.stage, failure.type)
        self._summary.failed += 1
        group = self._summary.groups.get(kind)
        if group is None:
            self._summary.groups[kind] = FailureGroup(*kind, failure.message, item)
        else:
            group.count += 1
        self._log_failure(kind, item, failure)
        if self._budget.fail(items_so_far):
            self._verdict = _verdict(self._run.job.failures.tolerate, self._summary)
            return False
        offset = self._publication.output_size if self._has_output_offset else None
        self._publication.append_dead_letter(
            dead_letter(item, failure, decode=self._source.decode, encode=encode_json, output_offset=offset)
        )
        return True

    def _log_failure(self, kind: tuple[str, str], item: Item, failure: Failure) -> None:
        now = self._run.clock.monotonic()
        data: dict[str, Any] = {}
        if self._failure_log.wants_more(kind, now):
            error = {"stage": failure.stage, "type": failure.type, "message": failure.message}
            data = {"index": item.index, "where": item.where._asdict(), "error": error}
            if failure.stage == "task" and failure.error is not None:
                data["traceback"] = user_frames(failure.error)
        self._failure_log.failed(kind, now, **data)


def _verdict(tolerate: Any, summary: RunSummary) -> str:
    if tolerate.count == 0 and tolerate.percent is None:
        return "an item failed and none may (`failures.tolerate` is 0)"
    allowed = [f"{tolerate.count:,}"] if tolerate.count is not None else []
    allowed += [f"{tolerate.percent:g} %"] if tolerate.percent is not None else []
    return f"{summary.failed:,} items failed, tolerated are {' or '.join(allowed)}"


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a run publishes: resolved, and proven not to be in the way of anything.

    Attributes:
        output: Final path, or `None` for standard output and for no output.
        shown: The output as the user wrote it.
        dead_letter: Final path of the dead letters.
        is_skipped: Whether the output is there and `if_exists` says to leave it so.
    """

    output: Path | None
    shown: str | None
    dead_letter: Path
    is_skipped: bool

    @staticmethod
    def of(run: Run) -> _Places:
        options, root = run.job.output, run.loaded.root
        shown = options.path if isinstance(options, FileSinkOptions) else None
        output = _resolve(run, "output.path", shown) if shown not in (None, STDOUT) else None
        name = run.job.failures.dead_letter
        if name is not None:
            dead = _resolve(run, "failures.dead_letter", name)
        elif output is not None:
            stem = output.name.removesuffix(".gz")
            dead = output.with_name(stem.removesuffix(Path(stem).suffix) + ".failed.jsonl")
        else:
            dead = _folder(run) / f"{run.job.name}.failed.jsonl"
        if dead == output:
            raise _fault(run, "failures.dead_letter", "must not be the output")
        is_skipped = False
        if output is not None and output.exists() and isinstance(options, FileSinkOptions):
            is_skipped = options.if_exists == "skip"
            if options.if_exists == "fail":
                raise Refused(f"{shown} exists and `output.if_exists` is `fail`; move it away")
            if run.limit is not None and not is_skipped:
                raise Refused(f"{shown} exists and --limit never replaces an output; move it away")
        run.summary.output = shown
        run.summary.dead_letter = _relative(dead, root)
        return _Places(output, shown, dead, is_skipped)

    def publication(self, run: Run) -> Publication:
        options = run.job.output
        may_replace = isinstance(options, FileSinkOptions) and options.if_exists == "replace"
        return Publication(
            run.files,
            output=self.output,
            dead_letter=self.dead_letter,
            folder=_folder(run),
            replace=may_replace and run.limit is None,
            to_stdout=self.shown == STDOUT,
        )


def _folder(run: Run) -> Path:
    """Where a job without an output path works."""
    return run.config.state / "jobs" / run.job.name


def _resolve(run: Run, key: str, name: str | None) -> Path:
    assert name is not None
    path = (run.loaded.root / name).resolve()
    if path.is_dir() or name.endswith("/"):
        raise _fault(run, key, f"must be a file, and {name} is a directory")
    return path


def _fault(run: Run, key: str, message: str) -> JobInvalid:
    span = run.loaded.document.value_span(tuple(key.split(".")))
    problem = Problem(
        code="bad-value",
        message=f"`{key}` {message}",
        file=str(run.loaded.path),
        path=key,
        **span._asdict(),
    )
    return JobInvalid([problem])


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _announce(run: Run, source: Source, places: _Places, publication: Publication) -> None:
    job, summary = run.job, run.summary
    if publication.left_behind:
        run.say("an earlier run did not finish; its unpublished work was removed, and this run starts over")
    replaces = " (replaced at the end)" if places.output is not None and places.output.exists() else ""
    target = f" into {places.shown}{replaces}" if places.shown is not None else ""
    threads = f"{job.pool.size} thread{'s' if job.pool.size != 1 else ''}"
    run.say(f"{job.name}: {job.task.call} on {_described(job, source)}{target}, {threads}")
    run.log.event(
        "run.started",
        path=str(run.loaded.path),
        task=job.task.call,
        input=job.input.model_dump(mode="json").get("type"),
        total=run.progress.total,
        size=job.pool.size,
        chunksize=job.pool.chunksize,
        ordered=job.pool.ordered,
        window=job.pool.window,
        output=places.shown,
        dead_letter=summary.dead_letter,
    )


def _described(job: Job, source: Source) -> str:
    path = getattr(job.input, "path", None)
    if isinstance(path, str):
        return "standard input" if path == STDOUT else path
    if isinstance(path, list):
        return ", ".join(path)
    return f"{source.total:,} items" if source.total is not None else "its input"
