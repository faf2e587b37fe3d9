"""Rows become lines of CSV whose columns never shift, or are refused."""

from __future__ import annotations

import csv
import enum
import io
import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from runner.errors import RowRefused
from runner.sinks.csv_rows import CsvEncoder, CsvSink

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
AWKWARD = st.text(st.sampled_from(list("a ,;\"'\r\n\t\ufeff\u2028é")))


def encoder(**options: Any) -> CsvEncoder:
    """Return an encoder as a job file would make it."""
    return CsvSink.model_validate({"type": "csv", "path": "out.csv", **options}).encoder()


def write(rows: list[Any], **options: Any) -> bytes:
    """Return the whole file of `rows`."""
    making = encoder(**options)
    body = b"".join(
        making.settle(making.encode(row)) if making.settles else making.encode(row) for row in rows
    )
    return making.prologue() * (not making.settles) + body + making.epilogue()


def read(data: bytes, **options: Any) -> list[list[str]]:
    """Return the cells as Python's own reader sees them."""
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True, **options))


@given(st.lists(st.lists(CELLS | AWKWARD, min_size=3, max_size=3), max_size=5), st.sampled_from(",;\t| '"))
def test_every_text_reads_back_as_itself(rows: list[list[str]], delimiter: str) -> None:
    """Whatever stands in a cell, Python's reader finds the same cells, row by row."""
    columns = ["a", 'b"', "c d"]
    data = write([dict(zip(columns, row, strict=True)) for row in rows], columns=columns, delimiter=delimiter)
    assert read(data, delimiter=delimiter) == [columns, *rows]


@given(st.lists(CELLS | AWKWARD, min_size=1, max_size=4, unique=True), st.data())
def test_every_name_of_a_column_reads_back_as_itself(names: list[str], data: st.DataObject) -> None:
    """Columns taken from the first row are its keys, whatever their text, in their order."""
    shuffled = data.draw(st.permutations(names))
    written = write([dict.fromkeys(names, "x"), {name: name for name in shuffled}])
    assert read(written) == [names, ["x"] * len(names), names]


@given(st.lists(CELLS | AWKWARD, min_size=1, max_size=5))
def test_a_single_column_has_a_line_for_every_row(texts: list[str]) -> None:
    """An empty cell alone in its row is no blank line, which readers would skip."""
    assert read(write([{"a": text} for text in texts])) == [["a"], *([text] for text in texts)]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("", '""'),
        (None, ""),
        ("a", "a"),
        (" a ", " a "),
        ("a,b", '"a,b"'),
        ('a"b', '"a""b"'),
        ("a\rb", '"a\rb"'),
        (True, "true"),
        (False, "false"),
        (2**70, str(2**70)),
        (-0.0, "-0.0"),
        (1e308, "1e+308"),
        (0.1, "0.1"),
        (Decimal("1.10"), "1.10"),
        (type("Euro", (Decimal,), {"__str__": lambda self: "1,1 EUR"})("1.10"), "1.10"),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 12, 30, tzinfo=UTC), "2024-02-29T12:30:00+00:00"),
        (time(12, 30), "12:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (enum.Enum("Colour", {"RED": "r,d"}).RED, '"r,d"'),
        (enum.IntEnum("Size", {"BIG": 3}).BIG, "3"),
        (type("Word", (str,), {})("a,b"), '"a,b"'),
    ],
)
def test_a_value_is_written_by_a_documented_rule(value: object, cell: str) -> None:
    """One rule per type, the same on every version of Python."""
    assert write([{"a": 1, "b": value}]).decode() == f"a,b\n1,{cell}\n"


def test_a_time_is_quoted_where_its_colon_delimits() -> None:
    """Text that we make ourselves does not shift columns either."""
    assert write([{"a": time(12, 30), "b": 1}], delimiter=":") == b'a:b\n"12:30:00":1\n'


def test_none_alone_in_its_row_is_quoted() -> None:
    """A blank line would be no row for most readers."""
    assert write([{"a": None}]) == b'a\n""\n'


