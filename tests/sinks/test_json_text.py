"""Rows become lines of JSON that say exactly what the row says, or are refused."""

from __future__ import annotations

import enum
import json
import math
import struct
from collections import OrderedDict, UserDict, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel, field_serializer

from runner.errors import RowRefused
from runner.sinks.json_text import encode_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON_VALUES = st.recursive(
    SCALARS | st.just("null") | st.just(2**70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    BIG = 3


class Word(str):
    pass


class Euro(Decimal):
    def __str__(self) -> str:
        return f"{self:.2f} EUR"


class Key(UUID):
    def __str__(self) -> str:
        return "short"


@dataclass
class Bill:
    total: Decimal


class BillModel(BaseModel):
    total: Decimal


@dataclass
class Hub:
    name: str
    _rank: int = 1
    tags: list[str] = field(default_factory=list)

    @cached_property
    def slogan(self) -> str:
        """Fill the instance's dict, as any attribute does."""
        return "fly"


class Place(BaseModel):
    name: str
    at: date = date(2024, 2, 29)


class Town(Place):
    people: int = 0


class Trip(BaseModel):
    to: Place


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal in type and in every bit."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


@given(JSON_VALUES)
def test_every_json_value_reads_back_as_itself(row: Any) -> None:
    """Integers of any size, floats bit by bit, order of keys: nothing changes on the way."""
    line = encode_json(row)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert same(json.loads(line), row)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from([1, None, 2**70]))
def test_every_decimal_reads_back_as_itself(value: Decimal, beside: int | None) -> None:
    """Its text keeps all digits, trailing zeros and the sign of zero, whichever way the row takes."""
    read = json.loads(encode_json({"v": value, "beside": beside}))
    assert Decimal(read["v"]).as_tuple() == value.as_tuple()
    assert read["beside"] == beside


@pytest.mark.parametrize(
    "value",
    [
        -0.0,
        1e308,
        5e-324,
        0.1,
        2**63,
        2**64 - 1,
        2**64,
        -(2**63) - 1,
        10**400,
        "\x00",
        "\u2028",
        "null",
        "\n",
    ],
)
def test_values_at_the_edges_read_back_as_themselves(value: Any) -> None:
    """The first and last values of each way to write them are as exact as the others."""
    assert same(json.loads(encode_json({"a": value, "b": [value, None]})), {"a": value, "b": [value, None]})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2024, 2, 29), '"2024-02-29"'),
        (datetime(2024, 2, 29, 12, 30), '"2024-02-29T12:30:00"'),
        (datetime(2024, 2, 29, 12, 30, 1, 5, UTC), '"2024-02-29T12:30:01.000005+00:00"'),
        (datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=561))), '"1890-01-01T00:00:00+00:09:21"'),
        (time(12, 30), '"12:30:00"'),
        (time(12, 30, tzinfo=UTC), '"12:30:00+00:00"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (
            type("Key", (UUID,), {"__str__": lambda self: "1"})(int=1),
            '"00000000-0000-0000-0000-000000000001"',
        ),
        (Decimal("12.30"), '"12.30"'),
        (Decimal("-1E+400"), '"-1E+400"'),
        (Euro("12.345"), '"12.345"'),
        (enum.Enum("Price", {"LOW": Decimal("1.50")}).LOW, '"1.50"'),
        (Bill(Decimal("1.10")), '{"total":"1.10"}'),
        (BillModel(total=Decimal("1.10")), '{"total":"1.10"}'),
        (Colour.RED, '"red"'),
        (Size.BIG, "3"),
        (Word("w"), '"w"'),
        ((1, "a"), '[1,"a"]'),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (UserDict(b=1), '{"b":1}'),
        (Place(name="Ulm"), '{"name":"Ulm","at":"2024-02-29"}'),
        (orjson.Fragment('{"x":null}'), '{"x":null}'),
        (RootModel[list[int]]([1, 2]), "[1,2]"),
        (Hub("FRA"), '{"name":"FRA","_rank":1,"tags":[]}'),
    ],
)
def test_values_beyond_json_are_written_by_a_documented_rule(value: object, text: str) -> None:
    """The rule is the same whether the row takes orjson's way or, for a big integer, the slow one."""
    assert encode_json({"v": value}).decode() == f'{{"v":{text}}}\n'
    assert encode_json({"v": value, "big": 2**70}).decode() == f'{{"v":{text},"big":{2**70}}}\n'


