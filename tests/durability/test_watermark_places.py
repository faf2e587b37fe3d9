"""A mark of an unordered run is always an item whose place is known."""

from __future__ import annotations

import random

from runner.item import NOWHERE, Item
from runner.ledger.watermark import Watermark


def test_a_mark_never_moves_past_an_item_whose_end_was_not_seen() -> None:
    """Item 1 was done by an earlier process, and is not passed over yet when item 0 is done."""
    watermark = Watermark(0, [(1, 2)])
    watermark.add(Item(0, None, NOWHERE))
    index, before = watermark.mark()
    assert index == (0 if before is None else before.index + 1)
    assert Watermark(index, watermark.ranges()).is_done(1)


def test_every_mark_has_its_place_and_forgets_nothing() -> None:
    """Over thousands of orders and several processes, what was delivered is done, and nothing else."""
    for seed in range(400):
        chance = random.Random(seed)
        index, ranges, done, total = 0, (), set[int](), 30
        for _ in range(4):
            watermark = Watermark(index, ranges)
            start = index
            left = list(range(start, total))
            while left and chance.random() > 0.04:
                item = left.pop(chance.randrange(min(len(left), 8)))
                done.add(item)
                watermark.add(Item(item, None, NOWHERE))
                index, before = watermark.mark()
                ranges = watermark.ranges()
                assert index == (start if before is None else before.index + 1)
                known = Watermark(index, ranges)
                assert {item for item in range(total) if known.is_done(item)} == done
