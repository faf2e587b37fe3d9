"""A signal handler that raises inside `next()`: nothing is lost, and it does not look like the end."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from .probes import EVERYTHING, PATIENCE, Background, eventually, identity, settled, signal_waiting_consumer

Maker = Callable[..., Any]


class Alarm(Exception):
    pass


@pytest.fixture
def interrupt() -> Iterator[Callable[[], Background]]:
    """Return what lets SIGUSR1 raise `Alarm`, once, as soon as the main thread waits in `next()`."""
    was_handled = threading.Event()

    def handler(number: int, frame: object) -> None:
        if not was_handled.is_set():
            was_handled.set()
            raise Alarm("from the handler")

    before = signal.signal(signal.SIGUSR1, handler)
    yield lambda: Background(lambda: signal_waiting_consumer(signal.SIGUSR1, was_handled))
    signal.signal(signal.SIGUSR1, before)


def test_a_consumer_that_was_interrupted_can_go_on(
    imap: Maker, make_task: Maker, interrupt: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Who catches the exception and asks again gets the result that it was waiting for, and all others."""
    task = make_task(held=EVERYTHING)
    results = imap(task, range(25), size=2, chunksize=chunksize, ordered=ordered)
    sender = interrupt()
    with pytest.raises(Alarm, match="from the handler"):
        next(results)
    sender.value()
    task.let_go()
    assert sorted(results) == list(range(25))


def test_a_consumer_that_was_interrupted_can_close(
    imap: Maker, make_task: Maker, interrupt: Maker, chunksize: int | str, ordered: bool
) -> None:
    """The `with` block around the loop does its work."""
    feed = make_task(held=EVERYTHING)
    results = imap(identity, map(feed, count()), size=2, chunksize=chunksize, ordered=ordered)
    sender = interrupt()
    with pytest.raises(Alarm, match="from the handler"):
        next(results)
    sender.value()
    feed.let_go()
    assert results.close(grace=10) == 0
    assert next(results, "end") == "end"


def test_a_consumer_of_lists_that_was_interrupted_can_go_on(
    outcomes: Maker, make_task: Maker, interrupt: Maker, whole_chunksize: int, ordered: bool
) -> None:
    """The same one level below `imap`."""
    task = make_task(held=EVERYTHING)
    running = outcomes(task, range(25), chunksize=whole_chunksize, ordered=ordered)
    sender = interrupt()
    with pytest.raises(Alarm, match="from the handler"):
        next(running)
    sender.value()
    task.let_go()
    assert sorted(result for results in running for result in results) == list(range(25))
    assert running.complete


def test_a_signal_is_acted_on_although_it_does_not_interrupt_the_wait(
    imap: Maker, make_task: Maker, interrupt: Maker, chunksize: int | str
) -> None:
    """One that arrives on the way into the wait must not be put off until there is a result."""
    task, was_late, is_over = make_task(held=EVERYTHING), threading.Event(), threading.Event()
    main = threading.get_ident()

    def trip() -> None:
        eventually(lambda: sys._current_frames()[main].f_code.co_filename.endswith("window.py"), "in next()")
        settled(lambda: 0)
        _thread.interrupt_main(signal.SIGUSR1)  # as a signal to the process, but wakes nobody
        if not is_over.wait(PATIENCE / 2):
            was_late.set()
            task.let_go()

    results = imap(task, range(25), size=2, chunksize=chunksize)
    tripping = Background(trip)
    with pytest.raises(Alarm, match="from the handler"):
        next(results)
    is_over.set()
    tripping.value()
    assert not was_late.is_set()
