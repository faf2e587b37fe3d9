"""What the first half hour is full of: words of other tools, and the key that completes."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli.main import commands
from runner.cli.near_misses import COMMANDS, OPTIONS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["start", "job.yaml"], "runner run job.yaml"),
        (["job.yaml"], "runner run job.yaml"),
        (["job.yaml", "-j", "4"], "runner run job.yaml -j 4"),
        (["check", "job.yaml"], "runner validate job.yaml"),
        (["new"], "runner init"),
        (["try", "job.yaml"], "runner preview job.yaml"),
        (["dry-run", "job.yaml"], "runner plan job.yaml"),
        (["rnu", "job.yaml"], "did you mean: runner run job.yaml?"),
        (["previw", "job.yaml"], "did you mean: runner preview job.yaml?"),
        (["help", "run"], "runner run --help"),
        (["version"], "runner --version"),
        (["frobnicate"], "there is diff, explain, init"),
        (["run", "--dry-run", "job.yaml"], "runner plan"),
        (["run", "job.yaml", "--workers", "8"], "-j 8"),
        (["run", "job.yaml", "--workers=8"], "-j 8"),
        (["run", "job.yaml", "--retry", "3"], "--set retry.attempts=3"),
        (["run", "job.yaml", "--output", "x"], "--set output.path=FILE"),
        (["run", "job.yaml", "-n", "3"], "runner preview -n 5"),
        (["plan", "job.yaml", "--threads", "8"], "-j 8"),
        (["run", "job.yaml", "--limt", "3"], "--limit"),
        (["run", "job.yaml", "--items", "3"], "--limit 5"),
        (["preview", "job.yaml", "--items", "3"], "-n 5"),
        (["preview", "job.yaml", "--limit", "3"], "-n 5"),
        (["run", "job.yaml", "-limit", "3"], "type: --limit"),
        (["run", "job.yaml", "--chunk-size", "3"], "--set pool.chunksize=VALUE"),
        (["run", "job.yaml", "--output.if_exists", "skip"], "--set output.if_exists=VALUE"),
        (["run", "job.yaml", "-j", "eight"], "type: -j 8"),
        (["run", "job.yaml", "set", "pool.size=3"], "type: --set pool.size=3"),
        (["run", "job.yaml", "rate=3"], "type: --set rate=3, or for a parameter of the job: -p rate=3"),
        (["run", "job.yaml", "other.yaml"], "type the command once for each"),
        (["plan", "job.yaml", "please"], "there is no place for please"),
        (["run", "job"], "did you mean job.yaml?"),
        (["run", "tasks.py"], "runner init --from tasks.py"),
        (["preview", "data.csv"], "runner init --input data.csv"),
        (["completion"], "_RUNNER_COMPLETE=bash_source runner"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_near_miss_is_answered_with_what_to_type(project, words, answer):
    """Exit 2, and nothing has run."""
    project.job()
    project.write("data.csv", "a\n1\n")
    done = project.runner(*words)
    assert done.code == 2
    assert answer in done.err
    assert "Traceback" not in done.err
    assert not project.has("out.jsonl")


def test_what_is_answered_is_there(project):
    """Each command, each word that is to be explained, each value; and no word is one of ours already."""
    for word, command in COMMANDS.items():
        assert command.split()[0] in commands.commands
        assert word not in commands.commands
    for word in {word for _, word in OPTIONS.values()}:
        assert CliRunner().invoke(commands, ["explain", word], standalone_mode=False).return_value == 0, word
    for instead, _ in OPTIONS.values():
        found = re.fullmatch(r"--set ([\w.]+)=(\S+)", instead)
        if found and found[2] != "FILE":
            project.job()
            assert project.runner("plan", "job.yaml", *instead.split()).code == 0, instead


def test_no_message_sends_a_reader_to_a_document_that_is_not_installed():
    """Only `runner.paths.document` says where a document is, after it has looked."""
    may_name = {"paths.py", "reference.py", "pages.py"}
    for path in sorted((REPOSITORY / "runner").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        documented = {id(node.body[0].value) for node in ast.walk(tree) if _has_docstring(node)}
        said = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented
        ]
        assert path.name in may_name or not any("docs/" in text or ".md" in text for text in said), path


def _has_docstring(node: ast.AST) -> bool:
    is_scope = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    return is_scope and ast.get_docstring(node, clean=False) is not None


@pytest.fixture
def bash(project, tmp_path):
    """Give a function that types a line into bash, presses the key, and returns what it offers."""
    command = tmp_path / "bin" / "runner"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -P -m runner "$@"\n')
    command.chmod(0o755)
    script = """
        eval "$(_RUNNER_COMPLETE=bash_source runner)"
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        function=$(complete -p runner | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        compopt() { echo "compopt $*"; }
        $function runner "${COMP_WORDS[COMP_CWORD]}" ""
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    def press(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", script, "bash", "runner", *words],
            cwd=project.root,
            env={**project.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return press


def test_bash_completes_commands_and_options(bash):
    """The name of a command, and the options of one."""
    assert bash("pre") == ["preview"]
    assert "--restart" in bash("run", "--res")


def test_bash_completes_job_files(project, bash):
    """Those that are job files; where there is none, whatever bash finds."""
    project.write("jobs/one.yaml", "version: 1\nname: one\ntask: tasks.same\n")
    project.write("jobs/other.yaml", "services: {}\n")
    project.write("jobs/data.csv", "a\n")
    assert bash("run", "jobs/") == ["jobs/one.yaml"]
    assert bash("test", "jobs/o") == ["jobs/one.yaml"]
    assert "compopt" in bash("run", "jobs/da")


def test_bash_completes_keys_codes_and_parameters(project, bash):
    """For `--set`, for `explain`, and those that the job of the line declares."""
    project.write("job.yaml", "version: 1\nname: one\nparams: {radius: 1, rate: 2}\ntask: tasks.same\n")
    assert bash("run", "job.yaml", "--set", "pool.o") == ["pool.ordered="]
    assert bash("run", "job.yaml", "-p", "ra") == ["radius=", "rate="]
    assert bash("explain", "unknown-k") == ["unknown-key"]
    assert "retry.backoff.initial" in bash("explain", "retry.")


@pytest.mark.parametrize(("shell", "line"), [("zsh", "previ"), ("fish", "previ")])
def test_the_other_shells_are_answered(project, shell, line):
    """By the same protocol: a script to read, and an answer to a line."""
    script = project.runner(environ={"_RUNNER_COMPLETE": f"{shell}_source"})
    assert (script.code, "_RUNNER_COMPLETE" in script.out) == (0, True)
    asked = {"_RUNNER_COMPLETE": f"{shell}_complete", "COMP_WORDS": f"runner {line}", "COMP_CWORD": "1"}
    answer = project.runner(environ={**asked, **({"COMP_CWORD": line} if shell == "fish" else {})})
    assert "preview" in answer.out


def test_completion_of_a_faulty_job_says_nothing(project, bash):
    """Whatever is wrong with the file."""
    project.write("job.yaml", "params: [\n")
    assert bash("run", "job.yaml", "-p", "r") == []
    assert bash("run", "absent.yaml", "-p", "r") == []
