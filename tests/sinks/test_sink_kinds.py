"""What holds for every kind of output."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from runner.errors import RowRefused
from runner.sinks import KINDS
from runner.sinks.base import FileSinkOptions

FILE_KINDS = sorted(kind for kind, options in KINDS.items() if issubclass(options, FileSinkOptions))


def options(kind: str, **values: Any) -> Any:
    """Return the options of a kind as a job file would make them."""
    return KINDS[kind].model_validate({"type": kind, **values})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_answers_to_its_own_name_only(kind: str) -> None:
    """The key of the registry is the `type` that its options take."""
    values = {} if kind == "none" else {"path": "out"}
    assert options(kind, **values).type == kind
    with pytest.raises(ValidationError, match="type"):
        KINDS[kind].model_validate({"type": "other", **values})


@pytest.mark.parametrize("kind", FILE_KINDS)
@pytest.mark.parametrize("path", ["-", "out/a.jsonl", "a.csv.gz", ".zip", "a.b.c", "/tmp/x", "zip"])
def test_a_path_that_can_be_kept_is_taken_as_it_is(kind: str, path: str) -> None:
    """Standard output, plain files and `.gz` are written."""
    assert options(kind, path=path).path == path


@pytest.mark.parametrize("kind", FILE_KINDS)
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "`path` must name a file, got an empty text"),
        (" ", "`path` must name a file, got an empty text"),
        ("out/", "got the folder 'out/'"),
        ("out/..", "got the folder"),
        ("a\0b", "NUL"),
        ("a.csv.bz2", r"ending in `\.bz2` is not built; write plain or `\.gz`"),
        ("a.xz", r"ending in `\.xz` is not built"),
        ("a.ZST", r"ending in `\.ZST` is not built"),
        ("a.zip", r"ending in `\.zip` is not built"),
        ("a.GZ", r"compressed when it ends in `\.gz`, got `\.GZ`"),
    ],
)
def test_a_path_that_cannot_be_kept_is_a_fault(kind: str, path: str, message: str) -> None:
    """A suffix that is not built never becomes silent plain text."""
    with pytest.raises(ValidationError, match=message):
        options(kind, path=path)


@pytest.mark.parametrize("kind", ["jsonl", "text"])
def test_lines_that_stand_alone_need_no_settling(kind: str) -> None:
    """Only rows whose columns are not known wait for their place in the order."""
    encoder = options(kind, path="-").encoder()
    assert encoder.settles is False
    line = encoder.encode("null")
    assert encoder.settle(line) == line
    assert (encoder.prologue(), encoder.epilogue(), encoder.state()) == (b"", b"", {})
    encoder.restore({})


def test_a_row_of_jsonl_is_any_json_value() -> None:
    """Lists, texts and numbers are rows as well as objects are."""
    encode = options("jsonl", path="-").encoder().encode
    rows: list[object] = [{"a": 1}, [1], "a", 5, 1.5, True]
    assert [json.loads(encode(row)) for row in rows] == rows


def test_nothing_is_written_for_none() -> None:
    """Without an encoder the pipeline drops what the task returns."""
    assert options("none").encoder() is None


@pytest.mark.parametrize("text", ["", "Ulm", "été 🐟", "a\tb", "\u2028"])
def test_a_text_is_written_as_it_is(text: str) -> None:
    """No quoting, no escaping: the line is the text."""
    assert options("text", path="-").encoder().encode(text) == text.encode() + b"\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a\nb", "line break"),
        ("a\r", "line break"),
        ("a\ud800", "surrogate pair at character 1"),
        (5, "must be a text, got int"),
        (b"a", "must be a text, got bytes"),
        ({"a": 1}, "must be a text, got dict"),
    ],
)
def test_a_row_that_is_no_line_is_refused(row: object, message: str) -> None:
    """What would be read back as something else is not written."""
    with pytest.raises(RowRefused, match=message):
        options("text", path="-").encoder().encode(row)


def test_the_options_load_without_the_encoders() -> None:
    """`validate` knows every kind of output and pays for no encoder."""
    code = "import sys, runner.sinks; print([m for m in ('orjson', 'csv', 'structlog') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
