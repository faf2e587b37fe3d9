"""What `runner run` does: prepare in the main thread, run in another, turn every end into an exit code.

The main thread only waits while the job runs, so a signal is acted on at once, even while the reader, a
task or the encoder sits in a C call for seconds.
"""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Event, Thread
from types import FrameType

from runner.cli.words import say, show_problems
from runner.clock import Clock, SystemClock
from runner.config import Config, load_config
from runner.destination import PROBE, check_dead_letters, find_destination, find_other_dates
from runner.engine.stop import GRACE_SECONDS, Stop
from runner.errors import Broken, JobInvalid, Locked, Refused, RunnerError, UsageError
from runner.files import Files
from runner.item import Current
from runner.jobfile import LoadedJob, load_job
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.manifest import Manifest
from runner.ledger.publication import CHECKPOINT, MANIFEST
from runner.masking import NO_SECRETS, mask_streams
from runner.observers.log import RunLog, forget_old_runs, task_logs
from runner.observers.progress import LiveProgress, Progress
from runner.observers.summary import escape, render_summary, summary_json
from runner.outcome import ExitCode, RunSummary
from runner.paths import near
from runner.pipeline import run_job
from runner.policies.retry import RetryPolicy
from runner.review import find_rules, import_factory, import_task
from runner.run import Run
from runner.task import Task

LEAVE_SECONDS = 2.0
"""For writing what is finished after a second signal; arbitrary."""

MOST_DATES = 5
"""Unfinished runs of other dates that are named; arbitrary."""


@dataclass(frozen=True, slots=True)
class Order:
    """The command line of `runner run`."""

    job: Path
    params: dict[str, str]
    overrides: Sequence[tuple[str, str]]
    limit: int | None
    must_resume: bool
    must_restart: bool
    accept: frozenset[str]
    date: date | None
    as_json: bool
    is_quiet: bool
    log_file: Path | None
    config: Path | None


def execute(order: Order) -> ExitCode:
    """Run the job and say how it ended. Never raises for what a user or the world did."""
    clock = SystemClock()
    summary = RunSummary(run_id=_new_run_id(clock), job=order.job.stem)
    log: RunLog | None = None
    secrets = NO_SECRETS
    start = clock.monotonic()
    try:
        loaded, config = read_order(order, clock, summary)
        secrets = loaded.secrets
        task, retry, factory = import_order(order, loaded, config)
        path = order.log_file or config.state / "runs" / summary.run_id / "log.jsonl"
        log = RunLog(path, run_id=summary.run_id, job=summary.job, level=config.log_level, secrets=secrets)
        # Rows on the same terminal would stand in the live line, and it would erase them.
        shows_rows = getattr(loaded.job and loaded.job.output, "path", None) == "-" and sys.stdout.isatty()
        kind = LiveProgress if _is_watched(order) and not shows_rows else Progress
        progress = kind(summary, write=_voice(order), start=start, secrets=secrets)
        run = Run(
            loaded=loaded,
            task=task,
            retry=retry,
            factory=factory,
            config=config,
            summary=summary,
            stop=Stop(),
            log=log,
            current=Current(),
            progress=progress,
            clock=clock,
            files=Files(),
            date=loaded.date.isoformat(),
            limit=order.limit,
            must_resume=order.must_resume,
            must_restart=order.must_restart,
            accept=order.accept,
            say=_voice(order),
        )
        _supervise(run)
        forget_old_runs(config.state / "runs")
    except BaseException as error:
        explain(error, summary)
    summary.message = secrets.mask(summary.message)
    summary.duration_seconds = clock.monotonic() - start
    _report(order, summary, log)
    return summary.exit_code


def read_order(order: Order, clock: Clock, summary: RunSummary) -> tuple[LoadedJob, Config]:
    """Return the job and the settings in force; `explain` says what any exception means."""
    if order.as_json and ("output.path", "-") in order.overrides:
        raise UsageError("--json and an output on standard output exclude each other")
    loaded = _load(order, clock, order.date)
    assert loaded.job is not None
    summary.job, summary.root = loaded.job.name, str(loaded.root)
    config = load_config(loaded.root, operator=order.config, environ=os.environ)
    _tell_other_dates(order, clock, loaded, config)
    pinned = _pinned_date(order, loaded, config)
    if pinned is not None and pinned != loaded.date:
        loaded = _load(order, clock, pinned)
    assert loaded.job is not None
    if order.as_json and getattr(loaded.job.output, "path", None) == "-":
        raise UsageError("--json and an output on standard output exclude each other")
    return loaded, config