def test_a_header_never_begins_with_a_byte_order_mark() -> None:
    """Readers that drop a mark at the start of a file must not drop the first letter of a column."""
    data = write([{"\ufeffa": 1}])
    assert next(csv.reader([data.decode("utf-8-sig").splitlines()[0]])) == ["\ufeffa"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "`b` is nan, which a CSV cell cannot hold"),
        (math.inf, "`b` is inf, which a CSV cell"),
        (Decimal("NaN"), "`b` is NaN, which a CSV cell cannot hold: return None or a text"),
        (Decimal("-Infinity"), "`b` is -Infinity, which a CSV cell"),
        (b"x", "`b` is of type bytes, which a CSV cell cannot hold: decode"),
        ([1], "`b` is of type list, which a CSV cell cannot hold"),
        ({"c": 1}, "`b` is of type dict, which a CSV cell cannot hold"),
        ({1}, "`b` is of type set, which a CSV cell cannot hold: return a sorted list"),
        ("\ud800", "`b` holds half of a surrogate pair"),
        pytest.param(10**5000, "`b` is an integer too long", id="5001 digits"),
    ],
)
@pytest.mark.parametrize("columns", [None, ["a", "b"]])
def test_what_a_cell_cannot_hold_is_refused_by_name(
    value: object, message: str, columns: list[str] | None
) -> None:
    """The sentence is the same whether columns are declared or learnt."""
    with pytest.raises(RowRefused, match=message):
        encoder(columns=columns).encode({"a": 1, "b": value})


@pytest.mark.parametrize("row", [[1], "text", 5, date(2024, 1, 1), {1}, iter([])])
def test_a_row_without_names_is_refused(row: object) -> None:
    """Cells are found by the name of their column, never by position."""
    with pytest.raises(RowRefused, match=f"named tuple or a pydantic model, got {type(row).__name__}"):
        encoder().encode(row)


@dataclass
class Hub:
    name: str
    km: float


class Place(BaseModel):
    name: str
    km: float


class Spot(NamedTuple):
    name: str
    km: float


@pytest.mark.parametrize("make", [dict, Hub, Place, Spot])
def test_a_record_is_written_by_its_fields(make: Any) -> None:
    """A dict, a dataclass, a pydantic model and a named tuple of the same fields are the same line."""
    assert write([make(name="FRA", km=1.5)]) == b"name,km\nFRA,1.5\n"


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1}, "the row lacks the column `b`"),
        ({}, "the row lacks the columns `a`, `b`"),
        ({"a": 1, "c": 2}, "the row lacks the column `b` and has the column `c`, which the header has not"),
        ({"a": 1, "b": 2, "c": 3}, "the row has the column `c`, which the header has not"),
        ({"b": 1, "a": 2, 3: 3}, "the row has the column of type int, which the header has not"),
    ],
)
def test_a_row_with_other_columns_is_refused(row: Any, message: str, declared: bool) -> None:
    """Nothing is lost, filled in or shifted, whether columns are declared or learnt."""
    first = {"a": 1, "b": 2}
    with pytest.raises(RowRefused, match=message):
        write([first, row], columns=list(first) if declared else None)


@pytest.mark.parametrize("declared", [True, False])
def test_the_order_of_keys_does_not_matter(declared: bool) -> None:
    """Cells go below the header of their name."""
    rows = [{"a": 1, "b": 2}, {"b": 4, "a": 3}]
    assert write(rows, columns=["a", "b"] if declared else None) == b"a,b\n1,2\n3,4\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [({}, "the row has no columns"), ({1: 2}, "a column of type int"), ({"\ud800": 1}, "surrogate pair")],
)
def test_a_row_that_cannot_be_a_header_fixes_no_columns(row: Any, message: str) -> None:
    """The columns are those of the first row that is written."""
    making = encoder()
    with pytest.raises(RowRefused, match=message):
        making.settle(making.encode(row))
    assert making.state() == {"columns": None}
    assert making.settle(making.encode({"a": 1})) == b"a\n1\n"


def test_declared_columns_stand_even_without_rows() -> None:
    """An empty result is a header; without declared columns it is an empty file."""
    assert write([], columns=["a", "b"]) == b"a,b\n"
    assert write([]) == b""


def promised(*columns: str) -> CsvEncoder:
    """Return an encoder under the columns of a task's annotation."""
    return CsvSink.model_validate({"type": "csv", "path": "out.csv"}).encoder(columns)


def test_promised_columns_stand_before_the_first_row() -> None:
    """As declared ones do: there is a header without rows, and rows are lines at once."""
    making = promised("a", "b")
    assert making.settles is False
    assert making.prologue() == b"a,b\n"
    assert making.encode({"b": 2, "a": 1}) == b"1,2\n"
    with pytest.raises(RowRefused, match="lacks the column `b`"):
        making.encode({"a": 1})


