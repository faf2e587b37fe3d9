"""`type: json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.errors import InputBroken
from runner.item import BrokenRecord

BLOCK_SIZES = st.sampled_from([1, 2, 3, 7, 64, 2**20])
VALUES = st.recursive(
    st.none() | st.integers() | st.text('a"\\[]{},:\n é', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\[]', max_size=2), inner, max_size=3)
    ),
    max_leaves=20,
)
SPACE = st.text(" \t\r\n", max_size=3)


def deep(levels: int) -> Any:
    """Return a list in a list in a list."""
    value: Any = []
    for _ in range(levels):
        value = [value, {"x": "]"}]
    return value


@settings(deadline=None)  # the first example imports what the others find there
@given(st.lists(VALUES, max_size=6), BLOCK_SIZES, SPACE, st.sampled_from([None, 0, 2]))
@example([deep(3), deep(30), 1], 5, " ", None)
@example([deep(3), deep(30), 1], 2**20, " ", 1)
def test_an_array_written_by_json_reads_back_equal(
    read: Callable[..., Any], values: list[Any], block_bytes: int, space: str, indent: int | None
) -> None:
    """Every element stands where its place says, whatever the layout and the size of the blocks."""
    content = f"{space}{json.dumps(values, indent=indent, ensure_ascii=False)}{space}".encode()
    reading = read("json", content, block_bytes=block_bytes)
    assert reading.values() == values
    for item in reading.items:
        start = item.where.offset
        assert content[start : start + len(item.raw)] == item.raw
        assert item.where.line == 1 + content.count(b"\n", 0, start)
        assert item.raw.strip() == item.raw != b""


@settings(deadline=None)  # the first example imports what the others find there
@given(st.text('ab,"[]{}\\ \n0', max_size=30), BLOCK_SIZES)
def test_garbage_costs_no_element_before_it_and_raises_input_broken_at_most(
    read: Callable[..., Any], garbage: str, block_bytes: int
) -> None:
    """The cut is the same at any size of the blocks, and no error but one of the input escapes."""

    def attempt(block_bytes: int) -> tuple[list[Any], str]:
        try:
            return read("json", f"[1,{garbage}".encode(), block_bytes=block_bytes).items, ""
        except InputBroken as error:
            return [], str(error)

    assert attempt(block_bytes) == attempt(2**20)


def test_an_element_that_is_no_json_fails_alone(read: Callable[..., Any]) -> None:
    """So do elements that are missing: two commas, or one before the end."""
    reading = read("json", b'[1, {"a": ], tru, "\xff", ,\n [}, 2, ]')
    assert reading.values() == [
        1,
        "malformed: not valid JSON: invalid character at byte 6",
        "malformed: not valid JSON: it ends too early",
        "malformed: not valid UTF-8: invalid start byte 0xff at byte 1",
        "malformed: not valid JSON: there is no value",
        "malformed: not valid JSON: invalid character at byte 1",
        2,
        "malformed: not valid JSON: there is no value",
    ]
    assert reading.lines == [1, 1, 1, 1, 1, 2, 2, 2]


def test_nesting_without_end_fails_alone(read: Callable[..., Any]) -> None:
    """100,000 levels are cut in linear time, and only their own item fails."""
    content = b"[1," + b"[" * 100_000 + b"]" * 100_000 + b",2]"
    assert read("json", content).values() == [1, "malformed: not readable JSON: nested too deep", 2]


@pytest.mark.parametrize("block_bytes", [1, 5, 64, 2**20])
def test_an_overlong_element_fails_alone(read: Callable[..., Any], block_bytes: int) -> None:
    """Its length has no comma, its lines are counted, and the next element arrives."""
    content = b'[1,\n"' + b"\n" * 30 + b'", 2]'
    one, long, two = read("json", content, block_bytes=block_bytes, max_record_bytes="20B").items
    assert one == (0, b"1", ("input", 1, 1))
    assert long.raw[:3] == (b'"' + b"\n" * 30 + b'"', 32, 30)
    assert isinstance(long.raw, BrokenRecord)
    assert long.where == ("input", 2, 4)
    assert two == (2, b"2", ("input", 32, 38))


@pytest.mark.parametrize("content", [b"[]", b" [ \n ] \n", b"\xef\xbb\xbf[]"])
@pytest.mark.parametrize("block_bytes", [1, 2**20])
def test_an_empty_array_has_no_items(read: Callable[..., Any], content: bytes, block_bytes: int) -> None:
    """With or without white space and byte order mark."""
    assert read("json", content, block_bytes=block_bytes).items == []


@pytest.mark.parametrize("block_bytes", [1, 2**20])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"holds no JSON array: there is nothing in it \(line 1\)"),
        (b" \n\n", r"holds no JSON array: there is nothing in it \(line 3\)"),
        (b"\xef\xbb", "holds no JSON array"),
        (
            b'\n{"a": 1}',
            r"is no JSON array: it begins with .*; one JSON value on each line is type jsonl \(line 2\)",
        ),
        (b"\xef\xbb1", "is no JSON array"),
        (b"[1] 2", "goes on after the end of its array; it must hold one array and nothing else"),
        (b"[1]\n]", r"goes on after the end of its array.* \(line [12]\)"),
    ],
)
def test_a_file_that_is_no_array_stops_the_run(
    read: Callable[..., Any], content: bytes, message: str, block_bytes: int
) -> None:
    """With a sentence that says what it is instead."""
    with pytest.raises(InputBroken, match=f"^input file input {message}"):
        read("json", content, block_bytes=block_bytes)


@pytest.mark.parametrize("end", [b"", b",", b",3", b', "3]', b',{"a": 3]'])
@pytest.mark.parametrize("block_bytes", [1, 2**20])
def test_an_array_that_does_not_end_stops_the_run_after_its_elements(
    open_source: Callable[..., Any], tmp_path: Any, end: bytes, block_bytes: int
) -> None:
    """The last element may be torn, so it is no item."""
    (tmp_path / "cut").write_bytes(b"[1,\n2" + end)
    source = open_source("json", tmp_path, path="cut", block_bytes=block_bytes)
    values = []
    with pytest.raises(InputBroken, match=r"^input file cut ends before its array does; it was cut short"):
        values.extend(source.decode(item) for item in source.items())
    assert values in ([1], [1, 2])


def test_each_file_is_an_array(open_source: Callable[..., Any], tmp_path: Any) -> None:
    """The index runs through, the places restart."""
    for name in ("1", "2"):
        (tmp_path / name).write_bytes(b"[\n7]")
    items = list(open_source("json", tmp_path, path=["1", "2"]).items())
    assert items == [(0, b"7", ("1", 2, 2)), (1, b"7", ("2", 2, 2))]
