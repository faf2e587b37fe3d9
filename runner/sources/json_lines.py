"""`type: jsonl`: one JSON value on each line.

Blank lines are no items. Of an object with the same key twice the last value counts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from runner.item import Item, ValueKind
from runner.sources.base import Position
from runner.sources.json_text import UNREADABLE, json_decoder, malformed
from runner.sources.records import RecordSource, line_items
from runner.sources.streams import StreamOptions, find_streams


class JsonLinesOptions(StreamOptions):
    """One JSON value on each line; blank lines are skipped."""

    values: ClassVar[ValueKind] = "json"
    type: Literal["jsonl"]
    """The kind of input. Example: `jsonl`"""

    def open(self, root: Path) -> JsonLinesSource:
        """Return the source over the files found below `root`."""
        return JsonLinesSource(
            streams=find_streams(self.path, root),
            max_record_bytes=self.max_record_bytes,
            may_grow=self.append == "allow",
        )


@dataclass(kw_only=True)
class JsonLinesSource(RecordSource):
    """The lines of JSON files."""

    parse: Callable[[bytes], object] = field(default_factory=json_decoder)

    @property
    def quick_decode(self) -> Callable[[bytes], object]:
        """The decoder itself."""
        return self.parse

    def items(self, index: int = 0, position: Position | None = None) -> Generator[Item]:
        """Yield the lines that are not blank."""
        return line_items(self, index, position, skip_blank=True)

    def decode(self, item: Item) -> object:
        """Return the value of the line."""
        try:
            return self.parse(item.raw)
        except UNREADABLE as error:
            raise malformed(item.raw, error) from error
