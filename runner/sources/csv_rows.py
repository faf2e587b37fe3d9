"""`type: csv`: rows of text under the names of a header, as RFC 4180 writes them.

Where the RFC is silent: values are always text and never stripped; a quote opens a field only as
its first character and is data elsewhere in a field without quotes; blank lines are no rows, under
a header of one column too; NUL is data; each of several files has its own header, with the same
names in any order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shlex import quote
from typing import ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from runner.errors import InputBroken, MalformedRecord
from runner.item import BrokenRecord, Item, ValueKind
from runner.sources.base import Position
from runner.sources.csv_records import BLANK, LineEnds, Rows, cut_rows
from runner.sources.encoding import Encoding, is_part_of_characters, undecodable
from runner.sources.records import Numbering, RecordSource, cut_runs, numberings, without_mark
from runner.sources.streams import Stream, StreamOptions, find_streams


class CsvOptions(StreamOptions):
    """Rows of comma-separated values; an item is a mapping from column to text."""

    values: ClassVar[ValueKind] = "text"
    type: Literal["csv"]
    """The kind of input. Example: `csv`"""
    delimiter: str = ","
    """The character between two fields, one of ASCII: `,`, `;`, `|` or a tab (`"\\t"`). Example: `";"`"""
    quotechar: str | None = '"'
    """The character around a field that holds a delimiter or a line end; null where nothing is quoted.
    Example: `null`"""
    header: bool = True
    """Whether the first row names the columns. Example: `false`"""
    columns: list[str] | None = None
    """The names of the columns of files without a header; by default none. Example: `[name, price]`"""
    encoding: Encoding = "utf-8"
    """How the bytes are text: utf-8, latin-1, cp1252 or any other codec of Python that contains ASCII.
    Example: `latin-1`"""

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
            may_grow=self.append == "allow",
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

    def items(self, index: int = 0, position: Position | None = None) -> Generator[Item]:
        """Yield the rows below the headers, blank lines left out.

        Raises:
            InputBroken: Also for a header that cannot be read, names a column twice or not at all,
                or names others than the first file's.
        """
        ends = None if self.quotechar is None else LineEnds(self.delimiter, self.quotechar)
        if position is not None and self.columns is None:
            # The first header is what all others are compared with; that of the file begun is above it.
            for number in dict.fromkeys((0, position["file"])):
                self._read_header(self.streams[number], ends)
        for stream, numbering in numberings(self, index, position):
            with closing(self.blocks(stream, numbering.offset)) as blocks:
                runs = self.runs(stream, blocks, numbering)
                records = cut_rows(runs, ends, self.max_record_bytes, partial(self.takes_end, stream))
                if self.columns is not None:
                    self.headers[stream.name] = self.columns
                elif not numbering.offset:
                    records = self._behind_header(records, stream, numbering)
                for run in records:
                    if isinstance(run, BrokenRecord):
                        yield numbering.take(run, run.length, lines=run.lines)
                    elif run.is_plain:
                        yield from numbering.number(run.rows)
                    else:
                        yield from numbering.number_apart(run.rows, BLANK.__contains__)

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

    def _has_bare_return(self, raw: bytes) -> bool:
        body = raw.removesuffix(b"\r\n") if raw.endswith(b"\n") else raw
        if self.quotechar is not None and b"\r" in body:
            d, q = re.escape(self.delimiter.encode()), re.escape(self.quotechar.encode())
            body = re.sub(rb"(?:\A|(?<=%b))%b(?:[^%b]|%b%b)*+%b" % (d, q, q, q, q, q), b"", body)
        return b"\r" in body

    def _read_header(self, stream: Stream, ends: LineEnds | None) -> None:
        with closing(stream.blocks(self.block_bytes)) as blocks:
            numbering = Numbering(stream.name, 0)
            runs = without_mark(cut_runs(blocks, self.max_record_bytes), numbering)
            next(self._behind_header(cut_rows(runs, ends, self.max_record_bytes), stream, numbering), None)

    def _behind_header(
        self, records: Iterator[Rows | BrokenRecord], stream: Stream, numbering: Numbering
    ) -> Iterator[Rows | BrokenRecord]:
        """Read the header, move `numbering` behind it and yield the records that follow."""
        for run in records:
            if isinstance(run, BrokenRecord):
                raise _bad_header(stream, f"cannot be read: {run.reason}")
            rows = iter(run.rows)
            for raw in rows:
                numbering.skip(len(raw), lines=raw.count(b"\n"))
                if raw in BLANK:
                    continue
                self.headers[stream.name] = self._header(raw, stream)
                yield Rows(list(rows), run.is_plain)
                yield from records
                return

    def _header(self, raw: bytes, stream: Stream) -> tuple[str, ...]:
        if self._has_bare_return(raw):
            raise _bad_header(
                stream,
                "has a carriage return (CR) without a line feed outside quotes, as in old files of the Mac, "
                f"where it ends a line; convert the file first: tr '\\r' '\\n' < {quote(stream.name)} > NEW",
            )
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
