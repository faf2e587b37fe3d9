"""What was read of a file is known again: whole, in part, read ahead, and over several processes."""

from __future__ import annotations

import gzip
import itertools
import json
from binascii import crc32
from pathlib import Path

import pytest

from runner.sources.json_lines import JsonLinesOptions, JsonLinesSource
from runner.sources.trail import MOST_MARKS, Sum, checksums

ROWS = 40_000
LINES = [json.dumps({"n": number}).encode() + b"\n" for number in range(ROWS)]


def make(root: Path, names: list[str], *, block_bytes: int = 128 * 2**10) -> JsonLinesSource:
    """Write the rows into files of one length each, and open them."""
    share = ROWS // len(names)
    for number, name in enumerate(names):
        data = b"".join(LINES[number * share : (number + 1) * share])
        path = root / name
        if not path.exists():
            path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    source = JsonLinesOptions(type="jsonl", path=names).open(root)
    source.block_bytes = block_bytes
    return source


def stand(source: JsonLinesSource, index: int, start: int = 0, position=None):
    """Read up to an item, and a little ahead; return where a run stands that has done it."""
    items = source.items(start, position)
    done = next(itertools.islice(items, index - start, None))
    assert done.index == index
    next(items, None)
    return source.position_after(done)


def spoil(path: Path, offset: int) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("block_bytes", [1000, 128 * 2**10])
@pytest.mark.parametrize("index", [5, 20_000, ROWS - 1])
def test_a_change_is_known_by_where_it_is(tmp_path, index, block_bytes):
    """In what is done, where the run was reading, behind it; untouched, all is the same."""
    source = make(tmp_path, ["in.jsonl"], block_bytes=block_bytes)
    position = stand(source, index)
    path, read = tmp_path / "in.jsonl", position["read"]["part"][0]
    assert source.check_read("in.jsonl", position) == "same"
    base = position["read"]["base"][0]
    assert base <= position["offset"] <= read
    ahead = "unsure" if base < read else "changed"
    for offset, expected in ((base - 1, "changed"), (read - 1, ahead), (read, "same")):
        if 0 <= offset < path.stat().st_size:
            spoil(path, offset)
            assert source.check_read("in.jsonl", position) == expected, offset
            spoil(path, offset)


def test_a_later_process_goes_on_with_the_checksum(tmp_path):
    """After any number of resumptions it is that of all bytes from the first on."""
    position, start = None, 0
    for index in (3, 9_000, 9_001, 31_000, ROWS - 1):
        source = make(tmp_path, ["in.jsonl"])
        position = stand(source, index, start, position)
        start = index + 1
        size, value = position["read"]["part"]
        assert value == crc32((tmp_path / "in.jsonl").read_bytes()[:size])
    assert size == (tmp_path / "in.jsonl").stat().st_size


def test_what_an_earlier_process_read_ahead_still_counts(tmp_path):
    """Some of it may be done, in an unordered run."""
    first = stand(make(tmp_path, ["in.jsonl"]), 9_000)
    again = stand(make(tmp_path, ["in.jsonl"], block_bytes=1000), 20, 10, {**first, "offset": 0, "line": 1})
    assert again["read"]["part"] == first["read"]["part"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_of_several_files_each_is_known_for_itself(tmp_path, suffix):
    """Those that are done, the one that is read, and those behind it, which may change."""
    names = [f"{letter}.jsonl{suffix}" for letter in "abcd"]
    source = make(tmp_path, names)
    middle = stand(source, 25_000)
    again = make(tmp_path, names)
    position = stand(again, 28_000, 25_001, middle)
    for name in names:
        assert again.check_read(name, position) == "same"
        spoil(tmp_path / name, 40)
    found = [again.check_read(name, position) for name in names]
    assert found == ["changed", "changed", "unsure", "same"]


def test_a_file_that_grew_is_the_same_as_far_as_it_was_read(tmp_path):
    """What was read to its end was all there was."""
    source = make(tmp_path, ["in.jsonl"])
    position = stand(source, ROWS - 1)
    with (tmp_path / "in.jsonl").open("ab") as file:
        file.write(b"1\n")
    assert source.check_read("in.jsonl", position) == "same"


def test_reading_far_ahead_takes_no_more_memory():
    """Every other mark is forgotten: a base is then farther off, and as good."""
    so_far = Sum()
    for _ in range(5 * MOST_MARKS):
        so_far.feed(b"x" * 10)
    assert len(so_far._marks) <= MOST_MARKS
    offset, value = so_far.base(100_000)
    assert 90_000 < offset <= 100_000
    assert value == crc32(b"x" * offset)


def test_a_file_that_is_shorter_now_is_summed_to_its_end(tmp_path):
    """No endless loop at the end of the file."""
    (tmp_path / "short").write_bytes(b"abc")
    assert checksums(tmp_path / "short", size=10, base=7) == (0, crc32(b"abc"))
