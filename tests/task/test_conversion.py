"""Items become what the task's annotation wants, exactly, or are refused in one sentence."""

from __future__ import annotations

import datetime as dt
import enum
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union
from uuid import UUID

import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from runner.errors import ItemRefused
from runner.task.conversion import NotConvertible, make_converter


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    SMALL = 1


@dataclass
class Trip:
    id: int
    km: float
    note: str | None = None


@dataclass
class Tree:
    on: dt.date
    below: list[Tree] = field(default_factory=list)


class Model(BaseModel):
    id: int
    km: float


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    id: int


class Keys(typing.TypedDict):
    id: int
    note: typing.NotRequired[str]


class Names(NamedTuple):
    id: int
    km: float = 1.0


Alias = typing_extensions.TypeAliasType("Alias", int | None)


class Other(typing_extensions.TypedDict):
    id: Alias


class Plain:
    pass


def converted(annotation: object, value: object, values: str = "json") -> Any:
    """Convert one value."""
    convert = make_converter(annotation, values)  # type: ignore[arg-type]
    return value if convert is None else convert(value)


def refusal(annotation: object, value: object, values: str = "json") -> str:
    """Return the sentence for which a value is refused."""
    with pytest.raises(ItemRefused, match=r".") as caught:
        converted(annotation, value, values)
    return str(caught.value)


@pytest.mark.parametrize("values", ["text", "json", "yaml", "object", "letter"])
@pytest.mark.parametrize("annotation", [Any, object, dict, typing.Dict, Mapping, Union[dict, Any]], ids=str)  # noqa: UP006, UP007
def test_an_annotation_that_says_nothing_costs_nothing(annotation: object, values: str) -> None:
    """There is no converter, so there is no call."""
    assert make_converter(annotation, values) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (dict[str, object], "json"),
        (dict[str, Any], "text"),
        (dict[str, str], "text"),
        (Mapping[str, Any], "json"),
    ],
    ids=str,
)
def test_a_mapping_of_anything_is_only_looked_at(annotation: object, values: str) -> None:
    """It is handed on as it is, and what is no mapping is refused."""
    row = {"a": "1"}
    assert converted(annotation, row, values) is row
    assert refusal(annotation, "a", values) == 'the item must be a mapping, got "a"'


