"""What a task's signature says of its item, its arguments and its rows."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from runner.errors import ItemRefused
from runner.task import Policy, Task, TaskFault, TaskRejected, check_columns, check_header, load_task
from runner.task.columns import columns_of
from runner.task.schema import Schema, read_schema

Project = Callable[..., Path]

TASKS = """\
    from __future__ import annotations

    import datetime
    import functools
    from collections.abc import Generator, Iterable, Iterator
    from dataclasses import dataclass, field
    from typing import TYPE_CHECKING, Annotated, Any, Generic, List, NamedTuple, TypedDict, TypeVar, Unpack

    from pydantic import BaseModel, ConfigDict, Field, computed_field, model_serializer
    from typing_extensions import NotRequired

    if TYPE_CHECKING:
        from nowhere import Hidden

    T = TypeVar("T")

    @dataclass
    class Row:
        id: int
        km: float = 0.0

    @dataclass
    class Summed:
        id: int
        twice: int = field(init=False, default=0)

    class Model(BaseModel):
        id: int
        secret: str = Field(default="", exclude=True)
        long: int = Field(default=0, serialization_alias="LONG")

        @computed_field
        @property
        def twice(self) -> int:
            return 2 * self.id

    class ByAlias(Model):
        model_config = ConfigDict(serialize_by_alias=True)

    class Open(Model):
        model_config = ConfigDict(extra="allow")

    class Serialized(Model):
        @model_serializer
        def _out(self) -> dict: return {}

    class Keys(TypedDict):
        id: int
        note: NotRequired[str]

    class Names(NamedTuple):
        id: int
        km: float

    @dataclass
    class Box(Generic[T]):
        it: T

    @dataclass
    class Half:
        it: Hidden

    class Plain: ...

    def plain(item): return item
    def anything(item: Any, *, a: object = 1) -> dict: return item
    def row(row: Row) -> Row: return row
    def positive(number: Annotated[int, Field(gt=0)], /): return number
    def hidden(item: Hidden, *, other: Hidden | None = None) -> Hidden: return item
    def half(item: Half): return item
    def other(item: Plain): return item
    def many(*rows: Row): return rows
    def boxed(item: Box[int]): return item.it

    def logged(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs): return function(*args, **kwargs)
        return wrapper

    decorated = logged(row)
    bound = functools.partial(row)
    def both(scale: int, row: Row) -> Row: return Row(row.id * scale)
    scaled = functools.partial(both, 2)

    class Caller:
        def __init__(self, *, start: datetime.date | None = None): self.start = start
        def __call__(self, row: Row) -> Names | None: return Names(row.id, row.km)

    called = Caller()
    method = called.__call__

    def options(item, *, box: Row | None = None, day: datetime.date = None, **rest: int):
        return [box, day, rest]

    def unpacked(item, **rest: Unpack[Keys]): return rest
    def listed(items: List[Keys]): return [each["id"] for each in items]

    def to_summed(item) -> Summed: ...
    def to_model(item) -> Model: ...
    def to_alias(item) -> ByAlias | None: ...
    def to_open(item) -> Open: ...
    def to_serialized(item) -> Serialized: ...
    def to_keys(item) -> Keys: ...
    def to_names(item) -> "Names": ...
    def to_list(item) -> list[Row]: ...
    def to_iterator(item) -> Iterator[Row | None]: ...
    def to_generator(item) -> Generator[Row, None, None]: ...
    def to_iterable(item) -> Annotated[Iterable[Row], "all"]: ...
    def to_either(item) -> Row | Names: ...
    def to_one_of_two(item) -> Row | Model: ...
    def to_box(item) -> Box[int]: ...
    def to_dict(item) -> dict[str, int]: ...
    def to_text(item) -> str: ...
    def to_none(item) -> None: ...
