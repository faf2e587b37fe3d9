"""What the world and a task can do to a run, for real: full disks, forks, memory, clocks, signals."""

from __future__ import annotations

import ast
import json
import os
import signal
import time
from textwrap import dedent
from typing import Any

import pytest

from tests.durability.conftest import KILLED, REPOSITORY, Lab
from tests.durability.mounts import change_disk, small_disk

IS_LONG = "TORTURE" in os.environ


def _reference(lab: Lab, **keys: Any) -> tuple[Any, Any]:
    """Write the job, run it undisturbed, clear up; return what it published."""
    lab.job(**keys)
    return lab.undisturbed()


def _task(lab: Lab, name: str, body: str) -> None:
    """Add a task that does something at item 20, where the environment says so, and then its work."""
    code = f"""

def {name}(item):
    if item == 20 and "TROUBLE" in os.environ:
{dedent(body).strip()}
    return work(item)
"""
    lines = code.splitlines()
    first = next(number for number, line in enumerate(lines) if "TROUBLE" in line) + 1
    last = next(number for number, line in enumerate(lines) if line == "    return work(item)")
    lines[first:last] = [f"        {line}" for line in lines[first:last]]
    lab.write("tasks.py", (lab.root / "tasks.py").read_text() + "\n".join(lines) + "\n")


@pytest.mark.parametrize("where", ["out", "dead"])
def test_a_disk_that_is_full_ends_the_run_and_a_larger_one_lets_it_go_on(lab: Lab, where: str) -> None:
    """Exit code 4 with the path and the free bytes; nothing is shown, and what was committed is kept."""
    big = "x" * 400
    lab.write(
        "tasks.py",
        "import time\n\ndef work(item):\n    time.sleep(0.0005)\n"
        f"    if item % 2:\n        raise ValueError({big!r})\n"
        f"    return {{'n': item, 'x': {big!r}}}\n",
    )
    keys = {
        "input": {"type": "range", "stop": 1600},
        "commit": {"every": "5ms"},
        "failures": {"tolerate": "all", "dead_letter": "dead/letters.jsonl"},
    }
    reference = _reference(lab, **keys)
    with small_disk(lab.root / where, "160k"):
        ended = lab.run("--json")
        assert ended.code == 4, ended.err
        assert "No space left on device" in ended.report["message"]
        assert "bytes are free); free some space, then run the same command again" in ended.report["message"]
        assert str(lab.root / where) in ended.report["message"]
        assert lab.published() == (None, None)
        change_disk(lab.root / where, "size=8m")
        ended = lab.run("--json")
        assert ended.code == 0, ended.err
        assert ended.report["resumed_from"]
        assert lab.published() == reference
        assert not lab.leftovers()


def test_a_disk_that_is_read_only_stops_the_run_before_it_begins(lab: Lab) -> None:
    """Also for root, whom no permission bits stop."""
    calls = lab.root / "calls"
    lab.job()
    with small_disk(lab.root / "out", "1m"):
        change_disk(lab.root / "out", "ro")
        ended = lab.run(environ={"CALLS": str(calls)})
        assert ended.code == 4, ended.err
        assert "Read-only file system" in ended.err
        assert not calls.exists()


@pytest.mark.parametrize("how", ["dead letters", "link"])
def test_outputs_on_different_file_systems_are_staged_where_they_will_stand(lab: Lab, how: str) -> None:
    """No rename crosses from one to the other, after a kill either."""
    with small_disk(lab.root / "disk", "4m") as disk:
        assert disk.stat().st_dev != lab.root.stat().st_dev
        if how == "link":
            keys: dict[str, Any] = {}
            (lab.root / "out").symlink_to(disk)
        else:
            keys = {"failures": {"tolerate": "all", "dead_letter": "disk/letters.jsonl"}}
        reference = _reference(lab, **keys)
        calls = str(lab.root / "calls")
        environ = {"PAUSE": "0.01", "CALLS": calls}
        assert lab.run(kill_when=(calls, 30), environ=environ).code == KILLED
        assert lab.run().code == 0
        assert lab.published() == reference
        assert not lab.leftovers()


def test_a_work_folder_that_vanishes_ends_the_run(lab: Lab) -> None:
    """Exit code 4 with the path, nothing is shown, and the next run starts over."""
    _task(lab, "vanish", "os.rename('out/.rows.jsonl.run', 'elsewhere')")
    reference = _reference(lab, task="tasks.vanish", pool={"size": 1}, commit={"every": "1ms"})
    ended = lab.run("--json", environ={"TROUBLE": "1", "PAUSE": "0.003"})
    assert ended.code == 4, ended.err
    assert str(lab.work) in ended.report["message"]
    assert lab.published() == (None, None)
    assert lab.run().code == 0
    assert lab.published() == reference


