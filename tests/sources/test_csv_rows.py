"""`type: csv`."""

from __future__ import annotations

import csv
import io
import re
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.errors import InputBroken, MalformedRecord
from runner.item import BrokenRecord
from runner.sources import CsvOptions
from runner.sources.csv_rows import split_quoted

BLOCK_SIZES = st.sampled_from([1, 2, 3, 7, 64, 2**20])
CELL = st.text("ab,;'\" \r\n\0é\u2028", max_size=6)
SNIPPETS = st.text('ab,"\r\n', max_size=40)


def cut_plainly(content: bytes, limit: int) -> list[tuple[bytes, bool]]:
    """Cut CSV byte by byte, as the rules say: each record, and whether a quote in it never closes."""
    records = []
    start = 0
    while start < len(content):
        end = end_of_record(content, start)
        line_end = content.find(b"\n", start) + 1 or len(content)
        is_broken = end is None or (end > line_end and end - start > limit)
        if is_broken or end is None:
            end = line_end
        records.append((content[start:end], is_broken or end - start > limit))
        start = end
    return records


def end_of_record(content: bytes, position: int) -> int | None:
    """Return where the record at `position` ends, `None` where a quote is open at the end."""
    state = "start"
    while position < len(content):
        char = content[position : position + 1]
        position += 1
        if state == "quoted":
            state = "maybe" if char == b'"' else "quoted"
        elif char == b"\n":
            return position
        elif state == "maybe" and char == b'"':
            state = "quoted"
        elif char == b",":
            state = "start"
        else:
            state = "quoted" if state == "start" and char == b'"' else "plain"
    return None if state == "quoted" else position


def write(rows: list[list[str]], **how: Any) -> bytes:
    """Write rows with the standard library."""
    text = io.StringIO(newline="")
    csv.writer(text, **how).writerows(rows)
    return text.getvalue().encode()


@settings(deadline=None)  # the first example imports what the others find there
@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8),
    BLOCK_SIZES,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from([(",", '"'), (";", "'"), ("\t", '"'), ("^", "]"), ("-", "|"), ("a", "\\")]),
)
def test_rows_written_by_the_standard_library_read_back_equal(
    read: Callable[..., Any], rows: list[list[str]], block_bytes: int, ending: str, quoting: int,
    chars: tuple[str, str],
) -> None:  # fmt: skip
    """Whatever the dialect, the content of the cells and the size of the blocks."""
    if quoting == csv.QUOTE_MINIMAL and ending == "\n":
        # This writer leaves a CR bare there, which at the end of a row is part of its line ending.
        rows = [[*row[:2], row[2].rstrip("\r")] for row in rows]
    how = {"delimiter": chars[0], "quotechar": chars[1]}
    content = write([["x", "y", "é"], *rows], lineterminator=ending, quoting=quoting, **how)
    reading = read("csv", content, block_bytes=block_bytes, **how)
    assert reading.values() == [dict(zip(("x", "y", "é"), row, strict=True)) for row in rows]


@settings(deadline=None)  # the first example imports what the others find there
@given(SNIPPETS, BLOCK_SIZES, st.integers(2, 30))
@example('"a\n"b\n""\nc,"\n', 3, 4)
@example('x","\n' * 6, 1, 12)
@example('"\na\naaaaaa\nb\n', 64, 5)
def test_records_end_where_the_rules_say(
    read: Callable[..., Any], assert_tiles: Callable[..., None], text: str, block_bytes: int, limit: int
) -> None:
    """The regular expressions agree with a machine that reads byte by byte, at any limit."""
    content = text.encode()
    reading = read(
        "csv", content, header=False, columns=["x"], block_bytes=block_bytes, max_record_bytes=f"{limit}B"
    )
    found = [(raw.head, True) if isinstance(raw, BrokenRecord) else (raw, False) for raw in reading.raws]
    assert found == [record for record in cut_plainly(content, limit) if record[0] not in (b"\n", b"\r\n")]
    assert_tiles(reading, content)
    reading.values()


