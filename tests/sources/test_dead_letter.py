"""`type: dead_letter`."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

ERROR = {"stage": "task", "type": "ValueError", "message": "no"}


def test_items_come_back_as_they_were(read: Callable[..., Any]) -> None:
    """The item itself, `null` included; the record as text or bytes where it never became an item."""
    letters = [
        {"index": 7, "where": {"file": "in.csv", "line": 9, "offset": 80}, "item": {"a": 1}, "error": ERROR},
        {"index": 8, "item": None, "error": ERROR},
        {"index": 9, "raw": "1,2,é\n", "error": ERROR, "output_offset": 4},
        {"index": 10, "raw_base64": base64.b64encode(b"\xff\n").decode(), "error": ERROR},
    ]
    content = "".join(json.dumps(letter) + "\n" for letter in letters).encode()
    assert read("dead_letter", content).values() == [{"a": 1}, None, "1,2,é\n", b"\xff\n"]


def test_an_items_place_is_its_place_in_the_dead_letter_file(read: Callable[..., Any]) -> None:
    """That is where a person finds it now; indexes start anew."""
    reading = read("dead_letter", b'{"index":5,"item":1}\n\n{"index":9,"item":2}\n')
    assert [item[0::2] for item in reading.items] == [(0, ("input", 1, 0)), (1, ("input", 3, 22))]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not valid JSON: it ends too early"),
        (b"[1]", "not a dead letter: the line is no JSON object"),
        (b"{}", "not a dead letter: it has neither `item` nor `raw` nor `raw_base64`"),
        (b'{"raw": 5}', "not a dead letter: it has neither"),
        (b'{"raw_base64": "AA="}', "not a dead letter: `raw_base64` is not base64"),
        ('{"raw_base64": "é"}'.encode(), "not a dead letter: `raw_base64` is not base64"),
    ],
)
def test_a_line_that_is_no_dead_letter_fails_alone(
    read: Callable[..., Any], line: bytes, message: str
) -> None:
    """The others arrive."""
    first, bad, last = read("dead_letter", b'{"item":1}\n' + line + b'\n{"item":2}').values()
    assert (first, last) == (1, 2)
    assert bad.startswith(f"malformed: {message}")


def test_no_dead_letters_are_no_items(read: Callable[..., Any]) -> None:
    """The file is published also when it is empty."""
    assert read("dead_letter", b"").items == []


CUT = {
    "index": 8,
    "where": {"file": "in.csv", "line": 9, "offset": 80},
    "raw": "x",
    "raw_bytes": 99999,
    "error": {"stage": "read", "type": "MalformedRecord", "message": "too long"},
}
SHOWN = {"index": 9, "where": None, "raw": "{1, 2}", "is_repr": True, "error": ERROR}


@pytest.mark.parametrize(
    ("letter", "message"),
    [
        (
            CUT,
            "holds only the beginning of a record of 99999 bytes; run .* for it .item 8, in.csv line 9.$",
        ),
        (SHOWN, "only shows its item, which JSON cannot say; run the input .* again for it .item 9.$"),
    ],
    ids=["cut", "shown"],
)
def test_what_is_not_what_failed_is_no_item(
    read: Callable[..., Any], letter: dict[str, Any], message: str
) -> None:
    """Nor is the line of such a letter, as it stands in the dead letters of the run that refused it."""
    again = {"index": 0, "raw": json.dumps(letter), "error": {**ERROR, "stage": "decode"}}
    third = {"index": 0, "raw": json.dumps(again), "error": {**ERROR, "stage": "decode"}}
    content = "".join(json.dumps(each) + "\n" for each in (letter, again, third)).encode()
    values = read("dead_letter", content).values()
    assert len(values) == 3
    for value in values:
        assert re.search("^malformed: the dead letter " + message, value)
