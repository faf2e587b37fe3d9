r"""Cutting a stream of bytes into records, and giving each its index and place.

What holds for every kind that cuts lines: a line ends at `\n` and nowhere else, so that a lone CR,
U+2028 or a byte that is no text never splits or stops anything; records and what is skipped tile
the file, so that `offset + len(raw)` is where the next one begins; and no more than
`max_record_bytes` plus one block is ever held.

The work per record is done by C iterators over a whole block (`Numbering.number`). Tried and dropped: a
Python loop with `find` per line (a third slower), and `bytes.splitlines` (splits at CR).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import accumulate, count, repeat
from pathlib import Path
from typing import Any

from runner.errors import InputBroken
from runner.item import BrokenRecord, Item, Where
from runner.sources.base import Position, Sameness
from runner.sources.streams import BLOCK_BYTES, Stream
from runner.sources.trail import Trail
from runner.units import format_size

HEAD_BYTES = 4096
"""What is kept of a record that is too long: enough to recognise it."""

MARK = b"\xef\xbb\xbf"
"""The UTF-8 byte order mark; no part of the first record."""

_new = tuple.__new__


def cut_runs(blocks: Iterable[bytes], max_record_bytes: int) -> Iterator[bytes | BrokenRecord]:
    """Yield runs of whole lines, as long as the blocks allow, and a `BrokenRecord` per overlong line.

    Only the last run of a stream may lack its final line end. An error of `blocks` drops the
    line it interrupts and nothing before it.
    """
    held = bytearray()  # of a line that goes on into the next block
    head, length = b"", 0  # of an overlong line whose end is not yet found
    for block in blocks:
        if head:
            end = block.find(b"\n") + 1
            length += end or len(block)
            head += block[: min(end or len(block), HEAD_BYTES - len(head))]
            if not end:
                continue
            yield too_long(head, length=length, lines=1, limit=max_record_bytes)
            head, block = b"", block[end:]
        end = block.rfind(b"\n") + 1
        if end:
            run = b"".join((held, block[:end])) if held else block[:end]
            held, block = bytearray(), block[end:]
            yield from _without_overlong(run, max_record_bytes)
        held += block
        if len(held) > max_record_bytes:
            head, length, held = bytes(held[:HEAD_BYTES]), len(held), bytearray()
    if head:
        yield too_long(head, length=length, lines=0, limit=max_record_bytes)
    elif held:
        yield from _without_overlong(bytes(held), max_record_bytes)


def too_long(head: bytes, *, length: int, lines: int, limit: int) -> BrokenRecord:
    """Return the broken record of `length` bytes that is longer than `limit`."""
    reason = f"the record is {length} bytes long, more than max_record_bytes allows ({format_size(limit)})"
    return BrokenRecord(head[:HEAD_BYTES], length, lines, reason)


class Numbering:
    """Gives the records of one file their index and place, in order.

    Attributes:
        index: Index of the next item; goes on from file to file.
        line: Line on which the next record begins.
        offset: Offset at which the next record begins.
    """

    __slots__ = ("file", "index", "line", "offset")

    def __init__(self, file: str, index: int, *, line: int = 1, offset: int = 0) -> None:
        self.file = file
        self.index = index
        self.line = line
        self.offset = offset

    def number(self, records: list[bytes]) -> Iterator[Item]:
        """Return the items of records that stand one on each line, and move behind them at once."""
        offsets = list(accumulate(map(len, records), initial=self.offset))
        places = map(_new, repeat(Where), zip(repeat(self.file), count(self.line), offsets, strict=False))
        items: Iterator[Item] = map(_new, repeat(Item), zip(count(self.index), records, places, strict=False))
        self.index += len(records)
        self.line += len(records)
        self.offset = offsets[-1]
        return items

    def number_apart(self, records: Iterable[bytes], is_blank: Callable[[bytes], bool]) -> Iterator[Item]:
        """Yield the items of records of any number of lines, without those that are blank."""
        for raw in records:
            if is_blank(raw):
                self.skip(len(raw), lines=raw.count(b"\n"))
            else:
                yield self.take(raw, len(raw), lines=raw.count(b"\n"))

    def take(self, raw: bytes | BrokenRecord, length: int, *, lines: int) -> Item:
        """Return the item of one record and move `length` bytes and `lines` lines ahead."""
        item = Item(self.index, raw, Where(self.file, self.line, self.offset))
        self.index += 1
        self.skip(length, lines=lines)
        return item

    def skip(self, length: int, *, lines: int) -> None:
        """Move over bytes that are no item."""
        self.offset += length
        self.line += lines


@dataclass(kw_only=True)
class RecordSource:
    """What sources have in common that cut records out of `streams`; they add `items` and `decode`.

    Attributes:
        streams: What is read, in this order.
        max_record_bytes: A longer record becomes a `BrokenRecord`.
        block_bytes: Read at a time; changes nothing but speed and memory.
        total: Unknown, for records are not counted before they are read.
        may_grow: Whether a file may grow until the run is gone on with: what has no end yet is no record.
        trail: What was read.
        left: Bytes at the end of a file, by its name, that were left out for that.
    """

    streams: tuple[Stream, ...]
    max_record_bytes: int
    block_bytes: int = BLOCK_BYTES
    total: int | None = None
    may_grow: bool = False
    trail: Trail = field(default_factory=Trail)
    left: dict[str, int] = field(default_factory=dict)

    @property
    def quick_decode(self) -> Callable[[Any], object] | None:
        """None: one call of a C function is not enough."""
        return None

    @property
    def files(self) -> Iterator[Path]:
        """The file of every stream that is one."""
        return (stream.path for stream in self.streams if stream.path is not None)

    @property
    def is_repeatable(self) -> bool:
        """Whether every stream is a regular file."""
        return all(stream.is_repeatable for stream in self.streams)

    def identity(self, sizes: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """Return what shows that each file is the same."""
        return [stream.identity((sizes or {}).get(stream.name)) for stream in self.streams]

    def check_read(self, path: str, position: Position) -> Sameness:
        """Return whether the file is the same as far as it was read."""
        number = next(n for n, stream in enumerate(self.streams) if stream.name == path)
        return self.streams[number].check_read(number, position)

    def blocks(self, stream: Stream, start: int) -> Generator[bytes]:
        """Yield the content of the next stream from `start` on, and keep the checksum of what was read."""
        return stream.blocks(self.block_bytes, start, self.trail.begin(is_plain=stream.is_plain))

    def runs(
        self, stream: Stream, blocks: Iterable[bytes], numbering: Numbering
    ) -> Iterator[bytes | BrokenRecord]:
        """Yield runs of whole lines; the last may lack its line end, where that end is taken."""
        for run in without_mark(cut_runs(blocks, self.max_record_bytes), numbering):
            if isinstance(run, BrokenRecord):
                is_whole, length = run.lines > 0, run.length
            else:
                is_whole, length = run.endswith(b"\n"), len(run)
            if is_whole or self.takes_end(stream, length):
                yield run

    def takes_end(self, stream: Stream, length: int) -> bool:
        """Return whether the last bytes of a file, in which a record has begun and not ended, are records.

        Of a pipe they are: it has ended, and nothing can follow.

        Raises:
            InputBroken: Somebody was writing to the file while it was read, and it may not grow.
        """
        if self.may_grow and stream.is_repeatable:
            self.left[stream.name] = self.left.get(stream.name, 0) + length
            return False
        if self.trail.has_grown and stream.is_repeatable:
            raise InputBroken(
                f"input file {stream.name} grew while it was read, and its last line has no end yet; run "
                "again when nothing writes to it, or with `input.append: allow`, which leaves it for later",
                path=stream.path,
            )
        self.trail.take_open_end()
        return True

    def position_after(self, item: Item) -> Position:
        """Return `{file, offset, line, read}`.

        The number of the file, where the next record begins in it, and what was read (`Trail`).
        """
        raw, where = item.raw, item.where
        if isinstance(raw, BrokenRecord):
            length, lines = raw.length, raw.lines
        else:
            length, lines = len(raw), raw.count(b"\n")
        assert where.offset is not None
        assert where.line is not None
        number = next(n for n, stream in enumerate(self.streams) if stream.name == where.file)
        offset = where.offset + length
        read = self.trail.reached(number, offset if self.streams[number].is_plain else 0)
        return {"file": number, "offset": offset, "line": where.line + lines, "read": read}

    def renewed(self, position: Position | None) -> Position:
        """Return `position`, where this process began (`None`: the beginning), with what is read by now.

        For a run that has done items behind the one that stands there, though not that one.
        """
        place = position or {"file": 0, "offset": 0, "line": 1}
        offset = place["offset"] if self.streams[place["file"]].is_plain else 0
        return {**place, "read": self.trail.reached(place["file"], offset)}

    def weigh(self, item: Item) -> int:
        """Return the bytes that `item` holds."""
        raw = item.raw
        return len(raw.head) if isinstance(raw, BrokenRecord) else len(raw)


def numberings(
    source: RecordSource, index: int, position: Position | None
) -> Iterator[tuple[Stream, Numbering]]:
    """Yield each stream that is left to read from `position` on, with where to begin in it.

    The index goes on from stream to stream, so a stream must be read to its end before the next.
    """
    first, offset, line = (position["file"], position["offset"], position["line"]) if position else (0, 0, 1)
    source.trail.go_on(first, position and position.get("read"))
    for number, stream in enumerate(source.streams):
        if number < first:
            continue
        numbering = Numbering(stream.name, index, line=line, offset=offset)
        yield stream, numbering
        index, line, offset = numbering.index, 1, 0


def line_items(
    source: RecordSource, index: int, position: Position | None, *, skip_blank: bool
) -> Generator[Item]:
    """Yield every line as an item; with `skip_blank` not those of white space only."""
    for stream, numbering in numberings(source, index, position):
        with closing(source.blocks(stream, numbering.offset)) as blocks:
            for run in source.runs(stream, blocks, numbering):
                if isinstance(run, BrokenRecord):
                    yield numbering.take(run, run.length, lines=run.lines)
                    continue
                lines = io.BytesIO(run).readlines()
                if skip_blank and True in map(bytes.isspace, lines):
                    yield from numbering.number_apart(lines, bytes.isspace)
                else:
                    yield from numbering.number(lines)


def without_mark(
    runs: Iterable[bytes | BrokenRecord], numbering: Numbering
) -> Iterator[bytes | BrokenRecord]:
    """Yield `runs` without a byte order mark at the start of a file, which `numbering` moves over."""
    is_first = numbering.offset == 0
    for run in runs:
        if is_first:
            is_first = False
            if isinstance(run, BrokenRecord):
                if run.head.startswith(MARK):
                    numbering.skip(len(MARK), lines=0)
                    run = run._replace(head=run.head[len(MARK) :], length=run.length - len(MARK))
            elif run.startswith(MARK):
                numbering.skip(len(MARK), lines=0)
                run = run[len(MARK) :]
                if not run:
                    continue
        yield run


def _without_overlong(run: bytes, limit: int) -> Iterator[bytes | BrokenRecord]:
    if len(run) <= limit:
        yield run
        return
    lines = io.BytesIO(run).readlines()
    if max(map(len, lines)) <= limit:
        yield run
        return
    good: list[bytes] = []
    for line in lines:
        if len(line) <= limit:
            good.append(line)
            continue
        if good:
            yield b"".join(good)
            good = []
        yield too_long(line, length=len(line), lines=line.count(b"\n"), limit=limit)
    if good:
        yield b"".join(good)
