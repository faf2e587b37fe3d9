"""Law 12: items and results are let go as soon as they are delivered, and memory stays flat."""

from __future__ import annotations

import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

import runner

from .probes import EVERYTHING, eventually, identity, outcome, settled

Maker = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("without_gc")


class Parcel:
    """Something that can be watched, and carries something that can be watched."""

    def __init__(self, number: int) -> None:
        self.number = number


class ParcelError(Exception):
    def __init__(self, parcel: Parcel) -> None:
        super().__init__(parcel.number)
        self.parcel = parcel


class InputError(Exception):
    pass


class Watch:
    """Knows which of the objects shown to it are alive."""

    def __init__(self) -> None:
        self._seen: list[weakref.ref[Any]] = []

    def __call__(self, thing: Any) -> Any:
        """Watch one more, and return it."""
        self._seen.append(weakref.ref(thing))
        return thing

    def alive(self) -> int:
        """Return how many of them are alive."""
        return sum(reference() is not None for reference in self._seen)

    def count(self) -> int:
        """Return how many objects were shown."""
        return len(self._seen)

    def all_gone(self) -> None:
        """Wait until none is alive. A worker may take a moment to let go of what it has just handed on."""
        eventually(lambda: self.alive() == 0, f"{self.alive()} of {self.count()} are let go")


def parcels(number: int, watch: Watch, then: Callable[[int], Any] = identity) -> Iterator[Parcel]:
    """Yield watched parcels, keeping none; then make one more call."""
    for index in range(number):
        yield watch(Parcel(index))
    then(0)


