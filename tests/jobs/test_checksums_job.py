"""`jobs/checksums.yaml`: every file of a tree, as `sha256sum` sees it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs import checksums

if TYPE_CHECKING:
    from conftest import Project

FILE: checksums.File = {"path": "a.txt", "name": "a.txt", "size": 3, "mtime": "2026-01-31T00:00:00.000000Z"}


def test_every_file_of_the_tree_has_its_checksum(project: Project) -> None:
    """The table holds each file below `jobs/data`, in bytewise order, with its own size and SHA-256."""
    folder = project.root / "jobs/data/deeper"
    folder.mkdir()
    (folder / "empty").touch()
    done = project.run("jobs/checksums.yaml")
    assert done.returncode == 0, done.stderr
    found = [path for path in (project.root / "jobs/data").rglob("*") if path.is_file()]
    expected = [
        {
            "path": str(path.relative_to(project.root)),
            "bytes": str(path.stat().st_size),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(found, key=bytes)
    ]
    assert project.rows("out/checksums.csv") == expected
    assert expected[-2]["path"] == "jobs/data/deeper/empty"


def test_another_tree_can_be_named(project: Project) -> None:
    """The parameter `files` is a glob from the project root."""
    done = project.run("jobs/checksums.yaml", "-p", "files=*.toml")
    assert done.returncode == 0, done.stderr
    assert [row["path"] for row in project.rows("out/checksums.csv")] == ["pyproject.toml"]


def test_a_file_that_grows_meanwhile_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksum of half a file is never written."""
    monkeypatch.setattr(checksums, "ROOT", tmp_path)
    (tmp_path / "a.txt").write_bytes(b"more than three")
    with pytest.raises(ValueError, match="it had 3 bytes when it was found and 15 when it was read"):
        checksums.checksum(FILE)
