"""Cutting bytes into lines, and numbering them."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import sources
from runner.errors import Refused
from runner.item import BrokenRecord, Where
from runner.sources.records import HEAD_BYTES, Numbering, cut_runs


def cut(blocks: list[bytes], limit: int) -> list[bytes | BrokenRecord]:
    """Return the lines that `cut_runs` finds."""
    found: list[bytes | BrokenRecord] = []
    for run in cut_runs(blocks, limit):
        found.extend([run] if isinstance(run, BrokenRecord) else split(run))
    return found


def split(content: bytes) -> list[bytes]:
    """Return the lines of `content`, by the slowest and plainest way."""
    lines = [line + b"\n" for line in content.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return [line for line in lines if line]


@settings(deadline=None)  # the first example imports what the others find there
@given(st.lists(st.text("ab\n", max_size=12).map(str.encode), max_size=12), st.integers(1, 8))
def test_lines_do_not_depend_on_the_blocks_they_come_in(blocks: list[bytes], limit: int) -> None:
    """Whatever the blocks, each line arrives whole or, when too long, as one broken record."""
    found = cut(blocks, limit)
    content = b"".join(blocks)
    lines = split(content)
    assert [record.length if isinstance(record, BrokenRecord) else len(record) for record in found] == [
        len(line) for line in lines
    ]
    for record, line in zip(found, lines, strict=True):
        if len(line) <= limit:
            assert record == line
        else:
            assert isinstance(record, BrokenRecord)
            assert record[:3] == (line, len(line), line.count(b"\n"))


@pytest.mark.parametrize(
    "char", [b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x85", "\u2028".encode(), b"\0", b"\xff"]
)
def test_nothing_but_a_line_feed_ends_a_line(char: bytes) -> None:
    """What other programs take for a line end, or for no text at all, is data."""
    assert cut([b"a" + char + b"b\nc\n"], 100) == [b"a" + char + b"b\n", b"c\n"]


def test_a_record_as_long_as_the_limit_passes() -> None:
    """The limit counts the line ending, and what is exactly as long is not too long."""
    assert cut([b"1234\n12345\n"], 5)[0] == b"1234\n"
    assert isinstance(cut([b"1234\n12345\n"], 5)[1], BrokenRecord)
    assert cut([b"12345"], 5) == [b"12345"]


def test_an_overlong_record_says_so_in_a_sentence() -> None:
    """The reason names the length, the key of the job file and its value; the head is capped."""
    (record,) = cut([b"x" * 5000, b"x" * 5000, b"\n"], 1024)
    assert record == BrokenRecord(
        b"x" * HEAD_BYTES,
        10001,
        1,
        "the record is 10001 bytes long, more than max_record_bytes allows (1KiB)",
    )


def test_an_error_of_the_blocks_comes_after_the_lines_before_it() -> None:
    """Whole lines arrive, the line that is interrupted does not, then the error."""

    def blocks() -> Iterator[bytes]:
        yield b"one\ntwo\nthr"
        raise OSError("gone")

    runs = cut_runs(blocks(), 100)
    assert next(runs) == b"one\ntwo\n"
    with pytest.raises(OSError, match=r"gone"):
        next(runs)


def test_many_tiny_blocks_of_one_long_line_take_no_more_memory_than_the_line() -> None:
    """A writer that drips bytes into a pipe cannot blow up the reader."""
    tracemalloc.start()
    try:
        (line,) = cut_runs((b"x" for _ in range(200_000)), 2**20)
        assert len(line) == 200_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_numbering_goes_on_from_record_to_record() -> None:
    """Index, line and offset follow what was taken, skipped and numbered before."""
    numbering = Numbering("f", 7)
    numbering.skip(3, lines=0)
    first = numbering.take(b"a\nb\n", 4, lines=2)
    second, third = numbering.number([b"cc\n", b"d\n"])
    assert first == (7, b"a\nb\n", Where("f", 1, 3))
    assert second == (8, b"cc\n", Where("f", 3, 7))
    assert third == (9, b"d\n", Where("f", 4, 10))
    assert (numbering.index, numbering.line, numbering.offset) == (10, 5, 12)
    assert type(second).__name__ == "Item"
    assert type(second.where).__name__ == "Where"


def test_a_long_line_that_decompresses_from_little_is_never_held(
    open_source: Callable[..., Any], tmp_path: Path
) -> None:
    """50 MiB from 50 KiB of gzip."""
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(50 * 2**20) + b"\n1\n"))
    source = open_source("jsonl", tmp_path, path="bomb.gz", max_record_bytes="1MiB")
    tracemalloc.start()
    try:
        long, last = source.items()
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
    assert long.raw.length == 50 * 2**20 + 1
    assert last == (1, b"1\n", ("bomb.gz", 2, 50 * 2**20 + 1))


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("jsonl", b"1\n", b"\n2\n"),
        ("text", b"1\n", b"\n2\n"),
        ("csv", b"a\n1\n", b"\n2\n"),
        ("csv", b'a\n1\n"', b'"\n2\n'),
        ("dead_letter", b'{"item":1}\n', b'\n{"item":2}\n'),
        ("json", b"[1,", b",2]"),
        ("json", b'[1,"', b'",2]'),
        ("json", b"[1,[", b"],2]"),
    ],
)
def test_a_record_of_50_mib_is_never_held(
    open_source: Callable[..., Any], tmp_path: Path, kind: str, before: bytes, after: bytes
) -> None:
    """Memory stays flat, the record fails alone, and those around it arrive."""
    with (tmp_path / "long").open("wb") as file:
        file.write(before)
        file.seek(50 * 2**20, 1)
        file.write(after)
    source = open_source(kind, tmp_path, path="long", max_record_bytes="1MiB")
    tracemalloc.start()
    try:
        first, long, last = source.items()
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
    assert isinstance(long.raw, BrokenRecord)
    assert 50 * 2**20 <= long.raw.length <= 50 * 2**20 + 3
    assert len(long.raw.head) == HEAD_BYTES
    assert source.weigh(long) == HEAD_BYTES
    assert source.decode(first) in (1, "1", {"a": "1"})
    assert source.decode(last) in (2, "2", {"a": "2"})


KINDS_TO_RESUME = {
    "jsonl": ({"type": "jsonl"}, b'\xef\xbb\xbf{"a": 1}\n\n[2]\nnot json\n"5"', b"{}\n \n7\n"),
    "text": ({"type": "text"}, b"one\n\ntwo\r\n\xff\nthree", b"four\n"),
    "csv": ({"type": "csv"}, b'a,b\n1,2\n\n"3\n4",5\n6\n7,8', b'b,a\n"x",y\n9,10\n'),
    "json": ({"type": "json"}, b'[1, {"a": [2]},\n "three", bad, [4]\n , 5]', b"[]"),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS_TO_RESUME)
def test_reading_goes_on_at_any_item_as_if_it_had_never_stopped(kind, suffix, tmp_path):
    """From the position after any item, a fresh source yields exactly the items that were left."""
    options, *contents = KINDS_TO_RESUME[kind]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.data{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    model = sources.KINDS[kind].model_validate({**options, "path": "*.data" + suffix})
    whole = list(model.open(tmp_path).items())
    assert len(whole) >= 5
    for number, item in enumerate(whole):
        source = model.open(tmp_path)
        position = model.open(tmp_path).position_after(item)
        rest = list(source.items(item.index + 1, position))
        assert rest == whole[number + 1 :]
        for later in rest:
            if kind == "csv" and len(later.raw.split(b",")) == 2:
                assert set(source.decode(later)) == {"a", "b"}


def test_a_python_input_that_changed_is_not_gone_on_with():
    """The items passed over are compared with what they were; others are refused, not mixed."""
    options = sources.KINDS["python"].model_validate({"type": "python", "call": "a.b"})
    before = options.bind(lambda: iter([1, 2, 3, 4]))
    position = before.position_after(list(before.items())[1])
    assert [item.raw for item in options.bind(lambda: iter([1, 2, 3, 4])).items(2, position)] == [3, 4]
    with pytest.raises(Refused, match=r"first 2 items of a\.b are not what they were"):
        list(options.bind(lambda: iter([1, 5, 3, 4])).items(2, position))
    with pytest.raises(Refused, match="not what they were"):
        list(options.bind(lambda: iter([1])).items(2, position))


@pytest.mark.parametrize(
    ("kind", "content", "raws", "left"),
    [
        ("text", b"a\nb", [b"a\n"], 1),
        ("text", b"a\n", [b"a\n"], 0),
        ("text", b"ab", [], 2),
        ("text", b"a\n" + b"b" * 99, [b"a\n"], 99),
        ("jsonl", b"1\n2\n3", [b"1\n", b"2\n"], 1),
        ("dead_letter", b"{}\n{", [b"{}\n"], 1),
        ("csv", b"h\na\nb", [b"a\n"], 1),
        ("csv", b"h", [], 1),
        ("csv", b'h\na\n"b\nc\n', [b"a\n"], 5),
        ("csv", b'h\na\n"b\nc', [b"a\n"], 4),
        ("csv", b'h\na\n"b\nc"\n', [b"a\n", b'"b\nc"\n'], 0),
    ],
)
def test_what_has_no_end_yet_is_no_record_of_a_file_that_may_grow(
    read: Callable[..., Any], kind: str, content: bytes, raws: list[bytes], left: int
) -> None:
    """A line, also one that is too long already, or a quote; how much that is can be asked."""
    reading = read(kind, content, append="allow", max_record_bytes="50B")
    assert reading.raws == raws
    assert sum(reading.source.left.values()) == left
