"""Law 1: items drawn and not yet delivered never exceed the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import pytest

from .probes import EVERYTHING, Background, Tap, eventually, flat, identity, settled

Maker = Callable[..., Any]
Bounds = tuple[int | str, int]

BOUNDS: list[Bounds] = [
    (1, 1),
    (1, 7),
    (2, 2),
    (2, 3),
    (2, 7),
    (10, 10),
    (10, 11),
    (10, 25),
    ("auto", 1),
    ("auto", 7),
]
"""Chunksize and window: equal, not a multiple, several."""


@pytest.fixture(params=BOUNDS, ids=lambda bounds: f"chunk-{bounds[0]}-window-{bounds[1]}")
def bounds(request: pytest.FixtureRequest) -> Bounds:
    """Return a chunksize and a window."""
    return request.param


def test_while_the_consumer_sleeps_exactly_the_window_is_drawn(
    imap: Maker, bounds: Bounds, ordered: bool
) -> None:
    """Nobody takes a result: the input is read to the window's end and no further."""
    chunksize, window = bounds
    tap = Tap(count())
    imap(identity, tap, size=3, chunksize=chunksize, window=window, ordered=ordered)
    eventually(lambda: tap.asked >= window, "the window is drawn")
    assert settled(lambda: tap.asked) == window


def test_a_consumer_that_stops_now_and_then_never_sees_more_than_the_window(
    imap: Maker, bounds: Bounds, ordered: bool
) -> None:
    """The bound holds after every single result, whether the consumer pauses or hurries."""
    chunksize, window = bounds
    tap = Tap(count())
    results = imap(identity, tap, size=3, chunksize=chunksize, window=window, ordered=ordered)
    for _ in range(5):
        tap.take(results, 1)
        settled(lambda: tap.asked)
    tap.take(results, 300)
    settled(lambda: tap.asked)
    assert tap.worst == window


def test_while_the_head_is_slow_the_window_fills_and_holds(
    imap: Maker, make_task: Maker, bounds: Bounds
) -> None:
    """In ordered mode results held for order count as well."""
    chunksize, window = bounds
    task, tap = make_task(held=(0,)), Tap(count())
    results = imap(task, tap, size=3, chunksize=chunksize, window=window)
    consumer = Background(lambda: tap.take(results, 3 * window))
    eventually(lambda: tap.asked >= window, "the window is drawn")
    assert settled(lambda: tap.asked) == window
    task.let_go()
    assert consumer.value() == list(range(3 * window))
    assert tap.worst == window


@pytest.mark.parametrize(("chunksize", "window"), [(1, 7), (2, 7), (10, 25), ("auto", 7)])
def test_unordered_a_slow_item_keeps_its_place_in_the_window(
    imap: Maker, make_task: Maker, chunksize: int | str, window: int
) -> None:
    """Others overtake the slow item, but what it occupies stays occupied."""
    task, tap = make_task(held=(0,)), Tap(count())
    results = imap(task, tap, size=3, chunksize=chunksize, window=window, ordered=False)
    assert 0 not in tap.take(results, 10 * window)
    settled(lambda: tap.asked)
    assert tap.worst == window


def test_closing_draws_nothing_but_the_one_in_progress(
    imap: Maker, make_task: Maker, bounds: Bounds, ordered: bool
) -> None:
    """With workers busy and the window full, closing frees no place in it."""
    chunksize, window = bounds
    task, tap = make_task(held=EVERYTHING), Tap(count())
    results = imap(task, tap, size=3, chunksize=chunksize, window=window, ordered=ordered)
    eventually(lambda: tap.asked >= window, "the window is drawn")
    results.close(grace=0)
    task.let_go()
    assert settled(lambda: tap.asked) == window


def test_closing_in_the_middle_of_the_flow_draws_at_most_one_more(
    imap: Maker, bounds: Bounds, ordered: bool
) -> None:
    """The reader may be inside `next()` when the map is closed, not more."""
    chunksize, window = bounds
    tap = Tap(count())
    results = imap(identity, tap, size=3, chunksize=chunksize, window=window, ordered=ordered)
    tap.take(results, 3 * window + 1)
    results.close()
    asked = tap.asked
    assert settled(lambda: tap.asked) <= asked + 1
    assert tap.worst <= window


