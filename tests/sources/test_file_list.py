"""`type: files`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import InputBroken
from runner.item import BrokenRecord


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with scans in it."""
    for name in ("scans/b.tif", "scans/a.tif", "scans/C.tif", "scans/sub/d.tif", "other/e.tif"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "scans/folder.tif").mkdir()
    (tmp_path / "scans/link.tif").symlink_to("../other/e.tif")
    return tmp_path


def paths(source: Any) -> list[str]:
    """Return the path of each item."""
    return [source.decode(item)["path"] for item in source.items()]


def test_files_come_in_bytewise_order(open_source: Callable[..., Any], tree: Path) -> None:
    """Folders are left out, links to files are followed, the total is known."""
    source = open_source("files", tree, path="scans/*.tif")
    assert paths(source) == ["scans/C.tif", "scans/a.tif", "scans/b.tif", "scans/link.tif"]
    assert source.total == 4


def test_what_several_globs_find_is_one_sorted_list(open_source: Callable[..., Any], tree: Path) -> None:
    """Each file once."""
    source = open_source("files", tree, path=["scans/**/*.tif", "other/*", "scans/a.tif"])
    assert paths(source) == sorted(paths(source)) == list(dict.fromkeys(paths(source)))
    assert len(paths(source)) == source.total == 6


def test_an_item_says_path_name_size_and_time(open_source: Callable[..., Any], tree: Path) -> None:
    """The time is UTC with exact microseconds, always of the same width."""
    os.utime(tree / "scans/a.tif", ns=(0, 1_700_000_000_123_456_789))
    source = open_source("files", tree, path="scans/a.tif")
    (item,) = source.items()
    value = source.decode(item)
    assert value == {
        "path": "scans/a.tif",
        "name": "a.tif",
        "size": 11,
        "mtime": "2023-11-14T22:13:20.123456Z",
    }
    assert item.where == ("scans/a.tif", None, None)
    assert source.weigh(item) == 0
    value.clear()
    assert source.decode(item)["name"] == "a.tif"


def test_a_file_older_than_the_epoch_has_its_time(open_source: Callable[..., Any], tree: Path) -> None:
    """Down to the microsecond, too."""
    os.utime(tree / "scans/a.tif", ns=(0, -1_000))
    source = open_source("files", tree, path="scans/a.tif")
    assert source.decode(next(source.items()))["mtime"] == "1969-12-31T23:59:59.999999Z"


def test_a_file_that_goes_away_fails_alone(open_source: Callable[..., Any], tree: Path) -> None:
    """It was there when the run began; the others arrive."""
    source = open_source("files", tree, path="scans/[ab].tif")
    (tree / "scans/a.tif").unlink()
    gone, there = source.items()
    assert isinstance(gone.raw, BrokenRecord)
    assert gone.raw.reason.startswith("the file scans/a.tif was found and cannot be looked at any more: ")
    assert source.decode(there)["name"] == "b.tif"


@pytest.mark.parametrize("path", ["*.png", "scans/folder.tif", "no/such.tif", ["scans/*", "*.png"]])
def test_a_glob_that_finds_nothing_stops_the_run_before_it_begins(
    open_source: Callable[..., Any], tree: Path, path: Any
) -> None:
    """Unless the job says that this is no fault; the message says how."""
    with pytest.raises(InputBroken, match=r"^no file matches the input path .*allow_empty: true"):
        open_source("files", tree, path=path)
    assert open_source("files", tree, path=path, allow_empty=True).total in (0, 4)