TEXT = [
    (int, "42", 42),
    (int, "9" * 40, int("9" * 40)),
    (float, "1.5", 1.5),
    (bool, "true", True),
    (bool, "0", False),
    (Decimal, "1.10", Decimal("1.10")),
    (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
    (dt.datetime, "2026-01-31 10:00", dt.datetime(2026, 1, 31, 10)),
    (dt.time, "10:00", dt.time(10)),
    (UUID, "12345678123456781234567812345678", UUID("12345678123456781234567812345678")),
    (Path, "a/b", Path("a/b")),
    (Colour, "red", Colour.RED),
    (Size, "1", Size.SMALL),
    (Literal["a", "b"], "a", "a"),
    (str, "", ""),
    (int | None, "", None),
    (Optional[str], "", None),  # noqa: UP045
    (int | str, "42", "42"),
    (Annotated[int, Field(gt=0)], "1", 1),
    (Trip, {"id": "1", "km": "2", "note": ""}, Trip(1, 2.0, None)),
    (Trip, {"id": "1", "km": "2", "more": "x"}, Trip(1, 2.0)),
    (Trip | None, {"id": "1", "km": "2"}, Trip(1, 2.0)),
    (Model, {"id": "1", "km": "2"}, Model(id=1, km=2.0)),
    (Closed, {"id": "1"}, Closed(id=1)),
    (Keys, {"id": "1", "more": "2"}, {"id": 1}),
    (Names, {"id": "1"}, Names(1)),
    (dict[str, int | None], {"a": "1", "b": ""}, {"a": 1, "b": None}),
]


@pytest.mark.parametrize(("annotation", "text", "value"), TEXT, ids=str)
def test_text_is_read_as_the_type(annotation: object, text: object, value: object) -> None:
    """A CSV has nothing but text; where the type takes `None`, an empty text is that."""
    result = converted(annotation, text, "text")
    assert result == value
    assert type(result) is type(value)


DAY = dt.date(2026, 1, 31)
JSON = [
    (int, 42, 42),
    (int, 10**40, 10**40),
    (float, 5, 5.0),
    (float, 1e300, 1e300),
    (bool, True, True),
    (str, "x", "x"),
    (Decimal, "1.10", Decimal("1.10")),
    (Decimal, 12.5, Decimal("12.5")),
    (Decimal, 10**30, Decimal(10**30)),
    (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
    (dt.datetime, "2026-01-31T10:00:00Z", dt.datetime(2026, 1, 31, 10, tzinfo=dt.UTC)),
    (dt.timedelta, "PT90S", dt.timedelta(seconds=90)),
    (UUID, "12345678123456781234567812345678", UUID("12345678123456781234567812345678")),
    (Path, "a/b", Path("a/b")),
    (Colour, "red", Colour.RED),
    (Size, 1, Size.SMALL),
    (Literal[1, "x"], 1, 1),
    (int | None, None, None),
    (int | str, "42", "42"),
    (list[int], [1, 2], [1, 2]),
    (tuple[int, str], [1, "a"], (1, "a")),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Trip, {"id": 1, "km": 2}, Trip(1, 2.0)),
    (Trip, {"id": 10**30, "km": 2, "note": ""}, Trip(10**30, 2.0, "")),
    (Model, {"id": 1, "km": 2.5, "more": [1]}, Model(id=1, km=2.5)),
    (Keys, {"id": 1}, {"id": 1}),
    (list[Keys], [{"id": 1}], [{"id": 1}]),
    (Names, {"id": 1}, Names(1)),
    (
        Tree,
        {"on": "2026-01-31", "below": [{"on": "2026-01-31"}]},
        Tree(DAY, [Tree(DAY)]),
    ),
]


@pytest.mark.parametrize("values", ["json", "yaml"])
@pytest.mark.parametrize(("annotation", "value", "expected"), JSON, ids=str)
def test_json_says_what_it_means(annotation: object, value: object, expected: object, values: str) -> None:
    """Only what JSON cannot say is read from text; a whole number fits a float."""
    result = converted(annotation, value, values)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("values", ["json", "yaml"])
@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, "42", 'the item must be a whole number, got "42"'),
        (int, 42.0, "the item must be a whole number, got 42.0"),
        (int, True, "the item must be a whole number, got true"),
        (int, None, "the item must be a whole number, got null"),
        (float, "1", 'the item must be a number, got "1"'),
        (bool, 1, "the item must be true or false, got 1"),
        (str, 5, "the item must be text, got 5"),
        (Decimal, "x", 'the item must be a number, got "x"'),
        (dt.date, "31.1.26", 'the item must be a date such as 2026-01-31, got "31.1.26"'),
        (
            dt.datetime,
            17,
            "the item must be a date and time such as 2026-01-31T12:00:00, got 17",
        ),
        (Literal["a", "b"], "c", "the item must be 'a' or 'b', got \"c\""),
        (Colour, "blue", "the item must be 'red', got \"blue\""),
        (int | bool, "x", 'the item must be a whole number or true or false, got "x"'),
        (list[int], [1, "x"], 'the item must be a whole number, got "x"'.replace("the item", "[1]:")),
        (Trip, [1], "the item must be a mapping with the fields of Trip, got a list"),
        (
            Trip,
            {"id": "1", "km": "far"},
            'id: must be a whole number, got "1"; km: must be a number, got "far"',
        ),
        (Trip, {"id": 1, "kms": 2}, "km: is missing; there is `kms`"),
        (Trip, {"id": 1}, "km: is missing"),
        (Closed, {"id": 1, "a": 1, "b": 2}, "the item has `a`, `b` besides its fields"),
        (Names, {"id": 1, "a": 1}, "the item has `a` besides its fields"),
        (dict[str, list[Trip]], {"a": [{"id": 1}]}, "a[0].km: is missing"),
        (Annotated[int, Field(gt=0)], 0, "the item must be greater than 0, got 0"),
        (
            Annotated[str, Field(min_length=2)],
            "",
            "the item must have at least 2 characters, got an empty text",
        ),
        (Annotated[str, Field(pattern="^a")], "b", 'the item must match ^a, got "b"'),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    annotation: object, value: object, message: str, values: str
) -> None:
    """Field, what it must be, what it is; nothing of pydantic's."""
    assert refusal(annotation, value, values) == message


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, "", "the item must be a whole number, got an empty text"),
        (bool, "", "the item must be true or false, got an empty text"),
        (Trip, {"id": "", "km": "1"}, "id: must be a whole number, got an empty text"),
        (Trip, "x", 'the item must be a mapping with the fields of Trip, got "x"'),
        (list[int], "[1]", 'the item must be a list, got "[1]"'),
    ],
    ids=str,
)
def test_an_empty_text_is_no_zero(annotation: object, value: object, message: str) -> None:
    """Nor is it False; and text is never taken apart."""
    assert refusal(annotation, value, "text") == message