"""


@pytest.fixture
def tasks(project: Project):
    """Give a function that loads one of the tasks."""
    root = project(typed=TASKS)

    def tasks(name: str, values: str = "json", **with_: object) -> Task:
        return load_task(f"typed.{name}", root=root, policy=Policy(), with_=with_, values=values)  # type: ignore[arg-type]

    return tasks


@pytest.mark.parametrize("name", ["plain", "anything"])
def test_a_task_that_says_nothing_is_left_alone(tasks, name: str) -> None:
    """No converter, no columns, no warning."""
    task = tasks(name)
    assert (task.convert, task.item, task.columns, task.warnings) == (None, None, None, ())


def test_a_task_that_says_nothing_loads_no_machinery(project: Project) -> None:
    """Building types is paid for where a type is written."""
    root = project(typed="def f(item): ...\ndef g(item: int): ...")
    code = (
        "import sys; from pathlib import Path; from runner.task import Policy, load_task\n"
        "for name in 'fg':\n"
        f"    load_task('typed.' + name, root=Path({str(root)!r}), policy=Policy(), values='json')\n"
        "    print('runner.task.conversion' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("name", ["row", "many", "decorated", "bound", "scaled", "called", "method"])
def test_the_item_is_found_in_every_kind_of_callable(tasks, name: str) -> None:
    """Functions, `*rows`, decorated ones, partials, objects that can be called, methods."""
    task = tasks(name)
    assert [field.name for field in task.item.fields] == ["id", "km"]
    assert task.convert({"id": 1}).id == 1
    with pytest.raises(ItemRefused, match="id: must be a whole number"):
        task.convert({"id": "1"})


def test_a_class_takes_its_item_when_it_is_called_and_its_arguments_when_it_is_built(tasks) -> None:
    """So `with:` is checked against `__init__`, the item and the rows against `__call__`."""
    tasks("row")
    owner = sys.modules["typed"].Caller
    schema = read_schema(owner, {"start": "2026-01-31"}, values="json")
    assert schema.convert is not None
    assert schema.convert({"id": 1}).km == 0.0  # type: ignore[attr-defined]
    assert str(schema.with_["start"]) == "2026-01-31"
    assert schema.result is not None
    assert schema.result.names == ("id", "km")


def test_constraints_and_generics_count(tasks) -> None:
    """`Annotated` with pydantic's constraints, a dataclass with a type of its own."""
    with pytest.raises(ItemRefused, match="the item must be greater than 0, got 0"):
        tasks("positive").convert(0)
    assert tasks("boxed").convert({"it": 5}).it == 5


def test_a_name_for_type_checkers_only_is_a_warning(tasks) -> None:
    """The item is passed as it is read, and nothing breaks."""
    task = tasks("hidden", other={"a": 1})
    assert (task.convert, task.columns) == (None, None)
    assert task.with_ == {"other": {"a": 1}}
    assert [(each.code, each.argument) for each in task.warnings] == [
        ("not-convertible", None),
        ("not-convertible", "other"),
    ]
    assert "`Hidden` of `item` cannot be resolved (NameError" in task.warnings[0].message
    assert "items are passed as they are read" in task.warnings[0].message


def test_a_field_with_such_a_name_is_a_warning_too(tasks) -> None:
    """It is found when the type is built."""
    task = tasks("half")
    assert task.convert is None
    assert "the name `Hidden` in it does not exist" in task.warnings[0].message


def test_a_class_of_the_users_own_is_for_objects_of_their_own(tasks) -> None:
    """From a `python` input it may well come; from a file it cannot."""
    assert tasks("other", values="object").warnings == ()
    assert "the items of `other` are passed as they are read" in tasks("other").warnings[0].message


def test_arguments_are_converted(tasks) -> None:
    """A mapping becomes the type, a text a date; a default of None takes None."""
    task = tasks("options", box={"id": 1}, day="2026-01-31", more=5)
    box, day, rest = task.open()[0]("item")
    assert (box.id, box.km, str(day), rest) == (1, 0.0, "2026-01-31", {"more": 5})
    assert tasks("options", day=None).with_ == {"day": None}


def test_keyword_arguments_that_are_described_together_are_given_as_they_are(tasks) -> None:
    """`Unpack` says something of all of them, and nothing of each."""
    task = tasks("unpacked", id="5")
    assert (task.with_, task.warnings) == ({"id": "5"}, ())


def test_a_list_of_typed_dictionaries_is_converted(tasks) -> None:
    """Also as `typing.List`, whose arguments are put back in a way of its own on Python 3.11."""
    assert tasks("listed").convert([{"id": 5, "note": "a"}]) == [{"id": 5, "note": "a"}]
    with pytest.raises(ItemRefused, match="must be a whole number"):
        tasks("listed").convert([{"id": "five"}])


def test_all_faults_of_arguments_are_told_with_their_place(tasks) -> None:
    """Each at the value that is wrong, and each argument once."""
    with pytest.raises(TaskRejected, match=r"`box\.id` of `options` must be a whole number") as caught:
        tasks("options", box={"id": "x", "km": [1]}, day="soon", more="1")
    assert [(each.code, each.argument, each.path) for each in caught.value.faults] == [
        ("argument-type", "box", ("id",)),
        ("argument-type", "box", ("km",)),
        ("argument-type", "day", ()),
        ("argument-type", "more", ()),
    ]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("row", ("id", "km")),
        ("called", ("id", "km")),
        ("scaled", ("id", "km")),
        ("to_model", ("id", "long", "twice")),
        ("to_alias", ("id", "LONG", "twice")),
        ("to_open", None),
        ("to_summed", ("id", "twice")),
        ("to_serialized", None),
        ("to_keys", ("id", "note")),
        ("to_names", ("id", "km")),
        ("to_list", ("id", "km")),
        ("to_iterator", ("id", "km")),
        ("to_generator", ("id", "km")),
        ("to_iterable", ("id", "km")),
        ("to_either", None),
        ("to_one_of_two", None),
        ("to_box", ("it",)),
        ("to_dict", None),
        ("to_text", None),
        ("to_none", None),
    ],
)
def test_the_result_names_the_columns(tasks, name: str, columns: tuple[str, ...] | None) -> None:
    """By the fields of its type, and only where they are certain."""
    assert tasks(name).columns == columns


