"""`type: csv`: rows of text under the names of a header, as RFC 4180 writes them.

Where the RFC is silent: values are always text and never stripped; a quote opens a field only as
its first character and is data elsewhere in a field without quotes; blank lines are no rows, under
a header of one column too; NUL is data; each of several files has its own header, with the same
names in any order.

A record is cut in binary. Its end is not a question of parity, for quotes may be data, but of a
state machine with one bit per line: a line begins outside quotes or inside. `_LineEnds` holds it as
two regular expressions, both possessive, so that no text makes them go back. A quote that is
never closed costs its opening line only: the lines after it are judged again as if it were not
there. That each line behind it is known to leave the quotes open (`_Quoted`) keeps this linear
when every line opens another quote.
"""

from __future__ import annotations

import io
import re
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import field_validator, model_validator

from runner.errors import InputBroken, MalformedRecord
from runner.item import BrokenRecord, Item
from runner.sources.encoding import Encoding, is_part_of_characters, undecodable
from runner.sources.records import HEAD_BYTES, Numbering, RecordSource, cut_runs, without_mark
from runner.sources.streams import Stream, StreamOptions, find_streams
from runner.units import format_size

_BLANK = frozenset((b"\n", b"\r\n"))


class CsvOptions(StreamOptions):
    """Rows of comma-separated values; an item is a mapping from column to text."""

    type: Literal["csv"]
    """The kind of input."""
    delimiter: str = ","
    """The character between two fields, one of ASCII: `,`, `;`, `|` or a tab (`"\\t"`)."""
    quotechar: str | None = '"'
    """The character around a field that holds a delimiter or a line end; null where nothing is quoted."""
    header: bool = True
    """Whether the first row names the columns."""
    columns: list[str] | None = None
    """The names of the columns of files without a header."""
    encoding: Encoding = "utf-8"
    """How the bytes are text: utf-8, latin-1, cp1252 or any other codec of Python that contains ASCII."""

    @field_validator("delimiter", "quotechar")
    @classmethod
    def _is_one_byte(cls, char: str | None) -> str | None:
        if char is not None and (len(char) != 1 or not char.isascii() or char in "\r\n\0"):
            raise ValueError(f"must be one ASCII character that ends no line, got {char!r}")
        return char

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.delimiter == self.quotechar:
            raise ValueError(f"`delimiter` and `quotechar` must differ, both are {self.delimiter!r}")
        if self.header and self.columns is not None:
            raise ValueError("`columns` is for files without a header; add header: false or leave it out")
        if not self.header and self.columns is None:
            raise ValueError("a file without a header needs `columns`, the names of its columns")
        if self.columns is not None and (fault := fault_of_names(self.columns)):
            raise ValueError(f"`columns` {fault}")
        for char in filter(None, (self.delimiter, self.quotechar)):
            if is_part_of_characters(char, self.encoding):
                raise ValueError(
                    f"{char!r} cannot be told apart in {self.encoding}, where it is part of other "
                    f"characters; convert the file first (iconv -f {self.encoding} -t utf-8)"
                )
        return self

    def open(self, root: Path) -> CsvSource:
        """Return the source over the files found below `root`."""
        return CsvSource(
            streams=find_streams(self.path, root),
            max_record_bytes=self.max_record_bytes,
            delimiter=self.delimiter,
            quotechar=self.quotechar,
            encoding=self.encoding,
            columns=None if self.columns is None else tuple(self.columns),
        )


