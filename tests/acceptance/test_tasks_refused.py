"""Tasks that may not or cannot be loaded: exit 78, in the user's own terms, and nothing runs."""

from __future__ import annotations

import signal

import pytest

from tests.acceptance.conftest import Project


def test_a_task_that_the_operator_does_not_allow_is_not_imported(project):
    """The module's code has not run when the path is refused; `validate` says the same."""
    project.write("config.yaml", "tasks: {allow: ['jobs.*']}\n")
    project.write("evil.py", "from pathlib import Path\nPath('imported').touch()\ndef it(n): return n\n")
    project.job(task="evil.it")
    done = project.run()
    assert done.code == 78
    assert "task-not-allowed" in done.err
    assert "jobs.*" in done.err
    found = project.runner("validate", "job.yaml")
    assert found.code == 1
    assert "task-not-allowed" in found.out
    assert not project.has("imported")
    assert not project.has("out.jsonl")


@pytest.mark.parametrize("where", ["--config", "RUNNER_CONFIG"])
def test_the_project_cannot_widen_what_the_operator_allows(project, tmp_path, where):
    """A task must be on both lists, however the operator's file is named."""
    operator = tmp_path / "operator.yaml"
    operator.write_text("tasks: {allow: ['jobs.*']}\n")
    project.write("config.yaml", "tasks: {allow: ['*']}\n")
    project.job()
    if where == "--config":
        done = project.run("--config", str(operator))
    else:
        done = project.run(environ={"RUNNER_CONFIG": str(operator)})
    assert done.code == 78
    assert "task-not-allowed" in done.err


@pytest.mark.parametrize("call", ["os.system", "tasks.os.system", "builtins.print"])
def test_the_standard_library_is_no_task(project, call):
    """Also through a module of the user's own."""
    project.job(task=call, input={"type": "items", "items": ["touch ran"]})
    done = project.run()
    assert done.code == 78
    assert "stdlib-task" in done.err
    assert not project.has("ran")


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        ("import absent_module\n", "absent_module"),
        ("x = (\n", "SyntaxError"),
        ("def deep():\n    raise RuntimeError('at import')\ndeep()\n", "at import"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("raise RuntimeError('\\x1b[31mred')\n", "red"),
    ],
    ids=["missing", "syntax", "raises", "exits", "hostile"],
)
def test_a_module_that_fails_on_import_is_shown_with_the_users_frames(project, code, phrase):
    """The cause and the user's own lines are shown, and no frame of runner or the import system."""
    project.write("faulty.py", code + "def it(n): return n\n")
    project.job(task="faulty.it")
    done = project.run()
    assert done.code == 78
    assert "import-failed" in done.err
    assert phrase in done.err
    assert "faulty.py" in done.err
    assert "/runner/" not in done.err
    assert "importlib" not in done.err
    assert "\x1b" not in done.err


def test_a_task_without_its_argument_is_a_fault_of_the_job_file(project):
    """`with:` is checked against the signature before the first item."""
    project.write("with_.py", "def it(n, *, radius): return n\n")
    project.job(task={"call": "with_.it", "with": {"raduis": 5}})
    done = project.run()
    assert done.code == 78
    assert "radius" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("settings", "code", "phrase"),
    [
        ("tasks: {alow: []}\n", 78, "alow"),
        ("log: {level: loud}\n", 78, "level"),
        ("- 1\n", 78, "config.yaml"),
    ],
)
def test_faulty_settings_are_shown_at_their_place(project, settings, code, phrase):
    """A typing error in config.yaml must never mean that everything is allowed."""
    project.write("config.yaml", settings)
    project.job()
    done = project.run()
    assert done.code == code
    assert phrase in done.err
    assert "Traceback" not in done.err
    assert not project.has("out.jsonl")


def test_settings_that_were_named_and_are_not_there_stop_the_run(project):
    """An operator's file that cannot be read is wrong usage, not the same as none."""
    project.job()
    done = project.run("--config", "absent.yaml")
    assert done.code == 2
    assert "absent.yaml" in done.err
    assert not project.has("out.jsonl")


def test_a_keyboard_interrupt_that_a_module_raises_is_no_ctrl_c(project: Project) -> None:
    """It is an import that failed, and the traceback shows where."""
    project.write("rude.py", "raise KeyboardInterrupt\n")
    project.job(task="rude.f")
    for command in ("run", "plan", "preview"):
        done = project.runner(command, "job.yaml")
        assert done.code == 78, done.err
        assert "`rude` cannot be imported: KeyboardInterrupt" in done.err
    project.job(retry={"attempts": 2, "errors": ["rude.Error"]})
    done = project.run()
    assert done.code == 78, done.err
    assert "`rude.Error` cannot be imported: KeyboardInterrupt" in done.err


def test_a_ctrl_c_while_a_module_is_imported_is_one(project: Project) -> None:
    """Exit code 130, and nothing of the import."""
    project.write("slow.py", "import pathlib, time\npathlib.Path('started').touch()\ntime.sleep(30)\n")
    project.job(task="slow.f")
    with project.start() as running:
        running.until(lambda: project.has("started"))
        running.signal(signal.SIGINT)
        done = running.end()
    assert done.code == 130, done.err
    assert "Traceback" not in done.err


def test_nothing_of_the_standard_library_is_suggested_as_a_task(project: Project) -> None:
    """It would be refused: `getpass` is near to `getpasses`."""
    project.job(task="getpasses.row")
    done = project.runner("validate", "job.yaml")
    assert "there is no module `getpasses`" in done.out
    assert "getpass." not in done.out


def test_a_task_that_changes_the_clock_changes_its_own(project: Project) -> None:
    """The duration of the run stays what it is."""
    project.write("odd.py", "import time\ntime.monotonic = lambda: -1e9\ndef f(item): return item\n")
    project.job(task="odd.f", rate_limit="1000/s")
    done = project.run("--json")
    assert done.code == 0, done.err
    assert 0 <= done.report["duration_seconds"] < 30
