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


def test_a_header_that_lacks_a_field_is_told_before_anything_runs(typed):
    """By every command that imports the task, with the alias that takes the column."""
    typed.write("orders.csv", "id,Day\n1,2026-01-31\n")
    job(typed, "typed.none", output={"type": "none"})
    alias = 'day: Annotated[date, Field(alias="Day")]'
    for command in ("run", "plan", "preview"):
        told, _, rest = typed.runner(command, "job.yaml").err.partition("1 warning in job.yaml")
        assert "warning[missing-column]" in told, command
        assert alias in told.replace("datetime.", "")
        assert "warning" not in rest
    typed.write("orders.csv", "id,day\n1,2026-01-31\n")
    assert "warning" not in typed.runner("run", "job.yaml").err


@pytest.mark.parametrize("path", ["orders-1.csv", ["orders.csv", "orders-1.csv"]])
def test_a_hyphen_in_a_name_is_no_standard_input(typed, path):
    """Only `-` itself is read by the run alone."""
    typed.write("orders-1.csv", "nothing\n1\n")
    typed.write("orders.csv", "nothing\n1\n")
    job(typed, "typed.none", input={"type": "csv", "path": path})
    assert "missing-column" in typed.runner("validate", "--import", "job.yaml").out


def test_validate_says_what_only_an_import_compares(typed):
    """In one line, where there are a table and a type of one's own, and nothing else to say."""
    job(typed, "typed.none", output={"type": "none"}, failures={"tolerate": 0})
    line = "not compared: the columns of the input and the type that the task takes; --import does\n"
    assert typed.runner("validate", "job.yaml").err == f"no faults in 1 job file\n{line}"
    assert "not compared" not in typed.runner("validate", "--import", "job.yaml").err
    assert "not compared" not in typed.runner("validate", "--format", "concise", "job.yaml").err
    job(typed, "tasks.same", output={"type": "none"}, failures={"tolerate": 0})
    assert "not compared" not in typed.runner("validate", "job.yaml").err
    job(
        typed,
        "typed.none",
        input={"type": "csv", "path": "absent.csv"},
        output={"type": "none"},
        failures={"tolerate": 0},
    )
    assert "not compared" not in typed.runner("validate", "job.yaml").err