@settings(deadline=None)  # the first example imports what the others find there
@given(st.lists(CELL, min_size=2, max_size=2), st.binary(max_size=30), BLOCK_SIZES)
@example(["a", "b"], b'"', 1)
@example(["a", "b"], b'a,"b', 2**20)
def test_garbage_never_raises_and_costs_no_row_before_it(
    read: Callable[..., Any],
    assert_tiles: Callable[..., None],
    row: list[str],
    garbage: bytes,
    block_bytes: int,
) -> None:
    """Nor the rows behind it, unless it opens a quote that one of them closes."""
    before, after = write([["x", "y"], row]), b"1,2\n3,4\n"
    content = before + garbage + b"\n" + after
    reading = read("csv", content, block_bytes=block_bytes)
    values = reading.values()
    assert values[0] == {"x": row[0], "y": row[1]}
    assert values[-2:] == [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]
    assert_tiles(reading, before[:5].replace(before[:5], b" " * 4 + b"\n") + content[5:])


def test_a_quote_that_never_closes_costs_its_own_line_only(read: Callable[..., Any]) -> None:
    """The rows behind it are read, and the fault stands at the line that opens the quote."""
    reading = read("csv", b'a,b\n1,2\n3,"4\n5,6\n7,8')
    assert reading.values() == [
        {"a": "1", "b": "2"},
        "broken: a quote opened on this line is not closed before the end of the file; "
        "the next lines are read as rows of their own",
        {"a": "5", "b": "6"},
        {"a": "7", "b": "8"},
    ]
    assert reading.items[1][1:] == (reading.raws[1], ("input", 3, 8))
    assert reading.raws[1][:3] == (b'3,"4\n', 5, 1)


def test_a_quote_that_closes_too_late_costs_its_own_line_only(read: Callable[..., Any]) -> None:
    """Too late is behind `max_record_bytes`."""
    content = b'a,b\n1,"2\n' + b"3,4\n" * 10 + b'5",6\n'
    values = read("csv", content, max_record_bytes="30B").values()
    assert values[0].startswith(
        "broken: a quote opened on this line is not closed within max_record_bytes (30B)"
    )
    assert values[1:] == [{"a": "3", "b": "4"}] * 10 + [{"a": '5"', "b": "6"}]
    assert len(read("csv", content).values()) == 1


def test_lines_that_all_open_a_quote_take_linear_time(read: Callable[..., Any]) -> None:
    """Each opens one, closes the one before and none ever ends: 40,000 lines in seconds, not days.

    Judged line by line anew this is 40,000 times a scan of 64 KiB; the bound is far from both.
    """
    start = time.process_time()
    reading = read("csv", b"a\n" + b'x","\n' * 40_000, max_record_bytes="64KiB")
    assert time.process_time() - start < 8
    assert len(reading.items) == 40_000
    assert isinstance(reading.raws[0], BrokenRecord)


def test_short_lines_behind_a_quote_take_no_more_memory_than_their_bytes(
    open_source: Callable[..., Any], tmp_path: Path
) -> None:
    """Two million lines are held until the limit shows that the quote never closes."""
    (tmp_path / "in").write_bytes(b'a\n"\n' + b"1\n" * 2**21)
    source = open_source("csv", tmp_path, path="in", max_record_bytes="4MiB")
    tracemalloc.start()
    try:
        items = source.items()
        assert isinstance(next(items).raw, BrokenRecord)
        assert next(items) == (1, b"1\n", ("in", 3, 4))
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_cells_are_text_as_it_stands(read: Callable[..., Any]) -> None:
    """Never stripped, never guessed; NUL, lone CR and quotes inside a field are data."""
    content = b'a,b\r\n 007 ,\r\n\0,1e5\r\nx"y"z,\xe2\x80\xa8\r\nc\rd,"e\rf"\r\n"g",h\r\r\n'
    assert read("csv", content).values() == [
        {"a": " 007 ", "b": ""},
        {"a": "\0", "b": "1e5"},
        {"a": 'x"y"z', "b": "\u2028"},
        {"a": "c\rd", "b": "e\rf"},
        {"a": "g", "b": "h\r"},
    ]