def test_the_default_window_is_1024(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """Nobody named a window: 1024 items, for a pool and chunks of usual size."""
    tap = Tap(count())
    imap(identity, tap, size=2, chunksize=chunksize, ordered=ordered)
    eventually(lambda: tap.asked >= 1024, "the window is drawn")
    assert settled(lambda: tap.asked) == 1024


def test_the_default_window_feeds_a_pool_of_large_chunks(imap: Maker) -> None:
    """Nobody named a window: four chunks for each thread where that is more than 1024 items."""
    tap = Tap(count())
    imap(identity, tap, size=3, chunksize=100)
    eventually(lambda: tap.asked >= 1200, "the window is drawn")
    assert settled(lambda: tap.asked) == 1200


def test_a_list_counts_until_the_next_one_is_asked_for(
    outcomes: Maker, whole_chunksize: int, ordered: bool
) -> None:
    """The level below: results that the consumer still works on are not delivered yet."""
    window = 25
    tap = Tap(count())
    running = outcomes(identity, tap, size=3, chunksize=whole_chunksize, window=window, ordered=ordered)
    for _ in islice(tap.take_lists(running), 20):
        eventually(lambda: tap.asked - tap.delivered >= window // 2, "the reader goes on")
        settled(lambda: tap.asked)
    assert tap.worst <= window


def test_a_backlog_comes_in_lists_of_a_quarter_of_the_window(
    outcomes: Maker, make_task: Maker, whole_chunksize: int
) -> None:
    """While the consumer works on one list after a slow head, the pool must have items to run."""
    window = 100
    task = make_task(held=(0,))
    running = outcomes(task, range(1000), size=2, chunksize=whole_chunksize, window=window)
    task.has_finished(*range(whole_chunksize, window))
    task.let_go()
    longest = max(len(results) for results in running)
    assert longest < window // 4 + whole_chunksize


def test_no_more_than_size_items_run_at_once(imap: Maker, make_task: Maker, ordered: bool) -> None:
    """The pool is as large as it says: all its threads are used, and no others."""
    task = make_task(held=EVERYTHING)
    results = imap(task, count(), size=3, ordered=ordered)
    eventually(lambda: len(task.started) >= 3, "three items run")
    assert settled(lambda: len(task.started)) == 3
    task.let_go()
    assert len(list(islice(results, 50))) == 50


# --- the bound in bytes ---------------------------------------------------------------------------


class Scale(Iterator[int]):
    """An input of weights that notes the undelivered bytes whenever the next item is drawn."""

    def __init__(self, weights: list[int]) -> None:
        self._weights = iter(weights)
        self.outstanding = 0
        self.before_each_draw: list[int] = []

    def __next__(self) -> int:
        weight = next(self._weights)
        self.before_each_draw.append(self.outstanding)
        self.outstanding += weight
        return weight


@pytest.mark.parametrize(
    "weights",
    [[40] * 60, [1] * 200, [100] * 30, [101] * 30, [5000] * 20, [0, 99, 2, 500, 1, 1, 1, 100, 30] * 10],
    ids=["several-fit", "many-fit", "one-fits", "one-is-over", "one-is-far-over", "mixed"],
)
def test_an_item_is_drawn_only_while_the_undelivered_bytes_are_within_the_window(
    outcomes: Maker, whole_chunksize: int, ordered: bool, weights: list[int]
) -> None:
    """So undelivered bytes never exceed `window_bytes` and the last item; every item gets through."""
    scale = Scale(weights)
    running = outcomes(
        identity, scale, chunksize=whole_chunksize, ordered=ordered, window_bytes=100, weigh=identity
    )
    delivered = []
    for results in running:
        delivered += results
        settled(lambda: len(scale.before_each_draw))
        scale.outstanding -= sum(results)
    assert sorted(delivered) == sorted(weights)
    assert max(scale.before_each_draw) <= 100


def test_both_windows_hold_at_once(outcomes: Maker, whole_chunksize: int, ordered: bool) -> None:
    """Light items are bounded in number, although their bytes would let more in."""
    tap = Tap(range(500))
    running = outcomes(
        identity,
        tap,
        chunksize=whole_chunksize,
        ordered=ordered,
        window=12,
        window_bytes=1000,
        weigh=lambda item: 1,
    )
    assert sorted(flat(tap.take_lists(running))) == list(range(500))
    assert tap.worst <= 12
