"""`type: range`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.item import NOWHERE, Item
from runner.sources import RangeOptions

SMALL = st.integers(-20, 20)


@settings(deadline=None)  # the first example imports what the others find there
@given(SMALL, SMALL, SMALL.filter(bool))
def test_numbers_are_those_of_pythons_range(
    open_source: Callable[..., Any], start: int, stop: int, step: int
) -> None:
    """Up and down, with their number known before."""
    source = open_source("range", Path("/"), start=start, stop=stop, step=step)
    numbers = range(start, stop, step)
    assert source.total == len(numbers)
    items = list(source.items())
    assert [source.decode(item) for item in items] == list(numbers)
    assert items == [(index, number, NOWHERE) for index, number in enumerate(numbers)]


def test_start_is_0_and_step_is_1_unless_told(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """`stop` alone is enough."""
    assert [item.raw for item in open_source("range", tmp_path, stop=3).items()] == [0, 1, 2]


def test_a_huge_range_is_lazy(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """Beyond 2**63, where `len` fails, the total is exact and the first numbers come at once."""
    source = open_source("range", tmp_path, start=2**70, stop=2**72, step=3)
    assert source.total == 2**70
    first, second = islice(source.items(), 2)
    assert (first.raw, second.raw) == (2**70, 2**70 + 3)
    assert isinstance(first, Item)
    assert source.weigh(first) == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"stop": 3, "step": 0}, "`step` must not be 0"),
        ({}, "stop"),
        ({"stop": "3"}, "integer"),
        ({"stop": True}, "integer"),
        ({"stop": 3.0}, "integer"),
    ],
)
def test_what_is_no_range_is_a_fault(keys: dict[str, Any], message: str) -> None:
    """Found before anything runs."""
    with pytest.raises(ValidationError, match=message):
        RangeOptions.model_validate({"type": "range", **keys})
