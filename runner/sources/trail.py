"""What was read of the input files, as checksums, so that a later process can prove that it is the same.

A CRC-32 over all that was read of a file, as it lies on the disk: little is summed of a compressed one. It
shows every accident (one in four thousand million is missed), and can be gone on with from the number alone,
so a resumption reads nothing twice. It does not show what somebody forges on purpose, who could as well
forge the checkpoint.

All that was read counts, also what was read ahead of the first item that is not committed: in an unordered
run some of it is committed, too.

Tried and dropped: SHA-256 (630 ns for a record of 1 KiB, CRC-32 270, where reading and cutting it costs
730), a hash over items as they are committed (300 ns for the smallest one, and no order to hash in where the
run has none), and reading in the committer what is committed (compressed files would be inflated twice).
"""

from __future__ import annotations

from binascii import crc32  # that of zlib, without its decompressors
from collections import deque
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Any

from runner.sources.base import Position, Sameness

BLOCK_BYTES = 2**20
"""Read at a time to compare; arbitrary."""
MOST_MARKS = 4096
"""Of one file: 0.5 GiB of reading ahead; of more, every other one is forgotten. Arbitrary."""


class Sum:
    """The checksum of the first bytes of one file. Fed by one thread, asked by another one.

    Args:
        offset: Where feeding begins.
        value: The checksum of everything before it.

    Attributes:
        latest: `(offset, value)` of everything that was fed.
        has_grown: Whether the file was appended to while it was read, known at its end.
    """

    def __init__(self, offset: int = 0, value: int = 0) -> None:
        self.latest = (offset, value)
        self.has_grown = False
        self._marks = deque([self.latest])
        self._lock = Lock()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the file."""
        offset, value = self.latest
        self.latest = (offset + len(data), crc32(data, value))
        with self._lock:
            self._marks.append(self.latest)
            if len(self._marks) > MOST_MARKS:
                self._marks = deque(list(self._marks)[::2])

    def base(self, offset: int) -> tuple[int, int]:
        """Return the last mark at or before `offset`; those before it are forgotten."""
        with self._lock:
            while len(self._marks) > 1 and self._marks[1][0] <= offset:
                self._marks.popleft()
            return self._marks[0]


class Trail:
    """What was read of files that are read one after the other. Asked by another thread than the reader's."""

    def __init__(self) -> None:
        self._sums: list[Sum] = []  # of the files begun in this process
        self._whole: list[int] = []  # checksums of the files before them
        self._before: dict[str, Any] = {"whole": [], "part": [0, 0], "base": [0, 0]}
        self._is_open = False

    def go_on(self, number: int, read: dict[str, Any] | None) -> None:
        """Begin at file `number`, with what `reached` has returned in another process."""
        if read is not None:
            self._before = read
        self._whole = self._before["whole"][:number]

    def begin(self, *, is_plain: bool) -> Sum:
        """Return the checksum of the next file. Only a plain one can be gone on with in its middle."""
        is_first = not self._sums
        self._is_open = False
        self._sums.append(Sum(*self._before["base"]) if is_plain and is_first else Sum())
        return self._sums[-1]

    @property
    def has_grown(self) -> bool:
        """Whether the file begun last was appended to while it was read, known at its end."""
        return bool(self._sums) and self._sums[-1].has_grown

    def take_open_end(self) -> None:
        """Note that the end of the file begun last is taken as a record, though it has no line end."""
        self._is_open = True

    def reached(self, number: int, offset: int) -> dict[str, Any]:
        """Return what was read, and where a checksum can be gone on with before `offset` of file `number`.

        `{whole, part, base}`: checksums of the files that were read to their ends, offset and checksum of
        the one behind them, and those of a mark. With `is_open: true` where the latter was read to its end,
        and that was taken without a line end.
        """
        sums = list(self._sums)
        at = number - len(self._whole)
        whole = [*self._whole, *(each.latest[1] for each in sums[:-1])]
        part = list(sums[-1].latest) if sums else [0, 0]
        base = (
            list(sums[at].base(offset)) if 0 <= at < len(sums) else [0, 0] if sums else self._before["base"]
        )
        is_open, now = self._is_open, (len(whole), part[0])
        before = (len(self._before["whole"]), self._before["part"][0])
        if now <= before:
            is_open |= self._before.get("is_open", False)
        if now < before:
            whole, part = self._before["whole"], self._before["part"]  # what was read ahead then
        return {"whole": whole, "part": part, "base": base, **({"is_open": True} if is_open else {})}


def check_read(path: Path, number: int, position: Position) -> Sameness:
    """Return whether file `number` of the input is the same as far as it was read; see `Source.check_read`.

    `position` is `{file, offset, read: {whole, part, base}}`. Raises OSError.
    """
    read = position["read"]
    whole, (size, value), (base, base_value) = read["whole"], read["part"], read["base"]
    if number < len(whole):
        size, value = None, whole[number]
    elif number > len(whole) or not size:
        return "same"  # nothing of it was read
    is_current = number == position["file"]
    before, now = checksums(path, size=size, base=base if is_current else 0)
    if now == value:
        is_open = size is not None and read.get("is_open", False)
        return "torn" if is_open and path.stat().st_size > size else "same"
    is_done = number < position["file"] or (is_current and before != base_value)
    return "changed" if is_done else "unsure"


def checksum(file: FileIO, size: int) -> int:
    """Return the checksum of the first `size` bytes of an open file; leaves it behind them."""
    value = offset = 0
    file.seek(0)
    while offset < size and (block := file.read(min(BLOCK_BYTES, size - offset))):
        offset, value = offset + len(block), crc32(block, value)
    return value


def checksums(path: Path, *, size: int | None, base: int) -> tuple[int, int]:
    """Return the checksums of the first `base` and of the first `size` bytes (`None`: all) of the file."""
    offset = value = at_base = 0
    with path.open("rb", buffering=0) as file:
        while size is None or offset < size:
            # A block ends at `base` and at `size`.
            end = min(end for end in (base, size, offset + BLOCK_BYTES) if end is not None and end > offset)
            block = file.read(end - offset)
            if not block:
                break
            offset, value = offset + len(block), crc32(block, value)
            if offset == base:
                at_base = value
    return at_base, value
