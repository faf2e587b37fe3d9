"""What the command line says of itself, and to somebody who mistypes it."""

from __future__ import annotations

import pytest

import runner


def test_help_names_every_command(project):
    """`runner --help` ends 0 and lists the commands, without a trace of its own mark-up."""
    done = project.runner("--help")
    assert done.code == 0
    assert "run " in done.out
    assert "validate " in done.out
    assert "\\b" not in done.out
    assert "\b" not in done.out


def test_help_of_run_names_its_options_and_exit_codes(project):
    """`runner run --help` holds what a script needs to know."""
    done = project.runner("run", "--help")
    assert done.code == 0
    for word in ("--limit", "--json", "--set", "-p", "-j", "--quiet", "--log-file", "--config", "130", "78"):
        assert word in done.out


def test_the_version_is_told(project):
    """`runner --version` says a name and a number, also where the package is not installed."""
    done = project.runner("--version")
    assert (done.code, done.out) == (0, f"runner, version {runner.__version__}\n"), done.err


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["rnu", "job.yaml"], "run"),
        (["valdate"], "validate"),
        (["run", "--limt", "3", "job.yaml"], "--limit"),
        (["run", "--limit", "many", "job.yaml"], "many"),
        (["run", "-j", "0", "job.yaml"], "0"),
        (["run", "-p", "radius", "job.yaml"], "name=value"),
        (["run", "--dry-run", "job.yaml"], "plan"),
        (["run"], "JOB"),
        (["run", "absent.yaml"], "absent.yaml"),
        (["run", "."], "."),
        (["validate", "--format", "jsno", "job.yaml"], "json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_wrong_usage_is_answered_with_what_to_type(project, words, phrase):
    """Exit 2, the nearest word on standard error, and nothing on standard output."""
    project.job()
    done = project.runner(*words)
    assert done.code == 2
    assert phrase in done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert not project.has("out.jsonl")
