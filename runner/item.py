"""What travels from a source to the engine: a record, where it stood, and what is wrong if it was not cut.

`Item` and `Where` are named tuples because one of each is made per record: making a tuple costs
about 0.1 µs, a frozen dataclass five times that.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any, NamedTuple


class Where(NamedTuple):
    """The place of a record in the input.

    Attributes:
        file: Path as the job file gave it (from the project root), `-` for standard input, or
            `None` where the input is no file.
        line: The 1-based line on which the record begins, or `None`.
        offset: The 0-based byte offset of its first byte (in the decompressed stream), or `None`.
    """

    file: str | None
    line: int | None
    offset: int | None


NOWHERE = Where(None, None, None)


class Item(NamedTuple):
    """One record of the input, the unit of failure, retry, order and progress.

    Attributes:
        index: 0-based position among the items of the run.
        raw: For a file, exactly the bytes of the record, its line ending included, so that
            `offset + len(raw)` is where the next one begins; for `items` and `range`, the value
            itself; for a record that could not be cut, a `BrokenRecord`.
        where: Its place in the input.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on an item
    raw: Any
    where: Where


class BrokenRecord(NamedTuple):
    """A record that its source could not cut: too long, or with a quote that is never closed.

    Attributes:
        head: Its first bytes, as many as are worth showing (at most 4 KiB).
        length: Bytes of input that it takes up, line ending included.
        lines: Line ends among them.
        reason: One sentence that says what is wrong.
    """

    head: bytes
    length: int
    lines: int
    reason: str


class Current:
    """Which item the calling thread is at, so that what a task logs can be told with it.

    Looked up on the thread's stack when somebody asks, in the frame of the attempt that called the task:
    noting it for every item cost more than calling a small task does.
    """

    def __init__(self) -> None:
        self.attempt: CodeType | None = None

    @property
    def index(self) -> int | None:
        """The index of the item; `None` in a thread that runs none."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not self.attempt:
            frame = frame.f_back
        if frame is None:
            return None
        index: int = frame.f_locals["item"].index
        return index
