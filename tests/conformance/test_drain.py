"""Law 11, the engine's part: after `drain` what runs finishes and is delivered, and nothing else starts."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from .probes import (
    EVERYTHING,
    PATIENCE,
    Background,
    Tap,
    eventually,
    flat,
    identity,
    reader_has_ended,
    settled,
    signal_waiting_consumer,
)

Maker = Callable[..., Any]

ENOUGH = 0.5
"""A grace within which every thread that sits in no user code has ended."""


def test_running_items_finish_and_are_delivered(outcomes: Maker, make_task: Maker, ordered: bool) -> None:
    """Two items run, all others are queued: the two are the rest of the iteration."""
    task = make_task(held=EVERYTHING)
    running = outcomes(task, range(100), ordered=ordered)
    task.has_started(0, 1)
    running.drain()
    task.let_go()
    assert sorted(flat(running)) == [0, 1]
    assert sorted(task.started) == [0, 1]
    assert not running.complete
    assert running.abandoned == 0


def test_the_rest_of_a_running_chunk_does_not_start(outcomes: Maker, make_task: Maker, ordered: bool) -> None:
    """A chunk is only transport: the item at hand is the last."""
    task = make_task(held=(3,))
    running = outcomes(task, range(100), size=1, chunksize=10, ordered=ordered)
    task.has_started(3)
    running.drain()
    task.let_go()
    assert flat(running) == [0, 1, 2, 3]
    assert task.started == [0, 1, 2, 3]


@pytest.mark.parametrize(("is_ordered", "delivered"), [(True, [0]), (False, [0, 2, 3])])
def test_ordered_the_unbroken_prefix_is_delivered_unordered_all_that_finished(
    outcomes: Maker, make_task: Maker, is_ordered: bool, delivered: list[int]
) -> None:
    """Item 1 never starts; what finished after it would leave a hole in an ordered output."""
    task = make_task(held=(0, 3))
    running = outcomes(task, range(4), chunksize=2, ordered=is_ordered)
    task.has_started(0, 3)
    running.drain()
    task.let_go()
    assert sorted(flat(running)) == delivered
    assert not running.complete


def test_finished_results_are_delivered_after_a_drain(
    outcomes: Maker, make_task: Maker, whole_chunksize: int, ordered: bool
) -> None:
    """What had been run before is not thrown away."""
    task = make_task()
    running = outcomes(task, count(), chunksize=whole_chunksize, ordered=ordered, window=100)
    task.has_finished(*range(100))
    running.drain()
    assert sorted(flat(running)) == list(range(100))
    assert running.delivered == 100


def test_nothing_is_drawn_after_a_drain(outcomes: Maker, whole_chunksize: int, ordered: bool) -> None:
    """Taking the rest makes room in the window, but nobody fills it."""
    tap = Tap(count())
    running = outcomes(identity, tap, chunksize=whole_chunksize, ordered=ordered, window=50)
    next(running)
    running.drain()
    asked = tap.asked
    flat(running)
    eventually(reader_has_ended, "the reader has ended")
    assert tap.asked <= asked + 1
    assert tap.closed.is_set()


def test_a_drained_run_that_has_not_seen_the_end_of_the_input_is_not_complete(
    outcomes: Maker, make_task: Maker, whole_chunksize: int, ordered: bool
) -> None:
    """Everything drawn was delivered, but the input has more: nobody may publish that as the whole."""
    task = make_task()
    running = outcomes(task, count(), chunksize=whole_chunksize, ordered=ordered, window=20)
    task.has_finished(*range(20))
    running.drain()
    assert len(flat(running)) == 20
    assert not running.complete


def test_a_drain_while_the_input_is_slow_is_not_complete(
    outcomes: Maker, make_task: Maker, whole_chunksize: int, ordered: bool
) -> None:
    """The reader was inside `next()`, and comes back with an item that is not run any more."""
    feed = make_task(held=(20,))
    running = outcomes(identity, map(feed, count()), chunksize=whole_chunksize, ordered=ordered)
    feed.has_started(20)
    delivered: list[int] = []
    while len(delivered) < 20:
        delivered += next(running)
    running.drain()
    feed.let_go()
    eventually(reader_has_ended, "the reader has ended")
    assert flat(running) == []
    assert not running.complete


def test_a_drain_when_only_the_last_items_run_is_complete(
    outcomes: Maker, make_task: Maker, ordered: bool
) -> None:
    """All items were done despite the signal: then the run is whole."""
    task = make_task(held=(9,))
    running = outcomes(task, range(10), ordered=ordered)
    task.has_started(9)
    task.has_finished(*range(9))
    eventually(reader_has_ended, "the input has ended")
    running.drain()
    task.let_go()
    assert sorted(flat(running)) == list(range(10))
    assert running.complete
    assert running.abandoned == 0


def test_a_drain_after_the_end_changes_nothing(outcomes: Maker, whole_chunksize: int, ordered: bool) -> None:
    """A signal that comes too late finds a complete run."""
    running = outcomes(identity, range(10), chunksize=whole_chunksize, ordered=ordered)
    assert len(flat(running)) == 10
    running.drain(grace=0)
    assert next(running, "end") == "end"
    assert running.complete
    assert running.abandoned == 0


def test_an_error_of_the_input_is_told_after_a_drain(
    outcomes: Maker, make_task: Maker, ordered: bool
) -> None:
    """Where all items before the error were delivered, the drain does not hide it."""

    def broken() -> Iterator[int]:
        yield 0
        raise OSError("the input broke")

    task = make_task(held=(0,))
    running = outcomes(task, broken(), ordered=ordered)
    task.has_started(0)
    eventually(reader_has_ended, "the input has ended")
    running.drain()
    task.let_go()
    assert next(running) == [0]
    with pytest.raises(OSError, match="the input broke"):
        next(running)


def test_a_drain_wakes_a_waiting_consumer(outcomes: Maker, make_task: Maker, whole_chunksize: int) -> None:
    """The consumer waits for an input that gives nothing; a drain from another thread ends that."""
    feed = make_task(held=EVERYTHING)
    running = outcomes(identity, map(feed, count()), chunksize=whole_chunksize)
    consumer = Background(lambda: flat(running))
    feed.has_started(0)
    settled(lambda: 0)
    running.drain()
    assert consumer.value() == []
    assert not running.complete


def test_a_blocked_input_is_abandoned(outcomes: Maker, make_task: Maker) -> None:
    """The iteration ends with the running items; the reader that still sits in `next()` is counted."""
    feed, task = make_task(held=(2,)), make_task()
    running = outcomes(task, map(feed, count()))
    feed.has_started(2)
    task.has_finished(0, 1)
    running.drain()
    assert Background(lambda: flat(running)).value() == [0, 1]
    assert running.abandoned == 1
    assert running.is_reader_abandoned


def test_a_task_may_drain_its_own_run(outcomes: Maker, whole_chunksize: int, ordered: bool) -> None:
    """A worker that has seen enough failures stops the run; its own item is delivered."""

    def task(item: int) -> int:
        if item == 35:
            assert is_made.wait(PATIENCE)
            running.drain()
        return item

    is_made = threading.Event()
    running = outcomes(task, count(), size=1, chunksize=whole_chunksize, ordered=ordered)
    is_made.set()
    assert flat(running) == list(range(36))


def test_when_the_grace_is_over_the_iteration_ends(outcomes: Maker, make_task: Maker, ordered: bool) -> None:
    """One task hangs: what had finished before it is delivered, the thread is abandoned and counted."""
    task = make_task(held=(30,))
    running = outcomes(task, range(60), ordered=ordered)
    task.has_started(30)
    task.has_finished(*range(30), *range(31, 60))
    running.drain(grace=ENOUGH)
    delivered = Background(lambda: flat(running)).value()
    assert sorted(delivered) == [item for item in range(60) if item < 30 or (not ordered and item > 30)]
    assert running.abandoned == 1
    assert not running.complete


def test_a_second_drain_can_shorten_the_grace(outcomes: Maker, make_task: Maker) -> None:
    """Ctrl-C twice: no waiting any more."""
    task = make_task(held=EVERYTHING)
    running = outcomes(task, range(10))
    task.has_started(0, 1)
    running.drain()
    consumer = Background(lambda: flat(running))
    settled(lambda: 0)
    running.drain(grace=0)
    assert consumer.value() == []
    assert running.abandoned == 2


def test_a_second_drain_cannot_lengthen_the_grace(outcomes: Maker, make_task: Maker) -> None:
    """The shortest grace that anybody named holds."""
    task = make_task(held=EVERYTHING)
    running = outcomes(task, range(10))
    task.has_started(0, 1)
    running.drain(grace=0.05)
    running.drain(grace=1000)
    running.drain()
    assert Background(lambda: flat(running)).value() == []


def test_a_close_after_a_drain_counts_what_is_left(outcomes: Maker, make_task: Maker) -> None:
    """A drain does not wait by itself; the `close` after it does."""
    task = make_task(held=(0,))
    running = outcomes(task, range(10))
    task.has_started(0)
    task.has_finished(*range(1, 10))
    running.drain()
    assert running.close(grace=ENOUGH) == 1


def test_a_signal_handler_may_drain(outcomes: Maker, make_task: Maker, whole_chunksize: int) -> None:
    """The handler runs in the thread that waits in `next()`, which then gets the rest."""
    is_made, is_drained = threading.Event(), threading.Event()

    def drain(number: int, frame: object) -> None:
        running.drain(grace=PATIENCE)
        is_drained.set()

    def task(item: int) -> int:
        if item == 25:
            assert is_made.wait(PATIENCE)
            signal_waiting_consumer(signal.SIGUSR1, is_drained)
        return item

    before = signal.signal(signal.SIGUSR1, drain)
    try:
        running = outcomes(task, count(), size=1, chunksize=whole_chunksize)
        is_made.set()
        assert flat(running) == list(range(26))
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_thread_that_has_done_its_last_item_is_not_abandoned(outcomes: Maker, ordered: bool) -> None:
    """The count is taken when the workers have ended, not a moment before."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            running = outcomes(identity, count(), size=4, ordered=ordered, window=8)
            next(running)
            running.drain()
            flat(running)
            assert running.abandoned == 0
    finally:
        sys.setswitchinterval(interval)
