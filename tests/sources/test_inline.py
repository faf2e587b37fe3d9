"""`type: items`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runner.item import NOWHERE
from runner.sources import InlineOptions


def test_items_of_the_job_file_come_in_order(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """Any values, with the total known and no place in a file."""
    values = [1, "two", None, {"three": [3]}]
    source = open_source("items", tmp_path, items=values)
    items = list(source.items())
    assert source.total == 4
    assert [source.decode(item) for item in items] == values
    assert [(item.index, item.where) for item in items] == [(index, NOWHERE) for index in range(4)]
    assert source.weigh(items[3]) == 0


def test_a_task_that_changes_its_item_harms_nobody(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """Each attempt gets a copy of its own, to the depths."""
    source = open_source("items", tmp_path, items=[{"list": [1]}])
    (item,) = source.items()
    source.decode(item)["list"].append(2)
    assert source.decode(item) == {"list": [1]}
    assert [source.decode(again) for again in source.items()] == [{"list": [1]}]


def test_no_items_are_no_items(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """An empty list is a run of nothing, not a fault."""
    source = open_source("items", tmp_path, items=[])
    assert (source.total, list(source.items())) == (0, [])


def test_items_must_be_a_list() -> None:
    """A mapping has no order to speak of."""
    with pytest.raises(ValidationError, match=r"list"):
        InlineOptions.model_validate({"type": "items", "items": {"a": 1}})