def test_rows_of_several_lines_count_their_lines(read: Callable[..., Any], assert_tiles: Any) -> None:
    """A row stands where it begins."""
    content = b'"a\n",b\n"1\n\n2",""""\n\n"",3\n'
    reading = read("csv", content)
    assert reading.values() == [{"a\n": "1\n\n2", "b": '"'}, {"a\n": "", "b": "3"}]
    assert [item.where for item in reading.items] == [("input", 3, 7), ("input", 7, 20)]


def test_a_field_of_more_than_the_standard_librarys_limit_is_read(read: Callable[..., Any]) -> None:
    """And that limit, which is the whole process's, is left alone."""
    limit = csv.field_size_limit()
    long = "x" * (limit * 2) + '"'
    content = write([["a", "b"], [long, "1"]])
    assert read("csv", content).values() == [{"a": long, "b": "1"}]
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"1,2,3", "row has 3 fields, the header has 4: nothing for 'd'"),
        (b"1", "row has 1 field, the header has 4: nothing for 'b', 'c', 'd'"),
        (b"1,2,3,4,,x", "row has 6 fields, the header has 4: no column for '', 'x'"),
        (
            b'"1"2,3,4,5',
            "field 1 goes on after its closing quote: '2,3,4,5'; a quote inside a quoted field is doubled",
        ),
        (
            b'1,2,3,"4" ',
            "field 4 goes on after its closing quote: ' '; a quote inside a quoted field is doubled",
        ),
        (b"1,2,\xff,4", "not valid utf-8: invalid start byte 0xff at byte 4"),
    ],
)
def test_a_row_that_does_not_fit_fails_alone(read: Callable[..., Any], row: bytes, message: str) -> None:
    """The message has the numbers, the columns and the text in question."""
    values = read("csv", b"a,b,c,d\n1,2,3,4\n" + row + b"\n5,6,7,8").values()
    assert values == [
        {"a": "1", "b": "2", "c": "3", "d": "4"},
        f"malformed: {message}",
        {"a": "5", "b": "6", "c": "7", "d": "8"},
    ]


def test_blank_lines_are_no_rows_under_one_column_either(read: Callable[..., Any]) -> None:
    """An empty cell is written `""` there; a line of spaces is a cell of spaces."""
    reading = read("csv", b'\n\r\na\n1\n\n\r\n""\n  \n')
    assert reading.values() == [{"a": "1"}, {"a": ""}, {"a": "  "}]
    assert reading.lines == [4, 7, 8]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n", b"a,b", b"a,b\r\n"])
def test_a_file_without_rows_has_no_items(read: Callable[..., Any], content: bytes) -> None:
    """Empty, blank or a header alone."""
    assert read("csv", content).items == []


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"a,b,a,c,b", "names 'a', 'b' more than once"),
        (b"a,,b", "has no name for column 2"),
        (b"a,b,", "has no name for column 3"),
        (b'a,"b', "cannot be read: a quote opened on this line is not closed before the end of the file"),
        (b'"a"b', "cannot be read: field 1 goes on after its closing quote"),
        (b"\xff", "cannot be read: not valid utf-8"),
        (b"a" * 100, "cannot be read: the record is 101 bytes long"),
    ],
)
def test_a_header_that_cannot_name_the_columns_stops_the_run(
    read: Callable[..., Any], header: bytes, message: str
) -> None:
    """Before the first row."""
    with pytest.raises(InputBroken, match=f"^the header of input file input {re.escape(message)}"):
        read("csv", header + b"\n1,2\n", max_record_bytes="64B")


def test_a_file_without_header_takes_its_columns_from_the_job(read: Callable[..., Any]) -> None:
    """The first line is a row."""
    assert read("csv", b"1,2\n3,4", header=False, columns=["x", "y"]).values() == [
        {"x": "1", "y": "2"},
        {"x": "3", "y": "4"},
    ]


