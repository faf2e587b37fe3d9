"""Signals, kills and two runs at once: what is said, how soon, and what stands on disk afterwards."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess

import pytest

SOON = 2.0
"""Law 11 says half a second; the rest is for a machine that is busy with other tests."""


def begin(project, task: str | dict, **keys) -> None:
    """Write a job whose output exists already."""
    project.write("out.jsonl", "old\n")
    project.job(**{"task": task, "input": {"type": "range", "stop": 50}, "pool": {"size": 2}, **keys})


def assert_nothing_published(project, done) -> None:
    """The old output stands, there is no traceback, and it is said how to go on."""
    assert project.read("out.jsonl") == "old\n"
    assert not project.has("out.failed.jsonl")
    assert "Traceback" not in done.err
    assert "runner run job.yaml" in done.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_finishes_what_runs_and_publishes_nothing(project, number, code):
    """Running items end, queued ones are not started, the old output stands, the code is the signal's."""
    begin(project, "tasks.wait")
    with project.kept_waiting("--json", items=("0", "1")) as running:
        running.signal(number)
        running.until_says(number.name)
        project.let_go()
        done = running.end()
    assert done.code == code
    assert (done.report["status"], done.report["exit_code"]) == ("interrupted", code)
    assert done.report["items"] == 2
    assert len(list(project.root.glob("started.*"))) == 2
    assert_nothing_published(project, done)


@pytest.mark.parametrize(
    "call",
    ["time.sleep(60)", "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 500_000_000)", "while True: pass"],
    ids=["sleep", "C", "python"],
)
def test_two_signals_leave_tasks_that_do_not_end(project, call):
    """The first is answered while every task sits in a call, the second ends the process at once."""
    body = f"def it(n):\n    (HERE / f'started.{{n}}').touch()\n    {call}\n"
    project.write(
        "stuck.py", "import hashlib, time\nfrom pathlib import Path\nHERE = Path(__file__).parent\n" + body
    )
    begin(project, "stuck.it")
    with project.kept_waiting("--json", items=("0", "1")) as running:
        running.signal(signal.SIGINT)
        assert running.until_says("SIGINT") < SOON
        running.signal(signal.SIGINT)
        done = running.end(within=5)
    assert done.code == 130
    assert done.report["status"] == "interrupted"
    assert_nothing_published(project, done)


def test_a_signal_ends_a_run_whose_input_is_silent(project):
    """A reader that waits for standard input does not keep the process."""
    begin(project, "tasks.same")
    project.job(input={"type": "jsonl", "path": "-"}, pool={"size": 2})
    reader, writer = os.pipe()
    try:
        with project.start(stdin=reader) as running:
            running.until_says("standard input")
            running.signal(signal.SIGINT)
            done = running.end(within=5)
    finally:
        os.close(reader)
        os.close(writer)
    assert done.code == 130
    assert_nothing_published(project, done)


def test_a_run_that_ends_all_its_items_despite_the_signal_is_done(project):
    """When nothing was left to draw, the run is complete: exit 0 and a published output."""
    project.write("out.jsonl", "old\n")
    project.job(task="tasks.wait", input={"type": "range", "stop": 2}, pool={"size": 2})
    with project.kept_waiting(items=("0", "1")) as running:
        running.signal(signal.SIGTERM)
        running.until_says("SIGTERM")
        project.let_go()
        done = running.end()
    assert done.code == 0, done.err
    assert project.lines("out.jsonl") == [0, 1]


def test_a_run_that_was_killed_before_it_had_done_anything_is_run_afresh(project):
    """After a kill the final path is untouched; the next run needs no word to begin anew."""
    begin(project, "tasks.wait")
    with project.kept_waiting() as running:
        running.process.kill()
        assert running.end().code == -signal.SIGKILL
    assert project.read("out.jsonl") == "old\n"
    assert project.has(".out.jsonl.lock"), "a killed run cannot tidy up; what it leaves must not matter"
    project.let_go()
    done = project.run("--json")
    assert done.code == 0
    assert done.report["resumed_from"] is None
    assert project.lines("out.jsonl") == list(range(50))
    assert sorted(path.name for path in project.root.glob(".out*")) == []


