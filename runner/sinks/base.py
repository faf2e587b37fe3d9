"""The contract of a sink: it turns a task's rows into bytes, the same bytes for the same rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

from pydantic import field_validator

from runner.options import Options

STDOUT = "-"
"""The path that means standard output."""

# Named one by one, not "whatever we do not know": a path may end in anything else.
_UNBUILT_SUFFIXES = frozenset(
    {".7z", ".br", ".bz2", ".lz4", ".lzma", ".tar", ".tgz", ".xz", ".z", ".zip", ".zst"}
)


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

    def state(self) -> dict[str, object]:
        """Return what `settle` has learnt from the rows so far, as JSON can hold it; `{}` where nothing.

        It goes into each checkpoint. A caller that drops settled rows (one row of several of an
        item was refused) takes it before the first of them and restores it.
        """
        ...

    def restore(self, state: dict[str, object]) -> None:
        """Go on as the encoder whose `state` this is; the bytes it had returned are in the output.

        Raises:
            ValueError: It is no state of an encoder of this kind.
        """
        ...


class SinkOptions(Options):
    """What every `output:` has in common."""

    # Whether all rows have the same columns, named in `columns` or by the task's annotation.
    has_columns: ClassVar[bool] = False

    @abstractmethod
    def encoder(self, columns: Sequence[str] | None = None) -> Encoder | None:
        """Return a fresh encoder, or `None` where rows are not written at all.

        Args:
            columns: Those that the task's annotation promises, for an output with columns of which the
                job file names none.
        """


class FileSinkOptions(SinkOptions):
    """What outputs that are one file have in common."""

    path: str
    """Where the output appears, complete, when the run is done; from the project root. `-`: standard output.
    Example: `out/rows.jsonl`"""
    if_exists: Literal["replace", "fail", "skip"] = "replace"
    """What to do about a file that stands there: replace it at the end, fail, or skip the run.
    Example: `skip`"""

    @field_validator("path")
    @classmethod
    def _must_be_writable_as_said(cls, path: str) -> str:
        if not path.strip():
            raise ValueError("`path` must name a file, got an empty text; `-` is standard output")
        name = path.rpartition("/")[2]
        if name in {"", ".", ".."}:
            raise ValueError(f"`path` must name a file, got the folder {path!r}")
        if "\0" in path:
            raise ValueError("`path` must not hold a NUL character")
        suffix = _suffix(name)
        if suffix.lower() in _UNBUILT_SUFFIXES:
            raise ValueError(f"an output ending in `{suffix}` is not built; write plain or `.gz`")
        if suffix.lower() == ".gz" and suffix != ".gz":
            raise ValueError(f"an output is compressed when it ends in `.gz`, got `{suffix}`")
        return path


def _suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return dot + suffix if stem else ""