NUMBER = "must be written as ISO 8601 has it, such as 2026-01-31, got"


@dataclass
class Dated:
    on: dt.date
    at: dt.datetime | None = None


class DatedModel(BaseModel):
    days: list[dt.datetime]
    by: dict[str, dt.date] = {}


@pytest.mark.parametrize("values", ["text", "json", "yaml", "object", "letter"])
@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (dt.datetime, "20260131", f'the item {NUMBER} "20260131"'),
        (dt.date, "86400", f'the item {NUMBER} "86400"'),
        (Dated, {"on": "2026-01-31", "at": "1700000000.5"}, f'at: {NUMBER} "1700000000.5"'),
    ],
    ids=str,
)
def test_a_number_is_no_date(annotation: object, value: object, message: str, values: str) -> None:
    """Pydantic reads `20260131` as seconds, which is some day in August 1970."""
    assert refusal(annotation, value, values) == message


def test_a_number_is_no_date_however_deep_it_stands() -> None:
    """In lists, mappings and types that hold themselves."""
    assert refusal(DatedModel, {"days": ["2026-01-31T00:00:00", "86400"]}) == f'days[1]: {NUMBER} "86400"'
    row = {"days": [], "by": {"a": "86400"}}
    assert refusal(DatedModel, row) == f'by.a: {NUMBER} "86400"'
    tree = {"on": "2026-01-31", "below": [{"on": "2026-01-31", "below": [{"on": "86400"}]}]}
    assert refusal(Tree, tree) == f'below[0].below[0].on: {NUMBER} "86400"'


def test_an_empty_date_is_none_where_that_is_allowed() -> None:
    """And nothing else, where it is not."""
    assert converted(Dated, {"on": "2026-01-31", "at": ""}, "text") == Dated(dt.date(2026, 1, 31))
    assert "on: must be a date" in refusal(Dated, {"on": ""}, "text")


