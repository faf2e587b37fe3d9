"""`type: text`: one row is one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from runner.errors import RowRefused
from runner.sinks.base import FileSinkOptions


class TextSink(FileSinkOptions):
    """One row is one text, written as it is, in UTF-8, ended by a line feed."""

    type: Literal["text"]
    """The kind of output. Example: `text`"""

    def encoder(self, columns: Sequence[str] | None = None) -> TextEncoder:
        """Return a fresh encoder."""
        return TextEncoder()


class TextEncoder:
    """Texts to lines. A text is not escaped in any way, so one that holds a line break is refused."""

    settles = False

    def prologue(self) -> bytes:
        """Return nothing: lines of text have no header."""
        return b""

    def encode(self, row: object) -> bytes:
        """Return `row` as one line.

        Raises:
            RowRefused: The row is no text, or holds a line break or half of a surrogate pair.
        """
        if not isinstance(row, str):
            raise RowRefused(f"a row of a text output must be a text, got {type(row).__name__}")
        if "\n" in row or "\r" in row:
            raise RowRefused(
                "the row holds a line break, so it would be read back as several lines; "
                "replace it, or write jsonl or csv"
            )
        try:
            return row.encode() + b"\n"
        except UnicodeEncodeError as error:
            raise RowRefused(f"the row holds half of a surrogate pair at character {error.start}") from error

    def settle(self, snapshot: bytes) -> bytes:
        """Return `snapshot`, which is the line already."""
        return snapshot

    def epilogue(self) -> bytes:
        """Return nothing: lines of text have no footer."""
        return b""

    def state(self) -> dict[str, object]:
        """Return nothing: a line does not depend on those before it."""
        return {}

    def restore(self, state: dict[str, object]) -> None:
        """Do nothing: a line does not depend on those before it."""
