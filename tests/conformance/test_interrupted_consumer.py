"""A signal handler that raises inside `next()`: nothing is lost, and it does not look like the end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from .probes import EVERYTHING, eventually, identity

Maker = Callable[..., Any]


class Alarm(Exception):
    pass


@pytest.fixture
def _raising_handler() -> Iterator[None]:
    """Let SIGUSR1 raise `Alarm` in the main thread, as Ctrl-C raises `KeyboardInterrupt`."""

    def handler(number: int, frame: object) -> None:
        raise Alarm("from the handler")

    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


def signal_when_waiting() -> threading.Thread:
    """Send SIGUSR1 to this process as soon as the calling thread stands in the engine's `next()`."""
    caller = threading.get_ident()

    def send() -> None:
        eventually(
            lambda: sys._current_frames()[caller].f_code.co_filename.endswith("window.py"), "in next()"
        )
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.usefixtures("_raising_handler")
def test_a_consumer_that_was_interrupted_can_go_on(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Who catches the exception and asks again gets the result that it was waiting for, and all others."""
    task = make_task(held=EVERYTHING)
    results = imap(task, range(25), size=2, chunksize=chunksize, ordered=ordered)
    sender = signal_when_waiting()
    with pytest.raises(Alarm, match="from the handler"):
        next(results)
    sender.join()
    task.let_go()
    assert sorted(results) == list(range(25))


@pytest.mark.usefixtures("_raising_handler")
def test_a_consumer_that_was_interrupted_can_close(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """The `with` block around the loop does its work."""
    feed = make_task(held=EVERYTHING)
    results = imap(identity, map(feed, count()), size=2, chunksize=chunksize, ordered=ordered)
    sender = signal_when_waiting()
    with pytest.raises(Alarm, match="from the handler"):
        next(results)
    sender.join()
    feed.let_go()
    assert results.close(grace=10) == 0
    assert next(results, "end") == "end"


@pytest.mark.usefixtures("_raising_handler")
def test_a_consumer_of_lists_that_was_interrupted_can_go_on(
    outcomes: Maker, make_task: Maker, whole_chunksize: int, ordered: bool
) -> None:
    """The same one level below `imap`."""
    task = make_task(held=EVERYTHING)
    running = outcomes(task, range(25), chunksize=whole_chunksize, ordered=ordered)
    sender = signal_when_waiting()
    with pytest.raises(Alarm, match="from the handler"):
        next(running)
    sender.join()
    task.let_go()
    assert sorted(result for results in running for result in results) == list(range(25))
    assert running.complete
