"""`type: dead_letter`: the items that failed in another run, from its dead-letter file.

A line is `{index, where, item | raw | raw_base64, error, …}`. What the task gets is the `item`
again; a record that could not be decoded comes back as it was read, `raw` as text and
`raw_base64` as bytes. What is marked as cut (`raw_bytes`) or as only shown (`is_repr`) is no item: it fails
once more, also where its own dead letter is read back. An item's place is its place in the dead-letter file.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from runner.errors import MalformedRecord
from runner.item import Item, ValueKind
from runner.sources.base import Position
from runner.sources.json_text import UNREADABLE, json_decoder, malformed
from runner.sources.records import RecordSource, line_items
from runner.sources.streams import StreamOptions, find_streams


class DeadLetterOptions(StreamOptions):
    """The failed items of another run, from its dead-letter file."""

    values: ClassVar[ValueKind] = "letter"
    type: Literal["dead_letter"]
    """The kind of input. Example: `dead_letter`"""

    def open(self, root: Path) -> DeadLetterSource:
        """Return the source over the files found below `root`."""
        return DeadLetterSource(
            streams=find_streams(self.path, root),
            max_record_bytes=self.max_record_bytes,
            may_grow=self.append == "allow",
        )


@dataclass(kw_only=True)
class DeadLetterSource(RecordSource):
    """The lines of dead-letter files."""

    parse: Callable[[bytes], object] = field(default_factory=json_decoder)

    def items(self, index: int = 0, position: Position | None = None) -> Generator[Item]:
        """Yield the lines that are not blank."""
        return line_items(self, index, position, skip_blank=True)

    def decode(self, item: Item) -> object:
        """Return the item that failed, or the record as it was read where it never became an item."""
        try:
            letter = self.parse(item.raw)
        except UNREADABLE as error:
            raise malformed(item.raw, error) from error
        if not isinstance(letter, dict):
            raise MalformedRecord("not a dead letter: the line is no JSON object")
        if "item" in letter:
            return letter["item"]
        if fault := self._fault(letter):
            raise MalformedRecord(fault)
        if isinstance(letter.get("raw"), str):
            return letter["raw"]
        if isinstance(letter.get("raw_base64"), str):
            return _from_base64(letter["raw_base64"])
        raise MalformedRecord("not a dead letter: it has neither `item` nor `raw` nor `raw_base64`")

    def _fault(self, letter: dict[str, object]) -> str:
        """Return why what the letter holds is not what failed; empty where it is."""
        if (size := letter.get("raw_bytes")) is not None:
            return (
                f"the dead letter holds only the beginning of a record of {size} bytes; run the input that "
                f"it comes from again for it ({_origin(letter)})"
            )
        if letter.get("is_repr"):
            return (
                "the dead letter only shows its item, which JSON cannot say; run the input that it comes "
                f"from again for it ({_origin(letter)})"
            )
        error, raw = letter.get("error"), letter.get("raw")
        if not (isinstance(error, dict) and error.get("stage") == "decode" and isinstance(raw, str)):
            return ""
        try:
            inner = self.parse(raw.encode())
        except UNREADABLE:
            return ""
        # The line of such a letter, which failed once more.
        is_letter = isinstance(inner, dict) and "index" in inner and "error" in inner
        return self._fault(inner) if is_letter else ""  # type: ignore[arg-type]  # a dict, as the line before says


def _origin(letter: dict[str, object]) -> str:
    """Return which item it was, as far as the letter says it."""
    where, index = letter.get("where"), letter.get("index")
    told = f"item {index}" if isinstance(index, int) else "the item"
    if isinstance(where, dict) and where.get("file") is not None:
        told += f", {where['file']} line {where.get('line')}"
    return told


def _from_base64(text: str) -> bytes:
    import base64

    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise MalformedRecord(f"not a dead letter: `raw_base64` is not base64: {error}") from error