def import_order(
    order: Order, loaded: LoadedJob, config: Config
) -> tuple[Task, RetryPolicy | None, Callable[..., Iterable[object]] | None]:
    """Return the user's code that the job names, imported and checked, and show warnings."""
    task, problems = import_task(loaded, config)
    retry, more = find_rules(loaded, config)
    problems += more
    factory, more = import_factory(loaded, config)
    problems += more
    if task is None or any(problem.severity == "error" for problem in problems):
        raise _Shown(loaded, JobInvalid(problems))
    warnings = [*loaded.problems, *problems, *check_dead_letters(loaded, config)]
    if warnings and not order.is_quiet:
        show_problems(warnings, {str(loaded.path): loaded.text})
    return task, retry, factory


def _load(order: Order, clock: Clock, date: date | None) -> LoadedJob:
    loaded = load_job(
        order.job,
        params=order.params,
        overrides=order.overrides,
        environ=os.environ,
        now=clock.now(),
        date=date,
    )
    mask_streams(loaded.secrets)
    if loaded.job is None:
        raise _Shown(loaded, JobInvalid(loaded.problems))
    return loaded


def _tell_other_dates(order: Order, clock: Clock, loaded: LoadedJob, config: Config) -> None:
    """Name the command for each unfinished run of this job that stands under another date."""
    if order.is_quiet or "run.date" not in loaded.text:
        return
    try:
        found = find_other_dates(_load(order, clock, PROBE), config, limit=order.limit)
    except (_Shown, RunnerError):  # what is wrong is told of the run itself
        return
    others = [run for run in found if run.date != loaded.date]
    for run in others[-MOST_DATES:]:
        say(
            f"an unfinished run of {run.date} stands in {escape(near(run.folder))} "
            f"({run.items:,} items are committed); this goes on with it: {_command(order, date=run.date)}"
        )
    if len(others) > MOST_DATES:
        say(f"and {len(others) - MOST_DATES} more of earlier dates")


def _command(order: Order, *, date: date | None, limit: int | None = None) -> str:
    """Return the command line that does this once more, for a date and up to a limit."""
    words = ["runner", "run", str(order.job)]
    if date is not None:
        words += ["--date", date.isoformat()]
    if limit is not None:
        words += ["--limit", str(limit)]
    if order.config is not None:
        words += ["--config", str(order.config)]
    for flag, pairs in (("-p", order.params.items()), ("--set", order.overrides)):
        for name, value in pairs:
            words += [flag, f"{name}={value}"]
    return shlex.join(words)


def _pinned_date(order: Order, loaded: LoadedJob, config: Config) -> date | None:
    """Return the date on which an unfinished run of this job began, for `${run.date}` stays what it was.

    Of one that is over and left its folder behind, nothing stays: what begins now is a run of today.
    """
    if order.date is not None or order.must_restart or loaded.job is None:
        return None
    try:
        folder = find_destination(loaded, config, limit=order.limit).publication(Files()).folder
        manifest = Manifest.from_bytes((folder / MANIFEST).read_bytes())
        if Checkpoint.from_bytes((folder / CHECKPOINT).read_bytes()).state == "published":
            return None
        return date.fromisoformat(manifest.date) if manifest.job == loaded.job.name else None
    except (OSError, ValueError, JobInvalid):  # none there, or one that the run itself will tell of
        return None


class _Shown(Exception):
    """A job file with faults, and its text to show them in."""

    def __init__(self, loaded: LoadedJob, invalid: JobInvalid) -> None:
        self.loaded = loaded
        self.invalid = invalid


def _supervise(run: Run) -> None:
    """Run the job in a thread of its own, and wait for it, signals and progress."""
    _keep_arenas_few()
    _collect_seldom()
    finished = Event()
    caught: list[BaseException] = []

    def work() -> None:
        try:
            run_job(run)
        except BaseException as error:  # carried to the main thread, which explains it
            caught.append(error)
        finally:
            finished.set()

    with task_logs(run.log, run.current), _signals(run, finished):
        thread = Thread(target=work, name="runner-delivery", daemon=True)
        thread.start()
        try:
            while not finished.wait(run.progress.tick_seconds):
                run.progress.tick(run.clock.monotonic())
            thread.join()
        finally:
            run.progress.close()
    if caught:
        raise caught[0]


