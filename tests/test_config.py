"""The operator's settings: what holds when the project says something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.config import load_config
from runner.errors import JobInvalid, UsageError
from runner.jobfile import find_root


@pytest.fixture
def settings(tmp_path):
    """Give a function that loads what the operator and the project say."""
    root = tmp_path / "project"
    root.mkdir()

    def settings(*, operator: str | None = None, project: str | None = None, by_environment: bool = False):
        file = tmp_path / "operator.yaml"
        if operator is not None:
            file.write_text(operator)
        if project is not None:
            (root / "config.yaml").write_text(project)
        environ = {"RUNNER_CONFIG": str(file)} if by_environment else {}
        named = file if operator is not None and not by_environment else None
        return load_config(root, operator=named, environ=environ)

    settings.root = root
    return settings


def test_without_files_there_are_defaults(settings):
    """No allow-list, level info, state in `.runner` of the project."""
    config = settings()
    assert (config.allow, config.log_level, config.state) == ((), "info", settings.root / ".runner")


@pytest.mark.parametrize("text", ["", "# nothing\n", "tasks: {}\n"])
def test_an_empty_file_says_the_defaults(settings, text):
    """A file of comments only is not a fault."""
    assert settings(project=text) == settings()


@pytest.mark.parametrize("by_environment", [False, True])
def test_both_lists_of_tasks_hold(settings, by_environment):
    """A task must be on each: the project narrows, it never widens."""
    config = settings(
        operator="tasks: {allow: ['jobs.*']}\n",
        project="tasks: {allow: ['jobs.a.*', '*']}\n",
        by_environment=by_environment,
    )
    assert config.allow == (("jobs.*",), ("jobs.a.*", "*"))


def test_an_empty_list_allows_nothing(settings):
    """`allow: []` is a list, not the lack of one."""
    assert settings(project="tasks: {allow: []}\n").allow == ((),)


def test_the_operators_level_and_state_hold(settings):
    """Where both name one, the operator's is taken; a relative folder starts at the project."""
    config = settings(
        operator="log: {level: error}\nstate: /var/runner\n", project="log: {level: debug}\nstate: mine\n"
    )
    assert (config.log_level, str(config.state)) == ("error", "/var/runner")


def test_the_project_fills_in_what_the_operator_leaves_open(settings):
    """Only what is written counts, not the operator's defaults."""
    config = settings(operator="tasks: {allow: ['*']}\n", project="log: {level: debug}\nstate: mine\n")
    assert (config.log_level, config.state) == ("debug", settings.root / "mine")


def test_a_named_file_goes_before_the_environment(tmp_path):
    """`--config` is nearer than `$RUNNER_CONFIG`."""
    for name in ("named", "other"):
        (tmp_path / name).write_text(f"state: /{name}\n")
    config = load_config(
        tmp_path, operator=tmp_path / "named", environ={"RUNNER_CONFIG": str(tmp_path / "other")}
    )
    assert str(config.state) == "/named"


@pytest.mark.parametrize("name", ["absent.yaml", "."])
def test_a_named_file_that_cannot_be_read_is_wrong_usage(tmp_path, name):
    """It must never mean that there are no rules."""
    with pytest.raises(UsageError, match="cannot read the settings"):
        load_config(tmp_path, operator=tmp_path / name, environ={})


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("tasks:\n  alow: []\n", 2, 3, "alow"),
        ("tasks:\n  allow: jobs\n", 2, 10, "tasks.allow"),
        ("log:\n  level: loud\n", 2, 10, "log.level"),
        ("state: 5\n", 1, 8, "state"),
        ("tasks: {allow: [jobs.*], allow: ['*']}\n", 1, 26, "allow"),
        ("- tasks\n", 1, 1, ""),
    ],
)
def test_a_fault_is_told_at_its_place(settings, text, line, column, word):
    """File, line and column, and the key in question."""
    with pytest.raises(JobInvalid, match="fault") as caught:
        settings(project=text)
    (fault,) = caught.value.faults
    assert fault.file.endswith("config.yaml")
    assert (fault.line, fault.column) == (line, column)
    assert word in fault.message
    assert "pydantic" not in fault.message


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "it is no file"),
        (os.mkfifo, "it is no file"),
        (lambda path: path.symlink_to("gone.yaml"), "it is a link to gone.yaml: No such file or directory"),
        (lambda path: path.symlink_to(path.name), "it is a link to config.yaml: Too many levels"),
    ],
    ids=["folder", "pipe", "dangling", "loop"],
)
def test_a_config_yaml_that_cannot_be_read_is_refused(settings, make, reason):
    """It must never mean that there are no rules; and it marks the root all the same."""
    make(settings.root / "config.yaml")
    with pytest.raises(JobInvalid, match="fault") as caught:
        settings()
    (fault,) = caught.value.faults
    assert fault.message.startswith(f"the settings cannot be read: {reason}")
    assert fault.file == str(settings.root / "config.yaml")
    assert find_root(settings.root / "jobs" / "job.yaml") == settings.root


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bogus", "the settings must be a mapping of keys to values, got `bogus`"),
        ("tasks: 5", "`tasks`: must be a mapping of keys to values, got 5"),
    ],
)
def test_settings_that_are_no_mapping_are_told_in_words(settings, text, message):
    """And not in those of a library."""
    with pytest.raises(JobInvalid, match="fault") as caught:
        settings(project=text)
    assert caught.value.faults[0].message == message
