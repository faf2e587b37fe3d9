"""Differences between what was expected and what came, place by place."""

from __future__ import annotations

import pytest

from runner.job_tests.compare import MOST_SAID, differences


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["`row.a`: expected 1, got true"]),
        ({"a": 0}, {"a": False}, ["`row.a`: expected 0, got false"]),
        ({"a": "1"}, {"a": 1}, ['`row.a`: expected "1", got 1']),
        ({"a": 1}, {}, ["`row.a` is missing, expected 1"]),
        ({}, {"a": None}, ["`row.a` was not expected: null"]),
        ([1, 2], [1], ["`row[1]` is missing, expected 2"]),
        ([1], [1, {"x": 2}], ["`row[1]` was not expected: {x: 2}"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["`row.a.b[1]`: expected 2, got 3"]),
        ({"a": 1}, [1], ["`row`: expected {a: 1}, got [1]"]),
    ],
)
def test_each_difference_is_told_at_its_place(expected, got, said):
    """And nothing where the two are equal, in whatever order the keys are."""
    assert differences(expected, got, ("row",)) == said


def test_very_many_differences_are_cut():
    """A person reads the first."""
    said = differences({}, {str(n): n for n in range(500)})
    assert (len(said), said[-1]) == (MOST_SAID + 1, "and more")


def test_a_long_value_is_cut():
    """In the middle of a sentence."""
    (said,) = differences("x" * 5000, 1)
    assert len(said) < 300
