"""What a function says of itself in its source, without being run."""

from __future__ import annotations

import pytest

from runner.errors import UsageError
from runner.scaffold.function import find_function, functions_in

SOURCE = '''
"""Would end the process if it were imported."""
import sys
from dataclasses import dataclass
from typing import Iterator, NamedTuple, TypedDict
import runner
from pydantic import BaseModel, Field
sys.exit("imported")

RATE = 0.5

class Row(BaseModel):
    name: str
    dollar: float
    note: str = ""

@dataclass
class Point:
    x: float
    y: float

class Renamed(BaseModel):
    name: str = Field(alias="NAME")

def price(row: dict[str, str], ctx: runner.Context, *, rate: float = 0.92, must: int, of=RATE, odd=RATE * 2):
    """Turn dollars
    into euro.

    More of it.
    """
    row["seen"] = True
    return {"name": row["name"], "euro": float(row["dollar"]), "also": row.get("note")}

def typed(row: Row) -> str: ...
def quoted(row: "Point") -> "str": ...
def renamed(row: Renamed) -> str | None: ...
def many(line: str) -> Iterator[str]: ...
def effect(path) -> None: ...

class Session:
    """Asks."""
    def __init__(self, url: str, tries: int = 3): ...
    def __call__(self, row: dict): return row["id"]

def _private(item): ...
def nothing(): ...
'''


@pytest.fixture
def read(tmp_path):
    """Give a function that reads one of SOURCE."""
    (tmp_path / "things.py").write_text(SOURCE)
    return lambda name: find_function(f"things.{name}", tmp_path)


def test_arguments_and_their_defaults_are_read(read):
    """A literal and a constant of the module are known; an expression is shown; the context is not given."""
    found = read("price")
    assert (found.item, found.item_type, found.summary) == (
        "row",
        "dict[str, str]",
        "Turn dollars into euro.",
    )
    by_name = {each.name: each for each in found.arguments}
    assert list(by_name) == ["rate", "must", "of", "odd"]
    assert (by_name["rate"].value, by_name["rate"].is_known) == (0.92, True)
    assert (by_name["of"].value, by_name["of"].is_known) == (0.5, True)
    assert (by_name["odd"].default, by_name["odd"].is_known) == ("RATE * 2", False)
    assert by_name["must"].default is None


@pytest.mark.parametrize(
    ("name", "wants"),
    [
        ("price", ("name", "dollar")),
        ("typed", ("name", "dollar")),
        ("quoted", ("x", "y")),
        ("renamed", None),
        ("many", None),
        ("Session", ("id",)),
    ],
)
def test_the_fields_that_an_item_must_have_are_read(read, name, wants):
    """From the type of the item, or from what the code takes by name; not what it sets or may do without."""
    assert read(name).wants == wants


@pytest.mark.parametrize(
    ("name", "rows"),
    [("price", "json"), ("typed", "text"), ("renamed", "text"), ("many", "text"), ("effect", "none")],
)
def test_the_kind_of_rows_is_read(read, name, rows):
    """From the annotation of the result, of which a generator gives many and `None` is none."""
    assert read(name).rows == rows


def test_a_class_is_given_what_it_is_built_with(read):
    """And not the item, which its `__call__` takes."""
    assert [each.name for each in read("Session").arguments] == ["url", "tries"]


@pytest.mark.parametrize(
    "name", ["things.price", "things:price", "things.price()", "things.py:price", "./things.py:price"]
)
def test_the_ways_to_name_a_function(read, tmp_path, monkeypatch, name):
    """As pytest, entry points and people write it."""
    monkeypatch.chdir(tmp_path)
    assert find_function(name, tmp_path).dotted == "things.price"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("things.prise", r"did you mean `things\.price`"),
        ("absent.f", "no module `absent`"),
        ("things.py", r"name one function.*price, typed"),
        ("absent.py:f", "no file"),
        ("json.loads", "standard library"),
    ],
)
def test_a_function_that_is_not_there_is_told(read, tmp_path, monkeypatch, name, says):
    """With what is there."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says):
        find_function(name, tmp_path)


def test_the_functions_of_a_folder(read, tmp_path):
    """Those that take an item, by the path from the root of the project."""
    assert functions_in(tmp_path, tmp_path)[:2] == ["things.price", "things.typed"]
    assert "things.nothing" not in functions_in(tmp_path, tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "one.py").write_text("def f(item): ...\n")
    assert functions_in(tmp_path / "jobs", tmp_path) == ["jobs.one.f"]
