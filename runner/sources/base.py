"""The contract of a source: it cuts its input into items, and never fails for one of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from runner.item import Item, ValueKind
from runner.options import Options
from runner.units import Size

Position = dict[str, Any]
"""Where an item begins; each kind of source has keys of its own."""

Sameness = Literal["same", "changed", "unsure", "torn"]
"""What is known of the part of an input file that was read.

`torn`: it is the same, its last record was taken without a line end, and the file goes on there.
"""

MAX_RECORD_BYTES = 16 * 2**20


class Source(Protocol):
    """An input, opened for one run.

    `items` is iterated once, by one thread; `decode` is called by many threads at once and must
    not touch the reader's state beyond what was fixed before the item was yielded.
    """

    total: int | None
    """Number of items, where it is known without reading the input; else `None`."""

    @property
    def quick_decode(self) -> Callable[[Any], object] | None:
        """Does what `decode` does, from `item.raw` alone, where one call of a C function can; else `None`.

        It may raise anything; `decode` then says what is wrong.
        """
        ...

    @property
    def files(self) -> Iterable[Path]:
        """The files that are read, or whose names are the items; none for standard input."""
        ...

    @property
    def is_repeatable(self) -> bool:
        """Whether the same items can be read again: those of standard input or of a pipe cannot.

        Where not, nobody but a run (and a preview, which says so) may read `items`.
        """
        ...

    def identity(self, sizes: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """Return what shows that the input is the same: per file `{path, size, mtime_ns, inode, head}`.

        `head` is a hash of the first 64 KiB, of a file in `sizes` at most of so many bytes: as many as
        it had when a run began, so that one that has grown since can be known again. Empty where the
        options say everything.
        """
        ...

    def check_read(self, path: str, position: Position) -> Sameness:
        """Return whether the file `path` of `identity` is the same as far as it was read up to `position`.

        All of that is read again. `unsure` where something changed that was read, and nobody can say
        whether only items after `position` are in it.

        Raises:
            InputBroken: It cannot be read.
        """
        ...

    def position_after(self, item: Item) -> Position:
        """Return where the item after `item` begins, in a form that JSON can hold."""
        ...

    def items(self, index: int = 0, position: Position | None = None) -> Iterator[Item]:
        """Yield the items in input order, from `index` on, which begins at `position`.

        `position` is what `position_after` returned, perhaps in another process, for the item
        before `index`; `None` is the beginning.

        A record that cannot be cut is yielded with a `BrokenRecord` and the reading goes on.
        Closing the generator closes what it opened.

        Raises:
            Refused: The items before `index` are not what they were.
            InputBroken: The input itself stopped (an I/O error, a cut compressed stream).
        """
        ...

    def decode(self, item: Item) -> object:
        """Return a fresh value for `item`, as the task will get it; never called for a `BrokenRecord`.

        Raises:
            MalformedRecord: The record is not what the format says.
        """
        ...

    def weigh(self, item: Item) -> int:
        """Return the bytes of raw input that `item` holds in memory (0 where that is nothing)."""
        ...


class SourceOptions(Options):
    """What every `input:` has in common."""

    # What the values that `decode` returns are made of.
    values: ClassVar[ValueKind] = "object"

    @abstractmethod
    def open(self, root: Path) -> Source:
        """Return the source, its files found below `root` and proven readable.

        Raises:
            InputBroken: A file is missing, is no file, or cannot be read. The message names the
                path and says what to do.
        """


class RecordOptions(SourceOptions):
    """What inputs made of records in a byte stream have in common."""

    max_record_bytes: Size = MAX_RECORD_BYTES
    """The longest record; a longer one fails alone and is never held in memory. Example: `1MiB`"""
