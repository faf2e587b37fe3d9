"""`type: jsonl`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.item import BrokenRecord

ROWS = st.lists(
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=9) | st.none(), max_size=3),
    max_size=9,
)
BLOCK_SIZES = st.sampled_from([1, 2, 3, 7, 64, 2**20])
GARBAGE = st.binary(max_size=40) | st.text('{}[]",:\\ \r\n\t\x85\u2028\ufeff', max_size=30).map(str.encode)


@settings(deadline=None)  # the first example imports what the others find there
@given(ROWS, BLOCK_SIZES, st.booleans())
def test_rows_written_by_json_read_back_equal(
    read: Callable[..., Any], rows: list[Any], block_bytes: int, is_ascii: bool
) -> None:
    """Whatever the size of the blocks."""
    content = "\n".join(json.dumps(row, ensure_ascii=is_ascii) for row in rows).encode()
    assert read("jsonl", content, block_bytes=block_bytes).values() == rows


@settings(deadline=None)  # the first example imports what the others find there
@given(ROWS, ROWS, GARBAGE, BLOCK_SIZES)
@example([], [], b"\xef\xbb\xbf\xef\xbb\xbf", 1)
def test_garbage_costs_no_record_on_other_lines(
    read: Callable[..., Any], assert_tiles: Callable[..., None], before: list[Any], after: list[Any],
    garbage: bytes, block_bytes: int,
) -> None:  # fmt: skip
    """Nothing raises, the rows before and after arrive, and every place is exact."""
    above, below = (b"".join(json.dumps(row).encode() + b"\n" for row in rows) for rows in (before, after))
    content = above + garbage + b"\n" + below
    reading = read("jsonl", content, block_bytes=block_bytes)
    values = reading.values()
    assert values[: len(before)] == before
    assert values[len(values) - len(after) :] == after
    assert_tiles(reading, content)


def test_blank_lines_are_no_items_but_lines(read: Callable[..., Any]) -> None:
    """They take no index, and the lines after them keep their number."""
    reading = read("jsonl", b"\n1\n  \t\r\n\r\n2\n \n3")
    assert reading.values() == [1, 2, 3]
    assert [item.index for item in reading.items] == [0, 1, 2]
    assert reading.lines == [2, 5, 7]


def test_the_byte_order_mark_is_no_part_of_the_first_record(read: Callable[..., Any]) -> None:
    """The offset of the first record is behind it; a file of nothing else has no record."""
    first, second = read("jsonl", b"\xef\xbb\xbf1\n2\n").items
    assert first == (0, b"1\n", ("input", 1, 3))
    assert second.where.offset == 5
    assert read("jsonl", b"\xef\xbb\xbf").items == []


@pytest.mark.parametrize("block_bytes", [1, 4, 64, 2**20])
def test_an_overlong_line_fails_alone(read: Callable[..., Any], block_bytes: int) -> None:
    """The lines around it arrive, at the places where they stand."""
    content = b"\xef\xbb\xbf" + b'"' + b"x" * 100 + b'"\n1\n"' + b"y" * 200 + b'"\n"' + b"z" * 50
    long, good, longer, last = read("jsonl", content, block_bytes=block_bytes, max_record_bytes="20B").items
    assert [type(item.raw) for item in (long, longer, last)] == [BrokenRecord] * 3
    assert long.raw[:3] == (b'"' + b"x" * 100 + b'"\n', 103, 1)
    assert good == (1, b"1\n", ("input", 2, 106))
    assert longer.where == ("input", 3, 108)
    assert last.raw[1:3] == (51, 0)


def test_a_source_weighs_what_its_items_hold(read: Callable[..., Any]) -> None:
    """Bytes of the record; the total is unknown before the end."""
    reading = read("jsonl", b"[1]\n")
    assert reading.source.weigh(reading.items[0]) == 4
    assert reading.source.total is None