def test_attributes_beside_the_fields_of_a_dataclass_are_not_written() -> None:
    """A cached property fills the instance's dict and is no field for that."""
    hub = Hub("FRA")
    assert hub.slogan == "fly"
    assert json.loads(encode_json(hub)) == {"name": "FRA", "_rank": 1, "tags": []}


def test_a_subclass_of_an_annotated_model_is_written_whole() -> None:
    """A field annotated with the base class does not lose what the subclass adds."""
    trip = Trip(to=Town(name="Ulm", people=128928))
    assert json.loads(encode_json(trip)) == {"to": {"name": "Ulm", "at": "2024-02-29", "people": 128928}}


def test_a_named_tuple_is_written_by_its_fields() -> None:
    """As a row and inside of one, quickly and slowly; a plain tuple stays a list."""
    row = {"at": Point(1, 2.5), "plain": (1, 2), "n": 1}
    assert encode_json(Point(1, None)) == b'{"x":1,"y":null}\n'
    assert encode_json(row) == b'{"at":{"x":1,"y":2.5},"plain":[1,2],"n":1}\n'
    assert encode_json({**row, "n": 2**70}) == encode_json(row).replace(b'"n":1', b'"n":%d' % 2**70)
    with pytest.raises(RowRefused, match=r"`at\.y` is nan"):
        encode_json({"at": Point(1, math.nan)})


def test_a_float_is_written_the_same_beside_a_big_integer() -> None:
    """The slow way does not write other digits than the fast one."""
    fast = encode_json({"f": 1e308, "n": 1})
    slow = encode_json({"f": 1e308, "n": 2**70})
    assert slow == fast.replace(b'"n":1', b'"n":%d' % 2**70)


Point = namedtuple("Point", "x y")


class Raising(BaseModel):
    secret: int = 1

    @field_serializer("secret")
    def _fail(self, value: int) -> str:
        raise LookupError("no such key")


def emptied() -> Hub:
    """Return a dataclass that has lost a field."""
    hub = Hub("FRA")
    del hub.name
    return hub


class Numpy:
    """Stands for `numpy.int64`, whose module is what the message goes by."""

    __module__ = "numpy"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, r"`v` is nan, which JSON cannot hold: return None or a text"),
        (-math.inf, r"`v` is -inf, which JSON"),
        (b"x", r"`v` is of type bytes, which JSON cannot hold: decode it"),
        ({1, 2}, r"`v` is of type set, which JSON cannot hold: return a sorted list"),
        (Decimal("NaN"), r"^`v` is NaN, which JSON cannot hold: return None or a text$"),
        (Decimal("sNaN"), r"^`v` is sNaN, which JSON"),
        ([Decimal("-Infinity")], r"^`v\[0\]` is -Infinity, which JSON"),
        (Bill(Decimal("Infinity")), r"^`v\.total` is Infinity, which JSON"),
        ({Decimal("1"): 2}, r"`v` has the key of type Decimal: keys must be texts in JSON"),
        (timedelta(1), r"`v` is of type timedelta, which JSON cannot hold: return its total_seconds"),
        (PurePosixPath("a"), r"`v` is of type PurePosixPath, which JSON cannot hold: return its str"),
        (iter([]), r"`v` is of type list_iterator, which JSON cannot hold"),
        (Numpy(), r"`v` is of type numpy Numpy, which JSON cannot hold: return its item\(\)"),
        (object, r"`v` is of type type, which JSON cannot hold"),
        (Hub, r"`v` is of type type, which JSON cannot hold"),
        ("a\ud800", r"`v` holds half of a surrogate pair at character 1"),
        ({"\ud800": 1}, r"`v` holds half of a surrogate pair at character 0"),
        ({1: 2}, r"`v` has the key 1: keys must be texts in JSON"),
        ({None: 2}, r"`v` has the key None"),
        ({("a",): 2}, r"`v` has the key of type tuple"),
        pytest.param(10**5000, r"`v` is an integer too long to be written", id="5001 digits"),
        (Raising(), r"`v` cannot be written: .*no such key"),
        (emptied(), r"`v` cannot be written: .*name"),
        (Place.model_construct(name=math.nan), r"`v\.name` is nan"),
        (Hub("x", tags=[b"y"]), r"`v\.tags\[0\]` is of type bytes"),  # type: ignore[list-item]
        (orjson.Fragment("{\n}"), r"`v` is raw JSON of several lines, and a row is one line"),
    ],
)
def test_what_json_cannot_say_is_refused_by_name(value: object, message: str) -> None:
    """The one item fails with a sentence, and nothing is written in its place."""
    with pytest.raises(RowRefused, match=message):
        encode_json({"v": value})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"distance": {"km": [1.0, 2.0, 3.0, math.nan]}}, r"^`distance\.km\[3\]` is nan"),
        ([[{"a b": b""}]], r'^`\[0\]\[0\]\["a b"\]` is of type bytes'),
        ({"a\x1b[31m": b""}, r'^`\["a\\x1b\[31m"\]` is of type bytes'),
        (math.nan, r"^the row is nan"),
        (b"", r"^the row is of type bytes"),
        ("\udc00", r"^the row holds half of a surrogate pair"),
    ],
)
def test_the_message_leads_to_the_field(row: object, message: str) -> None:
    """The way from the row to the value is spelled as one would write it in Python."""
    with pytest.raises(RowRefused, match=message):
        encode_json(row)


