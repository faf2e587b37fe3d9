"""Values as YAML: whatever plain data is written, the same is read back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.jobfile.document import read_document
from runner.jobfile.emit import entry, flow, is_read_back

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back(value):
    """On one line, and as an entry of a block at any depth of indentation."""
    document = read_document(f"a: {flow(value)}\n", "")
    assert (document.problems, document.data) == ([], {"a": value})
    assert is_read_back(f"{entry('key', value, 0)}\n", {"key": value})
    nested = read_document(f"top:\n  - {entry('key', value, 4)}\n", "")
    assert (nested.problems, nested.data) == ([], {"top": [{"key": value}]})


def test_the_type_of_a_value_is_read_back_too():
    """A number that stands for a text, or true for 1, is not the same."""
    assert not is_read_back("1", True)
    assert not is_read_back("1", 1.0)
    assert not is_read_back('"1"', 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("tea", "tea"),
        ("a b/c.csv", "a b/c.csv"),
        ("no: yes", '"no: yes"'),
        ("a #b", '"a #b"'),
        ("4.20", '"4.20"'),
        ("0123", '"0123"'),
        ("true", '"true"'),
        ("", '""'),
        ("- x", '"- x"'),
        ("\u2028", '"\\u2028"'),
        (math.inf, ".inf"),
        ({"a": [1, None]}, "{a: [1, null]}"),
    ],
    ids=repr,
)
def test_a_text_is_quoted_only_where_it_could_be_taken_for_something_else(value, text):
    """So that what a person would write without quotes has none."""
    assert flow(value) == text


def test_a_long_value_has_a_line_for_each_part():
    """A reviewer reads a column, not a line that runs out of the window."""
    value = {"names": ["n" * 40, "m" * 40, "o" * 40], "few": {"a": 1}}
    text = entry("row", value, 4)
    assert text.splitlines()[:2] == ["row:", "      names:"]
    assert "      few: {a: 1}" in text.splitlines()


def test_what_yaml_cannot_say_is_refused():
    """A key that is no text, or bytes, never becomes something else without a word."""
    with pytest.raises(ValueError, match="must be text"):
        flow({1: 2})
    with pytest.raises(ValueError, match="bytes"):
        flow(b"x")