def test_items_are_let_go_while_the_input_waits(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """The reader sits in `next()` and the workers are idle: nobody holds the last item."""
    watch, feed = Watch(), make_task(held=EVERYTHING)
    results = imap(lambda item: None, parcels(20, watch, feed), size=2, chunksize=chunksize, ordered=ordered)
    assert list(islice(results, 20)) == [None] * 20
    watch.all_gone()


def test_results_are_let_go_while_the_input_waits(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """What the consumer has dropped is gone, although the map goes on."""
    items, made, feed = Watch(), Watch(), make_task(held=EVERYTHING)
    results = imap(
        lambda item: made(Parcel(item.number)),
        parcels(20, items, feed),
        size=2,
        chunksize=chunksize,
        ordered=ordered,
    )
    for _ in range(20):
        next(results)
    made.all_gone()
    items.all_gone()


def test_one_result_is_let_go_before_the_next_is_asked_for(imap: Maker, chunksize: int | str) -> None:
    """Of results that came in one list, only those not yet taken are alive."""
    made = Watch()
    results = imap(lambda item: made(Parcel(item)), range(20), chunksize=chunksize)
    eventually(lambda: made.count() == 20, "all are made")
    for taken in range(1, 21):
        next(results)
        eventually(lambda left=20 - taken: made.alive() == left, "only results not yet taken are alive")


def test_items_are_let_go_while_the_reader_waits_for_the_consumer(
    imap: Maker, chunksize: int | str, ordered: bool
) -> None:
    """The window is full and the reader asleep: what was delivered is gone."""
    items, made = Watch(), Watch()
    results = imap(
        lambda item: made(Parcel(item.number)),
        parcels(10**9, items),
        size=2,
        chunksize=chunksize,
        ordered=ordered,
        window=20,
    )
    for _ in range(55):
        next(results)
    settled(made.count)
    eventually(lambda: made.alive() <= 20, "only the results of one window are alive")
    eventually(lambda: items.alive() <= 20, "no more items than one window are alive")


def test_failures_are_let_go_when_the_caller_drops_them(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """The error, the item in its frames and what else the task held there."""
    items, errors, feed = Watch(), Watch(), make_task(held=EVERYTHING)

    def task(item: Parcel) -> None:
        raise errors(ParcelError(item))

    results = imap(task, parcels(20, items, feed), size=2, chunksize=chunksize, ordered=ordered)
    for _ in range(20):
        assert type(outcome(results)) is ParcelError
    errors.all_gone()
    items.all_gone()


def test_wrapped_failures_are_let_go_when_the_caller_drops_them(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """A `TaskFailed`, its cause and the item in the cause's frames."""
    items, feed = Watch(), make_task(held=EVERYTHING)

    def task(item: Parcel) -> None:
        raise SystemExit(item)

    results = imap(task, parcels(20, items, feed), size=2, chunksize=chunksize, ordered=ordered)
    for _ in range(20):
        assert type(outcome(results)) is runner.TaskFailed
    items.all_gone()


def test_a_failure_does_not_keep_the_rest_of_its_chunk(
    imap: Maker, make_task: Maker, chunksize: int | str
) -> None:
    """A caller who collects the errors holds the failed items, not their neighbours."""
    items, feed = Watch(), make_task(held=EVERYTHING)

    def task(item: Parcel) -> None:
        if item.number == 13:
            raise ParcelError(item)

    results = imap(task, parcels(20, items, feed), size=2, chunksize=chunksize)
    kept = [outcome(results) for _ in range(20)]
    eventually(lambda: items.alive() == 1, "only the failed item is alive")
    assert kept[13].parcel.number == 13


def test_an_error_of_the_input_is_let_go(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """The error and every item are gone when the caller has dropped the error; no cycle keeps them."""
    watch = Watch()

    def fail(number: int) -> None:
        raise watch(InputError("the input broke"))

    results = imap(lambda item: None, parcels(15, watch, fail), chunksize=chunksize, ordered=ordered)
    assert [next(results) for _ in range(15)] == [None] * 15
    with pytest.raises(InputError, match="the input broke"):
        next(results)
    watch.all_gone()


def test_close_lets_go_of_everything_not_delivered(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Finished results, results held for order and queued items: also while somebody keeps the closed map."""
    items, made = Watch(), Watch()
    hold = make_task(held=(0,))

    def task(item: Parcel) -> Parcel:
        hold(item.number)
        return made(Parcel(item.number))

    results = imap(task, parcels(10**9, items), size=2, chunksize=chunksize, ordered=ordered, window=50)
    behind = chunksize if isinstance(chunksize, int) else 1
    eventually(lambda: made.count() == 50 - behind, "all but the first chunk are done")
    hold.let_go()
    next(results)
    results.close(grace=10)
    items.all_gone()
    made.all_gone()
    assert next(results, "end") == "end"


def test_the_function_and_the_input_are_let_go_at_the_end(chunksize: int | str, ordered: bool) -> None:
    """A finished map that is kept holds neither; no cycle keeps them once it is dropped."""
    watch = Watch()
    results = runner.imap(
        watch(lambda item: None), watch(parcels(20, watch)), chunksize=chunksize, ordered=ordered
    )
    assert list(results) == [None] * 20
    watch.all_gone()


def test_a_dropped_map_lets_go_of_all_it_held(chunksize: int | str, ordered: bool) -> None:
    """Function, input, items and results of a map that nobody reads any more."""
    watch = Watch()
    results = runner.imap(
        watch(lambda item: watch(Parcel(item.number))),
        watch(parcels(10**9, watch)),
        size=2,
        chunksize=chunksize,
        ordered=ordered,
        window=50,
    )
    next(results)
    del results
    watch.all_gone()


def test_lists_are_let_go_below_imap(
    outcomes: Maker, make_task: Maker, whole_chunksize: int, ordered: bool
) -> None:
    """A list belongs to the consumer as soon as it is yielded."""
    items, made, feed = Watch(), Watch(), make_task(held=EVERYTHING)
    running = outcomes(
        lambda item: made(Parcel(item.number)),
        parcels(20, items, feed),
        chunksize=whole_chunksize,
        ordered=ordered,
    )
    while running.delivered < 20:
        next(running)
    made.all_gone()
    items.all_gone()


@pytest.mark.parametrize(
    ("chunksize", "ordered", "is_failing"),
    [(1, True, False), (10, False, False), (1, False, True), (10, True, True)],
    ids=["single-ordered", "chunks-unordered", "single-failing-unordered", "chunks-failing-ordered"],
)
def test_memory_is_the_same_after_many_items(
    imap: Maker, chunksize: int, ordered: bool, is_failing: bool
) -> None:
    """From ten thousand items to many more, less than 64 KiB are added: not a byte for each item."""

    def task(item: int) -> str:
        if is_failing:
            raise LookupError(item)
        return str(item)

    few, many = 10_000, 50_000 if is_failing else 200_000
    results = imap(task, range(many), size=2, chunksize=chunksize, ordered=ordered, window=100)
    tracemalloc.start(1)
    try:
        for _ in range(few):
            outcome(results)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(many - few - 1):
            outcome(results)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 64 * 1024
