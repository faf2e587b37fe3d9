"""How far an unordered run has got: the first item that is not done, and what is done beyond it.

The same idea as a TCP receiver's cumulative and selective acknowledgements (RFC 2018): the count of items
from the start without a gap, and the ranges behind the gap. The window of the engine bounds the
ranges. Used in ordered runs too, where there is never a range.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

P = TypeVar("P")


class Watermark(Generic[P]):
    """Takes items as they are delivered.

    Attributes:
        index: Every item before it is done.
        last: What was noted with item `index - 1`, or what it began with.
    """

    def __init__(self, index: int, last: P, done: Iterable[tuple[int, int]] = ()) -> None:
        self.index = index
        self.last = last
        self._skipped = {number for first, past in done for number in range(first, past)}
        # Done in an earlier process: they are skipped, so their notes come from the skipping reader.
        self._beyond: dict[int, P] = {}

    def is_done(self, index: int) -> bool:
        """Return whether an item beyond the mark was done by an earlier process."""
        return index in self._skipped

    def add(self, index: int, note: P) -> None:
        """Take an item that is done."""
        if index != self.index:
            self._beyond[index] = note
            return
        beyond = self._beyond
        index += 1
        while index in beyond:
            note = beyond.pop(index)
            index += 1
        self.index, self.last = index, note

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Return the ranges done beyond the mark, those of earlier processes included."""
        numbers = sorted(self._beyond.keys() | {n for n in self._skipped if n >= self.index})
        ranges: list[tuple[int, int]] = []
        for number in numbers:
            if ranges and ranges[-1][1] == number:
                ranges[-1] = (ranges[-1][0], number + 1)
            else:
                ranges.append((number, number + 1))
        return tuple(ranges)