TROUBLE = {
    "changes the folder": "os.chdir('/')",
    "closes standard streams": "os.close(1); os.close(2)",
    "starts a program": "import subprocess; subprocess.run(['sleep', '0.01'], check=True)",
    "forks": "pid = os.fork()\nif pid == 0:\n    os._exit(0)\nos.waitpid(pid, 0)",
    "leaves a thread": "import threading; threading.Thread(target=time.sleep, args=(30,)).start()",
    "changes the locale": "import locale; locale.setlocale(locale.LC_ALL, 'C')",
    "changes the umask": "os.umask(0o777)",
    "changes the environment": "os.environ.clear()",
    "replaces sys.stdout": "import sys; sys.stdout = sys.stderr = None",
    "sets the recursion limit": "import sys; sys.setrecursionlimit(120)",
    "collects": "import gc; gc.disable(); gc.collect()",
}


@pytest.mark.parametrize("what", TROUBLE)
def test_what_a_task_does_to_its_process_changes_no_byte(lab: Lab, what: str) -> None:
    """Paths are absolute, rows go through descriptors of ours, and the process ends all the same."""
    _task(lab, "trouble", TROUBLE[what])
    reference = _reference(lab, task="tasks.trouble")
    ended = lab.run(environ={"TROUBLE": "1"}, patience=20)
    assert ended.code == 0, ended.err
    assert lab.published() == reference
    assert (lab.output.stat().st_mode & 0o777) == 0o644
    assert not lab.leftovers()


def test_a_task_that_closes_every_descriptor_breaks_the_run_and_nothing_else(lab: Lab) -> None:
    """Exit code 4, nothing torn is shown, and without the trouble the same command goes on."""
    _task(lab, "close", "os.closerange(3, 200)")
    reference = _reference(lab, task="tasks.close", pool={"size": 1})
    ended = lab.run(environ={"TROUBLE": "1", "PAUSE": "0.003"})
    assert ended.code == 4, ended.err
    assert "Bad file descriptor" in ended.err
    assert lab.published() == (None, None)
    assert lab.run().code == 0
    assert lab.published() == reference


def test_a_crash_in_c_code_is_a_kill(lab: Lab) -> None:
    """The whole process is gone; without the trouble the same command goes on."""
    _task(lab, "crash", "import ctypes; ctypes.string_at(0)")
    reference = _reference(lab, task="tasks.crash", pool={"size": 1})
    ended = lab.run(environ={"TROUBLE": "1", "PAUSE": "0.005"})
    assert ended.code == -signal.SIGSEGV
    assert lab.published() == (None, None)
    ended = lab.run("--json")
    assert ended.code == 0, ended.err
    assert ended.report["resumed_from"]
    assert lab.published() == reference


def test_memory_that_runs_out_fails_the_item_that_asked_for_it(lab: Lab) -> None:
    """`ulimit -v`: a MemoryError like any other exception."""
    _task(lab, "hungry", "bytearray(2**32)")
    _reference(lab, task="tasks.hungry")
    ended = lab.run("--json", environ={"TROUBLE": "1"}, memory=2**30)
    assert ended.code == 0, ended.err
    failed = [json.loads(line) for line in lab.dead_letter.read_bytes().splitlines()]
    assert [(letter["item"], letter["error"]["type"]) for letter in failed if letter["item"] == 20] == [
        (20, "MemoryError")
    ]
    assert ended.report["failed"] == len(failed) == len(range(5, 60, 13)) + 1


def test_a_clock_that_jumps_changes_no_byte(lab: Lab) -> None:
    """A day on and a day back at every look, the hour that there is twice, and the one that there is not."""
    reference = _reference(lab, timezone="Europe/Berlin", commit={"every": "5ms"})
    jumps = [
        "2026-10-25T00:30:00+00:00",
        "2026-10-25T01:30:00+00:00",
        "2026-10-24T01:30:00+00:00",
        "2026-03-29T01:30:00+00:00",
        "1970-01-01T00:00:00+00:00",
        "2099-12-31T23:59:59+00:00",
    ]
    ended = lab.run(now=jumps)
    assert ended.code == 0, ended.err
    assert lab.published() == reference
    for path in (lab.output, lab.dead_letter):
        path.unlink()
    calls = str(lab.root / "calls")
    environ = {"PAUSE": "0.01", "CALLS": calls}
    assert lab.run(now=jumps, kill_when=(calls, 30), environ=environ).code == KILLED
    ended = lab.run("--json", now=jumps[::-1])
    assert ended.code == 0, ended.err
    assert lab.published() == reference
    assert 0 <= ended.report["duration_seconds"] < 60


