"""What kind of input a file is, by its suffix and by what is in it."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest

from runner.errors import InputBroken, UsageError
from runner.scaffold.guess import find_data, guess_input
from runner.sources import KINDS


@pytest.fixture
def guess(tmp_path):
    """Give a function that writes a file, guesses, and proves that the source itself reads it so."""

    def guess(name: str, content: str | bytes):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        found = guess_input(name, tmp_path)
        options = {key: value for key, (value, _) in found.options.items()}
        source = KINDS[found.kind].model_validate({"type": found.kind, **options}).open(tmp_path)
        first = next(iter(source.items()))
        return found, options, source.decode(first)

    return guess


@pytest.mark.parametrize(
    ("name", "content", "kind", "first"),
    [
        ("a.csv", "x,y\n1,2\n", "csv", {"x": "1", "y": "2"}),
        ("a.csv", "x;y\n1,5;2\n", "csv", {"x": "1,5", "y": "2"}),
        ("a.tsv", "x\ty z\n1\t2\n", "csv", {"x": "1", "y z": "2"}),
        ("a.csv", "only\n1\n", "csv", {"only": "1"}),
        ("a.csv", "1,2\n3,4\n", "csv", {"column_1": "1", "column_2": "2"}),
        ("a.csv", '"x, y",z\n"1\n2",3\n', "csv", {"x, y": "1\n2", "z": "3"}),
        ("a.txt", "x|y\n1|2\n", "csv", {"x": "1", "y": "2"}),
        ("a.txt", "tea, with milk\ncoffee\n", "text", "tea, with milk"),
        ("a.log", "GET /\n", "text", "GET /"),
        ("a.jsonl", '{"x": 1}\n{"x": 2}\n', "jsonl", {"x": 1}),
        ("a.ndjson", "1\n2\n", "jsonl", 1),
        ("a.json", '[{"x": 1}, {"x": 2}]', "json", {"x": 1}),
        ("a.json", '[\n  {"x": 1},\n  {"x": 2}\n]\n', "json", {"x": 1}),
        ("a.json", '{"x": 1}\n{"x": 2}\n', "jsonl", {"x": 1}),
        ("rows", '{"x": 1}\n{"x": 2}\n', "jsonl", {"x": 1}),
        ("rows", "one\ntwo\n", "text", "one"),
        ("a.csv", "größe,y\n1,2\n".encode("latin-1"), "csv", {"größe": "1", "y": "2"}),
        ("a.csv", "\ufeffx,y\n1,2\n", "csv", {"x": "1", "y": "2"}),
        ("a.csv.gz", gzip.compress(b"x,y\n1,2\n"), "csv", {"x": "1", "y": "2"}),
        ("a.jsonl.bz2", bz2.compress(b'{"x": 1}\n'), "jsonl", {"x": 1}),
        ("a.txt.xz", lzma.compress(b"one\ntwo\n"), "text", "one"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_a_file_is_read_as_what_it_is(guess, name, content, kind, first):
    """The kind and its options make the source yield what a person sees in the file."""
    found, _, decoded = guess(name, content)
    assert (found.kind, decoded) == (kind, first)
    if isinstance(first, dict):
        assert found.fields == tuple(first)


def test_dead_letters_are_known(guess):
    """They look like JSON lines and are more: the items that failed."""
    line = '{"index":0,"where":{"file":"a","line":1,"offset":0},"item":{"x":1},"error":{"stage":"task"}}\n'
    found, _, decoded = guess("a.failed.jsonl", line)
    assert (found.kind, decoded) == ("dead_letter", {"x": 1})


def test_a_file_that_is_no_text_is_an_item_itself(guess):
    """A picture has no lines: the task gets its path."""
    found, options, decoded = guess("a.png", b"\x89PNG\r\n\0\0\0")
    assert (found.kind, options) == ("files", {"path": "a.png"})
    assert decoded["path"].endswith("a.png")


def test_a_character_cut_at_the_end_of_the_head_is_no_other_encoding(guess):
    """64 KiB may end in the middle of a character."""
    found, options, _ = guess("a.txt", "x" + "é" * 40_000 + "\nb\n")
    assert (found.kind, "encoding" in options) == ("text", False)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", '{"x": 1,\n "y": [2]}', "holds one JSON object"),
        ("a.csv", "", "holds nothing yet"),
        ("a.txt", "a\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_what_has_no_items_is_refused_with_what_to_do(guess, name, content, says):
    """A sentence, and no job file that would fail later."""
    with pytest.raises(UsageError, match=says):
        guess(name, content)


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    """The first by the source itself, the second with the glob to write."""
    with pytest.raises(InputBroken, match=r"absent\.csv"):
        guess_input("absent.csv", tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(UsageError, match=r"data/\*"):
        guess_input("data", tmp_path)


def test_a_glob_is_judged_by_its_first_file(tmp_path):
    """And stays a glob in the job file."""
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text("x,y\n1,2\n")
    found = guess_input("*.csv", tmp_path)
    assert (found.kind, found.options["path"][0]) == ("csv", "*.csv")


def test_data_files_are_found_by_suffix(tmp_path):
    """Code, job files and hidden files are none."""
    for name in ("a.csv", "b.jsonl.gz", "c.py", "d.yaml", ".e.csv"):
        (tmp_path / name).touch()
    assert find_data(tmp_path) == ["a.csv", "b.jsonl.gz"]