@pytest.mark.skipif("exclude_if" not in inspect.signature(Field).parameters, reason="pydantic 2.12 has it")
def test_a_model_that_leaves_out_fields_by_their_values_names_no_columns() -> None:
    """Each row would have others."""

    class Terse(BaseModel):
        id: int
        note: str = Field(default="", exclude_if=lambda note: not note)

    assert columns_of(Terse) is None


def test_a_model_has_the_columns_that_it_dumps(tasks) -> None:
    """The promise is that of `model_dump`, which writes the rows."""
    for name, type_ in (("to_model", "Model"), ("to_alias", "ByAlias")):
        task = tasks(name)
        made = getattr(sys.modules["typed"], type_)(id=1)
        assert task.columns == tuple(made.model_dump())


@pytest.mark.parametrize(
    ("name", "declared", "message"),
    [
        ("row", ["km", "id"], None),
        ("row", ["id"], "`output.columns` lacks `km`: no row of type Row can be written"),
        ("row", ["id", "km", "x"], "`output.columns` has `x` besides: no row of type Row can be written"),
        ("row", ["id", "kms"], "`output.columns` lacks `km` and has `kms` besides"),
        ("to_keys", ["id"], None),
        ("to_keys", ["note"], "`output.columns` lacks `id`"),
    ],
)
def test_declared_columns_must_be_those_of_the_rows(
    tasks, name: str, declared: list[str], message: str | None
) -> None:
    """In any order; a key that a row may lack may be left out."""
    result = tasks(name).result
    found = check_columns(result, declared)
    assert (found is None) == (message is None)
    if found is not None and message is not None:
        assert found.message.startswith(message)
        assert found.hint == ("did you mean `km`?" if "kms" in declared else found.hint)


def codes(faults: list[TaskFault]) -> list[tuple[str, str | None]]:
    """Return code and hint of each fault."""
    return [(fault.code, fault.hint) for fault in faults]


def test_a_header_is_compared_with_the_fields(tasks) -> None:
    """What is required must be there, and more is welcome unless the type says no."""
    row = tasks("row").item
    assert check_header(row, ["km", "id", "more"]) == []
    assert codes(check_header(row, ["ID", "km"])) == [("missing-column", "the nearest column is `ID`")]
    assert check_header(row, [])[0].message == "the input has no column `id`, which Row requires"


HEADERS = """\
    from typing import NamedTuple
    from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, model_validator

    class Closed(BaseModel):
        model_config = ConfigDict(extra="forbid")
        id: int = Field(validation_alias=AliasChoices("id", "ID"))
        km: float = Field(alias="KM")

    class Named(Closed):
        model_config = ConfigDict(populate_by_name=True)

    class Far(BaseModel):
        id: int = Field(validation_alias=AliasPath("a", 0))

    class Early(BaseModel):
        id: int

        @model_validator(mode="before")
        @classmethod
        def _read(cls, row): return row

    class Names(NamedTuple):
        id: int
        km: float = 1.0

    def closed(row: Closed): ...
    def named(row: Named): ...
    def far(row: Far): ...
    def early(row: Early): ...
    def names(row: Names): ...
"""


@pytest.mark.parametrize(
    ("name", "header", "expected"),
    [
        ("closed", ["ID", "KM"], []),
        ("closed", ["id", "km"], ["missing-column", "unknown-column"]),
        ("named", ["id", "km"], []),
        ("far", ["b"], []),
        ("early", ["b"], []),
        ("names", ["id"], []),
        ("names", ["id", "x"], ["unknown-column"]),
    ],
)
def test_a_header_goes_by_what_the_type_takes(
    project: Project, name: str, header: list[str], expected: list[str]
) -> None:
    """Aliases, choices of them, names; nothing is said where code of the user's decides."""
    root = project(headers=HEADERS)
    item = load_task(f"headers.{name}", root=root, policy=Policy(), values="text").item
    assert item is not None
    assert [fault.code for fault in check_header(item, header)] == expected


def test_what_is_written_in_c_has_no_schema() -> None:
    """Some builtins have no signature; they are called as they are."""
    assert read_schema(dict.fromkeys, {}, values="json") == Schema({})
    assert read_schema(max, {"key": 1}, values="json") == Schema({"key": 1})
