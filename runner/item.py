"""What travels from a source to the engine: a record, where it stood, and what is wrong if it was not cut.

`Item`, `Where` and `Context` are named tuples because one of each is made per record: making a tuple costs
about 0.1 µs, a frozen dataclass five times that.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import CodeType, FrameType, MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import logging

ValueKind = Literal["text", "json", "yaml", "object", "letter"]
"""What the values of a source are made of, which decides how they are converted to a task's type.

`text`: nothing but text; `json`: what JSON can say, so that a text is meant as one; `yaml`: that, and NaN and
infinities; `object`: any objects of Python; `letter`: the items of another source, of which it is not known
any more.
"""


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


class Context(NamedTuple):
    """What a task can know of the attempt it makes: a parameter annotated `runner.Context` gets it.

    Attributes:
        index: 0-based position of the item among the items of the run.
        attempt: Number of this attempt at the item, from 1; a resumed run begins at 1 again.
        run_id: The run's id; a resumed run keeps it.
        params: The parameters of the job, with the values of this run.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a context
    attempt: int
    run_id: str
    params: Mapping[str, object] = MappingProxyType({})

    @property
    def logger(self) -> logging.Logger:
        """Writes into the run's log, with the index of the item: `context.logger.info("...")`."""
        import logging  # `validate` needs this module, and no log

        return logging.getLogger("runner.task")

    @property
    def idempotency_key(self) -> str:
        """32 hexadecimal digits, the same for every attempt at this item in this run, resumed or not.

        For services that take a key with a request and do nothing twice under the same key. A run that
        starts over (`--restart`) has other keys.
        """
        from hashlib import blake2b

        return blake2b(f"{self.run_id}:{self.index}".encode(), digest_size=16).hexdigest()