@pytest.mark.parametrize("none_too", [True, False])
def test_nan_is_found_beside_none_and_the_word_null(none_too: bool) -> None:
    """A NaN hides neither behind a None, whose text it shares, nor behind a text."""
    row = {"a": None if none_too else "null", "b": "null", "c": {"d": [math.nan]}}
    with pytest.raises(RowRefused, match=r"`c\.d\[0\]` is nan"):
        encode_json(row)


def test_nan_is_found_in_an_enum() -> None:
    """The value of a member is held to the same rules as any other."""
    odd = enum.Enum("odd", {"NAN": math.nan})
    with pytest.raises(RowRefused, match="`v` is nan"):
        encode_json({"v": odd.NAN})


def test_a_row_that_holds_itself_is_refused() -> None:
    """A cycle ends in a refusal, not in a full stack."""
    row: dict[str, object] = {"name": "x"}
    row["self"] = [row]
    with pytest.raises(RowRefused, match=r"`self\[0\].*…` is nested deeper than 254 levels"):
        encode_json(row)


@pytest.mark.parametrize("leaf", [1, None, 2**70])
def test_the_deepest_row_does_not_depend_on_the_way_it_is_written(leaf: object) -> None:
    """254 levels are written and 255 are refused, by orjson's way and by the slow one."""
    row = leaf
    for _ in range(254):
        row = [row]
    assert json.loads(encode_json(row)) == row
    with pytest.raises(RowRefused, match="deeper than 254 levels"):
        encode_json([row])


def test_two_keys_of_one_text_are_refused() -> None:
    """A str subclass may be unequal to a text that reads the same; in JSON it would be the same key."""

    class Odd(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return self is other

        def __ne__(self, other: object) -> bool:
            return self is not other

    with pytest.raises(RowRefused, match="the row has the key `a` twice"):
        encode_json({"a": 1, Odd("a"): 2})


def test_a_member_of_a_str_enum_may_be_a_key() -> None:
    """It is a text, and stands for its value."""
    tone = enum.StrEnum("tone", {"RED": "red"})
    assert encode_json({tone.RED: 1}) == b'{"red":1}\n'


def test_the_line_is_a_snapshot() -> None:
    """What the task does to its row afterwards changes nothing."""
    row = {"tags": ["a"]}
    line = encode_json(row)
    row["tags"].append("b")
    assert line == b'{"tags":["a"]}\n'