def test_who_reads_the_number_knows_what_it_means() -> None:
    """A validator that comes first may take it for what it likes; one that comes after may not."""
    from_number = BeforeValidator(lambda text: dt.datetime.strptime(text, "%Y%m%d").date())
    assert converted(Annotated[dt.date, from_number], "20260131", "text") == dt.date(2026, 1, 31)
    epoch = BeforeValidator(lambda text: text)
    assert converted(Annotated[dt.date, epoch], "86400") == dt.date(1970, 1, 2)
    assert NUMBER in refusal(Annotated[dt.date, AfterValidator(lambda date: date)], "86400")
    assert NUMBER in refusal(Annotated[dt.date, Field(gt=dt.date(1960, 1, 1))], "86400")

    class Checked(BaseModel):
        on: dt.date
        other: dt.date = dt.date(2026, 1, 31)

        @field_validator("on", mode="before")
        @classmethod
        def _read(cls, text: str) -> object:
            return text

    assert converted(Checked, {"on": "86400"}).on == dt.date(1970, 1, 2)
    assert refusal(Checked, {"on": "86400", "other": "86400"}) == f'other: {NUMBER} "86400"'


def test_a_validator_that_comes_first_does_not_make_dates_unreadable() -> None:
    """Behind it pydantic forgets that a text came from JSON; what else is wrong is wrong all the same."""

    class Stripped(BaseModel):
        id: int = 1
        on: dt.date
        many: tuple[UUID, ...] = ()

        @model_validator(mode="before")
        @classmethod
        def _strip(cls, row: dict[str, str]) -> dict[str, str]:
            return {**row, "on": row["on"].strip()}

    row = {"on": " 2026-01-31 ", "many": ["12345678123456781234567812345678"]}
    assert converted(Stripped, row).on == DAY
    assert len(converted(Stripped, row).many) == 1
    assert refusal(Stripped, {**row, "id": "1"}) == 'id: must be a whole number, got "1"'
    assert "on: must be a date" in refusal(Stripped, {"on": "soon"})


def test_objects_of_python_are_converted_as_pydantic_does() -> None:
    """An instance goes through as it is, a text is read where the type is another."""
    trip = Trip(1, 2.0)
    assert converted(Trip, trip, "object") is trip
    assert converted(Trip, {"id": "1", "km": 2}, "object") == Trip(1, 2.0)
    assert converted(dt.date, dt.date(2026, 1, 31), "object") == dt.date(2026, 1, 31)


def test_a_dead_letter_is_read_as_what_it_looks_like() -> None:
    """A row of texts came from a CSV, everything else from JSON."""
    assert converted(Trip, {"id": "1", "km": "2", "note": ""}, "letter") == Trip(1, 2.0)
    assert converted(Trip, {"id": 1, "km": 2, "note": ""}, "letter") == Trip(1, 2.0, "")
    assert refusal(Trip, {"id": "1", "km": 2}, "letter") == 'id: must be a whole number, got "1"'
    assert converted(int, "5", "letter") == 5
    assert refusal(Trip, b"\xff", "letter") == "the item must be what JSON can say, got a value of type bytes"


def test_not_a_number_of_a_job_file_stays_one() -> None:
    """YAML can say NaN, and orjson would write null for it."""
    assert converted(float | None, float("nan"), "yaml") != converted(float | None, None, "yaml")
    assert refusal(int | None, float("nan"), "yaml") == "the item must be a whole number, got nan"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )
)
def test_what_a_type_leaves_open_is_not_changed(value: object) -> None:
    """A decoded value that is written and read once more is the same value, of the same types."""

    @dataclass
    class Open:
        it: Any

    found = converted(Open, {"it": value}).it
    assert repr(found) == repr(value)


def test_a_row_is_refused_within_bounds() -> None:
    """Five fields are named, values are cut and made printable."""
    fields = {f"field{number}": (int, ...) for number in range(9)}
    from pydantic import create_model

    wide: Any = create_model("Wide", **fields)  # type: ignore[call-overload]
    message = refusal(wide, dict.fromkeys(fields, "\x1b[2J" + "x" * 10000), "text")
    assert message.startswith('field0: must be a whole number, got "\\x1b[2Jxxx')
    assert message.endswith("; and 4 more")
    assert len(message) < 1000
    assert message.isprintable()


