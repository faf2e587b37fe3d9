"""`run --json`: one object with the documented keys, whatever the end was."""

from __future__ import annotations

import pytest

KEYS = [
    "run_id",
    "job",
    "root",
    "status",
    "exit_code",
    "items",
    "succeeded",
    "failed",
    "rows",
    "retries",
    "timeouts",
    "throttled_seconds",
    "abandoned_threads",
    "resumed_from",
    "duration_seconds",
    "output",
    "dead_letter",
    "message",
]


def check(done, status: str, code: int) -> None:
    """The object has exactly its keys, and says what the exit code says."""
    assert list(done.report) == KEYS
    assert (done.report["status"], done.report["exit_code"], done.code) == (status, code, code)
    assert (done.report["message"] == "") is (status == "completed")
    assert done.report["items"] == done.report["succeeded"] + done.report["failed"]
    assert "Traceback" not in done.err


def test_completed(project):
    """Counts, paths and the duration of a good run."""
    project.job(task="tasks.odd_ones_fail", failures={"tolerate": 3})
    done = project.run("--json")
    check(done, "completed", 0)
    report = done.report
    assert (report["items"], report["succeeded"], report["failed"], report["rows"]) == (6, 3, 3, 3)
    assert (report["output"], report["dead_letter"]) == ("out.jsonl", "out.failed.jsonl")
    assert report["root"] == str(project.root)
    assert (report["job"], report["resumed_from"], report["retries"]) == ("example", None, 0)
    assert 0 < report["duration_seconds"] < 30


def test_failed(project):
    """More failures than tolerated."""
    project.job(task="tasks.broken")
    check(project.run("--json"), "failed", 1)


def test_skipped(project):
    """`if_exists: skip` met a file."""
    project.write("out.jsonl", "old\n")
    project.job(output={"type": "jsonl", "path": "out.jsonl", "if_exists": "skip"})
    check(project.run("--json"), "skipped", 0)


def test_refused(project):
    """`if_exists: fail` met a file."""
    project.write("out.jsonl", "old\n")
    project.job(output={"type": "jsonl", "path": "out.jsonl", "if_exists": "fail"})
    check(project.run("--json"), "refused", 3)


def test_broken(project):
    """The input is missing."""
    project.job(input={"type": "jsonl", "path": "data.jsonl"})
    check(project.run("--json"), "broken", 4)


def test_invalid_for_a_fault_of_the_job_file(project):
    """An unknown key."""
    project.job(colour="red")
    check(project.run("--json"), "invalid", 78)


def test_invalid_for_a_fault_of_the_task(project):
    """A function that is not there."""
    project.job(task="tasks.absent")
    check(project.run("--json"), "invalid", 78)


def test_invalid_for_a_job_file_that_is_not_there(project):
    """Wrong usage is exit 2, and still one object."""
    project.job("hubs.yaml")
    done = project.run("--json", job="hub.yaml")
    check(done, "invalid", 2)
    assert "did you mean hubs.yaml?" in done.err


def test_a_name_that_is_no_text_is_no_bug_of_ours(project):
    """A job file whose name is not UTF-8 is reported like any other that is not there."""
    check(project.runner("run", b"\xff.yaml", "--json"), "invalid", 2)


@pytest.mark.parametrize("flags", [(), ("--set", "output.path=-")])
def test_an_output_on_standard_output_excludes_it(project, flags):
    """Rows and the report would mix: exit 2, and nothing runs."""
    project.job(output={"type": "jsonl", "path": "out.jsonl" if flags else "-"})
    done = project.run("--json", *flags)
    assert done.code == 2
    assert "--json" in done.err
    assert not project.has("out.jsonl")
    assert '"n"' not in done.out
