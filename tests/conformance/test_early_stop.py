"""Law 6: a consumer that stops early stops everything; nothing that hangs can hold it up."""

from __future__ import annotations

import gc
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

import runner

from .probes import (
    EVERYTHING,
    PATIENCE,
    Background,
    Tap,
    eventually,
    identity,
    outcomes_of,
    reader_has_ended,
    runner_threads,
    settled,
)

Maker = Callable[..., Any]

ENOUGH = 0.5
"""A grace within which every thread that sits in no user code has ended."""


def by_close(results: Any) -> None:
    """Stop as a careful caller does."""
    results.close(grace=0)


def by_exception(results: Any) -> None:
    """Stop as a failing body of a `with` block does."""
    with suppress(ZeroDivisionError), results:
        for _ in results:
            raise ZeroDivisionError("in the body")


def by_break(results: Any) -> None:
    """Stop as a `with` block that is left early does."""
    with results:
        for _ in results:
            break


STOPS = [by_close, by_exception, by_break]


def endless(log: list[str]) -> Iterator[int]:
    """Count for ever; log which thread runs the clean-up."""
    try:
        yield from count()
    finally:
        log.append(threading.current_thread().name)


@pytest.mark.parametrize("stop", STOPS)
def test_nothing_is_drawn_after_the_stop(
    imap: Maker, chunksize: int | str, ordered: bool, stop: Callable[[Any], None]
) -> None:
    """At most the `next()` in progress comes back; the input is closed."""
    tap = Tap(count())
    stop(imap(identity, tap, size=2, chunksize=chunksize, ordered=ordered, window=50))
    asked = tap.asked
    assert tap.closed.wait(PATIENCE)
    assert settled(lambda: tap.asked) <= asked + 1


@pytest.mark.parametrize("stop", STOPS)
def test_a_generator_is_closed_by_its_own_thread(
    imap: Maker, chunksize: int | str, ordered: bool, stop: Callable[[Any], None]
) -> None:
    """Its `finally` runs, in the reader."""
    log: list[str] = []
    stop(imap(identity, endless(log), size=2, chunksize=chunksize, ordered=ordered, window=50))
    eventually(lambda: log, "the generator is closed")
    assert log == ["runner-reader"]


def test_close_waits_for_the_clean_up_of_the_input(imap: Maker, chunksize: int | str) -> None:
    """What the input holds, a connection say, is free again when `close` is back within its grace."""
    is_closing, may_close = threading.Event(), threading.Event()
    log: list[str] = []

    def connection() -> Iterator[int]:
        try:
            yield from count()
        finally:
            is_closing.set()
            may_close.wait(PATIENCE)
            log.append("closed")

    def let_close() -> None:
        is_closing.wait(PATIENCE)
        settled(lambda: 0)
        may_close.set()

    results = imap(identity, connection(), chunksize=chunksize, window=50)
    next(results)
    Background(let_close)
    assert results.close(grace=PATIENCE) == 0
    assert log == ["closed"]


def test_dropping_the_results_stops_everything(chunksize: int | str, ordered: bool) -> None:
    """The last reference is gone: no draws, no threads, and the input is closed."""
    log: list[str] = []
    results = runner.imap(identity, endless(log), size=2, chunksize=chunksize, ordered=ordered, window=50)
    next(results)
    del results
    eventually(lambda: not runner_threads(), "the threads of a dropped map have ended")
    assert log == ["runner-reader"]


def test_dropping_results_that_were_never_asked_stops_everything(chunksize: int | str) -> None:
    """A map that nobody reads fills its window and is gone with its last reference."""
    tap = Tap(count())
    results = runner.imap(identity, tap, size=2, chunksize=chunksize, window=20)
    eventually(lambda: tap.asked == 20, "the window is full")
    del results
    eventually(lambda: not runner_threads(), "the threads of a dropped map have ended")


def test_dropping_the_results_in_a_loop_leaves_no_thread(chunksize: int | str, ordered: bool) -> None:
    """`for ... in imap(...): break`, time and again."""
    for _ in range(20):
        for _ in runner.imap(identity, count(), size=2, chunksize=chunksize, ordered=ordered, window=50):
            break
    eventually(lambda: not runner_threads(), "the threads of dropped maps have ended")


