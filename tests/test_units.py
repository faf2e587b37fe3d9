"""Durations and sizes: one way to write each, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from runner.units import (
    Duration,
    Size,
    format_duration,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
    write_duration,
    write_rate,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("1.5s", 1.5), ("5m", 300), ("2h", 7200), ("1d", 86400), ("0s", 0)],
)
def test_a_duration_is_read_as_seconds(text, seconds):
    """Each unit stands for its number of seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "30", "s", "30 s", "-1s", "1e3s", "30S", "30sec", "1h30m", ".5s", "5.s", "٣s", "30s\n", "inf"],
)
def test_any_other_writing_of_a_duration_is_refused(text):
    """No second way to write one, no sign, no blanks, no digits of other scripts."""
    with pytest.raises(ValueError, match="a duration is a number and a unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512B", 512), ("64KiB", 2**16), ("16MiB", 2**24), ("1GiB", 2**30), ("0B", 0)]
)
def test_a_size_is_read_as_bytes(text, size):
    """Each unit stands for its number of bytes."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "16", "16MB", "16 MiB", "1.5GiB", "-1B", "16mib", "٣B", "16MiB\n", "1TiB"]
)
def test_any_other_writing_of_a_size_is_refused(text):
    """Powers of ten, fractions and blanks are no sizes."""
    with pytest.raises(ValueError, match="a size is a whole number and a unit"):
        parse_size(text)


@given(st.integers(0, 2**60))
def test_a_size_that_was_written_is_read_back_exactly(size):
    """No byte is lost between `format_size` and `parse_size`."""
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (1, "1B"), (1024, "1KiB"), (1025, "1025B"), (256 * 2**20, "256MiB")]
)
def test_a_size_is_written_in_the_largest_unit_that_holds_it(size, text):
    """What is a round number of a unit is written so."""
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.35, "350 ms"),
        (1, "1.0 s"),
        (12.34, "12.3 s"),
        (65, "1 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7620, "2 h 07 min"),
        (360000, "100 h 00 min"),
    ],
)
def test_a_duration_is_shown_for_a_person(seconds, text):
    """Two units at most, the larger first."""
    assert format_duration(seconds) == text


@given(st.floats(0, 1e6))
def test_a_shown_duration_never_carries_over_its_unit(seconds):
    """No 1000 ms, no 60.0 s, no 60 s and no 60 min."""
    shown = format_duration(seconds)
    assert not shown.startswith(("1000 ms", "60.0 s", "60 min"))
    assert " 60 " not in shown


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Size, 16, "a size needs its unit: write 16B"),
        (Size, True, "a size is a whole number and a unit"),
        (Size, "0B", "at least 1B"),
        (Size, None, "a size is a whole number and a unit"),
        (Duration, 30, "a duration needs its unit: write 30s"),
        (Duration, False, "a duration is a number and a unit"),
        (Duration, ["30s"], "a duration is a number and a unit"),
    ],
)
def test_a_field_says_what_to_write_instead(kind, value, message):
    """A number without its unit is the usual mistake, and gets its own sentence."""
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(kind).validate_python(value)


def test_a_size_field_is_dumped_as_it_is_written():
    """What a job file says about itself is what could stand in one."""
    assert TypeAdapter(Size).dump_python(2**24) == "16MiB"


@pytest.mark.parametrize("text", ["36501d", "9" * 400 + "s", "9" * 30 + "ms"])
def test_no_duration_is_longer_than_any_clock_can_wait(text):
    """Infinity among them: it would be an overflow hours later."""
    with pytest.raises(ValueError, match="must be at most 36500d"):
        parse_duration(text)


def test_a_duration_is_written_as_it_is_read():
    """In the largest unit that holds it."""
    for text in ("0s", "500ms", "1s", "90s", "5m", "2h", "1d", "1500ms"):
        assert write_duration(parse_duration(text)) == text


@pytest.mark.parametrize(
    "text", ["50/s", "1500/s", "1000000/s", "1000/min", "10/h", "0.0001/h", "0.3/s", "7.77/min"]
)
def test_a_rate_is_written_as_it_is_read(text):
    """Exactly, without commas and exponents."""
    assert parse_rate(write_rate(parse_rate(text))) == parse_rate(text)
    if "." not in text:
        assert write_rate(parse_rate(text)) == text
