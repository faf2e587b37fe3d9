"""`type: jsonl`: one row is one line of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from runner.sinks.base import FileSinkOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class JsonLinesSink(FileSinkOptions):
    """One row, any JSON value, is one line of JSON, in UTF-8, ended by a line feed."""

    type: Literal["jsonl"]
    """The kind of output. Example: `jsonl`"""

    def encoder(self, columns: Sequence[str] | None = None) -> JsonLinesEncoder:
        """Return a fresh encoder."""
        return JsonLinesEncoder()


class JsonLinesEncoder:
    """Rows to lines of JSON; which value becomes what stands in `runner.sinks.json_text`."""

    settles = False

    encode: Callable[[object], bytes]
    """Return `row` as one line."""

    def __init__(self) -> None:
        from runner.sinks.json_text import encode_json

        # The function itself: a method around it would be one more call for every row.
        self.encode = encode_json

    def prologue(self) -> bytes:
        """Return nothing: lines of JSON have no header."""
        return b""

    def settle(self, snapshot: bytes) -> bytes:
        """Return `snapshot`, which is the line already."""
        return snapshot

    def epilogue(self) -> bytes:
        """Return nothing: lines of JSON have no footer."""
        return b""

    def state(self) -> dict[str, object]:
        """Return nothing: a line does not depend on those before it."""
        return {}

    def restore(self, state: dict[str, object]) -> None:
        """Do nothing: a line does not depend on those before it."""
