"""The table of faults in docs/durability.md names tests that are there, for every fault of the design."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.durability.conftest import REPOSITORY

FAULTS = 48
ROW = re.compile(r"^\| (\d+) \| (.*?) \| (.*) \|$", re.MULTILINE)


def rows() -> dict[int, str]:
    """Return what the table says of each fault."""
    text = (REPOSITORY / "docs/durability.md").read_text("utf-8").partition("## Faults and their tests")[2]
    return {int(number): tests for number, _, tests in ROW.findall(text)}


@cache
def names_in(path: Path) -> set[str]:
    """Return the tests of a file that are not skipped for good."""
    return {
        node.name
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not any(ast.unparse(each).startswith("pytest.mark.skip(") for each in node.decorator_list)
    }


def test_every_fault_of_the_design_has_a_row() -> None:
    """From the first to the last, each once."""
    assert list(rows()) == list(range(1, FAULTS + 1))


@pytest.mark.parametrize("number", range(1, FAULTS + 1))
def test_a_row_names_tests_that_are_there_or_says_open(number: int) -> None:
    """Each name stands behind the file that it is in."""
    said = rows()[number]
    found = 0
    for part in said.split("; "):
        file, _, names = part.partition(": ")
        if not file.startswith("`") or ".py" not in file:
            continue
        for name in names.split(", "):
            assert name.strip("`") in names_in(REPOSITORY / "tests" / file.strip("`")), name
            found += 1
    assert found or said.startswith("open (")
