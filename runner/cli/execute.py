"""What `runner run` does: prepare in the main thread, run in another, turn every end into an exit code.

The main thread only waits while the job runs, so a signal is acted on at once, even while the reader, a
task or the encoder sits in a C call for seconds.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType

from runner.cli.ending import explain, report
from runner.cli.order import Order, import_order, make_run, read_order
from runner.cli.words import say
from runner.clock import Clock, SystemClock
from runner.engine.stop import GRACE_SECONDS
from runner.masking import NO_SECRETS
from runner.observers.log import RunLog, forget_old_runs, task_logs
from runner.observers.progress import LiveProgress, Progress
from runner.outcome import ExitCode, RunSummary
from runner.pipeline import run_job
from runner.run import Run

LEAVE_SECONDS = 2.0
"""For writing what is finished after a second signal; arbitrary."""


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
        ready = import_order(order, loaded, config)
        path = order.log_file or config.state / "runs" / summary.run_id / "log.jsonl"
        log = RunLog(path, run_id=summary.run_id, job=summary.job, level=config.log_level, secrets=secrets)
        # Rows on the same terminal would stand in the live line, and it would erase them.
        shows_rows = getattr(loaded.job and loaded.job.output, "path", None) == "-" and sys.stdout.isatty()
        kind = LiveProgress if _is_watched(order) and not shows_rows else Progress
        progress = kind(summary, write=_voice(order), start=start, secrets=secrets)
        run = make_run(
            order,
            ready,
            config,
            summary=summary,
            log=log,
            progress=progress,
            clock=clock,
            say=_voice(order),
        )
        _supervise(run)
        forget_old_runs(config.state / "runs")
    except BaseException as error:  # every end has an exit code and a sentence
        explain(error, summary)
    summary.message = secrets.mask(summary.message)
    summary.duration_seconds = clock.monotonic() - start
    report(order, summary, log)
    return summary.exit_code


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
