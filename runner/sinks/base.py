"""The contract of a sink: it turns a task's rows into bytes, the same bytes for the same rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, Protocol

from runner.options import Options


class Encoder(Protocol):
    """Rows to bytes, in two steps so that most of the work happens in the workers.

    `encode` runs in many worker threads at once, before the order of rows is known, and takes a
    snapshot: what the task does to its row afterwards changes nothing. `settle` runs in one
    thread, in output order.
    """

    settles: bool
    """Whether rows need `settle`; where false, `encode` already returns bytes."""

    def prologue(self) -> bytes:
        """Return the bytes before the first row, as far as they are known before it."""
        ...

    def encode(self, row: object) -> Any:
        """Return `row` as bytes with its line ending, or as a snapshot for `settle`.

        Raises:
            RowRefused: The row cannot be written without changing a value; names the field.
        """
        ...

    def settle(self, snapshot: Any) -> bytes:
        """Return the bytes of a snapshot; the first one may fix the columns and bring the header.

        Raises:
            RowRefused: The row does not fit the columns.
        """
        ...

    def epilogue(self) -> bytes:
        """Return the bytes after the last row (a header that no row has brought, for one)."""
        ...


class SinkOptions(Options):
    """What every `output:` has in common."""

    @abstractmethod
    def encoder(self) -> Encoder | None:
        """Return a fresh encoder, or `None` where rows are not written at all."""


class FileSinkOptions(SinkOptions):
    """What outputs that are one file have in common."""

    path: str
    """Where the output appears, complete, when the run is done; from the project root."""
    if_exists: Literal["replace", "fail", "skip"] = "replace"
    """What to do about a file that stands there: replace it at the end, fail, or skip the run."""