def test_system_calls_that_are_interrupted_change_no_byte(lab: Lab) -> None:
    """A signal for every thread every half millisecond: EINTR wherever a call can end with it."""
    keys = {"input": {"type": "range", "stop": 400}, "commit": {"every": "1ms"}}
    reference = _reference(lab, **keys)
    ended = lab.run(interrupts=True)
    assert ended.code == 0, ended.err
    assert lab.published() == reference


def test_a_third_signal_ends_a_process_whose_disk_is_stuck(lab: Lab) -> None:
    """The first drains, the second waits two seconds for the commit, the third waits for nothing."""
    reference = _reference(lab)
    calls = lab.root / "calls"
    ended = lab.run(
        disk={"kind": "stuck", "at": 60},
        environ={"PAUSE": "0.01", "CALLS": str(calls)},
        signals=[(0.8, signal.SIGINT), (0.9, signal.SIGINT), (1.0, signal.SIGINT)],
    )
    assert ended.code == 130, ended.err
    assert ended.seconds < 2.5, "the third signal was not the end"
    assert ended.err.count("SIGINT") == 2
    assert lab.run().code == 0
    assert lab.published() == reference


@pytest.mark.parametrize("how", ["program", "fork"])
def test_a_child_that_outlives_a_killed_run_holds_its_lock_only_where_it_was_forked(
    lab: Lab, how: str
) -> None:
    """A program that a task started holds nothing; a copy of the process does, until it ends (exit 75)."""
    start = {
        "program": "import subprocess; child = subprocess.Popen(['sleep', '60']).pid",
        "fork": "child = os.fork()\nif child == 0:\n    time.sleep(60)\n    os._exit(0)",
    }[how]
    _task(lab, "parent", f"{start}\nprint(child, file=open('child', 'w'), flush=True)\ntime.sleep(60)")
    reference = _reference(lab, task="tasks.parent", pool={"size": 1})
    ended = lab.run(environ={"TROUBLE": "1"}, kill_when=(str(lab.root / "child"), 1))
    assert ended.code == KILLED
    child = int((lab.root / "child").read_text())
    try:
        ended = lab.run()
        assert ended.code == (75 if how == "fork" else 0), ended.err
        if how == "fork":
            assert "another run works on" in ended.err
    finally:
        os.kill(child, signal.SIGKILL)
    if how == "fork":
        deadline = time.monotonic() + 20
        while (ended := lab.run()).code == 75:
            assert time.monotonic() < deadline
    assert ended.code == 0, ended.err
    assert lab.published() == reference


def test_very_many_failures_take_no_more_memory_and_a_short_log(lab: Lab) -> None:
    """Of each kind the first twenty are logged, then one a second; all are dead letters."""
    many = 1_000_000 if IS_LONG else 100_000
    lab.write("tasks.py", "def work(item):\n    raise ValueError(item)\n")
    memory = {}
    for number in (10_000, many):
        lab.job(input={"type": "range", "stop": number}, commit={"every": "1s"})
        ended = lab.run("--quiet", patience=300)
        assert ended.code == 0, ended.err
        memory[number] = ended.memory
        assert lab.dead_letter.read_bytes().count(b"\n") == number
        (log,) = sorted((lab.root / ".runner/runs").glob("*/log.jsonl"))[-1:]
        assert log.read_bytes().count(b'"item.failed"') < 20 + ended.seconds + 2
    # What tracebacks keep alive until the collector looks levels off: 14 MiB at 300,000, 16 at a million.
    assert memory[many] - memory[10_000] < (24 if IS_LONG else 12) * 2**20


def test_runner_never_forks() -> None:
    """A fork copies locks that other threads hold; processes are started anew or by a server of their own."""
    found = []
    for path in (REPOSITORY / "runner").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
            text = node.value if isinstance(node, ast.Constant) else None
            if name in ("fork", "forkpty") or text == "fork":
                found.append(f"{path}: {ast.unparse(node)}")
    assert found == []
