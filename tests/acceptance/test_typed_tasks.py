"""Tasks with types: what they get, what is refused, and what is written."""

from __future__ import annotations

import pytest

TASKS = """\
from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, field_validator

if TYPE_CHECKING:
    from nowhere import Hidden


@dataclass
class Order:
    id: int
    day: date
    price: float | None = None


class Total(NamedTuple):
    id: int
    day: date
    total: float


class Checked(BaseModel):
    id: int

    @field_validator("id")
    @classmethod
    def look_up(cls, id: int) -> int:
        return {1: 1}[id]


def total(order: Order, *, rates: dict[str, float]) -> Total | None:
    if order.price is None:
        return None
    return Total(order.id, order.day, order.price * rates["eur"])


def none(order: Order) -> Total | None:
    return None


def checked(row: Checked) -> Checked:
    return row


def hidden(row: Hidden) -> object:
    return row
"""

ORDERS = "id,day,price\n1,2026-01-31,2.5\n2,2026-01-31,\n3,20260131,1\nx,2026-01-31,far\n5,2026-02-28,1e2\n"


@pytest.fixture
def typed(project):
    """Give a project with tasks that have types, and orders."""
    project.write("typed.py", TASKS)
    project.write("orders.csv", ORDERS)
    return project


def job(project, call: str, **keys):
    """Write a job over the orders."""
    task = {"call": call, **keys.pop("task", {})}
    defaults = {
        "input": {"type": "csv", "path": "orders.csv"},
        "output": {"type": "csv", "path": "out.csv"},
        "failures": {"tolerate": "all"},
    }
    project.job(task=task, **{**defaults, **keys})


@pytest.mark.parametrize("ordered", [True, False])
def test_a_typed_row_goes_in_and_comes_out(typed, ordered):
    """Text becomes the fields, the result its columns, also unordered; what does not fit fails alone."""
    job(typed, "typed.total", task={"with": {"rates": {"eur": 2}}}, pool={"ordered": ordered})
    done = typed.run("--json")
    assert done.code == 0, done.err
    assert (done.report["rows"], done.report["failed"]) == (2, 2)
    header, *rows = typed.read("out.csv").splitlines()
    assert header == "id,day,total"
    assert sorted(rows) == ["1,2026-01-31,5.0", "5,2026-02-28,200.0"]
    letters = {letter["index"]: letter for letter in typed.lines("out.csv.failed.jsonl")}
    assert letters[3]["item"] == {"id": "x", "day": "2026-01-31", "price": "far"}
    assert letters[3]["error"] == {
        "stage": "convert",
        "type": "ItemRefused",
        "message": 'id: must be a whole number, got "x"; price: must be a number, got "far"',
    }
    assert letters[2]["error"]["message"].startswith("day: must be written as ISO 8601 has it")
    assert "2 x ItemRefused (convert)" in done.err
    assert "pydantic" not in done.err


def test_dead_letters_of_typed_rows_are_input_again(typed):
    """They are read by the rules of their source, so the same items fail, and mended ones do not."""
    job(typed, "typed.total", task={"with": {"rates": {"eur": 2}}})
    typed.run()
    letters = typed.read("out.csv.failed.jsonl")
    typed.write("mended.jsonl", letters.replace('"day":"20260131"', '"day":"2026-01-31"'))
    job(
        typed,
        "typed.total",
        task={"with": {"rates": {"eur": 2}}},
        input={"type": "dead_letter", "path": "mended.jsonl"},
        output={"type": "jsonl", "path": "again.jsonl"},
    )
    done = typed.run("--json")
    assert done.report["failed"] == 1
    assert typed.lines("again.jsonl") == [{"id": 3, "day": "2026-01-31", "total": 2.0}]


def test_a_csv_without_rows_has_its_header(typed):
    """The annotation says what it is."""
    job(typed, "typed.none")
    assert typed.run().code == 0
    assert typed.read("out.csv") == "id,day,total\n"


def test_a_validator_that_breaks_is_an_error_of_the_task_with_its_traceback(typed):
    """A KeyError in it is no refusal, and the log shows where it came from."""
    job(typed, "typed.checked", output={"type": "jsonl", "path": "out.jsonl"})
    typed.write("orders.csv", "id\n1\n2\n")
    done = typed.run("--json")
    assert (done.report["rows"], done.report["failed"]) == (1, 1)
    (failed,) = [event for event in typed.logged() if event["event"] == "item.failed"]
    assert (failed["error"]["stage"], failed["error"]["type"]) == ("convert", "KeyError")
    assert "return {1: 1}[id]" in failed["traceback"]


def test_a_refused_item_has_no_traceback(typed):
    """The sentence says it all."""
    job(typed, "typed.none")
    typed.run()
    failed = [event for event in typed.logged() if event["event"] == "item.failed"]
    assert [event.get("traceback") for event in failed] == [None, None]


def test_arguments_that_do_not_fit_stop_the_run_before_it_begins(typed):
    """Exit 78, each at its place."""
    job(typed, "typed.total", task={"with": {"rates": {"eur": "two", "usd": [1]}}})
    done = typed.run()
    assert done.code == 78
    assert '`rates.eur` of `total` must be a number, got "two"' in done.err
    assert "`rates.usd` of `total` must be a number, got a list" in done.err
    assert not typed.has("out.csv")


def test_a_name_for_type_checkers_only_is_told_and_harmless(typed):
    """The rows come as they are."""
    job(typed, "typed.hidden")
    done = typed.run()
    assert done.code == 0
    assert "warning[not-convertible]: the annotation `Hidden` of `row` cannot be resolved" in done.err
    assert typed.read("out.csv").startswith("id,day,price\n1,2026-01-31,2.5\n")


def test_a_run_that_goes_on_keeps_its_header(typed):
    """Killed between two rows: the header of the first process is the only one."""
    typed.write(
        "slow.py",
        "from pathlib import Path\nfrom typing import NamedTuple\n"
        "class Row(NamedTuple):\n    n: int\n    twice: int\n"
        "def it(n: int) -> Row:\n"
        "    if n == 3 and not Path('mended').exists(): raise ValueError(n)\n"
        "    return Row(n, 2 * n)\n",
    )
    typed.job(task="slow.it", output={"type": "csv", "path": "out.csv"})
    assert typed.run().code == 1
    typed.write("mended", "")
    again = typed.run("--json")
    assert again.code == 0, again.err
    assert again.report["resumed_from"] == 3
    assert typed.read("out.csv") == "n,twice\n" + "".join(f"{n},{2 * n}\n" for n in range(6))