@dataclass(kw_only=True)
class CsvSource(RecordSource):
    """The rows of CSV files.

    Attributes:
        delimiter: Between two fields.
        quotechar: Around a field, or `None`.
        encoding: How bytes are text.
        columns: Names of the columns where the files have no header, else `None`.
        headers: Names of the columns by file; a file is here before its first row is yielded.
    """

    delimiter: str = ","
    quotechar: str | None = '"'
    encoding: str = "utf-8"
    columns: tuple[str, ...] | None = None
    headers: dict[str | None, tuple[str, ...]] = field(default_factory=dict)

    def items(self) -> Generator[Item]:
        """Yield the rows below the headers, blank lines left out.

        Raises:
            InputBroken: Also for a header that cannot be read, names a column twice or not at all,
                or names others than the first file's.
        """
        ends = None if self.quotechar is None else _LineEnds(self.delimiter, self.quotechar)
        index = 0
        for stream in self.streams:
            with closing(stream.blocks(self.block_bytes)) as blocks:
                numbering = Numbering(stream.name, index)
                runs = without_mark(cut_runs(blocks, self.max_record_bytes), numbering)
                records = cut_rows(runs, ends, self.max_record_bytes)
                if self.columns is not None:
                    self.headers[stream.name] = self.columns
                else:
                    records = self._behind_header(records, stream, numbering)
                for run in records:
                    if isinstance(run, BrokenRecord):
                        yield numbering.take(run, run.length, lines=run.lines)
                    elif run.is_plain:
                        yield from numbering.number(run.rows)
                    else:
                        yield from numbering.number_apart(run.rows, _BLANK.__contains__)
                index = numbering.index

    def decode(self, item: Item) -> dict[str, str]:
        """Return the row as a mapping from column to text."""
        header = self.headers[item.where.file]
        fields = self._fields(item.raw)
        if len(fields) != len(header):
            raise MalformedRecord(_miscount(fields, header))
        return dict(zip(header, fields, strict=False))

    def _fields(self, raw: bytes) -> list[str]:
        if raw.endswith(b"\n"):
            raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
        try:
            text = raw.decode(self.encoding)
        except UnicodeError as error:
            raise undecodable(error, self.encoding) from error
        if self.quotechar is None or self.quotechar not in text:
            return text.split(self.delimiter)
        return split_quoted(text, self.delimiter, self.quotechar)

    def _behind_header(
        self, records: Iterator[_Rows | BrokenRecord], stream: Stream, numbering: Numbering
    ) -> Iterator[_Rows | BrokenRecord]:
        """Read the header, move `numbering` behind it and yield the records that follow."""
        for run in records:
            if isinstance(run, BrokenRecord):
                raise _bad_header(stream, f"cannot be read: {run.reason}")
            rows = iter(run.rows)
            for raw in rows:
                numbering.skip(len(raw), lines=raw.count(b"\n"))
                if raw in _BLANK:
                    continue
                self.headers[stream.name] = self._header(raw, stream)
                yield _Rows(list(rows), run.is_plain)
                yield from records
                return

    def _header(self, raw: bytes, stream: Stream) -> tuple[str, ...]:
        try:
            names = tuple(self._fields(raw))
        except MalformedRecord as error:
            raise _bad_header(stream, f"cannot be read: {error}") from error
        if fault := fault_of_names(names):
            raise _bad_header(stream, fault)
        first_file, first = next(iter(self.headers.items()), (stream.name, names))
        if set(first) != set(names):
            lacks, has = sorted(set(first) - set(names)), sorted(set(names) - set(first))
            told = [f"lacks {_listed(lacks)}"] * bool(lacks) + [f"has {_listed(has)} besides"] * bool(has)
            raise _bad_header(stream, f"differs from that of {first_file}: it {' and '.join(told)}")
        return first if names == first else names


class _Rows(NamedTuple):
    """Records as they follow each other; plain where each is one line and none is blank."""

    rows: list[bytes]
    is_plain: bool


class _LineEnds:
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
        record = rb"%b(?:%b%b)*+" % (value, d, value)
        self.record = re.compile(record + rb"\n")
        self.fresh = re.compile(record + rb"\n?\Z")
        self.inside = re.compile(rb"%b(?:%b%b)*+\n?\Z" % (closed, d, value))


class _Quoted:
    """Lines from one that opens a quote on, all of them known to leave it open."""

    def __init__(self, ends: _LineEnds, limit: int) -> None:
        self.ends = ends
        self.limit = limit
        self.lines: deque[bytes] = deque()
        self.size = 0
        self.too_far = f"within max_record_bytes ({format_size(limit)})"

    def add(self, line: bytes) -> Iterator[bytes | BrokenRecord]:
        """Take the next line and yield what it ends: a record, or openers that found no end."""
        if not self.lines:
            if self._is_whole(line):
                yield line
                return
        elif self.ends.quote in line and self.ends.inside.match(line):
            yield from self._shorten(len(line))
            if self.lines:
                record = b"".join((*self.lines, line))
                self.lines.clear()
                self.size = 0
                yield record
            else:
                yield from self.add(line)
            return
        self.lines.append(line)
        self.size += len(line)
        yield from self._shorten(0)

    def give_up(self, why: str) -> Iterator[bytes | BrokenRecord]:
        """Yield what is held, for no more lines can close the quotes."""
        while self.lines:
            yield self._drop_opener(why)
            yield from self._release_whole()

    def _shorten(self, more: int) -> Iterator[bytes | BrokenRecord]:
        while self.lines and self.size + more > self.limit:
            yield self._drop_opener(self.too_far)
            yield from self._release_whole()

    def _drop_opener(self, why: str) -> BrokenRecord:
        line = self.lines.popleft()
        self.size -= len(line)
        reason = (
            f"a quote opened on this line is not closed {why}; the next lines are read as rows of their own"
        )
        return BrokenRecord(line[:HEAD_BYTES], len(line), line.count(b"\n"), reason)

    def _release_whole(self) -> Iterator[bytes]:
        while self.lines and self._is_whole(self.lines[0]):
            line = self.lines.popleft()
            self.size -= len(line)
            yield line

    def _is_whole(self, line: bytes) -> bool:
        return self.ends.quote not in line or self.ends.fresh.match(line) is not None


