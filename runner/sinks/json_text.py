"""A row as one line of JSON: exactly what it says, or a refusal that names the field.

Which value becomes what:

- dict, list, plain tuple, text, bool, `None`, int of any size, finite float: themselves. A float
  is written with the fewest digits that read back as the same float.
- dataclass, named tuple, pydantic model, other mappings: an object (see `runner.sinks.values`).
- date, time, datetime: its `isoformat()`, without an offset where it has none. UUID, Decimal: its text.
- a member of an enum: its value; an instance of a subclass of str, int, dict or list: as its base.
- `orjson.Fragment`: as it is, unread, if it is one line; whoever makes one vouches for it.
- refused: NaN and infinities, keys that are no text, bytes, sets, numpy values,
  text with half of a surrogate pair, nesting deeper than 254 levels, everything else.

The work is orjson's. What it would change without a word is kept from it (dataclasses, datetimes:
it rounds an offset to minutes) or looked for in what it wrote (NaN becomes `null`). What it
refuses goes through `_faithful`, which takes the row apart, spells out integers beyond 64 bits and
knows the way to the value that has no JSON. Taking every row apart before it is encoded was
dropped: it costs many times the encoding.
"""

from __future__ import annotations

import math
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
from orjson import dumps

from runner.errors import RowRefused
from runner.sinks.values import NotSpelled, quoted, refused, spelled

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_NEVER_NAN = frozenset({str, int, bool, date, time, datetime, UUID, Decimal})
_MOST_LEVELS = 254  # orjson's own limit
_MOST_STEPS = 8  # arbitrary: how much of a way is shown
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


def encode_json(row: object) -> bytes:
    """Return `row` as one line of JSON in UTF-8, line feed included.

    Raises:
        RowRefused: JSON cannot hold a value of it; names the field, as in `distance.km[3]`.
    """
    try:
        line = dumps(row, spelled, _OPTIONS)
    except TypeError:
        return _encode_slowly(row)
    # A `null` is a None or what was NaN; a line feed (10) comes from an orjson.Fragment. `find`
    # takes half the time of `in`, which first tries to read b"null" as a number.
    if (line.find(b"null") >= 0 and not _is_finite(row)) or 10 in line:
        return _encode_slowly(row)
    return line + b"\n"


def _is_finite(value: Any) -> bool:
    """Whether a value that orjson has written surely holds no NaN; cheaper than the slow way."""
    kind = type(value)
    if kind is dict:
        return all(map(_is_finite, value.values()))
    if kind is list or kind is tuple:
        return all(map(_is_finite, value))
    if kind is float:
        return math.isfinite(value)
    return value is None or kind in _NEVER_NAN


def _encode_slowly(row: object) -> bytes:
    try:
        return dumps(_faithful(row, ())) + b"\n"
    except TypeError as error:
        raise RowRefused(f"the row cannot be written as JSON: {error}") from error


def _faithful(value: object, way: tuple[str | int, ...]) -> object:
    """Return `value` made of nothing but what orjson writes exactly; `way` leads to it from the row."""
    if len(way) > _MOST_LEVELS:
        raise RowRefused(f"{_place(way)} is nested deeper than {_MOST_LEVELS} levels; does it hold itself?")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _faithful(value.value, way)
    if isinstance(value, str):
        return _text(value, way)
    if isinstance(value, int):
        return value if _INT_MIN <= value <= _INT_MAX else _big(value, way)
    if type(value) is float:
        if math.isfinite(value):
            return value
        raise refused(_place(way), value, by="JSON")
    if isinstance(value, list) or type(value) is tuple:
        return [_faithful(element, (*way, position)) for position, element in enumerate(value)]
    if isinstance(value, orjson.Fragment):
        return _one_line(value, way)
    return _taken_apart(value, way)


def _taken_apart(value: object, way: tuple[str | int, ...]) -> object:
    try:
        parts = value if isinstance(value, dict) else spelled(value)
    except NotSpelled:
        raise refused(_place(way), value, by="JSON") from None
    except Exception as error:  # a property or serializer of the user's
        raise RowRefused(f"{_place(way)} cannot be written: {error}") from error
    if not isinstance(parts, dict):
        return _faithful(parts, way)
    plain: dict[str, object] = {}
    for key, element in parts.items():
        if not isinstance(key, str):
            raise RowRefused(f"{_place(way)} has the key {_shown(key)}: keys must be texts in JSON")
        name = _text(key, way)
        if name in plain:
            raise RowRefused(f"{_place(way)} has the key `{quoted(name)}` twice")
        plain[name] = _faithful(element, (*way, name))
    return plain


def _text(value: str, way: tuple[str | int, ...]) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RowRefused(
            f"{_place(way)} holds half of a surrogate pair at character {error.start}, which is no text"
        ) from error
    return str.__str__(value)


def _one_line(value: orjson.Fragment, way: tuple[str | int, ...]) -> orjson.Fragment:
    if 10 in dumps(value):
        raise RowRefused(f"{_place(way)} is raw JSON of several lines, and a row is one line")
    return value


def _big(value: int, way: tuple[str | int, ...]) -> orjson.Fragment:
    try:
        return orjson.Fragment(int.__repr__(value))
    except ValueError as error:  # more digits than sys.get_int_max_str_digits(): no reader takes them
        raise RowRefused(f"{_place(way)} is an integer too long to be written: {error}") from error


def _place(way: tuple[str | int, ...]) -> str:
    if not way:
        return "the row"
    steps = [_step(step) for step in way[:_MOST_STEPS]]
    return f"`{''.join(steps).removeprefix('.')}{'…' if len(way) > _MOST_STEPS else ''}`"


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f'["{quoted(step)}"]'


def _shown(key: object) -> str:
    return f"{key}" if isinstance(key, int | float | None) else f"of type {type(key).__name__}"
