"""`type: text`: every line is an item, an empty one too."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from runner.item import Item, ValueKind
from runner.sources.base import Position
from runner.sources.encoding import Encoding, undecodable
from runner.sources.records import RecordSource, line_items
from runner.sources.streams import StreamOptions, find_streams


class TextOptions(StreamOptions):
    """Lines of text; an item is the line without its line ending."""

    values: ClassVar[ValueKind] = "text"
    type: Literal["text"]
    """The kind of input. Example: `text`"""
    encoding: Encoding = "utf-8"
    """How the bytes are text: utf-8, latin-1, cp1252 or any other codec of Python that contains ASCII.
    Example: `latin-1`"""

    def open(self, root: Path) -> TextSource:
        """Return the source over the files found below `root`."""
        return TextSource(
            streams=find_streams(self.path, root),
            max_record_bytes=self.max_record_bytes,
            may_grow=self.append == "allow",
            encoding=self.encoding,
        )


@dataclass(kw_only=True)
class TextSource(RecordSource):
    """The lines of text files."""

    encoding: str

    def items(self, index: int = 0, position: Position | None = None) -> Generator[Item]:
        """Yield every line."""
        return line_items(self, index, position, skip_blank=False)

    def decode(self, item: Item) -> str:
        r"""Return the line without the `\n` or `\r\n` at its end."""
        raw: bytes = item.raw
        if raw.endswith(b"\n"):
            raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
        try:
            return raw.decode(self.encoding)
        except UnicodeError as error:
            raise undecodable(error, self.encoding) from error
