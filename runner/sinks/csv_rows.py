r"""`type: csv`: one row is one line of cells, under a header that never shifts.

Columns are declared in the job file, promised by the annotation of the task's result, or taken from the first
row that is written. Every row has
exactly these columns, in any order; one that lacks a column or brings another is refused, because
both would otherwise be lost or shift without a word.

A cell holds text as it is, an int or a Decimal exactly, a float with the fewest digits that read
back as the same float, `true` and `false`, dates and times in ISO 8601, a UUID as its text, the
value of a member of an enum. `None` is an empty cell and the empty text is `""`; most readers,
Python's among them, see both as empty. Quotes stand where RFC 4180 needs them, and around the
only cell of a row when it is empty, which would otherwise be a blank line. Lines end in `\n`.

The quoting is done here because that of Python's `csv` differs between 3.11 and 3.13 (a lone
carriage return, a leading space), and the same rows must always be the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar, Literal

from pydantic import field_validator, model_validator

from runner.errors import RowRefused
from runner.sinks.base import FileSinkOptions
from runner.sinks.values import WRITTEN_AS_TEXT, NotSpelled, quoted, refused, spelled

Snapshot = tuple[tuple[object, ...], list[str], bytes]
"""Of a row whose place is not known yet: its keys, its cells, and its line in their order."""

# What a spreadsheet takes for a formula (OWASP, "CSV Injection"); a plain number is none.
_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-][0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_MOST_NAMES = 5  # arbitrary: how many columns a message names


class CsvSink(FileSinkOptions):
    """One row is one line of a CSV file with a header; rows are mappings or have fields."""

    has_columns: ClassVar[bool] = True
    type: Literal["csv"]
    """The kind of output. Example: `csv`"""
    columns: list[str] | None = None
    """The columns in their order; by default those of the first row. Example: `[name, price]`"""
    delimiter: str = ","
    """What stands between two cells: one ASCII character. Example: `";"`"""
    formulas: Literal["raw", "escape", "reject"] = "raw"
    """What to do with text that a spreadsheet would run: write it, put a `'` before it, or refuse the row.
    Example: `escape`"""

    @field_validator("columns")
    @classmethod
    def _must_be_told_apart(cls, columns: list[str] | None) -> list[str] | None:
        if columns is None:
            return None
        if not columns:
            raise ValueError("`columns` must name at least one column")
        twice = next((name for position, name in enumerate(columns) if name in columns[:position]), None)
        if twice is not None:
            raise ValueError(f"`columns` has `{quoted(twice)}` twice")
        return columns

    @field_validator("delimiter")
    @classmethod
    def _must_delimit(cls, delimiter: str) -> str:
        if len(delimiter) != 1 or not delimiter.isascii():
            raise ValueError(f"`delimiter` must be one ASCII character, got {delimiter!r}")
        if delimiter.isalnum() or delimiter in '"\r\n\0+-.':
            raise ValueError(
                f"`delimiter` must not be part of a number, a word or a quote, got {delimiter!r}"
            )
        return delimiter

    @model_validator(mode="after")
    def _must_have_a_header(self) -> CsvSink:
        try:
            self.encoder().prologue()
        except RowRefused as error:
            raise ValueError(str(error)) from error
        return self

    def encoder(self, columns: Sequence[str] | None = None) -> CsvEncoder:
        """Return a fresh encoder; `columns` are those of the rows where the job file names none."""
        return CsvEncoder(
            self.columns or columns,
            delimiter=self.delimiter,
            formulas=self.formulas,
            is_declared=self.columns is not None,
        )


class CsvEncoder:
    """Rows to lines of CSV, under the columns that were declared or that the first row has.

    What is wrong with a cell is found by `encode` whether or not the columns are known, and before
    what is wrong with the columns: the message about a row never depends on when it was encoded.
    """

    def __init__(
        self, columns: Sequence[str] | None, *, delimiter: str, formulas: str, is_declared: bool
    ) -> None:
        self.settles = columns is None
        self._is_declared = is_declared
        self._columns: tuple[object, ...] | None = None if columns is None else tuple(columns)
        self._delimiter = delimiter
        self._formulas = formulas
        self._needs_quotes = re.compile(f'[{re.escape(delimiter)}"\r\n]').search

    def prologue(self) -> bytes:
        """Return the header where the columns are declared, else nothing: the first row brings it."""
        return b"" if self._columns is None or self.settles else self._header(self._columns)

    def encode(self, row: object) -> bytes | Snapshot:
        """Return `row` as a line where the columns are declared, else as a snapshot for `settle`.

        Raises:
            RowRefused: The row is no mapping, does not fit the declared columns, or has a value
                that a cell cannot hold.
        """
        fields = row if type(row) is dict else _fields(row)
        keys = tuple(fields)
        cells = [self._cell(key, value) for key, value in fields.items()]
        line = self._line(keys, cells)
        if self.settles:
            return keys, cells, line
        return line if keys == self._columns else self._rearranged(keys, cells)

    def settle(self, snapshot: Snapshot) -> bytes:
        """Return the line of a snapshot, the first one with the header before it.

        Raises:
            RowRefused: The row has other columns than the first row.
        """
        keys, cells, line = snapshot
        if keys == self._columns:
            return line
        if self._columns is not None:
            return self._rearranged(keys, cells)
        header = self._header(keys)
        self._columns = keys
        return header + line

    def epilogue(self) -> bytes:
        """Return nothing: without a row, columns that were not declared are not known either."""
        return b""

    def state(self) -> dict[str, object]:
        """Return the columns of the task or of the first row, `None` before it; `{}` where declared."""
        if self._is_declared:
            return {}
        return {"columns": None if self._columns is None else list(self._columns)}

    def restore(self, state: dict[str, object]) -> None:
        """Go on under the columns of `state`; the header is in the output already.

        That of a task whose annotation has changed since stays what it was.

        Raises:
            ValueError: It is no state of an encoder of this kind.
        """
        if self._is_declared:
            return
        columns = state.get("columns")
        if columns is None:
            if self.settles:
                self._columns = None
        elif isinstance(columns, list) and all(isinstance(name, str) for name in columns):
            self._columns = tuple(columns)
        else:
            raise ValueError("the columns of a CSV output must be a list of texts")

    def _header(self, columns: tuple[object, ...]) -> bytes:
        if not columns:
            raise RowRefused("the row has no columns")
        for name in columns:
            if not isinstance(name, str):
                raise RowRefused(f"the row has a column {_key(name)}: names must be texts")
        cells = [self._cell(name, name) for name in columns]
        if cells[0].startswith("\ufeff"):  # right at the start of a file it would be a byte order mark
            cells[0] = f'"{cells[0]}"'
        return self._line(columns, cells)

    def _rearranged(self, keys: tuple[object, ...], cells: list[str]) -> bytes:
        columns = self._columns
        assert columns is not None
        by_key = dict(zip(keys, cells, strict=True))
        faults = []
        if missing := [name for name in columns if name not in by_key]:
            faults.append(f"lacks {_named(missing)}")
        if unknown := [key for key in keys if key not in columns]:
            faults.append(f"has {_named(unknown)}, which the header has not")
        if faults:
            raise RowRefused(f"the row {' and '.join(faults)}")
        return self._line(columns, [by_key[name] for name in columns])

    def _line(self, keys: tuple[object, ...], cells: list[str]) -> bytes:
        line = self._delimiter.join(cells)
        try:
            return (line or '""').encode() + b"\n"
        except UnicodeEncodeError as error:
            broken = next(key for key, cell in zip(keys, cells, strict=True) if not _is_text(cell))
            raise RowRefused(f"{_column(broken)} holds half of a surrogate pair, which is no text") from error

    def _cell(self, key: object, value: Any) -> str:
        kind = type(value)
        if kind is str:
            text: str = value
            if self._formulas != "raw" and text[:1] in _FORMULA_STARTS and not _NUMBER.fullmatch(text):
                text = self._defused(key, text)
            if self._needs_quotes(text):
                return '"' + text.replace('"', '""') + '"'
            return text or '""'
        if value is None:
            return ""
        if kind is int:
            return _digits(key, value)
        if kind is float:
            if math.isfinite(value):
                return repr(value)
            raise refused(_column(key), value, by="a CSV cell")
        if kind is bool:
            return "true" if value else "false"
        return self._rare_cell(key, value)

    def _rare_cell(self, key: object, value: object) -> str:
        if isinstance(value, Enum):
            return self._cell(key, value.value)
        if isinstance(value, str):
            return self._cell(key, str.__str__(value))
        if isinstance(value, int):
            return _digits(key, value)
        if isinstance(value, WRITTEN_AS_TEXT):
            try:
                return self._cell(key, spelled(value))
            except NotSpelled:
                pass
            except ValueError as error:
                raise RowRefused(f"{_column(key)} cannot be written: {error}") from error
        raise refused(_column(key), value, by="a CSV cell")

    def _defused(self, key: object, text: str) -> str:
        if self._formulas == "reject":
            raise RowRefused(
                f"{_column(key)} starts with {text[0]!r}: a spreadsheet would run it as a formula"
            )
        return "'" + text


def _fields(row: object) -> dict[object, object]:
    try:
        fields = row if isinstance(row, dict) else spelled(row)
    except NotSpelled:
        fields = None
    except Exception as error:  # a property or serializer of the user's
        raise RowRefused(f"the row cannot be written: {error}") from error
    if not isinstance(fields, dict):
        raise RowRefused(
            "a row of a CSV output must be a dict, a dataclass, a named tuple or a pydantic model, "
            f"got {type(row).__name__}"
        )
    return fields


def _digits(key: object, value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError as error:  # more digits than sys.get_int_max_str_digits(): no reader takes them
        raise RowRefused(f"{_column(key)} is an integer too long to be written: {error}") from error


def _column(key: object) -> str:
    return f"`{quoted(key)}`" if isinstance(key, str) else f"the column {_key(key)}"


def _key(key: object) -> str:
    return f"`{quoted(key)}`" if isinstance(key, str) else f"of type {type(key).__name__}"


def _named(keys: list[object]) -> str:
    shown = ", ".join(_key(key) for key in keys[:_MOST_NAMES])
    more = f" and {len(keys) - _MOST_NAMES} more" if len(keys) > _MOST_NAMES else ""
    return f"the column{'s' if len(keys) > 1 else ''} {shown}{more}"


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True
