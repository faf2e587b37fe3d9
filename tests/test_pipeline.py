"""The flow in one process: commit order, the budget, what is published, and how each end is told."""

from __future__ import annotations

import dataclasses
import fcntl
import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.clock import SystemClock
from runner.config import load_config
from runner.engine.stop import Stop
from runner.errors import InputBroken, JobInvalid, Locked, OutputBroken, Refused
from runner.files import Files
from runner.item import Current
from runner.jobfile import load_job
from runner.observers.log import RunLog
from runner.observers.progress import Progress
from runner.outcome import ExitCode, RunSummary
from runner.pipeline import run_job
from runner.run import Run
from runner.task import Task


class Bench:
    """A folder with a job file, and runs of it with any function as its task."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said: list[str] = []

    def run(
        self,
        function: Callable[..., object],
        *,
        stop: Stop | None = None,
        limit: int | None = None,
        files: Files | None = None,
        **keys: Any,
    ) -> RunSummary:
        """Run the job; return its summary."""
        job = {
            "version": 1,
            "name": "example",
            "input": {"type": "range", "stop": 10},
            "task": "tasks.it",
            "output": {"type": "jsonl", "path": "out.jsonl"},
            "pool": {"size": 4},
            **keys,
        }
        (self.root / "job.yaml").write_text(json.dumps(job, indent=1))
        clock = SystemClock()
        loaded = load_job(self.root / "job.yaml", environ={}, now=clock.now())
        assert loaded.job is not None, loaded.problems
        self.summary = RunSummary(run_id="r", job="example")
        log = RunLog(self.root / "log.jsonl", run_id="r", job="example")
        progress = Progress(self.summary, write=self.said.append, start=clock.monotonic())
        parts = {
            "loaded": loaded,
            "task": Task("tasks.it", function, {}),
            "factory": None,
            "config": load_config(self.root, operator=None, environ={}),
            "summary": self.summary,
            "stop": stop or Stop(),
            "log": log,
            "current": Current(),
            "progress": progress,
            "clock": clock,
            "files": files or Files(),
            "date": "2026-01-31",
            "limit": limit,
            "say": self.said.append,
        }
        self.progress = progress
        names = [field.name for field in dataclasses.fields(Run) if field.name in parts]
        try:
            run_job(Run(**{name: parts[name] for name in names}))
        finally:
            log.close()
        return self.summary

    def lines(self, name: str) -> list[Any]:
        """Return the values in a file of JSON lines."""
        return [json.loads(line) for line in (self.root / name).read_text().splitlines()]

    def standing(self) -> list[str]:
        """Return what a run has left, but for what every run leaves."""
        return sorted({path.name for path in self.root.iterdir()} - {"job.yaml", "log.jsonl", ".runner"})


@pytest.fixture
def bench(tmp_path) -> Bench:
    """Give a bench."""
    return Bench(tmp_path)


def same(item: object) -> object:
    """Return the item."""
    return item


def fails_at(*which: int) -> Callable[[int], int]:
    """Return a task that fails for these items."""

    def task(item: int) -> int:
        if item in which:
            raise ValueError(f"no {item}")
        return item

    return task


def test_a_good_run_is_told_completely(bench):
    """Status, code, counts, and files at their final places."""
    summary = bench.run(same)
    assert (summary.status, summary.exit_code, summary.is_published) == ("completed", ExitCode.DONE, True)
    assert (summary.items, summary.succeeded, summary.failed, summary.rows) == (10, 10, 0, 10)
    assert (summary.output, summary.dead_letter) == ("out.jsonl", "out.failed.jsonl")
    assert bench.standing() == ["out.failed.jsonl", "out.jsonl"]


def test_what_is_done_and_waits_for_its_turn_is_counted_for_the_progress(bench):
    """The first item takes until all others are done, which it holds up."""
    counted = []

    def task(item: int) -> int:
        until = time.monotonic() + 20
        while item == 0 and bench.progress.count_held() < 9 and time.monotonic() < until:
            time.sleep(0.002)
        counted.append(bench.progress.count_held())
        return item

    assert bench.run(task).items == 10
    assert max(counted) == 9
    assert bench.progress.count_held() == 0


def test_failures_are_judged_in_the_order_of_the_input(bench):
    """The verdict counts what comes before the breaking failure, whatever was faster."""
    summary = bench.run(fails_at(2, 5, 8), failures={"tolerate": 1})
    assert (summary.status, summary.exit_code) == ("failed", ExitCode.FAILED)
    assert (summary.items, summary.failed) == (6, 2)
    assert summary.groups["task", "ValueError"].count == 2
    assert summary.groups["task", "ValueError"].example.index == 2
    assert "1" in summary.message


def test_the_failure_that_breaks_the_budget_is_not_written(bench):
    """The staged files end before it: output, and the dead letter of the failure that was tolerated."""
    summary = bench.run(fails_at(2, 5), failures={"tolerate": 1})
    assert summary.dead_letter == ".out.jsonl.run/dead"
    assert [line["index"] for line in bench.lines(summary.dead_letter)] == [2]
    assert bench.lines(".out.jsonl.run/out") == [0, 1, 3, 4]
    assert bench.standing() == [".out.jsonl.run"]


@pytest.mark.parametrize(
    ("tolerate", "code"),
    [("20%", ExitCode.DONE), ("19.9%", ExitCode.FAILED), ({"count": 5, "percent": 10}, ExitCode.FAILED)],
    ids=str,
)
def test_a_percentage_of_a_known_total_is_exact(bench, tolerate, code):
    """Two of ten are twenty percent and not less."""
    assert bench.run(fails_at(3, 7), failures={"tolerate": tolerate}).exit_code is code


def test_a_percentage_of_an_unknown_total_is_judged_at_the_end(bench):
    """A bad start is no verdict when the run gets better."""
    (bench.root / "data.jsonl").write_text("".join(f"{n}\n" for n in range(10)))
    keys = {"input": {"type": "jsonl", "path": "data.jsonl"}}
    assert bench.run(fails_at(0, 1), failures={"tolerate": "20%"}, **keys).exit_code is ExitCode.DONE
    late = bench.run(fails_at(0, 1), failures={"tolerate": "10%"}, **keys)
    assert (late.exit_code, late.items) == (ExitCode.FAILED, 10)
    assert late.message


def test_the_offset_of_a_dead_letter_is_where_its_row_would_stand(bench):
    """Rows inserted at these offsets, last first, give the output of a run without failures."""
    bench.run(fails_at(0, 4, 5, 9), failures={"tolerate": "all"})
    data = (bench.root / "out.jsonl").read_bytes()
    for line in reversed(bench.lines("out.failed.jsonl")):
        at = line["output_offset"]
        data = data[:at] + f"{line['item']}\n".encode() + data[at:]
    assert data.decode().split() == [str(n) for n in range(10)]


def test_a_row_that_does_not_fit_the_columns_is_the_failure_of_its_item(bench):
    """The columns of a CSV are those of the first row in output order; who does not fit fails alone."""
    summary = bench.run(
        lambda n: {"a": n, "b": n} if n != 4 else {"a": n, "c": n},
        output={"type": "csv", "path": "out.csv"},
        failures={"tolerate": 1},
    )
    assert summary.exit_code is ExitCode.DONE
    assert (summary.items, summary.failed, summary.rows) == (10, 1, 9)
    (failed,) = bench.lines("out.csv.failed.jsonl")
    assert (failed["index"], failed["error"]["stage"]) == (4, "encode")
    assert "c" in failed["error"]["message"]


def test_rows_that_never_came_leave_a_csv_with_its_declared_header(bench):
    """What comes before and after the rows is written also when there are none."""
    keys = {"output": {"type": "csv", "path": "out.csv", "columns": ["a", "b"]}}
    bench.run(same, input={"type": "items", "items": []}, **keys)
    assert (bench.root / "out.csv").read_text().strip() == "a,b"


def test_limit_bounds_the_total_and_draws_no_more(bench):
    """Progress and percentage count the limited items."""
    summary = bench.run(same, limit=3, input={"type": "range", "stop": 10**9})
    assert (summary.items, bench.progress.total) == (3, 3)
    assert bench.lines("out.jsonl") == [0, 1, 2]


def test_a_limit_of_nothing_runs_nothing(bench):
    """Zero items is a number of items."""
    assert bench.run(same, limit=0).items == 0


def stopping(stop: Stop, reason: str) -> Callable[[int], int]:
    """Return a task that asks for a stop at its third item."""

    def task(item: int) -> int:
        if item == 2:
            stop.request(reason, grace=10.0)
        return item

    return task


@pytest.mark.parametrize(
    ("reason", "code"), [("SIGINT", ExitCode.INTERRUPTED), ("SIGTERM", ExitCode.TERMINATED)]
)
def test_a_stopped_run_publishes_nothing_and_says_by_what(bench, reason, code):
    """Its code is that of the signal, and what ran is counted."""
    stop = Stop()
    (bench.root / "out.jsonl").write_text("old\n")
    endless = {"type": "range", "stop": 10**9}
    summary = bench.run(stopping(stop, reason), stop=stop, input=endless, pool={"size": 1})
    assert (summary.status, summary.exit_code, summary.is_published) == ("interrupted", code, False)
    assert 3 <= summary.items < 10**6
    assert reason in summary.message
    assert (bench.root / "out.jsonl").read_text() == "old\n"


class StopsWhileWriting(Files):
    """A slow disk: at its first write, all that may be drawn has been run; then a signal comes."""

    def __init__(self, stop: Stop, calls: list[int], window: int) -> None:
        super().__init__()
        self.stop, self.calls, self.window = stop, calls, window

    def append(self, fd: int, data: bytes) -> None:
        """Wait for the pool to run dry, ask for a stop, then append."""
        if data[:1].isdigit():  # rows, not the run's own records
            deadline = time.monotonic() + 10
            while len(self.calls) < self.window and time.monotonic() < deadline:
                time.sleep(0.001)
            self.stop.request("SIGTERM", grace=10.0)
        super().append(fd, data)


@pytest.mark.parametrize("chunksize", [1, 2])
def test_a_stop_while_every_drawn_item_is_done_is_an_interruption_all_the_same(bench, chunksize):
    """That nothing is left to run does not mean that nothing was left to read: no truncated output."""
    stop, calls = Stop(), []
    (bench.root / "out.jsonl").write_text("old\n")
    summary = bench.run(
        lambda item: calls.append(item) or item,
        stop=stop,
        files=StopsWhileWriting(stop, calls, 8),
        input={"type": "range", "stop": 10**6},
        pool={"size": 2, "window": 8, "chunksize": chunksize},
    )
    assert (summary.status, summary.exit_code) == ("interrupted", ExitCode.TERMINATED)
    assert (bench.root / "out.jsonl").read_text() == "old\n"


def test_a_stop_that_comes_before_the_first_item_runs_nothing(bench):
    """A signal during the start is not lost."""
    stop = Stop()
    stop.request("SIGINT", grace=10.0)
    summary = bench.run(same, stop=stop, input={"type": "range", "stop": 10**9})
    assert summary.exit_code is ExitCode.INTERRUPTED
    assert summary.items < 10_000


def test_a_stop_during_the_last_item_is_no_interruption(bench):
    """Everything is done, so the run is."""
    stop = Stop()
    summary = bench.run(
        stopping(stop, "SIGINT"), stop=stop, input={"type": "range", "stop": 3}, pool={"size": 1}
    )
    assert (summary.exit_code, summary.is_published) == (ExitCode.DONE, True)


def test_an_input_that_breaks_midway_is_raised_after_its_items(bench):
    """What was drawn before is delivered, nothing is published, and the lock is free."""
    (bench.root / "data.jsonl.gz").write_bytes(gzip.compress(b"1\n2\n" * 1000)[:-10])
    with pytest.raises(InputBroken, match=r"data\.jsonl\.gz"):
        bench.run(same, input={"type": "jsonl", "path": "data.jsonl.gz"})
    assert bench.summary.items > 0
    assert not (bench.root / ".out.jsonl.lock").exists()
    assert not (bench.root / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("keys", "error", "match"),
    [
        ({"output": {"type": "jsonl", "path": "folder"}}, JobInvalid, "fault"),
        ({"failures": {"dead_letter": "link.jsonl"}}, JobInvalid, "fault"),
        ({"failures": {"dead_letter": "folder"}}, JobInvalid, "fault"),
        ({"input": {"type": "jsonl", "path": "absent"}}, InputBroken, "does not exist"),
        ({"output": {"type": "jsonl", "path": "old.jsonl", "if_exists": "fail"}}, Refused, "exists"),
        ({"output": {"type": "jsonl", "path": "locked.jsonl"}}, Locked, "another run"),
        ({"output": {"type": "jsonl", "path": "old.jsonl/out.jsonl"}}, OutputBroken, "could not"),
    ],
    ids=["output", "same", "dead-letter", "input", "exists", "locked", "below-a-file"],
)
def test_what_can_be_known_before_is_raised_before_the_first_item(bench, keys, error, match):
    """No task is called, nothing that stands is touched."""
    (bench.root / "folder").mkdir()
    (bench.root / "link.jsonl").symlink_to("out.jsonl")  # the same name would be a fault of the file
    (bench.root / "old.jsonl").write_text("old\n")
    with (bench.root / ".locked.jsonl.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = bench.standing()
        with pytest.raises(error, match=match):
            bench.run(lambda item: pytest.fail("a task was called"), **keys)
    assert bench.standing() == before
    assert (bench.root / "old.jsonl").read_text() == "old\n"


def test_skip_leaves_everything_alone(bench):
    """An output that is there is enough: no work folder, no lock, no dead letters."""
    (bench.root / "out.jsonl").write_text("old\n")
    summary = bench.run(same, output={"type": "jsonl", "path": "out.jsonl", "if_exists": "skip"})
    assert (summary.status, summary.exit_code, summary.items) == ("skipped", ExitCode.DONE, 0)
    assert bench.standing() == ["out.jsonl"]


@pytest.mark.parametrize(
    ("output", "dead_letter"),
    [
        ("out/hubs.jsonl", "out/hubs.failed.jsonl"),
        ("hubs.v2.csv", "hubs.v2.csv.failed.jsonl"),
        ("hubs.jsonl.gz", "hubs.jsonl.gz.failed.jsonl"),
        ("hubs", "hubs.failed.jsonl"),
        (".hubs", ".hubs.failed.jsonl"),
    ],
)
def test_dead_letters_stand_beside_the_output_by_default(bench, output, dead_letter):
    """Under a name that no other output beside this one has for its own."""
    summary = bench.run(same, output={"type": "jsonl", "path": output})
    assert summary.dead_letter == dead_letter
    assert (bench.root / dead_letter).is_file()


class FullDisk(Files):
    """A disk that is full from the first row on, or from the first commit of some items on."""

    def __init__(self, *, after_commits: int) -> None:
        super().__init__()
        self.after_commits = after_commits
        self.commits = -1  # the first checkpoint is that of nothing

    def append(self, fd: int, data: bytes) -> None:
        """Append while there is room."""
        if self.commits >= self.after_commits:
            raise OSError(28, os.strerror(28))
        super().append(fd, data)

    def rename(self, source: Path, target: Path) -> None:
        """Rename, and count the commits."""
        super().rename(source, target)
        self.commits += target.name == "ck"


def test_a_full_disk_ends_the_run_and_says_how_to_go_on(bench):
    """The old output stands, the workers have ended, the lock is free."""
    (bench.root / "out.jsonl").write_text("old\n")
    with pytest.raises(OutputBroken, match=r"No space left.*free some space"):
        bench.run(same, files=FullDisk(after_commits=0), input={"type": "range", "stop": 10**9})
    assert (bench.root / "out.jsonl").read_text() == "old\n"
    assert not (bench.root / ".out.jsonl.lock").exists()


def test_what_was_committed_before_the_disk_was_full_is_kept(bench):
    """The last commit fails, too; the one before it is still a place to go on from."""
    keys = {"input": {"type": "range", "stop": 10**9}, "commit": {"every": "10ms"}}
    with pytest.raises(OutputBroken, match="No space left"):
        bench.run(same, files=FullDisk(after_commits=1), **keys)
    stop = Stop()
    stop.request("SIGINT", grace=10.0)
    summary = bench.run(same, stop=stop, **keys)
    assert summary.resumed_from is not None
    assert summary.resumed_from > 0


def test_a_file_that_appears_while_the_run_works_is_not_replaced(bench):
    """`if_exists: fail` holds to the end, and the finished work is kept."""

    def task(item: int) -> int:
        (bench.root / "out.jsonl").write_text("theirs\n")
        return item

    with pytest.raises(Refused, match="has appeared"):
        bench.run(task, output={"type": "jsonl", "path": "out.jsonl", "if_exists": "fail"})
    assert (bench.root / "out.jsonl").read_text() == "theirs\n"
    assert bench.summary.is_published is False


def test_the_start_is_announced_in_one_line(bench):
    """Job, task, input, output and size; and that something stands there to be replaced."""
    (bench.root / "out.jsonl").write_text("old\n")
    bench.run(same)
    (line,) = [line for line in bench.said if line.startswith("example")]
    for word in ("tasks.it", "10 items", "out.jsonl", "replaced", "4 threads"):
        assert word in line


def test_a_task_gets_each_item_afresh(bench):
    """A task that changes its item changes neither the dead letter nor another item."""
    (bench.root / "data.jsonl").write_text('{"a": 1}\n')

    def task(item: dict) -> None:
        item["a"] = "changed"
        raise ValueError("no")

    bench.run(task, input={"type": "jsonl", "path": "data.jsonl"}, failures={"tolerate": 1})
    assert bench.lines("out.failed.jsonl")[0]["item"] == {"a": 1}


def test_a_row_is_what_it_was_when_the_task_returned_it(bench):
    """A task that goes on changing a row it has returned changes nothing in the output."""
    shared = SimpleNamespace(row=[])

    def task(item: int) -> list[int]:
        shared.row.append(item)
        return shared.row

    bench.run(task, pool={"size": 1})
    assert bench.lines("out.jsonl")[0] == [0]