def test_declared_columns_win_over_promised_ones() -> None:
    """The job file has the last word about their order."""
    options = CsvSink.model_validate({"type": "csv", "path": "out.csv", "columns": ["b", "a"]})
    assert options.encoder(["a", "b"]).prologue() == b"b,a\n"
    assert options.encoder(["a", "b"]).state() == {}


def test_a_header_that_is_written_outlives_a_change_of_the_annotation() -> None:
    """A run that goes on with other code (`--accept code`) writes below the header that is there."""
    state = json.loads(json.dumps(promised("a", "b").state()))
    other = promised("b", "a")
    other.restore(state)
    assert other.encode({"a": 1, "b": 2}) == b"1,2\n"
    without = encoder()
    without.restore(state)
    assert without.settle(without.encode({"b": 2, "a": 1})) == b"1,2\n"
    fresh = promised("b", "a")
    fresh.restore({"columns": None})  # nothing had been written
    assert fresh.prologue() == b"b,a\n"


def test_a_resumed_encoder_goes_on_under_the_same_columns() -> None:
    """The state survives JSON, brings no second header, and holds later rows to the same columns."""
    first = encoder()
    first.settle(first.encode({"b": 1, "a": 2}))
    second = encoder()
    second.restore(json.loads(json.dumps(first.state())))
    assert second.prologue() == b""
    assert second.settle(second.encode({"a": 3, "b": 4})) == b"4,3\n"
    with pytest.raises(RowRefused, match="lacks the column `b`"):
        second.settle(second.encode({"a": 3}))


def test_the_state_before_a_dropped_row_can_be_restored() -> None:
    """A header that was dropped with its item comes again with the next row."""
    making = encoder()
    before = making.state()
    making.settle(making.encode({"a": 1}))
    making.restore(before)
    assert making.settle(making.encode({"b": 1})) == b"b\n1\n"


def test_a_foreign_state_is_refused() -> None:
    """A state that was not made by this kind is no reason to write under wrong columns."""
    with pytest.raises(ValueError, match="must be a list of texts"):
        encoder().restore({"columns": "abc"})


def test_the_snapshot_does_not_follow_its_row() -> None:
    """What the task does to its row after `encode` changes nothing."""
    making = encoder()
    row = {"a": 1, "b": 2}
    snapshot = making.encode(row)
    row["a"] = 5
    row["c"] = 6
    assert making.settle(snapshot) == b"a,b\n1,2\n"


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_formulas_are_written_escaped_or_refused_as_the_job_says(text: str) -> None:
    """Faithful by default, because escaping changes data; the reader finds the text or the escaped text."""
    row = {"a": text, "b": 1}
    assert read(write([row], formulas="raw"))[1] == [text, "1"]
    assert read(write([row], formulas="escape"))[1] == ["'" + text, "1"]
    with pytest.raises(RowRefused, match=r"`a` starts with .*: a spreadsheet would run it as a formula"):
        write([row], formulas="reject")


@pytest.mark.parametrize("value", [-5, -1.5e300, Decimal("-1.10"), "-5", "+49123", "-1.5e3", "a=b", "", None])
@pytest.mark.parametrize("formulas", ["escape", "reject"])
def test_numbers_are_no_formulas(value: object, formulas: str) -> None:
    """A negative number stays one, also where it came as text from another file."""
    row = {"a": value, "b": 1}
    assert write([row], formulas=formulas) == write([row])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ""}, "one ASCII character, got ''"),
        ({"delimiter": ";;"}, "one ASCII character, got ';;'"),
        ({"delimiter": "§"}, "one ASCII character"),
        ({"delimiter": '"'}, "part of a number, a word or a quote"),
        ({"delimiter": "\n"}, "part of a number, a word or a quote"),
        ({"delimiter": "."}, "part of a number, a word or a quote"),
        ({"delimiter": "e"}, "part of a number, a word or a quote"),
        ({"columns": []}, "must name at least one column"),
        ({"columns": ["a", "b", "a"]}, "`columns` has `a` twice"),
        ({"columns": ["\ud800"]}, "surrogate pair"),
        ({"columns": ["=a"], "formulas": "reject"}, "`=a` starts with '='"),
    ],
)
def test_options_that_cannot_be_kept_are_faults(options: Any, message: str) -> None:
    """What would shift columns or lose a name is found before the first row."""
    with pytest.raises(ValidationError, match=message):
        encoder(**options)