def waits_at_ten(project, **keys) -> None:
    """Write a job whose items before the tenth are committed, and whose tenth waits."""
    project.write(
        "tenth.py",
        "import time\nfrom pathlib import Path\nHERE = Path(__file__).parent\n"
        "def it(n):\n"
        "    (HERE / f'started.{n}').touch()\n"
        "    while n == 10 and not (HERE / 'go').exists():\n"
        "        time.sleep(0.005)\n"
        "    return n\n",
    )
    begin(project, "tenth.it", commit={"every": "10ms"}, **{"pool": {"size": 1}, **keys})


def is_committed(project) -> bool:
    """Return whether ten items stand in the checkpoint."""
    return project.has(".out.jsonl.run/ck") and '"items":10,' in project.read(".out.jsonl.run/ck")


def kill_at_ten(project) -> None:
    """Run the job until ten items are committed, and kill it."""
    with project.kept_waiting(items=("10",)) as running:
        running.until(lambda: is_committed(project))
        running.process.kill()
        running.end()
    for path in project.root.glob("started.*"):
        path.unlink()
    project.let_go()


def test_a_killed_run_is_gone_on_with_by_the_same_command(project):
    """It says so, does nothing twice that was committed, and the bytes are those of a run without a kill."""
    waits_at_ten(project)
    kill_at_ten(project)
    assert project.read("out.jsonl") == "old\n"
    done = project.run("--json")
    assert done.code == 0, done.err
    assert "unfinished run" in done.err
    assert (done.report["resumed_from"], done.report["items"]) == (10, 50)
    assert not project.has("started.9")
    assert project.read("out.jsonl") == "".join(f"{n}\n" for n in range(50))
    assert sorted(path.name for path in project.root.glob(".out*")) == []


@pytest.mark.parametrize(
    ("keys", "phrase"),
    [
        ({"input": {"type": "range", "stop": 51}}, "input.stop"),
        ({"unfinished": "refuse"}, "refuse"),
    ],
    ids=["changed", "refuse"],
)
def test_a_run_that_is_refused_keeps_what_was_committed(project, keys, phrase):
    """Exit 3 names what stands in the way; undoing it goes on where the killed run was."""
    waits_at_ten(project)
    kill_at_ten(project)
    good = project.read("job.yaml")
    project.write("job.yaml", json.dumps({**json.loads(good), **keys}))
    refused = project.run()
    assert refused.code == 3
    assert phrase in refused.err
    assert is_committed(project)
    project.write("job.yaml", good)
    assert project.run("--json").report["resumed_from"] == 10


def test_a_run_that_is_interrupted_says_how_to_go_on_and_does(project):
    """Ctrl-C is no other end than a kill, only a polite one."""
    waits_at_ten(project)
    with project.kept_waiting(items=("10",)) as running:
        running.signal(signal.SIGINT)
        running.until_says("SIGINT")
        project.let_go()
        stopped = running.end()
    assert stopped.code == 130
    assert "goes on" in stopped.err
    assert_nothing_published(project, stopped)
    done = project.run("--json", "--resume")
    assert (done.code, done.report["resumed_from"]) == (0, 11)
    assert project.lines("out.jsonl") == list(range(50))


def test_the_command_that_goes_on_is_the_one_that_was_typed(project):
    """With its parameters, overrides, limit and date: without them it would be refused, or do more."""
    project.write("breaks.py", "def it(n, by=1):\n    return 1 // (n - by)\n")
    begin(project, {"call": "breaks.it", "with": {"by": "${params.by}"}}, params={"by": {"type": "int"}})
    (project.root / "out.jsonl").unlink()  # --limit never replaces an output
    flags = ("-p", "by=3", "-j", "1", "--limit", "9", "--date", "2026-01-02", "--set", "commit.every=1ms")
    stopped = project.run(*flags)
    assert stopped.code == 1
    line = next(line for line in stopped.err.splitlines() if line.startswith("  next"))
    command = shlex.split(line.partition(": runner run ")[2])
    project.write("breaks.py", "def it(n, by=1):\n    return n\n")
    done = project.run(*command[1:], "--json", "--accept", "code", job=command[0])
    assert (done.code, done.report["items"], done.report["resumed_from"]) == (0, 9, 3), done.err


