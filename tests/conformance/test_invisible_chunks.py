"""Law 13, what can be claimed without a stopwatch: a slow item holds up nobody that it need not.

At chunksize 1 and "auto" nothing that the engine does inside may be seen: not in lists, not in the
window, not in the hand-over between its threads.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, islice
from typing import Any

import pytest

from .probes import Background, eventually, identity

Maker = Callable[..., Any]

pytestmark = pytest.mark.parametrize("chunksize", [1, "auto"])


@pytest.mark.parametrize("slow", [0, 1, 17, 49])
def test_all_others_of_the_window_run_while_one_is_slow(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool, slow: int
) -> None:
    """One thread of two is busy with it, the other runs everything else; nobody takes a result."""
    task = make_task(held=(slow,))
    imap(task, count(), size=2, chunksize=chunksize, ordered=ordered, window=50)
    task.has_finished(*(item for item in range(50) if item != slow))


@pytest.mark.parametrize("slow", [0, 1, 17, 49])
def test_unordered_all_others_are_delivered_while_one_is_slow(
    imap: Maker, make_task: Maker, chunksize: int | str, slow: int
) -> None:
    """Many windows flow past it."""
    task = make_task(held=(slow,))
    results = imap(task, range(1000), size=2, chunksize=chunksize, ordered=False, window=50)
    others = Background(lambda: set(islice(results, 999)))
    assert others.value() == set(range(1000)) - {slow}
    task.let_go()
    assert list(results) == [slow]


@pytest.mark.parametrize("slow", [1, 17, 49, 500])
def test_ordered_all_before_it_are_delivered_while_one_is_slow(
    imap: Maker, make_task: Maker, chunksize: int | str, slow: int
) -> None:
    """None of them waits for a list to be full."""
    task = make_task(held=(slow,))
    results = imap(task, count(), size=2, chunksize=chunksize, window=50)
    assert Background(lambda: list(islice(results, slow))).value() == list(range(slow))


@pytest.mark.parametrize("slow", [1, 17, 49, 500])
def test_ordered_a_whole_window_behind_it_runs_while_one_is_slow(
    imap: Maker, make_task: Maker, chunksize: int | str, slow: int
) -> None:
    """While the consumer waits for the slow item, every place before it has been given back."""
    task = make_task(held=(slow,))
    results = imap(task, count(), size=2, chunksize=chunksize, window=50)
    consumer = Background(lambda: list(islice(results, slow + 1)))
    task.has_finished(*range(slow), *range(slow + 1, slow + 50))
    task.let_go()
    assert consumer.value() == list(range(slow + 1))


def test_as_many_as_there_are_threads_may_be_slow_but_one(
    imap: Maker, make_task: Maker, chunksize: int | str
) -> None:
    """The last free thread runs all that is left."""
    task = make_task(held=range(7))
    results = imap(task, range(500), size=8, chunksize=chunksize, ordered=False, window=100)
    assert Background(lambda: set(islice(results, 493))).value() == set(range(7, 500))


def test_slow_items_run_side_by_side(imap: Maker, make_task: Maker, chunksize: int | str) -> None:
    """Several slow items in a row are not handed to one thread."""
    task = make_task(held=range(4))
    imap(task, range(4), size=4, chunksize=chunksize)
    task.has_started(0, 1, 2, 3)


def test_a_slow_input_holds_up_no_result(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Whatever was drawn is delivered while the input makes up its mind."""
    for number in (1, 2, 3, 15, 16, 17, 33):
        feed = make_task(held=(number,))
        results = imap(identity, map(feed, count()), size=2, chunksize=chunksize, ordered=ordered)
        taken = Background(lambda results=results, number=number: list(islice(results, number))).value()
        assert sorted(taken) == list(range(number))
        feed.let_go()
        results.close()


def test_a_consumer_that_works_on_one_result_does_not_idle_the_pool(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """With one result taken and in use, at least half a window is run ahead of the consumer."""
    task = make_task()
    results = imap(task, count(), size=2, chunksize=chunksize, ordered=ordered, window=40)
    for taken, _ in enumerate(islice(results, 100), start=1):
        eventually(lambda taken=taken: len(task.finished) >= taken + 20, "the pool is ahead")
