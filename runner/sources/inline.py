"""`type: items`: the items stand in the job file itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import JsonValue

from runner.item import NOWHERE, Item, ValueKind
from runner.sources.base import Position, Sameness, SourceOptions


class InlineOptions(SourceOptions):
    """Items written out in the job file."""

    values: ClassVar[ValueKind] = "yaml"
    type: Literal["items"]
    """The kind of input. Example: `items`"""
    items: list[JsonValue]
    """The items: any values, of one kind or of many. Example: `[1, two, {three: 3}]`"""

    def open(self, root: Path) -> InlineSource:
        """Return the source; `root` does not matter."""
        return InlineSource(self.items)


class InlineSource:
    """The values of a list; `total` is its length."""

    def __init__(self, values: list[JsonValue]) -> None:
        self.values = values
        self.total: int | None = len(values)

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
        """Yield the values; nothing is copied yet."""
        return map(Item, count(index), islice(self.values, index, None), repeat(NOWHERE))

    def decode(self, item: Item) -> object:
        """Return a copy, so that a task that changes its item changes nobody else's."""
        return copy.deepcopy(item.raw)

    def weigh(self, item: Item) -> int:
        """Return 0, for the value is there anyway."""
        return 0