@contextmanager
def _signals(run: Run, finished: Event) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a polite stop, a second one into a quick one, a third into the end."""
    asked = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        name = signal.Signals(number).name
        code = ExitCode.TERMINATED if number == signal.SIGTERM else ExitCode.INTERRUPTED
        if asked == 1:
            run.stop.request(name, grace=GRACE_SECONDS)
            say(
                f"{name}: taking no more items, finishing what runs "
                f"(at most {GRACE_SECONDS:.0f} s); once more: leave at once"
            )
        elif asked == 2:
            run.stop.request(name, grace=0.0)
            say(f"{name}: leaving")
            Thread(target=_leave_soon, args=(run, finished, code), name="runner-leave", daemon=True).start()
        else:
            run.progress.abandon()
            os._exit(code)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _leave_soon(run: Run, finished: Event, code: ExitCode) -> None:
    if not finished.wait(LEAVE_SECONDS):
        run.progress.abandon()
        os._exit(code)


def _keep_arenas_few() -> None:
    """Let glibc keep one memory arena for all threads: about 30 MiB less with a pool, and no slower."""
    import ctypes

    try:
        ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX
    except (AttributeError, OSError):  # no glibc
        pass


def _collect_seldom() -> None:
    """Look for cycles less often, and never among what was imported.

    Every item is a few short-lived tuples; CPython's default looks through them every 700 allocations,
    which made a run of a trivial task a third slower (benchmarks/endtoend.py).
    """
    import gc

    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def explain(error: BaseException, summary: RunSummary) -> None:
    """Say what went wrong, and put status, exit code and message into the summary."""
    invalid = error.invalid if isinstance(error, _Shown) else error
    if isinstance(invalid, JobInvalid):
        texts = {str(error.loaded.path): error.loaded.text} if isinstance(error, _Shown) else {}
        if not texts:
            texts = _texts(str(getattr(problem, "file", "")) for problem in invalid.faults)
        show_problems(invalid.faults, texts)
        _end(summary, "invalid", ExitCode.INVALID, str(invalid))
    elif isinstance(error, UsageError):
        _end(summary, "invalid", ExitCode.USAGE, str(error))
    elif isinstance(error, Refused):
        _end(summary, "refused", ExitCode.REFUSED, str(error))
    elif isinstance(error, Locked):
        _end(summary, "locked", ExitCode.LOCKED, str(error))
    elif isinstance(error, Broken):
        _end(summary, "broken", ExitCode.BROKEN, str(error))
    elif isinstance(error, KeyboardInterrupt):
        _end(summary, "interrupted", ExitCode.INTERRUPTED, "stopped by SIGINT before the run began")
    else:
        say("runner has a bug; please report this:")
        say("".join(traceback.format_exception(error)))
        _end(summary, "broken", ExitCode.BUG, f"a bug of runner: {type(error).__name__}: {error}")


def _texts(files: Iterator[str]) -> dict[str, str]:
    texts = {}
    for file in set(files):
        try:
            texts[file] = Path(file).read_text("utf-8", "replace")
        except OSError:
            continue
    return texts


def _end(summary: RunSummary, status: str, code: ExitCode, message: str) -> None:
    summary.status, summary.exit_code, summary.message = status, code, message


def _report(order: Order, summary: RunSummary, log: RunLog | None) -> None:
    if log is not None:
        level = "info" if summary.exit_code is ExitCode.DONE else "error"
        facts = summary_json(summary)
        del facts["run_id"], facts["job"]  # every line has them
        log.event("run.finished", level, **facts)
        log.close()
        if log.error is not None:
            say(f"warning: {log.error}")
    if not (order.is_quiet and summary.exit_code is ExitCode.DONE):
        _conclude(order, summary, log)
    if order.as_json:
        import orjson

        try:
            sys.stdout.buffer.write(orjson.dumps(summary_json(summary)) + b"\n")
            sys.stdout.flush()
        except (OSError, AttributeError):  # the reader has gone, or there never was one
            summary.exit_code = ExitCode.BROKEN


def _conclude(order: Order, summary: RunSummary, log: RunLog | None) -> None:
    """Say how it ended: as an error where nothing ran, else with all that happened."""
    if summary.status == "invalid" and summary.exit_code is ExitCode.INVALID:
        return  # the faults have been shown
    has_begun = summary.items or summary.retries or summary.timeouts
    if summary.status in ("invalid", "refused", "locked") or (summary.status == "broken" and not has_begun):
        say(f"error: {escape(summary.message, 2000)}")
        return
    next_step = None
    if summary.status in ("failed", "interrupted", "broken"):
        next_step = _next_step(order, summary)
    say(render_summary(summary, log=log.path if log is not None else None, next_step=next_step))


def _next_step(order: Order, summary: RunSummary) -> str:
    """Say what the user types next, and what to add after an edit."""
    command = _command(order, date=order.date, limit=order.limit)
    what = "the same command goes on from there" if summary.is_kept else "the same command starts over"
    if summary.status == "interrupted":
        return f"{what}: {command}"
    edited = "\n                (add --accept code if you edit the task, --restart if you edit its input)"
    return f"fix the cause, then {what}: {command}{edited if summary.is_kept else ''}"


def _voice(order: Order) -> Callable[[str], None]:
    return (lambda text: None) if order.is_quiet else say


def _is_watched(order: Order) -> bool:
    """Whether a person sits before a terminal that can draw a line again and again."""
    if order.is_quiet or os.environ.get("TERM") == "dumb" or os.environ.get("CI"):
        return False
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # closed
        return False


def _new_run_id(clock: Clock) -> str:
    """Return a name for this run that sorts by time: `20261123T034500.125Z-9f3a1c`."""
    now = clock.now()
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"
