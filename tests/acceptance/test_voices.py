"""Who writes where: results on standard output, tasks and messages on standard error, a terminal or not."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

CHATTY = """
import logging, os, sys, warnings
import structlog
def it(n):
    print("printed", n)
    logging.getLogger("chatty").warning("logged %d", n)
    structlog.get_logger().info("structured", n=n)
    return n
"""


def test_what_a_task_prints_is_no_result(project):
    """`--json` is one object and `-` is rows, however much a task prints."""
    project.write("chatty.py", CHATTY)
    project.job(task="chatty.it", pool={"size": 1})
    done = project.run("--json")
    assert done.code == 0, done.err
    assert done.report["items"] == 6
    assert "printed 5" in done.err
    project.job(task="chatty.it", pool={"size": 1}, output={"type": "jsonl", "path": "-"})
    assert project.run().out.split() == [str(n) for n in range(6)]


def test_what_a_task_logs_stands_in_the_log_with_its_item(project):
    """Of `logging` and of structlog."""
    project.write("chatty.py", CHATTY)
    project.job(task="chatty.it")
    assert project.run().code == 0
    found = [event for event in project.logged() if event["event"] == "task.log"]
    assert sorted(event["index"] for event in found if event["logger"] == "chatty") == list(range(6))
    assert sorted(event["index"] for event in found if event["logger"] != "chatty") == list(range(6))


def test_a_terminal_gets_a_line_that_is_gone_at_the_end(project):
    """The live line leaves no trace below the summary, and the cursor is shown again."""
    project.job(task="tasks.racing", input={"type": "range", "stop": 3000}, pool={"size": 2})
    primary, secondary = pty.openpty()
    environ = {**project.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "run", "job.yaml"],
        cwd=project.root,
        env=environ,
        stdin=subprocess.DEVNULL,
        stderr=secondary,
    )
    os.close(secondary)
    shown = b""
    try:
        while block := os.read(primary, 65536):
            shown += block
    except OSError:  # Linux: the other side has closed the terminal
        pass
    os.close(primary)
    assert process.wait(30) == 0
    text = shown.decode()
    assert "of 3,000 items" in text
    assert text.rfind("\x1b[?25h") >= text.rfind("\x1b[?25l")
    assert "completed: 3,000 items" in text[text.rfind("\x1b") :]


def test_an_input_made_by_python_is_no_way_around_the_operator(project):
    """`input.call` is refused by `tasks.allow` before its module is imported."""
    project.write("config.yaml", "tasks: {allow: ['tasks.*']}\n")
    project.write("evil.py", "from pathlib import Path\nPath('imported').touch()\ndef rows(): return [1]\n")
    project.job(input={"type": "python", "call": "evil.rows"})
    done = project.run()
    assert done.code == 78
    assert "task-not-allowed" in done.err
    assert not project.has("imported")