def test_each_file_has_its_own_header(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """The order of the names may differ; decoding is right for items of all files at any time."""
    (tmp_path / "1.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    (tmp_path / "2.csv").write_bytes(b"")
    (tmp_path / "3.csv").write_bytes(b"b,a\n3,4")
    source = open_source("csv", tmp_path, path="*.csv")
    items = list(source.items())
    assert [source.decode(item) for item in reversed(items)] == [{"a": "4", "b": "3"}, {"a": "1", "b": "2"}]
    assert [item.where for item in items] == [("1.csv", 2, 7), ("3.csv", 2, 4)]


def test_files_with_different_columns_stop_the_run(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """After the rows of the files before; the message names both files and the difference."""
    (tmp_path / "1.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "2.csv").write_bytes(b"b,c\n")
    items = open_source("csv", tmp_path, path="*.csv").items()
    assert next(items).raw == b"1,2\n"
    with pytest.raises(
        InputBroken,
        match=r"^the header of input file 2.csv differs from that of 1.csv: it lacks 'a' and has 'c'",
    ):
        next(items)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "gb18030"])
def test_other_encodings_are_decoded(read: Callable[..., Any], encoding: str) -> None:
    """Header and cells, with and without quotes."""
    content = 'ü,b\nä,"é,\n"\n'.encode(encoding)
    assert read("csv", content, encoding=encoding).values() == [{"ü": "ä", "b": "é,\n"}]


def test_without_a_quotechar_a_quote_is_data(read: Callable[..., Any]) -> None:
    """As in tab-separated files of many programs."""
    values = read("csv", b'a\tb\n"1\t2"\n"\t\n', delimiter="\t", quotechar=None).values()
    assert values == [{"a": '"1', "b": '2"'}, {"a": '"', "b": ""}]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"delimiter": ";;"}, "must be one ASCII character that ends no line, got ';;'"),
        ({"delimiter": ""}, "must be one ASCII character"),
        ({"delimiter": "\n"}, "must be one ASCII character"),
        ({"quotechar": "«"}, "must be one ASCII character"),
        ({"delimiter": '"'}, "`delimiter` and `quotechar` must differ"),
        ({"columns": ["a"]}, "`columns` is for files without a header; add header: false"),
        ({"header": False}, "a file without a header needs `columns`"),
        ({"header": False, "columns": []}, "`columns` must name at least one column"),
        ({"header": False, "columns": ["a", "a"]}, "`columns` names 'a' more than once"),
        ({"header": False, "columns": [""]}, "`columns` has no name for column 1"),
        ({"encoding": "utf-16"}, "convert the file first"),
        ({"encoding": "shift_jis", "delimiter": "|"}, "cannot be told apart in shift_jis"),
        ({"header": "no"}, "boolean"),
    ],
)
def test_keys_that_make_no_sense_are_faults(keys: dict[str, Any], message: str) -> None:
    """Found without looking at any file."""
    with pytest.raises(ValidationError, match=message):
        CsvOptions.model_validate({"type": "csv", "path": "x.csv", **keys})


@settings(deadline=None)  # the first example imports what the others find there
@given(st.text('ab,"\r\n', max_size=20).filter(lambda text: '"' in text))
def test_fields_are_split_as_the_rules_say(text: str) -> None:
    """Where the standard library and the slow way both read a record, they agree."""
    try:
        fields = split_quoted(text, ",", '"')
    except MalformedRecord:
        return
    quoted = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
    assert split_quoted(quoted, ",", '"') == fields


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (b"a,b\r1,2\r3,4\r", {}),
        (b"a,b\r", {}),
        (b"a,b\r\r\n1,2\r\r\n", {}),
        (b'a,"b""c"\r1,2\n', {}),
        (b'"a\r",b\r1,2\n', {}),
        (b'"a",b\r1,2\n', {"quotechar": None}),
    ],
)
def test_a_header_with_a_bare_return_is_refused(
    read: Callable[..., Any], content: bytes, keys: dict[str, Any]
) -> None:
    """Of a file of an old Mac all is one line: it would have no rows, and the output would be emptied."""
    with pytest.raises(
        InputBroken, match=r"carriage return .* convert the file first: tr '.r' '.n' < input > NEW"
    ):
        read("csv", content, **keys)


@pytest.mark.parametrize("header", [b'a,"b\rc"\r\n', b'"a\r\nb",c\n', b"a,b\r\n"])
def test_a_return_in_quotes_or_before_a_line_feed_is_none(read: Callable[..., Any], header: bytes) -> None:
    """A name may hold what a field may."""
    assert len(read("csv", header + b"1,2\n").items) == 1
