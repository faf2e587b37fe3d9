"""The standard streams: always there, and where standard output fails, known to be what failed."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class StdoutBroken(OSError):
    """Standard output cannot be written: a full disk, a reader that has gone.

    It has a `strerror`, and no `errno`, by which click would know a broken pipe and exit with 1.

    Attributes:
        is_unread: Whether the reader has gone, which says what it wanted to say with that.
    """

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"standard output cannot be written: {cause.strerror}")
        self.strerror = cause.strerror
        self.is_unread = cause.errno == errno.EPIPE


class _Stdout(io.FileIO):
    """Standard output, whose failures can be told from those of every other file."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise StdoutBroken(error) from error


def keep_standard_streams() -> None:
    """Occupy the numbers 0, 1 and 2 where they are closed, as by `>&-`, and open standard output anew.

    Otherwise the next file that is opened gets the number, and rows for standard output land in
    the log. Opened for reading only, so that writing to it fails instead of vanishing. And where
    Python has made a stream `None` for that, there is one again, whose writes fail in the same way.

    What an encoding other than UTF-8 cannot say, and half of a surrogate pair (a file name that is not
    UTF-8), is spelled out instead of raising.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest free number, which is this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  # open until the process ends
    before = sys.stdout
    raw = _Stdout(1, "wb", closefd=False)
    raw.name = "<stdout>"
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=None if before is None else before.encoding,
        errors="backslashreplace",
        newline="\n",
        line_buffering=bool(getattr(before, "line_buffering", False)),
        write_through=bool(getattr(before, "write_through", False)),
    )
