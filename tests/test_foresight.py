"""What `foresee` says of a run is what `run_job` then begins with, and nothing is written for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import tests.test_pipeline
from runner.errors import OutputBroken, Refused
from runner.files import Files
from runner.pipeline import run_job
from runner.resumption import Foresight, foresee
from runner.run import Run
from tests.test_pipeline import Bench, same


def tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return every path with inode, time of change and content."""
    return {
        str(path): (
            path.lstat().st_ino,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(root.rglob("*"))
    }


class Dies(Files):
    """A disk on which a step at a path of this name fails, once and for all."""

    def __init__(self, step: str, name: str) -> None:
        super().__init__()
        self.step, self.name = step, name

    def rename(self, source: Path, target: Path) -> None:
        """Rename, unless it is the target that fails."""
        if (self.step, self.name) == ("rename", target.name):
            raise OSError(5, "Input/output error")
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Link, unless renaming to the target fails."""
        if (self.step, self.name) == ("rename", target.name):
            raise OSError(5, "Input/output error")
        super().link(source, target)

    def remove(self, path: Path) -> None:
        """Remove, unless it is the path that fails."""
        if (self.step, self.name) == ("remove", path.name):
            raise OSError(5, "Input/output error")
        super().remove(path)


@pytest.fixture
def bench(tmp_path) -> Bench:
    """Give a bench of its own."""
    return Bench(tmp_path)


@pytest.fixture
def foreseen(bench, monkeypatch) -> list[Foresight]:
    """Look ahead before each run of the bench, and return what was seen, the first one first."""
    seen: list[Foresight] = []
    flags: dict[str, bool] = {}

    def look_and_run(run: Run) -> None:
        for name, value in flags.items():
            object.__setattr__(run, name, value)
        before = tree(bench.root)
        seen.append(foresee(run))
        assert tree(bench.root) == before
        run_job(run)

    monkeypatch.setattr(tests.test_pipeline, "run_job", look_and_run)
    bench.flags = flags
    return seen


@contextmanager
def standard_input(path: Path) -> Iterator[None]:
    """Let descriptor 0 read a file."""
    before, fd = os.dup(0), os.open(path, os.O_RDONLY)
    os.dup2(fd, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(fd)


def test_a_first_run_begins_afresh(bench, foreseen):
    """There is nothing to go on with."""
    bench.run(same)
    assert (foreseen[0].unfinished, foreseen[0].is_skipped, foreseen[0].refusal) == (None, False, None)


def test_a_run_that_died_before_it_published_is_published(bench, foreseen):
    """It is the complete run that is gone on with."""
    with pytest.raises(OutputBroken, match=r"out\.jsonl"):
        bench.run(same, files=Dies("rename", "out.jsonl"))
    summary = bench.run(same)
    assert foreseen[1].unfinished.checkpoint.state == "complete"
    assert summary.resumed_from == foreseen[1].unfinished.checkpoint.index == 10


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_run_that_died_while_it_cleared_up_is_cleared_up(bench, foreseen, is_edited):
    """Where its output stands, nothing else is left to do; where somebody has changed that, a run begins."""
    bench.run(same, files=Dies("remove", "ck"))
    if is_edited:
        (bench.root / "out.jsonl").write_text("another\n")
    bench.run(same)
    unfinished = foreseen[1].unfinished
    assert foreseen[1].refusal is None
    assert (unfinished is None) == is_edited
    assert unfinished is None or unfinished.checkpoint.state == "published"
    assert bench.lines("out.jsonl") == list(range(10))


@pytest.mark.parametrize("if_exists", ["replace", "skip", "fail"])
def test_a_complete_run_whose_input_cannot_be_read_again_is_published_first(bench, foreseen, if_exists):
    """Then this run begins, is skipped or refused, for the output stands there by then."""
    (bench.root / "in.txt").write_text("a\nb\n")
    keys = {
        "input": {"type": "text", "path": "-"},
        "output": {"type": "jsonl", "path": "out.jsonl", "if_exists": if_exists},
    }
    files = Dies("rename", "out.jsonl")
    with standard_input(bench.root / "in.txt"), pytest.raises(OutputBroken, match=r"out\.jsonl"):
        bench.run(same, files=files, **keys)
    (bench.root / "in.txt").write_text("c\n")
    with standard_input(bench.root / "in.txt"):
        if if_exists == "fail":
            with pytest.raises(Refused, match="exists and"):
                bench.run(same, **keys)
        else:
            bench.run(same, **keys)
    found = foreseen[1]
    assert found.unfinished is None
    assert found.is_skipped == (if_exists == "skip")
    assert (found.refusal is not None) == (if_exists == "fail")
    assert any("is published first" in said for said in bench.said)
    assert bench.lines("out.jsonl") == (["c"] if if_exists == "replace" else ["a", "b"])


def test_resume_insists_before_an_output_is_looked_at(bench, foreseen):
    """With nothing to resume, `if_exists: skip` is no way out."""
    (bench.root / "out.jsonl").write_text("old\n")
    bench.flags["must_resume"] = True
    with pytest.raises(Refused, match="no unfinished run") as refused:
        bench.run(same, output={"type": "jsonl", "path": "out.jsonl", "if_exists": "skip"})
    assert str(foreseen[0].refusal) == str(refused.value)


def test_restart_throws_a_complete_run_away(bench, foreseen):
    """It is not finished first."""
    with pytest.raises(OutputBroken, match=r"out\.jsonl"):
        bench.run(same, files=Dies("rename", "out.jsonl"))
    bench.flags["must_restart"] = True
    summary = bench.run(same)
    assert foreseen[1].unfinished is None
    assert summary.resumed_from is None
