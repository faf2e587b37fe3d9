"""Where a CSV record ends, which need not be where its line ends.

A record is cut in binary. Its end is not a question of parity, for quotes may be data, but of a
state machine with one bit per line: a line begins outside quotes or inside. `LineEnds` holds it as
regular expressions, all possessive, so that no text makes them go back. A quote that is
never closed costs its opening line only: the lines after it are judged again as if it were not
there. That each line behind it is known to leave the quotes open (`_Quoted`) keeps this linear
when every line opens another quote.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from runner.item import BrokenRecord
from runner.sources.records import HEAD_BYTES
from runner.sources.streams import BLOCK_BYTES
from runner.units import format_size

BLANK = frozenset((b"\n", b"\r\n"))
"""Lines that are no rows."""


class Rows(NamedTuple):
    """Records as they follow each other; plain where each is one line and none is blank."""

    rows: list[bytes]
    is_plain: bool


class LineEnds:
    """Where a record ends, by what its quotes say.

    Attributes:
        quote: The byte of the quote.
        record: Matches a whole record with its line end.
        fresh: Matches a line that begins and ends outside quotes.
        inside: Matches a line that begins inside quotes and ends outside.
    """

    def __init__(self, delimiter: str, quotechar: str) -> None:
        self.quote = quotechar.encode()
        d, q = re.escape(delimiter.encode()), re.escape(self.quote)
        rest = rb"[^%b\n]*+" % d
        closed = rb"[^%b]*+(?:%b%b[^%b]*+)*+%b%b" % (q, q, q, q, q, rest)
        value = rb"(?:%b%b|(?!%b)%b)" % (q, closed, q, rest)
        # The inner groups are atomic for Python before 3.11.5: without that, a possessive repetition goes
        # on behind what has not matched (https://github.com/python/cpython/issues/106052).
        more = rb"(?:(?>%b%b))*+" % (d, value)
        record = value + more
        self.record = re.compile(record + rb"\n")
        self.fresh = re.compile(record + rb"\n?\Z")
        self.inside = re.compile(closed + more + rb"\n?\Z")


def cut_rows(
    runs: Iterator[bytes | BrokenRecord],
    ends: LineEnds | None,
    max_record_bytes: int,
    takes_end: Callable[[int], bool] | None = None,
) -> Iterator[Rows | BrokenRecord]:
    """Cut runs of whole lines into records, which may be of several lines.

    Where a quote is open at the end, `takes_end` is given the bytes from it on, and says whether they are
    records all the same; by default they are.
    """
    quoted = None if ends is None else _Quoted(ends, max_record_bytes)
    for run in runs:
        if isinstance(run, BrokenRecord):
            if quoted is not None:
                yield from quoted.give_up(quoted.too_far)
            yield run
        elif quoted is None or not (quoted.held or quoted.ends.quote in run):
            yield _rows_of_lines(run)
        else:
            yield from _cut_quoted(run, quoted)
    if quoted is not None and quoted.held and (takes_end is None or takes_end(len(quoted.held))):
        yield from quoted.give_up("before the end of the file")


def _cut_quoted(run: bytes, quoted: _Quoted) -> Iterator[Rows | BrokenRecord]:
    """Cut a run with quotes in it: whole records at a time, and line by line where one goes on."""
    position = 0
    while position < len(run):
        if quoted.held:
            end = _end_of_plain_lines(run, position, quoted.ends.quote)
            if end > position:
                yield from quoted.add_plain(run[position:end])
        else:
            rows, end = _whole_records(run, position, quoted)
            if rows:
                is_plain = len(rows) == run.count(b"\n", position, end) and BLANK.isdisjoint(rows)
                yield Rows(rows, is_plain)
        position = end
        end = run.find(b"\n", position) + 1 or len(run)
        if position < end:
            yield from quoted.add(run[position:end])
            position = end


def _whole_records(run: bytes, position: int, quoted: _Quoted) -> tuple[list[bytes], int]:
    """Return the records from `position` on that end in the run, and where they end."""
    match, limit = quoted.ends.record.match, quoted.limit
    rows: list[bytes] = []
    while found := match(run, position, position + limit):
        rows.append(found[0])
        position = found.end()
    return rows, position


def _rows_of_lines(run: bytes) -> Rows:
    lines = io.BytesIO(run).readlines()
    return Rows(lines, BLANK.isdisjoint(lines))


def _end_of_plain_lines(run: bytes | bytearray, position: int, quote: bytes) -> int:
    """Return the end of the lines from `position` on that have no quote."""
    found = run.find(quote, position)
    return len(run) if found < 0 else run.rfind(b"\n", position, found) + 1 or position


class _Quoted:
    """Lines from one that opens a quote on, all of them known to leave it open.

    Attributes:
        held: The lines, as one piece: as objects, short ones would take twenty times their bytes.
    """

    def __init__(self, ends: LineEnds, limit: int) -> None:
        self.ends = ends
        self.limit = limit
        self.held = bytearray()
        self.too_far = f"within max_record_bytes ({format_size(limit)})"

    def add(self, line: bytes) -> Iterator[Rows | BrokenRecord]:
        """Take the next line and yield what it ends: a record, or openers that found no end."""
        if self.held and self.ends.quote in line and self.ends.inside.match(line):
            yield from self._shorten(len(line))
            if self.held:
                record = bytes(self.held + line)
                self.held.clear()
                yield Rows([record], is_plain=False)
                return
        if not self.held and self._is_whole(line):
            yield Rows([line], is_plain=False)
            return
        self.held += line
        yield from self._shorten(0)

    def add_plain(self, lines: bytes) -> Iterator[Rows | BrokenRecord]:
        """Take lines without quotes, which cannot close one."""
        self.held += lines
        yield from self._shorten(0)

    def give_up(self, why: str) -> Iterator[Rows | BrokenRecord]:
        """Yield what is held, for no more lines can close the quotes."""
        while self.held:
            yield from self._drop_opener(why)

    def _shorten(self, more: int) -> Iterator[Rows | BrokenRecord]:
        while self.held and len(self.held) + more > self.limit:
            yield from self._drop_opener(self.too_far)

    def _drop_opener(self, why: str) -> Iterator[Rows | BrokenRecord]:
        """Yield the line that opens the quote as broken, and the whole ones up to the next opener."""
        line = self._first_lines(1)
        # Deleting moves nothing: a bytearray can begin later in its memory.
        del self.held[: len(line)]
        reason = (
            f"a quote opened on this line is not closed {why}; the next lines are read as rows of their own"
        )
        yield BrokenRecord(line[:HEAD_BYTES], len(line), line.count(b"\n"), reason)
        while self.held:
            plain = _end_of_plain_lines(self.held, 0, self.ends.quote)
            lines = self._first_lines(min(plain, BLOCK_BYTES))
            if not (plain or self._is_whole(lines)):
                return
            del self.held[: len(lines)]
            yield _rows_of_lines(lines)

    def _first_lines(self, size: int) -> bytes:
        """Return what is held up to the first line end at or behind `size` bytes."""
        return bytes(self.held[: self.held.find(b"\n", max(0, size - 1)) + 1 or len(self.held)])

    def _is_whole(self, line: bytes) -> bool:
        return self.ends.quote not in line or self.ends.fresh.match(line) is not None