def cut_rows(
    runs: Iterator[bytes | BrokenRecord], ends: _LineEnds | None, max_record_bytes: int
) -> Iterator[_Rows | BrokenRecord]:
    """Cut runs of whole lines into records, which may be of several lines."""
    quoted = None if ends is None else _Quoted(ends, max_record_bytes)
    for run in runs:
        if isinstance(run, BrokenRecord):
            if quoted is not None:
                yield from _grouped(quoted.give_up(quoted.too_far))
            yield run
        elif quoted is None or not (quoted.lines or quoted.ends.quote in run):
            lines = io.BytesIO(run).readlines()
            yield _Rows(lines, _BLANK.isdisjoint(lines))
        else:
            yield from _cut_quoted(run, quoted)
    if quoted is not None:
        yield from _grouped(quoted.give_up("before the end of the file"))


def _cut_quoted(run: bytes, quoted: _Quoted) -> Iterator[_Rows | BrokenRecord]:
    """Cut a run with quotes in it: whole records at a time, and line by line where one goes on."""
    position = 0
    while position < len(run):
        if not quoted.lines:
            rows, position = _whole_records(run, position, quoted)
            if rows:
                yield _Rows(
                    rows, len(rows) == sum(row.count(b"\n") for row in rows) and _BLANK.isdisjoint(rows)
                )
        end = run.find(b"\n", position) + 1 or len(run)
        if position < end:
            yield from _grouped(quoted.add(run[position:end]))
            position = end


def _whole_records(run: bytes, position: int, quoted: _Quoted) -> tuple[list[bytes], int]:
    """Return the records from `position` on that end in the run, and where they end."""
    match, limit = quoted.ends.record.match, quoted.limit
    rows: list[bytes] = []
    while found := match(run, position, position + limit):
        rows.append(found[0])
        position = found.end()
    return rows, position


def _grouped(records: Iterator[bytes | BrokenRecord]) -> Iterator[_Rows | BrokenRecord]:
    for record in records:
        yield record if isinstance(record, BrokenRecord) else _Rows([record], is_plain=False)


def fault_of_names(names: tuple[str, ...] | list[str]) -> str | None:
    """Return what is wrong with the names of columns, as the end of a sentence, or `None`."""
    if not names:
        return "must name at least one column"
    if "" in names:
        return f"has no name for column {names.index('') + 1}"
    twice = [name for name, times in Counter(names).items() if times > 1]
    return f"names {_listed(twice)} more than once" if twice else None


def split_quoted(text: str, delimiter: str, quotechar: str) -> list[str]:
    """Return the fields of a record that holds quotes.

    Raises:
        MalformedRecord: Text follows a closing quote, or a quote is not closed.
    """
    import csv

    # The reader of the standard library does most records, and not those on which it disagrees
    # with the rules above (it drops a CR, and has a limit per field that is the whole process's).
    if "\r" not in text:
        try:
            return next(csv.reader((text,), delimiter=delimiter, quotechar=quotechar, strict=True))
        except csv.Error:
            pass
    return _split_slowly(text, delimiter, quotechar)


def _split_slowly(text: str, delimiter: str, quotechar: str) -> list[str]:
    fields: list[str] = []
    position = 0
    while True:
        if text.startswith(quotechar, position):
            value, position = _quoted_field(text, position, quotechar, len(fields) + 1)
            if position < len(text) and text[position] != delimiter:
                raise MalformedRecord(
                    f"field {len(fields) + 1} goes on after its closing quote: "
                    f"{text[position : position + 20]!r}; a quote inside a quoted field is doubled"
                )
            end = position
        else:
            end = text.find(delimiter, position)
            end = len(text) if end < 0 else end
            value = text[position:end]
        fields.append(value)
        if end == len(text):
            return fields
        position = end + 1


def _quoted_field(text: str, position: int, quotechar: str, number: int) -> tuple[str, int]:
    """Return the content of the quoted field at `position`, and where the text goes on behind it."""
    end = position + 1
    while True:
        end = text.find(quotechar, end)
        if end < 0:
            raise MalformedRecord(f"the quote that opens field {number} is not closed")
        if not text.startswith(quotechar, end + 1):
            return text[position + 1 : end].replace(quotechar * 2, quotechar), end + 1
        end += 2


def _miscount(fields: list[str], header: tuple[str, ...]) -> str:
    said = f"row has {_counted(len(fields))}, the header has {len(header)}: "
    if len(fields) < len(header):
        return said + f"nothing for {_listed(header[len(fields) :])}"
    return said + f"no column for {_listed([field[:40] for field in fields[len(header) :]])}"


def _counted(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _bad_header(stream: Stream, fault: str) -> InputBroken:
    return InputBroken(f"the header of input file {stream.name} {fault}", path=stream.path)
