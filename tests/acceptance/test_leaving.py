"""How the process ends: in time whatever the user has left running, and with the code of what was done."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from tests import forked
from tests.acceptance.conftest import Finished, Project

TASKS = """\
    import atexit, threading, time
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    HERE = Path(__file__).parent

    def same(item):
        return item

    def flush_late():
        time.sleep(0.6)
        (HERE / "flushed").touch()
"""
LEFT = {
    "thread": "threading.Thread(target=time.sleep, args=(3600,), name='sleeper').start()",
    "executor": "ThreadPoolExecutor(1, 'stuck').submit(time.sleep, 3600)",
    "atexit": "atexit.register(time.sleep, 3600)",
}
FULL = Path("/dev/full")


def leave(project: Project, what: str) -> None:
    """Let the import of the task leave something behind."""
    project.write("leaves.py", dedent(TASKS) + what + "\n")
    tests = [{"name": "same", "item": 1, "row": 1}]
    project.job(task="leaves.same", tests=tests)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ("thread", ["run", "job.yaml"]),
        ("executor", ["preview", "job.yaml"]),
        ("thread", ["plan", "job.yaml"]),
        ("executor", ["validate", "--import", "job.yaml"]),
        ("atexit", ["run", "job.yaml"]),
        ("thread", ["test", "job.yaml"]),
    ],
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_what_never_ends_is_left_behind(project: Project, left: str, words: list[str]) -> None:
    """After a while that is told, with the exit code of what was done."""
    leave(project, LEFT[left])
    done = project.runner(*words)
    assert done.code == 0, done.err
    assert "waiting at most 5 s" in done.err
    assert "left behind" in done.err
    assert {"thread": "`sleeper`", "executor": "`stuck_0`", "atexit": "`atexit`"}[left] in done.err


@pytest.mark.parametrize(
    "what",
    [
        "threading.Thread(target=flush_late).start()",
        "atexit.register(flush_late)",
        "ThreadPoolExecutor(1).submit(flush_late)",
    ],
)
def test_what_ends_soon_is_waited_for(project: Project, what: str) -> None:
    """A thread that still writes, an executor, a function for the exit."""
    leave(project, what)
    done = project.run()
    assert done.code == 0, done.err
    assert project.has("flushed")
    assert "left behind" not in done.err


def test_idle_threads_of_an_executor_cost_no_time(project: Project) -> None:
    """They end when they are told to, as always."""
    leave(project, "ThreadPoolExecutor(1).submit(time.time).result()")
    done = project.run()
    assert done.code == 0, done.err
    assert "waiting" not in done.err


def test_exit_functions_are_called_beside_a_task_that_hangs(project: Project) -> None:
    """Only the interpreter is not taken down."""
    leave(project, "atexit.register((HERE / 'flushed').touch)\ndef hang(item): time.sleep(3600)")
    project.job(task="leaves.hang", timeout="100ms", failures={"tolerate": "all"})
    done = project.run()
    assert done.code == 0, done.err
    assert project.has("flushed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_and_changes_no_code(project: Project, number: signal.Signals) -> None:
    """The work is done by then."""
    leave(project, LEFT["thread"])
    with project.start() as running:
        running.until_says("waiting at most")
        running.signal(number)
        done = running.end()
    assert done.code == 0, done.err
    assert "left behind" not in done.err
    assert "Traceback" not in done.err


def into(path: Path, project: Project, *words: str, environ: dict[str, str] | None = None) -> Finished:
    """Run a command whose standard output goes into a file."""
    with path.open("wb") as stream:
        process = forked.start(
            *words,
            cwd=project.root,
            environ={**project.environ, **(environ or {})},
            stdout=stream,
            stderr=subprocess.PIPE,
        )
        _, err = process.communicate(timeout=30)
    return Finished(process.returncode, "", (err or b"").decode())


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "--version",
        "run --help",
        "schema",
        "explain",
        "explain pool.size",
        "plan job.yaml",
        "plan job.yaml --json",
        "diff job.yaml job.yaml",
        "diff job.yaml job.yaml --exit-code --format json",
        "diff --textconv faulty.yaml",
        "diff --textconv job.yaml",
        "validate --format json job.yaml",
        "validate --format sarif job.yaml",
        "validate faulty.yaml",
        "test job.yaml",
        "preview job.yaml --json",
        "init new",
    ],
)
def test_a_full_standard_output_is_a_sentence_and_code_4(project: Project, line: str) -> None:
    """Whatever command writes to it; 1 would say that something was found."""
    project.job(tests=[{"name": "same", "item": 1, "row": 1}])
    project.write("faulty.yaml", "version: 1\n")
    done = into(FULL, project, *line.split())
    assert done.code == 4, done.err
    assert "error: standard output cannot be written: No space left on device" in done.err
    assert "Traceback" not in done.err


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_completion_into_a_full_output_ends_without_a_traceback(project: Project) -> None:
    """A shell shows what is written there in the middle of a line."""
    asked = {"_RUNNER_COMPLETE": "bash_complete", "COMP_WORDS": "runner ", "COMP_CWORD": "1"}
    done = into(FULL, project, environ=asked)
    assert done.code == 4
    assert "Traceback" not in done.err


def test_a_closed_standard_output_is_a_sentence_and_code_4(project: Project) -> None:
    """As by `>&-`."""
    done = project.runner("schema", close=(1,))
    assert done.code == 4
    assert "error: standard output cannot be written" in done.err
    assert "Traceback" not in done.err


def test_a_reader_that_has_gone_needs_no_sentence(project: Project) -> None:
    """As by `| head -1`: it has what it wanted."""
    process = forked.start(
        "schema",
        cwd=project.root,
        environ=project.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert err == b""


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_report_that_cannot_be_written_does_not_undo_the_run(project: Project) -> None:
    """All is published, so the code is 0, and a warning says what is missing; repeating would do it twice."""
    project.job()
    done = into(FULL, project, "run", "job.yaml", "--json", "--quiet")
    assert done.code == 0, done.err
    assert project.lines("out.jsonl") == list(range(6))
    assert "warning: the report could not be written to standard output: No space left" in done.err
    done = project.run("--json", close=(1,))
    assert done.code == 0, done.err
    assert "warning: the report could not be written to standard output" in done.err
    project.job(task="tasks.broken")
    done = into(FULL, project, "run", "job.yaml", "--json")
    assert done.code == 1, done.err