def test_results_in_a_reference_cycle_are_collected(chunksize: int | str) -> None:
    """The collector may end a map, too."""
    holder: dict[str, Any] = {}
    holder["itself"] = holder
    holder["results"] = runner.imap(identity, count(), size=2, chunksize=chunksize, window=50)
    next(holder["results"])
    del holder
    gc.collect()
    eventually(lambda: not runner_threads(), "the threads of a collected map have ended")


def test_queued_items_never_run(imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool) -> None:
    """What runs when the map is closed is the last to run, in its chunk as well."""
    task = make_task(held=EVERYTHING)
    results = imap(task, count(), size=2, chunksize=chunksize, ordered=ordered)
    eventually(lambda: len(task.started) == 2, "both threads are busy")
    started = set(task.started)
    results.close(grace=0)
    task.let_go()
    eventually(lambda: not runner_threads(), "the threads have ended")
    assert set(task.started) == started


def test_running_items_finish_within_the_grace(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """`close` waits for them, and leaves no thread behind."""
    task = make_task(held=EVERYTHING)
    results = imap(task, count(), size=2, chunksize=chunksize, ordered=ordered)
    eventually(lambda: len(task.started) == 2, "both threads are busy")
    started = set(task.started)
    closing = Background(lambda: results.close(grace=PATIENCE))
    eventually(reader_has_ended, "the map is closing")
    task.let_go()
    assert closing.value() == 0
    assert set(task.finished) == started


def test_the_threads_left_behind_are_counted(imap: Maker, make_task: Maker, chunksize: int | str) -> None:
    """One task of three hangs: when the grace is over, one thread is left."""
    task = make_task(held=(0,))
    results = imap(task, count(), size=3, chunksize=chunksize, window=60)
    task.has_started(0)
    task.has_finished(*range(20, 60))
    assert results.close(grace=ENOUGH) == 1


def test_a_blocked_input_does_not_hold_up_close(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """The reader that sits in `next()` is left behind, and counted like a hung task."""
    feed = make_task(held=EVERYTHING)
    results = imap(identity, map(feed, count()), size=2, chunksize=chunksize, ordered=ordered)
    feed.has_started(0)
    assert Background(lambda: results.close(grace=0.05)).value() == 1


def test_a_blocked_input_that_comes_back_is_closed(imap: Maker, chunksize: int | str) -> None:
    """Once `next()` returns after all, the reader draws nothing more and runs the input's clean-up."""
    is_blocked, may_go_on = threading.Event(), threading.Event()
    log: list[str] = []

    def feed() -> Iterator[int]:
        try:
            is_blocked.set()
            may_go_on.wait(PATIENCE)
            yield 0
            log.append("drawn again")
        finally:
            log.append("closed")

    results = imap(identity, feed(), chunksize=chunksize)
    assert is_blocked.wait(PATIENCE)
    results.close(grace=0)
    may_go_on.set()
    eventually(reader_has_ended, "the reader has ended")
    assert log == ["closed"]


def test_an_input_that_refuses_to_close_is_nobody_s_concern(
    imap: Maker, chunksize: int | str, recwarn: pytest.WarningsRecorder
) -> None:
    """After an early stop an exception of the input's clean-up is dropped: nobody waits for it."""

    def stubborn() -> Iterator[int]:
        try:
            yield from count()
        finally:
            raise OSError("cannot close")

    results = imap(identity, stubborn(), chunksize=chunksize, window=50)
    next(results)
    assert results.close(grace=PATIENCE) == 0
    eventually(reader_has_ended, "the reader has ended")
    assert not recwarn.list


def test_close_may_be_called_again(imap: Maker, make_task: Maker) -> None:
    """The second time nothing happens, and the answer is the same."""
    task = make_task(held=(0,))
    results = imap(task, range(100), size=2)
    task.has_started(0)
    assert [results.close(grace=ENOUGH), results.close()] == [1, 1]


def test_close_after_the_end_does_nothing(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """A map that came to its end has no threads to leave behind."""
    results = imap(identity, range(100), chunksize=chunksize, ordered=ordered)
    assert len(list(results)) == 100
    assert results.close() == 0


@pytest.mark.parametrize("grace", [0, -1, 0.0, math.inf], ids=str)
def test_any_number_is_a_grace(imap: Maker, chunksize: int | str, grace: float) -> None:
    """None at all, an old deadline that has passed, or for ever."""
    results = imap(identity, range(100), chunksize=chunksize)
    next(results)
    results.close(grace=grace)
    assert next(results, "end") == "end"


def test_next_after_close_is_the_end(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Results that were finished but not taken are dropped, wherever they stood."""
    task = make_task()
    results = imap(task, range(1000), size=2, chunksize=chunksize, ordered=ordered, window=1000)
    task.has_finished(*range(1000))
    next(results)
    results.close()
    assert [next(results, "end") for _ in range(3)] == ["end"] * 3


def test_next_after_close_is_the_end_among_failures(imap: Maker, chunksize: int | str) -> None:
    """Also where results had been sorted into good ones and failures already."""

    def task(item: int) -> int:
        if item % 3 == 1:
            raise LookupError(item)
        return item

    results = imap(task, range(100), chunksize=chunksize)
    assert next(results) == 0
    results.close()
    assert next(results, "end") == "end"


def test_close_from_another_thread_wakes_a_waiting_consumer(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """With a hung task: the consumer in `next()` gets the end of the iteration."""
    task = make_task(held=EVERYTHING)
    results = imap(task, count(), size=2, chunksize=chunksize, ordered=ordered)
    eventually(lambda: len(task.started) == 2, "both threads are busy")
    consumer = Background(lambda: next(results, "end"))
    eventually(lambda: consumer.is_alive(), "the consumer waits")
    settled(lambda: 0)
    results.close(grace=0)
    assert consumer.value() == "end"


def test_close_from_another_thread_wakes_a_consumer_of_a_blocked_input(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """With nothing to run at all: the consumer in `next()` gets the end of the iteration."""
    feed = make_task(held=EVERYTHING)
    results = imap(identity, map(feed, count()), size=2, chunksize=chunksize, ordered=ordered)
    feed.has_started(0)
    consumer = Background(lambda: list(results))
    settled(lambda: 0)
    results.close(grace=0)
    assert consumer.value() == []


def test_close_from_another_thread_ends_a_consumer_in_full_flow(
    imap: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Results and failures come in at full speed: the loop ends as if the input had ended."""

    def task(item: int) -> int:
        if item % 5 == 3:
            raise LookupError(item)
        return item

    for _ in range(10):
        results = imap(task, count(), size=3, chunksize=chunksize, ordered=ordered, window=40)
        tap = Tap(results)
        consumer = Background(lambda tap=tap: outcomes_of(tap))
        eventually(lambda tap=tap: tap.asked > 50, "the flow has begun")
        results.close(grace=PATIENCE)
        assert {type(result) for result in consumer.value()} == {int, LookupError}


def test_a_task_may_close_its_own_map(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """A search that has found it: its task is the one that is left behind, and the loop ends."""
    left: list[int] = []
    may_close = threading.Event()

    def search(item: int) -> int:
        if item == 30:
            assert may_close.wait(PATIENCE)
            left.append(results.close(grace=0.05))
        return item

    results = imap(search, count(), size=2, chunksize=chunksize, ordered=ordered)
    may_close.set()
    Background(lambda: list(results)).value()
    eventually(lambda: left, "close is back")
    assert left[0] >= 1


def test_an_input_may_close_its_own_map(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """The reader can end the map that it reads for."""
    is_made = threading.Event()

    def feed() -> Iterator[int]:
        yield from range(30)
        assert is_made.wait(PATIENCE)
        results.close(grace=0.05)
        yield from count()

    results = imap(identity, feed(), size=2, chunksize=chunksize, ordered=ordered)
    is_made.set()
    Background(lambda: list(results)).value()
    eventually(reader_has_ended, "the reader has ended")


def test_a_map_that_feeds_a_map_is_closed_with_it(imap: Maker, chunksize: int | str) -> None:
    """Closing the second closes the first: results have a `close` as generators have."""
    tap = Tap(count())
    first = imap(identity, tap, chunksize=chunksize, window=20)
    second = imap(identity, first, chunksize=chunksize, window=20)
    next(second)
    second.close(grace=PATIENCE)
    assert tap.closed.wait(PATIENCE)
    eventually(lambda: not runner_threads(), "the threads of both have ended")