def test_a_second_run_on_the_same_output_names_the_first(project):
    """Exit 75 with the process that holds the output, and the first run is not disturbed."""
    begin(project, "tasks.wait")
    with project.kept_waiting() as running:
        second = project.run("--json")
        project.let_go()
        first = running.end()
    assert second.code == 75
    assert second.report["status"] == "locked"
    assert re.search(rf"\b{running.process.pid}\b", second.err)
    assert "Traceback" not in second.err
    assert first.code == 0
    assert project.lines("out.jsonl") == list(range(50))


def test_two_jobs_that_share_a_dead_letter_path_do_not_take_each_others_work(project):
    """A second run elsewhere must not clear what a first one has staged: both end well or one is refused."""
    shared = {"dead_letter": "dead/shared.jsonl", "tolerate": "all"}
    project.job(task="tasks.wait", input={"type": "range", "stop": 1}, failures=shared)
    project.job("other.yaml", output={"type": "jsonl", "path": "other.jsonl"}, failures=shared)
    with project.kept_waiting() as running:
        second = project.run(job="other.yaml")
        project.let_go()
        first = running.end()
    assert first.code == 0, first.err
    assert second.code in (0, 75), second.err


def test_a_lock_file_that_nobody_holds_does_not_block(project):
    """A lock file with the number of a living process in it locks nothing."""
    project.write(".out.jsonl.lock", f'{{"pid": {os.getpid()}, "host": "here", "run_id": "x"}}')
    project.job()
    assert project.run().code == 0
    assert not project.has(".out.jsonl.lock")


def test_a_reader_that_leaves_early_ends_the_run(project):
    """`| head -1` is exit 4 without a traceback, and does not hang."""
    project.job(output={"type": "jsonl", "path": "-"}, input={"type": "range", "stop": 10_000_000})
    with project.start() as running:
        assert running.process.stdout is not None
        assert running.process.stdout.readline() == b"0\n"
        running.process.stdout.close()
        running.process.stdout = None
        done = running.end()
    assert done.code == 4
    assert "standard output" in done.err
    assert "Traceback" not in done.err


def test_a_reader_of_standard_error_that_leaves_changes_nothing(project):
    """Messages that nobody reads are dropped; the exit code tells the truth."""
    project.job()
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [os.sys.executable, "-m", "runner", "run", "job.yaml"],
        cwd=project.root,
        env=project.environ,
        stderr=writer,
        timeout=30,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0
    assert len(project.lines("out.jsonl")) == 6


@pytest.mark.parametrize("descriptors", [(2,), (1,), (0, 1, 2)], ids=["stderr", "stdout", "all"])
def test_closed_standard_streams_change_nothing(project, descriptors):
    """`2>&-` and `>&-` are how some schedulers start programs: the run goes on and ends 0."""
    project.job()
    done = project.run(close=descriptors)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert len(project.lines("out.jsonl")) == 6
    assert [event["event"] for event in project.logged()] == ["run.started", "run.finished"]


def test_rows_for_a_closed_standard_output_go_nowhere_else(project):
    """With `>&-` and an output on `-` the run ends 4; no row lands in a file that took the number 1."""
    project.job(output={"type": "jsonl", "path": "-"})
    done = project.run(close=(1,))
    assert done.code == 4
    assert "Traceback" not in done.err
    assert all("event" in event for event in project.logged() if isinstance(event, dict))
    assert not [event for event in project.logged() if isinstance(event, int)]
