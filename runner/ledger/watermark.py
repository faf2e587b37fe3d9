"""How far a run has got: the first item that is not done, and the ranges that are done beyond it.

The idea of a TCP receiver's cumulative and selective acknowledgements (RFC 2018): a count of items from the
start without a gap, and ranges behind it. What is kept are the gaps, not what is done: an item that hangs
is one gap, however many millions finish behind it; and the window of the engine bounds the gaps.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.item import Item


class Watermark:
    """Takes items as they are delivered, in any order; each once.

    Args:
        index: Every item before it was done by an earlier process.
        done: Ranges `[first, past last]` beyond it that were done by an earlier process, in order.
    """

    def __init__(self, index: int = 0, done: Iterable[tuple[int, int]] = ()) -> None:
        self._gaps: set[int] = set()
        self._frontier = index  # nothing from here on is done
        # The last mark whose place was known. An item that was done by an earlier process is known to be
        # done before it has been passed over, and only then where it ends.
        self._marked: tuple[int, Item | None] = (index, None)
        # For an item that is not done, the one before it, which is: where it ends, the other begins.
        self._before: dict[int, Item] = {}
        for first, past in done:
            self._gaps.update(range(self._frontier, first))
            self._frontier = past

    def is_done(self, index: int) -> bool:
        """Return whether the item is done."""
        return index < self._frontier and index not in self._gaps

    def add(self, item: Item) -> None:
        """Take an item that is done now, or was done by an earlier process and has been passed over."""
        index = item.index
        if index == self._frontier:
            self._frontier += 1
        elif index > self._frontier:
            self._gaps.update(range(self._frontier, index))
            self._frontier = index + 1
        else:
            self._gaps.discard(index)
        self._before.pop(index, None)
        following = index + 1
        if following >= self._frontier or following in self._gaps:
            self._before[following] = item

    def advance(self, item: Item) -> None:
        """Take `item`, before which everything is done: what an ordered run does for a whole list."""
        self._frontier = item.index + 1
        self._before = {self._frontier: item}

    def mark(self) -> tuple[int, Item | None]:
        """Return an item before which all is done, and the item before it: where that one ends, it begins.

        It is the first item that is not done, or an earlier one as long as it is not known where that
        begins. `None`: it is still `index`, where this process began.
        """
        index = min(self._gaps) if self._gaps else self._frontier
        before = self._before.get(index)
        if before is not None:
            self._marked = (index, before)
        return self._marked

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Return the ranges that are done from the mark on."""
        gaps = sorted(self._gaps)
        starts = [self.mark()[0], *(gap + 1 for gap in gaps)]
        ends = [*gaps, self._frontier]
        return tuple((start, end) for start, end in zip(starts, ends, strict=True) if start < end)
