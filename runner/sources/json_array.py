"""`type: json`: the elements of one big JSON array, with flat memory.

An element is cut by its strings and brackets alone, so that one that is no JSON fails alone when
its item is decoded. Brackets are only counted: `{"a": ]` is an element like any other. What cannot
be cut is an element whose strings or brackets do not end; it takes the rest of the file with it.

The `raw` of an item is the element without the white space around it and the comma behind it, so
that, unlike lines, elements do not tile the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from runner.errors import InputBroken
from runner.item import Item, ValueKind, Where
from runner.sources.base import Position
from runner.sources.json_text import UNREADABLE, json_decoder, malformed
from runner.sources.records import HEAD_BYTES, MARK, Numbering, RecordSource, numberings, too_long
from runner.sources.streams import Stream, StreamOptions, find_streams

_SPACES = b" \t\r\n"
_CLOSE = ord("]")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_NEXT = re.compile(rb'["\[\]{},]')


def _whole_element() -> re.Pattern[bytes]:
    """Return what matches white space, an element, and the comma or bracket behind it.

    Nesting deeper than six levels does not match, for a regular expression cannot count; it is
    left to `_Scanner`, as is an element that goes on into the next block.
    """
    text, plain = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', rb'[^"\[\]{}]*+'
    inner = rb"%b(?:%b%b)*+" % (plain, text, plain)
    for _ in range(5):
        inner = rb"%b(?:(?:%b|[\[{]%b[\]}])%b)*+" % (plain, text, inner, plain)
    element = rb'(?:[^"\[\]{},]++|%b|[\[{]%b[\]}])*+' % (text, inner)
    return re.compile(rb"[ \t\r\n]*+(%b)[,\]]" % element, re.DOTALL)


class JsonArrayOptions(StreamOptions):
    """The elements of a JSON file that is one array; it is never held in memory as a whole."""

    values: ClassVar[ValueKind] = "json"
    type: Literal["json"]
    """The kind of input. Example: `json`"""

    def open(self, root: Path) -> JsonArraySource:
        """Return the source over the files found below `root`."""
        return JsonArraySource(streams=find_streams(self.path, root), max_record_bytes=self.max_record_bytes)


@dataclass(kw_only=True)
class JsonArraySource(RecordSource):
    """The elements of JSON arrays, one array in each file."""

    parse: Callable[[bytes], object] = field(default_factory=json_decoder)

    @property
    def quick_decode(self) -> Callable[[bytes], object]:
        """The decoder itself."""
        return self.parse

    def items(self, index: int = 0, position: Position | None = None) -> Generator[Item]:
        """Yield the elements.

        Raises:
            InputBroken: Also for a file that is no array, or whose array does not end.
        """
        whole = _whole_element()
        for stream, numbering in numberings(self, index, position):
            with closing(self.blocks(stream, numbering.offset)) as blocks:
                array = _Array(stream, numbering, limit=self.max_record_bytes, whole=whole)
                for block in blocks:
                    yield from array.feed(block)
                array.end()

    def decode(self, item: Item) -> object:
        """Return the value of the element."""
        try:
            return self.parse(item.raw)
        except UNREADABLE as error:
            raise malformed(item.raw, error) from error


class _Scanner:
    """Finds the end of an element that reaches over several blocks."""

    def __init__(self) -> None:
        self.depth = 0
        self.is_in_string = False
        self.is_escaped = False  # the block ended just behind a backslash

    def find_end(self, block: bytes, position: int) -> int:
        """Return where the comma or bracket behind the element stands, or -1 if not in this block."""
        while position < len(block):
            if self.is_in_string:
                position = self._skip_string(block, position)
                continue
            found = _NEXT.search(block, position)
            if found is None:
                return -1
            char, position = found[0], found.end()
            if char == b'"':
                self.is_in_string = True
            elif char in b"[{":
                self.depth += 1
            elif self.depth and char in b"]}":
                self.depth -= 1
            elif not self.depth and char in b",]":
                return found.start()
        return -1

    def _skip_string(self, block: bytes, position: int) -> int:
        """Return where the string, or the block, ends."""
        if self.is_escaped:
            self.is_escaped = False
            position += 1
        found = _STRING_REST.match(block, position)
        assert found is not None
        position = found.end()
        if position == len(block):
            return position
        if block[position : position + 1] == b'"':
            self.is_in_string = False
        else:
            self.is_escaped = True
        return position + 1


class _Array:
    """One file, taken block by block: what stands before the array, its elements, what follows."""

    def __init__(self, stream: Stream, numbering: Numbering, *, limit: int, whole: re.Pattern[bytes]) -> None:
        self.stream = stream
        self.numbering = numbering
        self.limit = limit
        self.whole = whole
        self.mark = b""  # of the file's first bytes, as long as they may be a byte order mark
        self.is_open = self.is_closed = self.is_empty = False
        self.is_behind_element = numbering.offset > 0  # reading goes on in the middle of the array
        self._start()

    def feed(self, block: bytes) -> Iterator[Item]:
        """Yield the elements that end in `block`."""
        position = 0
        if not self.is_open:
            block, position = self._enter(block)
        while position < len(block) and not self.is_closed:
            if not self.length:
                items, behind = self._whole_elements(block, position)
                yield from items
                if behind > position:
                    position = behind
                    continue
                position = self._skip_space(block, position)
            end = self.scanner.find_end(block, position)
            self._hold(block[position : end if end >= 0 else len(block)])
            if end < 0:
                return
            yield from self._take_held(is_last=block[end] == _CLOSE)
            position = self._pass(block, end)
        if self.is_closed and block[position:].strip(_SPACES):
            raise self._broken("goes on after the end of its array; it must hold one array and nothing else")

    def _whole_elements(self, block: bytes, position: int) -> tuple[list[Item], int]:
        """Return the items of the elements that end in `block`, and where the next one begins."""
        numbering, match, counted = self.numbering, self.whole.match, position
        index, line, ahead = numbering.index, numbering.line, numbering.offset - position
        items: list[Item] = []
        # A bounded number at a time, for a block can hold an element in every second byte.
        for _ in range(1024):
            found = None if self.is_closed else match(block, position)
            if found is None:
                break
            start, end = found.span(1)
            self.is_closed = block[end] == _CLOSE
            if end - start > self.limit or (start == end and self.is_closed and self.is_empty):
                self.is_closed = False
                break
            self.is_empty = False
            line += block.count(b"\n", counted, start)
            counted, position = start, end + 1
            items.append(Item(index, found[1].rstrip(_SPACES), Where(numbering.file, line, ahead + start)))
            index += 1
        numbering.index = index
        numbering.line = line + block.count(b"\n", counted, position)
        numbering.offset = ahead + position
        return items, position

    def end(self) -> None:
        """Raise InputBroken when the file ends before its array does."""
        if not self.is_open:
            raise self._broken("holds no JSON array: there is nothing in it")
        if not self.is_closed:
            raise self._broken(
                "ends before its array does; it was cut short, or a bracket or a quote is not closed"
            )

    def _enter(self, block: bytes) -> tuple[bytes, int]:
        """Move behind the bracket that opens the array; return the block and the place behind it."""
        if self.is_behind_element:
            return self._reenter(block)
        if self.mark or not self.numbering.offset:
            block, self.mark = self.mark + block, b""
            if len(block) < len(MARK) and MARK.startswith(block):
                self.mark = block
                return b"", 0
            if block.startswith(MARK):
                self.numbering.skip(len(MARK), lines=0)
                block = block[len(MARK) :]
        position = self._skip_space(block, 0)
        if position == len(block):
            return b"", 0
        if block[position : position + 1] != b"[":
            raise self._broken(
                f"is no JSON array: it begins with {block[position : position + 20]!r}; "
                "one JSON value on each line is type jsonl"
            )
        self.is_open = self.is_empty = True
        self.numbering.skip(1, lines=0)
        return block, position + 1

    def _reenter(self, block: bytes) -> tuple[bytes, int]:
        """Move behind the comma or bracket that follows the element before the place where reading began."""
        position = self._skip_space(block, 0)
        if position == len(block):
            return b"", 0
        self.is_open, self.is_behind_element = True, False
        return block, self._pass(block, position)

    def _skip_space(self, block: bytes, position: int) -> int:
        end = _SPACE.match(block, position).end()  # type: ignore[union-attr]  # it matches always
        if end > position:
            self.numbering.skip(end - position, lines=block.count(b"\n", position, end))
        return end

    def _take(self, raw: bytes, *, is_last: bool) -> Iterator[Item]:
        """Yield the item of a whole element and move behind it; an empty array has none."""
        if raw or not (self.is_empty and is_last):
            yield self.numbering.take(raw.rstrip(_SPACES), len(raw), lines=raw.count(b"\n"))

    def _pass(self, block: bytes, position: int) -> int:
        """Move over the comma or bracket at `position`."""
        self.is_closed = block[position] == _CLOSE
        self.is_empty = False
        self.numbering.skip(1, lines=0)
        return position + 1

    def _start(self) -> None:
        self.scanner = _Scanner()
        self.held = bytearray()  # of an element that goes on into the next block
        self.length = self.lines = 0  # of the same, also of what is too long to be held

    def _hold(self, piece: bytes) -> None:
        self.length += len(piece)
        self.lines += piece.count(b"\n")
        if self.length <= self.limit:
            self.held += piece
        else:
            self.held = self.held[:HEAD_BYTES] + piece[: max(0, HEAD_BYTES - len(self.held))]

    def _take_held(self, *, is_last: bool) -> Iterator[Item]:
        if self.length <= self.limit:
            yield from self._take(bytes(self.held), is_last=is_last)
        else:
            record = too_long(bytes(self.held), length=self.length, lines=self.lines, limit=self.limit)
            yield self.numbering.take(record, self.length, lines=self.lines)
        self._start()

    def _broken(self, fault: str) -> InputBroken:
        return InputBroken(
            f"input file {self.stream.name} {fault} (line {self.numbering.line})", path=self.stream.path
        )