def test_a_validator_of_the_user_speaks_for_itself() -> None:
    """A ValueError is the sentence; another exception is the user's own failure."""

    class Odd(BaseModel):
        id: int

        @field_validator("id")
        @classmethod
        def _check(cls, value: int) -> int:
            if value == 0:
                raise KeyError(value)
            if value % 2 == 0:
                raise ValueError("ids are odd")
            return value

    assert refusal(Odd, {"id": 2}) == "id: ids are odd, got 2"
    with pytest.raises(KeyError, match="0"):
        converted(Odd, {"id": 0})


def test_keys_go_by_their_alias() -> None:
    """What is missing is called what it is called in the input."""

    class Aliased(BaseModel):
        id: int = Field(alias="ID")
        note: str | None = Field(default="x", alias="Note")

    assert converted(Aliased, {"ID": "1", "Note": ""}, "text").note is None
    assert refusal(Aliased, {"id": 1}) == "ID: is missing; there is `id`"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


@dataclass
class Post:
    a: int

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("`a` is below the ground")


PET = Annotated[Cat | Dog, Field(discriminator="kind")]


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (PET, {"kind": "cow"}, "kind: must be 'cat', 'dog', got \"cow\""),
        (PET, {}, "kind: is missing"),
        (Cat | Dog, {"kind": "cow"}, "kind: must be 'cat' or 'dog', got \"cow\""),
        (Post, {"a": -1}, "the item: `a` is below the ground"),
        (
            Model,
            {"id": [1], "km": {}},
            "id: must be a whole number, got a list; km: must be a number, got a mapping",
        ),
    ],
    ids=str,
)
def test_a_fault_of_several_fields_is_a_sentence_too(annotation: object, value: object, message: str) -> None:
    """The tag of a union is the field that is wrong; code that looks at all of them says it itself."""
    assert refusal(annotation, value) == message


def test_what_is_nested_too_deep_is_refused() -> None:
    """Pydantic reads 200 levels."""

    @dataclass
    class Open:
        it: Any

    deep: object = None
    for _ in range(300):
        deep = [deep]
    assert refusal(Open, {"it": deep}) == "the item is nested too deep to be checked"


def test_an_iterable_stays_what_it_is() -> None:
    """Pydantic would check it while the task reads it."""
    assert make_converter(typing.Iterable[int], "json") is None


def test_a_name_that_is_not_there_is_told() -> None:
    """Nothing is raised but what the caller turns into a warning."""

    @dataclass
    class Broken:
        it: "Nowhere"  # noqa: F821, UP037

    with pytest.raises(NotConvertible, match="`Nowhere`"):
        make_converter(Broken, "json")
    with pytest.raises(NotConvertible, match="schema"):
        make_converter(Plain, "json")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="later, pydantic takes those of `typing` itself")
def test_a_typed_dict_of_typing_is_taken_on_3_11_too() -> None:
    """Alone, in other types and in another TypedDict; marks, bases and pydantic's settings are kept."""

    class Inner(typing.TypedDict, total=False):
        day: typing.Required[dt.date]
        more: list[Optional[Keys]]  # noqa: UP045

    class Strict(Inner):
        __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
        last: int

    day = dt.date(2026, 1, 31)
    row = {"day": "2026-01-31", "last": 1, "more": [{"id": 1}, None]}
    assert converted(Strict, row) == {**row, "day": day}
    assert converted(dict[str, Inner] | None, {"a": {"day": "2026-01-31"}}) == {"a": {"day": day}}
    assert refusal(Strict, {"day": "2026-01-31", "last": 1, "x": 1}) == "the item has `x` besides its fields"
    assert refusal(Strict, {"last": 1}) == "day: is missing"


def test_other_ways_to_write_a_type_are_the_same_type() -> None:
    """NewType, aliases, TypedDict of `typing_extensions`."""
    number = typing.NewType("number", int)
    assert converted(number, "5", "text") == 5
    assert converted(Alias, "", "text") is None
    assert converted(Other, {"id": ""}, "text") == {"id": None}
