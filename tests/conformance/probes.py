"""What the engine tests look with: an input that counts, a task that waits, patience that ends.

Nothing here makes a test likely to pass by sleeping. `PATIENCE` is only how long a test waits for
what must happen before it fails; `settled` looks whether something still happens that must not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import runner
from runner.engine.threads import ThreadPool
from runner.engine.window import Outcomes

PATIENCE = 10.0
EVERYTHING: Container[int] = range(10**9)
ROOT = Path(runner.__file__).parents[1]


def identity(item: Any) -> Any:
    """Return the item: the task of tests that are about something else."""
    return item


def eventually(claim: Callable[[], object], what: str) -> None:
    """Return as soon as the claim is true; fail when it stays false."""
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.001)


def settled(count: Callable[[], int]) -> int:
    """Return a count once it has stood still for 20 ms.

    For claims that nothing more happens: too short a look can miss a fault, never invent one.
    """
    last, since = count(), time.monotonic()
    while time.monotonic() - since < 0.02:
        time.sleep(0.002)
        if (now := count()) != last:
            last, since = now, time.monotonic()
    return last


_of_other_tests: set[threading.Thread] = set()


def disown_threads() -> None:
    """Leave the threads that are alive now out of `runner_threads`: a test pays for its own leaks only."""
    _of_other_tests.clear()
    _of_other_tests.update(threading.enumerate())


def runner_threads() -> list[threading.Thread]:
    """Return the threads of the engine that this test has started and that are alive."""
    own = set(threading.enumerate()) - _of_other_tests
    return [thread for thread in own if thread.name.startswith("runner-")]


def reader_has_ended() -> bool:
    """Tell whether no thread reads an input any more."""
    return not any(thread.name == "runner-reader" for thread in runner_threads())


class Tap(Iterator[Any]):
    """An input that knows, whenever it is asked, how far it is ahead of the consumer.

    Attributes:
        asked: How often `next()` was called. A call counts from its beginning, also the last.
        delivered: Results that the consumer has in hand; counted by `take` and `take_lists`.
        worst: The most that `asked` ever was ahead of `delivered`.
        ended: Set when `next()` has raised.
        closed: Set by `close()`.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self.asked = self.delivered = self.worst = 0
        self.ended, self.closed = threading.Event(), threading.Event()

    def __next__(self) -> Any:
        self.asked += 1
        self.worst = max(self.worst, self.asked - self.delivered)
        try:
            return next(self._items)
        except BaseException:
            self.ended.set()
            raise

    def close(self) -> None:
        """Note that the input was closed."""
        self.closed.set()

    def take(self, results: Iterator[Any], count: int) -> list[Any]:
        """Take `count` results as the consumer."""
        taken = []
        for _ in range(count):
            taken.append(next(results))
            self.delivered += 1
        return taken

    def take_lists(self, outcomes: Iterator[list[Any]]) -> Iterator[list[Any]]:
        """Pass lists of results on; each counts as delivered once the next one is asked for."""
        for results in outcomes:
            yield results
            self.delivered += len(results)


class Task:
    """A task that remembers what it ran and waits at the `held` items until it is let go."""

    def __init__(self, held: Container[Any] = ()) -> None:
        self.held = held
        self.started: list[Any] = []
        self.finished: list[Any] = []
        self._may_go_on = threading.Event()

    def __call__(self, item: Any) -> Any:
        """Run one item."""
        self.started.append(item)
        if item in self.held:
            assert self._may_go_on.wait(6 * PATIENCE), "nobody has let the task go"
        self.finished.append(item)
        return item

    def let_go(self) -> None:
        """Let every item go on, those to come included."""
        self._may_go_on.set()

    def has_started(self, *items: Any) -> None:
        """Wait until these items have started."""
        eventually(lambda: set(items) <= set(self.started), f"{items} have started, not {self.started}")

    def has_finished(self, *items: Any) -> None:
        """Wait until these items have finished."""
        eventually(lambda: set(items) <= set(self.finished), f"{items} finished, not {self.finished[:50]}")


class Background(threading.Thread):
    """A call in a thread of its own, so that a hang of it fails the test instead of hanging it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(name="test-background", daemon=True)
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Make the call and keep what came of it."""
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error

    def value(self) -> Any:
        """Return what the call returned, or raise what it raised."""
        self.join(PATIENCE)
        assert not self.is_alive(), f"still not back after {PATIENCE:g} s"
        if self._error is not None:
            raise self._error
        return self._value


def signal_waiting_consumer(number: int, was_handled: threading.Event) -> None:
    """Send a signal to this process as soon as its main thread stands in the engine's `next()`.

    Sent again until it was handled: CPython may lose sight of one that arrives on the way into a wait,
    until the wait is over (up to 3.12; seen in 1 of 20 when it is sent at just that moment).
    """
    main = threading.main_thread().ident
    assert main is not None
    while not was_handled.is_set():
        eventually(lambda: sys._current_frames()[main].f_code.co_filename.endswith("window.py"), "in next()")
        os.kill(os.getpid(), number)
        was_handled.wait(0.2)


class Failed(tuple[Any, type[BaseException]]):
    """A failure as a value: the item and the type of what its task raised."""


def outcome(results: Iterator[Any]) -> Any:
    """Take one result; a failure of the task comes as the exception itself. Raises StopIteration."""
    try:
        return next(results)
    except StopIteration:
        raise
    except BaseException as error:
        return error


def outcomes_of(results: Iterator[Any]) -> list[Any]:
    """Take every result; a failure of the task comes as the exception itself."""
    taken = []
    while True:
        try:
            taken.append(outcome(results))
        except StopIteration:
            return taken


def open_outcomes(
    task: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    size: int = 2,
    chunksize: int = 1,
    ordered: bool = True,
    window: int = 1024,
    **options: Any,
) -> Outcomes[Any]:
    """Start the engine one level below `imap`: lists of results, failures as `Failed` values."""

    def rescue(item: Any, error: BaseException) -> Failed:
        return Failed((item, type(error)))

    return Outcomes(
        items,
        lambda done: ThreadPool(lambda: (task, None), rescue, done, size=size, is_chunked=chunksize > 1),
        chunksize=chunksize,
        ordered=ordered,
        window=window,
        **options,
    )


def flat(lists: Iterable[list[Any]]) -> list[Any]:
    """Return the results of all lists in one."""
    return [result for results in lists for result in results]


def start_script(text: str, *arguments: object, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Start a Python program that can import `runner`, with warnings as errors and its output piped."""
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", text, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the program; return its exit code, stdout and stderr. Fails, and kills it, if it hangs."""
    try:
        stdout, stderr = process.communicate(timeout=2 * PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        stdout, stderr = process.communicate()
        raise AssertionError(f"the program hangs; it said:\n{stdout}\n{stderr}") from None
    return process.returncode, stdout, stderr
