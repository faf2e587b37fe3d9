"""The log of a run: its lines, its limits, and what happens when it cannot be written."""

from __future__ import annotations

import os
from datetime import datetime


def test_each_line_has_the_common_keys(project):
    """Event, level, time, run and job stand in every line; the last line is the summary."""
    project.job(task="tasks.odd_ones_fail", failures={"tolerate": "all"})
    done = project.run("--json")
    events = project.logged()
    assert [event["event"] for event in events] == ["run.started"] + 3 * ["item.failed"] + ["run.finished"]
    assert {(event["run_id"], event["job"]) for event in events} == {(done.report["run_id"], "example")}
    for event in events:
        assert event["level"] in ("info", "error")
        assert datetime.fromisoformat(event["timestamp"]).tzinfo is not None
    failed = events[1]
    assert failed["index"] == 1
    assert failed["error"] == {"stage": "task", "type": "ValueError", "message": "odd: 1"}
    assert "tasks.py" in failed["traceback"]
    assert "/runner/" not in failed["traceback"]
    assert (events[-1]["failed"], events[-1]["rows"], events[-1]["exit_code"]) == (3, 3, 0)


def test_failures_of_a_kind_are_logged_one_by_one_only_at_first(project):
    """Two thousand failures of one kind are twenty lines and one a second; another kind is told at once."""
    project.write("many.py", "def it(n):\n    raise KeyError('late') if n == 1999 else ValueError(n)\n")
    project.job(task="many.it", input={"type": "range", "stop": 2000}, failures={"tolerate": "all"})
    assert project.run().code == 0
    failures = [event for event in project.logged() if event["event"] == "item.failed"]
    kinds = [event["error"]["type"] for event in failures]
    assert kinds.count("KeyError") == 1
    assert 20 <= kinds.count("ValueError") < 60
    assert [event["index"] for event in failures[:20]] == list(range(20))


def test_a_log_file_is_written_where_it_is_asked_for(project):
    """`--log-file` takes the place of the one in the state."""
    project.job()
    done = project.run("--log-file", "my.log")
    assert done.code == 0
    assert "my.log" in done.err
    assert [event["event"] for event in project.lines("my.log")] == ["run.started", "run.finished"]


def test_a_log_that_cannot_be_written_is_a_warning(project):
    """The run matters more than its log: exit 0, and one sentence."""
    project.job()
    done = project.run("--log-file", "tasks.py/my.log")
    assert done.code == 0
    assert "could not be written" in done.err
    assert "Traceback" not in done.err
    assert len(project.lines("out.jsonl")) == 6


def test_a_state_folder_that_cannot_be_made_is_a_warning(project):
    """A project that may only be read still runs when its output lies elsewhere."""
    project.job(output={"type": "jsonl", "path": "out/out.jsonl"})
    (project.root / "out").mkdir()
    project.root.chmod(0o555)
    try:
        done = project.run(is_bound=True)
    finally:
        project.root.chmod(0o755)
    assert done.code == 0, done.err
    assert "could not be written" in done.err


def test_a_full_disk_under_the_log_is_a_warning(project):
    """`/dev/full` takes nothing: the run ends 0 and says so."""
    if not os.path.exists("/dev/full"):
        return
    project.job()
    done = project.run("--log-file", "/dev/full")
    assert done.code == 0
    assert "No space left" in done.err


def test_the_logs_of_fifty_runs_are_kept(project):
    """The oldest go first, and only folders of runs."""
    for n in range(60):
        project.write(f".runner/runs/20200101T0000{n:02d}Z-abcdef/log.jsonl", "{}\n")
    project.job()
    assert project.run().code == 0
    names = sorted(path.name for path in (project.root / ".runner/runs").iterdir())
    assert len(names) == 50
    assert names[0].startswith("20200101T000011Z")
    assert not names[-1].startswith("2020")


def test_the_operator_sets_the_level(project):
    """With level `error` only failures and failed ends are written."""
    project.write("config.yaml", "log: {level: error}\n")
    project.job(task="tasks.odd_ones_fail", failures={"tolerate": "all"})
    assert project.run().code == 0
    assert {event["event"] for event in project.logged()} == {"item.failed"}
