"""The dead-letter line: its three forms, and that it never fails for what it is about."""

from __future__ import annotations

import base64
import json

import pytest

from runner.errors import MalformedRecord
from runner.item import NOWHERE, BrokenRecord, Item, Where
from runner.ledger.dead_letter import MOST_RAW_BYTES, dead_letter
from runner.outcome import Failure
from runner.sinks.json_text import encode_json

WHERE = Where("data.jsonl", 3, 17)


def line_of(raw, stage="task", *, where=WHERE, decode=json.loads, message="no", offset=5):
    """Return the line as a value, after checking that it is one line."""
    line = dead_letter(
        Item(2, raw, where),
        Failure(stage, "ValueError", message, ValueError(message)),
        decode=lambda item: decode(item.raw),
        encode=encode_json,
        output_offset=offset,
    )
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return json.loads(line)


@pytest.mark.parametrize("stage", ["task", "encode"])
def test_an_item_that_was_decoded_is_told_as_the_task_got_it(stage):
    """All keys in their order; `item` is the value, decoded afresh."""
    line = line_of(b'{"a": 1}\n', stage)
    assert list(line) == ["index", "where", "item", "error", "output_offset"]
    assert line == {
        "index": 2,
        "where": {"file": "data.jsonl", "line": 3, "offset": 17},
        "item": {"a": 1},
        "error": {"stage": stage, "type": "ValueError", "message": "no"},
        "output_offset": 5,
    }


def test_a_record_that_was_not_decoded_is_told_as_text():
    """`raw` is the record without its line ending, CRLF included."""
    line = line_of(b'{"a": \r\n', "decode")
    assert line["raw"] == '{"a": '
    assert "item" not in line
    assert "raw_base64" not in line


def test_bytes_that_are_no_text_are_told_in_base64():
    """Nothing is replaced: the bytes can be had back."""
    line = line_of(b"\xff\xfe\n", "decode")
    assert base64.b64decode(line["raw_base64"]) == b"\xff\xfe"
    assert "raw" not in line


def test_a_record_that_could_not_be_cut_is_told_by_its_head():
    """The rest may be many megabytes, and `where` says where it is."""
    line = line_of(BrokenRecord(b'"head', 10**9, 1, "never closed"), "read")
    assert line["raw"] == '"head'


def test_a_long_record_is_cut():
    """The line stays one that people and tools can load."""
    assert len(line_of(b"x" * 10**6, "decode")["raw"]) == MOST_RAW_BYTES


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_text_that_is_cut_within_a_character_stays_text(before):
    """A long record of text must not turn into base64 for half of a letter."""
    line = line_of(f"{before}{'€' * MOST_RAW_BYTES}".encode(), "decode")
    assert line["raw"].startswith(f"{before}€")
    assert line["raw_bytes"] == len(before) + 3 * MOST_RAW_BYTES


@pytest.mark.parametrize(
    ("raw", "stage", "size"),
    [
        (b"x" * MOST_RAW_BYTES + b"\r\n", "decode", None),
        (b"x" * MOST_RAW_BYTES + b"y\n", "decode", MOST_RAW_BYTES + 1),
        (b"\xff" * MOST_RAW_BYTES, "decode", None),
        (b"\xff" * (MOST_RAW_BYTES + 1), "decode", MOST_RAW_BYTES + 1),
        (BrokenRecord(b'"whole\n', 7, 1, "never closed"), "read", None),
        (BrokenRecord(b'"head', 10**9, 1, "never closed"), "read", 10**9),
    ],
    ids=lambda value: None,
)
def test_a_record_that_is_cut_says_how_long_it_is(raw, stage, size):
    """One that is all there says nothing."""
    assert line_of(raw, stage).get("raw_bytes") == size


@pytest.mark.parametrize("value", [{1, 2}, print, {"a": float("nan")}], ids=str)
def test_an_item_that_is_only_shown_says_so(value):
    """Its `repr` is for a person."""
    assert line_of(value, where=NOWHERE, decode=lambda raw: raw)["is_repr"] is True


@pytest.mark.parametrize("value", [b"bytes\n", b"\xff"])
def test_an_item_that_is_bytes_is_told_exactly(value):
    """In base64 also where it could be text, which is another type; its last byte is no line ending."""
    line = line_of(value, where=NOWHERE, decode=lambda raw: raw)
    assert base64.b64decode(line["raw_base64"]) == value
    assert "is_repr" not in line


def test_an_item_that_no_longer_decodes_falls_back_to_its_raw():
    """A decoder that fails this time is no reason to lose the line."""

    def decode(raw):
        raise MalformedRecord("now it does not")

    assert line_of(b"1\n", decode=decode)["raw"] == "1"


@pytest.mark.parametrize("value", [{"a": float("nan")}, {1, 2}, b"bytes", print], ids=str)
def test_an_item_that_json_cannot_say_falls_back_to_what_it_looks_like(value):
    """Inline items may be anything that YAML or Python makes."""
    line = line_of(value, where=NOWHERE, decode=lambda raw: raw)
    assert "item" not in line
    assert "raw" in line or "raw_base64" in line


def test_a_value_whose_repr_raises_is_a_line_all_the_same():
    """An item of a `python` input is user code, its `__repr__` too."""

    class Unspeakable:
        def __repr__(self) -> str:
            raise ValueError("from __repr__")

    assert "item" not in line_of(Unspeakable(), where=NOWHERE, decode=lambda raw: raw)


@pytest.mark.parametrize("name", ["da\udcff.csv", "a\nb.csv"])
def test_a_file_name_of_any_bytes_can_be_told(name):
    """Linux allows them; the line stays valid UTF-8 and one line."""
    assert line_of(b"1\n", where=Where(name, 1, 0))["where"]["file"]


def test_nothing_of_the_run_is_in_the_line():
    """The same failure gives the same bytes, however it came about."""
    assert line_of(b"1\n") == line_of(b"1\n")
    first = dead_letter(
        Item(0, b"1\n", WHERE),
        Failure("task", "E", "m", None),
        decode=lambda item: 1,
        encode=encode_json,
        output_offset=None,
    )
    second = dead_letter(
        Item(0, b"1\n", WHERE),
        Failure("task", "E", "m", RuntimeError("another object")),
        decode=lambda item: 1,
        encode=encode_json,
        output_offset=None,
    )
    assert first == second
