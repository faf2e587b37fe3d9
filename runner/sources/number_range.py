"""`type: range`: whole numbers, as Python's `range` counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count, repeat
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from runner.item import NOWHERE, Item, ValueKind
from runner.sources.base import Position, Sameness, SourceOptions


class RangeOptions(SourceOptions):
    """Whole numbers from `start` up to, without, `stop`."""

    values: ClassVar[ValueKind] = "json"
    type: Literal["range"]
    """The kind of input. Example: `range`"""
    start: int = 0
    """The first number. Example: `1`"""
    stop: int
    """Where to end; itself not an item. Example: `1000`"""
    step: int = 1
    """From one number to the next; negative to count down, never 0. Example: `10`"""

    @field_validator("step")
    @classmethod
    def _moves(cls, step: int) -> int:
        if step == 0:
            raise ValueError("`step` must not be 0, for counting would never end")
        return step

    def open(self, root: Path) -> RangeSource:
        """Return the source; `root` does not matter."""
        return RangeSource(range(self.start, self.stop, self.step))


class RangeSource:
    """The numbers of a range, made one by one; `total` is how many they are."""

    def __init__(self, numbers: range) -> None:
        self.numbers = numbers
        # Not `len`, which fails from 2**63 on.
        self.total: int | None = max(0, -((numbers.start - numbers.stop) // numbers.step))

    @property
    def quick_decode(self) -> Callable[[Any], object] | None:
        """None: one call of a C function is not enough."""
        return None

    @property
    def files(self) -> tuple[()]:
        """None is read here."""
        return ()

    @property
    def is_repeatable(self) -> bool:
        """Always."""
        return True

    def identity(self, sizes: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """Return nothing: the job file says it all."""
        return []

    def check_read(self, path: str, position: Position) -> Sameness:
        """Return `same`: no file is read here."""
        return "same"

    def position_after(self, item: Item) -> Position:
        """Return nothing: the index says it all."""
        return {}

    def items(self, index: int = 0, position: Position | None = None) -> Iterator[Item]:
        """Yield the numbers."""
        numbers = zip(count(index), self.numbers[index:], repeat(NOWHERE), strict=False)
        return map(tuple.__new__, repeat(Item), numbers)

    def decode(self, item: Item) -> int:
        """Return the number."""
        number: int = item.raw
        return number

    def weigh(self, item: Item) -> int:
        """Return 0."""
        return 0
