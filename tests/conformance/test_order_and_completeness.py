"""Law 3: input order, or as they finish; every item exactly once, whatever its result is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count, islice
from typing import Any

import pytest

import runner

from .probes import EVERYTHING, eventually, identity

Maker = Callable[..., Any]


@pytest.mark.parametrize("number", [0, 1, 2, 9, 10, 11, 257, 10_000])
def test_every_item_comes_once(imap: Maker, chunksize: int | str, ordered: bool, number: int) -> None:
    """As many results as items, in input order when ordered."""
    ran: list[int] = []

    def double(item: int) -> int:
        ran.append(item)
        return 2 * item

    results = list(imap(double, iter(range(number)), size=4, chunksize=chunksize, ordered=ordered))
    assert (results if ordered else sorted(results)) == [2 * item for item in range(number)]
    assert sorted(ran) == list(range(number))


def test_input_order_is_kept_when_the_first_finish_last(
    imap: Maker, make_task: Maker, chunksize: int | str
) -> None:
    """Ordered: a slow head goes first all the same."""
    task = make_task(held=(0,))
    results = imap(task, range(100), size=2, chunksize=chunksize)
    task.has_finished(99)
    task.let_go()
    assert list(results) == list(range(100))


def test_unordered_results_come_as_they_finish(imap: Maker, make_task: Maker, chunksize: int | str) -> None:
    """Unordered: a slow head, and its chunk, come last."""
    task = make_task(held=(0,))
    results = imap(task, range(100), size=2, chunksize=chunksize, ordered=False)
    behind = chunksize if isinstance(chunksize, int) else 1
    assert set(islice(results, 100 - behind)) == set(range(behind, 100))
    task.let_go()
    assert list(results) == list(range(behind))


def test_an_endless_input_is_read_as_it_is_needed(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """The consumer gets what it asks for, and only a window more is ever drawn."""
    results = imap(identity, count(), chunksize=chunksize, ordered=ordered, window=20)
    taken = list(islice(results, 5000))
    assert len(set(taken)) == 5000
    assert max(taken) < 5020


def test_the_end_stays_the_end(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """After the last result, `next()` says so every time."""
    results = imap(identity, range(3), chunksize=chunksize, ordered=ordered)
    assert len(list(results)) == 3
    assert [next(results, "end") for _ in range(3)] == ["end"] * 3


def test_the_default_pool_is_complete_and_ordered() -> None:
    """Nothing but a function and an input is needed."""
    assert list(runner.imap(str, range(2000))) == [str(item) for item in range(2000)]


def test_work_starts_at_the_call(imap: Maker, make_task: Maker, chunksize: int | str) -> None:
    """Items run before the first result is asked for."""
    task = make_task()
    imap(task, range(10), chunksize=chunksize)
    task.has_finished(*range(10))


def test_a_result_is_delivered_while_the_input_waits(imap: Maker, make_task: Maker, ordered: bool) -> None:
    """At chunksize 1 an item's result is there before the input has a second item."""
    feed = make_task(held=(1,))
    results = imap(identity, map(feed, count()), ordered=ordered)
    assert next(results) == 0
    feed.let_go()


class Incomparable:
    """Like an array: comparing it, or asking whether it is true, raises."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")

    __ne__ = __lt__ = __gt__ = __eq__
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("the truth value is ambiguous")

    def __len__(self) -> int:
        raise ValueError("no length")


class Disguised:
    """Lies about its class, and answers every question about its attributes."""

    @property
    def __class__(self) -> type:
        return StopIteration

    def __getattr__(self, name: str) -> Any:
        return self


RESULTS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "false": lambda: False,
    "empty-list": list,
    "list": lambda: [1, 2, 3],
    "tuple-like-a-message": lambda: (-1, None, None),
    "iterator": lambda: iter([1, 2]),
    "exhausted-iterator": lambda: iter(()),
    "exception": lambda: ValueError("returned, not raised"),
    "stop-iteration": lambda: StopIteration(3),
    "exit": lambda: SystemExit(3),
    "exception-class": lambda: KeyboardInterrupt,
    "incomparable": Incomparable,
    "disguised": Disguised,
}


@pytest.mark.parametrize("has_failure", [False, True], ids=["alone", "among-failures"])
@pytest.mark.parametrize("kind", RESULTS)
def test_any_object_can_be_a_result(
    imap: Maker, chunksize: int | str, ordered: bool, kind: str, has_failure: bool
) -> None:
    """What a task returns arrives as that same object: not unpacked, compared, tested or raised."""
    returned: dict[int, Any] = {}

    def task(item: int) -> Any:
        if has_failure and item % 7 == 3:
            raise LookupError("one of the others")
        returned[item] = RESULTS[kind]()
        return returned[item]

    results = imap(task, range(25), chunksize=chunksize, ordered=ordered)
    taken: list[Any] = []
    while True:
        try:
            taken.append(next(results))
        except LookupError:
            continue
        except StopIteration:
            break
    assert Counter(map(id, taken)) == Counter(map(id, returned.values()))
    if ordered:
        assert [id(result) for result in taken] == [id(result) for _, result in sorted(returned.items())]


def test_any_object_can_be_an_item(imap: Maker, chunksize: int | str) -> None:
    """Items are handed over, never looked at."""
    items = [make() for make in RESULTS.values()]
    taken = list(imap(identity, items, chunksize=chunksize))
    assert list(map(id, taken)) == list(map(id, items))


def test_two_maps_at_once_do_not_disturb_each_other(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """One map whose input or whose tasks wait for ever takes nothing from another."""
    feed, task = make_task(held=EVERYTHING), make_task(held=EVERYTHING)
    imap(identity, map(feed, count()), chunksize=chunksize, ordered=ordered)
    imap(task, count(), chunksize=chunksize, ordered=ordered)
    eventually(lambda: feed.started and task.started, "the two maps wait")
    assert sorted(imap(identity, range(500), chunksize=chunksize, ordered=ordered)) == list(range(500))


def test_a_map_may_feed_a_map(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """The results of one map are an input like any other."""
    first = imap(identity, range(300), chunksize=chunksize, ordered=ordered, window=20)
    second = imap(identity, first, chunksize=chunksize, ordered=ordered, window=30)
    assert sorted(second) == list(range(300))


def test_a_task_may_use_a_map_of_its_own(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """Nested maps have their own threads, so they cannot wait for each other."""

    def total(number: int) -> int:
        return sum(runner.imap(identity, range(number), size=2, chunksize=chunksize, ordered=ordered))

    sums = imap(total, range(20), size=3, chunksize=chunksize, ordered=ordered)
    assert sorted(sums) == [sum(range(number)) for number in range(20)]
