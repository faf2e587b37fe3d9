"""`runner diff` on the command line, with a real git."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import yaml

from tests.acceptance.conftest import REPOSITORY

JOB = """\
version: 1
name: example
input: {type: range, stop: 6}
task: tasks.same
pool: {size: 2}
output: {type: jsonl, path: out.jsonl}
"""


@pytest.fixture
def git(project):
    """Make the project a repository with JOB committed as jobs/job.yaml; give a function that calls git."""
    environ = {**project.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        environ |= {f"GIT_{role}_NAME": "a", f"GIT_{role}_EMAIL": "a@example.org"}
    project.environ = environ

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=project.root,
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    git("init", "-q", "-b", "main")
    project.write("jobs/job.yaml", JOB)
    git("add", "jobs")
    git("commit", "-q", "-m", "first")
    return git


def test_two_files(project):
    """Faultless files are compared, and the end is a success whether they differ or not."""
    project.write("a.yaml", JOB)
    project.write("b.yaml", JOB.replace("size: 2", "size: 64"))
    done = project.runner("diff", "a.yaml", "b.yaml")
    assert done.code == 0
    assert done.err == ""
    assert done.out == (
        "a.yaml -> b.yaml: 1 change of behaviour\n\nload on others:\n  at most 2 -> 64 calls at once\n\n"
        "an unfinished run can still be resumed\n"
    )


def test_with_exit_code_it_ends_as_git_diff_does(project):
    """1 where behaviour changed, 0 where only the writing did."""
    project.write("a.yaml", JOB)
    project.write("b.yaml", JOB.replace("size: 2", "size: 64"))
    project.write("c.yaml", f"# a comment\n{JOB.replace('example', chr(34) + 'example' + chr(34))}")
    assert project.runner("diff", "--exit-code", "a.yaml", "b.yaml").code == 1
    same = project.runner("diff", "--exit-code", "a.yaml", "c.yaml")
    assert (same.code, same.out) == (0, "a.yaml -> c.yaml: no change of behaviour\n")


def test_one_file_is_compared_with_its_last_commit(project, git):
    """Wherever one stands, and also through a link."""
    project.write("jobs/job.yaml", JOB.replace("stop: 6", "stop: 9"))
    for cwd, name in (
        (project.root, "jobs/job.yaml"),
        (project.root / "jobs", "job.yaml"),
        (project.home, "link.yaml"),
    ):
        if name == "link.yaml":
            (project.home / name).symlink_to(project.root / "jobs/job.yaml")
        done = project.runner("diff", name, cwd=cwd)
        assert done.code == 0, done.err
        assert done.out.startswith(f"HEAD:{name} -> {name}: 1 change of behaviour\n")
        assert "an unfinished run can no longer be resumed: `input.stop` changed" in done.out
    (project.home / "link.yaml").unlink()


@pytest.mark.parametrize(
    "spec", ["HEAD:jobs/job.yaml", "main:./jobs/job.yaml", ":jobs/job.yaml", "HEAD^{tree}:jobs/job.yaml"]
)
def test_a_revision_is_named_as_git_names_it(project, git, spec):
    """From the top of the repository, from here with `./`, from the index."""
    project.write("new.yaml", JOB.replace("size: 2", "size: 3"))
    done = project.runner("diff", spec, "new.yaml")
    assert done.code == 0, done.err
    assert "at most 2 -> 3 calls at once" in done.out


def test_two_revisions_and_none_of_the_files(project, git):
    """What is compared need not be checked out; a path from here is found too."""
    project.write("jobs/job.yaml", JOB.replace("size: 2", "size: 5"))
    git("commit", "-q", "-a", "-m", "second")
    git("rm", "-q", "jobs/job.yaml")
    (project.root / "jobs").mkdir(exist_ok=True)
    done = project.runner("diff", "HEAD~1:job.yaml", "HEAD:job.yaml", cwd=project.root / "jobs")
    assert done.code == 0, done.err
    assert "at most 2 -> 5 calls at once" in done.out


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["jobs/new.yaml"], "git has no HEAD:./new.yaml"),
        (["HEAD:jobs/other.yaml", "jobs/job.yaml"], "path 'jobs/other.yaml' does not exist in 'HEAD'"),
        (["nowhere:jobs/job.yaml", "jobs/job.yaml"], "git has no nowhere:jobs/job.yaml"),
        (["missing.yaml", "jobs/job.yaml"], "there is no job file missing.yaml"),
        (["jobs", "jobs/job.yaml"], "jobs is a folder"),
        (["a.yaml", "b.yaml", "c.yaml"], "two sides to compare, got 3"),
        (["--textconv", "a.yaml", "b.yaml"], "--textconv takes one file"),
        (["--", "--output=x:y", "jobs/job.yaml"], "begins with `-`"),
    ],
)
def test_a_side_that_is_not_there_is_wrong_usage(project, git, words, phrase):
    """The message names it; nothing is written."""
    project.write("jobs/new.yaml", JOB)
    done = project.runner("diff", *words)
    assert (done.code, done.out) == (2, "")
    assert phrase in done.err
    assert not project.has("x")


def test_outside_of_a_repository_one_file_is_not_enough(project):
    """And the message says what is."""
    project.job()
    done = project.runner("diff", "job.yaml")
    assert done.code == 2
    assert "name two files" in done.err


def test_without_git_files_can_still_be_compared(project):
    """Only revisions need it."""
    project.write("a.yaml", JOB)
    environ = {"PATH": str(project.home)}
    assert project.runner("diff", "a.yaml", "a.yaml", environ=environ).code == 0
    done = project.runner("diff", "HEAD:a.yaml", "a.yaml", environ=environ)
    assert done.code == 2
    assert "git cannot be run here" in done.err


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_a_side_with_faults_is_shown_and_the_other_named(project, form):
    """The code is that of an invalid job file."""
    project.write("a.yaml", JOB)
    project.write("b.yaml", JOB.replace("size", "sizes"))
    done = project.runner("diff", "a.yaml", "b.yaml", "--format", form)
    assert done.code == 78
    if form == "json":
        report = json.loads(done.out)
        assert [(p["code"], p["file"], p["line"]) for p in report["problems"]] == [
            ("unknown-key", "b.yaml", 5)
        ]
        assert report["has_changed"] is None
    else:
        assert "unknown key `sizes` in `pool`" in done.out + done.err
        assert "a.yaml" in done.out


def test_json_is_one_document(project):
    """For a machine that reads a review."""
    project.write("a.yaml", JOB)
    project.write("b.yaml", JOB.replace("size: 2", "size: 64"))
    report = json.loads(project.runner("diff", "a.yaml", "b.yaml", "--format", "json").out)
    assert report["has_changed"] is True
    assert report["is_resumable"] is True
    assert report["changes"] == [
        {
            "weight": "load",
            "message": "at most 2 -> 64 calls at once",
            "keys": ["pool.size"],
            "old": {"pool.size": 2},
            "new": {"pool.size": 64},
        }
    ]


def test_flags_hold_for_both_sides(project):
    """What a run would be given; a parameter that only one side declares is set there."""
    with_param = JOB.replace(
        "task: tasks.same", 'params: {n: 1}\ntask: {call: tasks.same, with: {n: "${params.n}"}}'
    )
    project.write("a.yaml", JOB)
    project.write("b.yaml", with_param)
    done = project.runner("diff", "a.yaml", "b.yaml", "-p", "n=5", "--set", "pool.size=7")
    assert done.code == 0, done.err
    assert "`task.with.n` is 5: was not set" in done.out
    assert "calls at once" not in done.out
    undeclared = project.runner("diff", "a.yaml", "b.yaml", "-p", "m=5")
    assert undeclared.code == 78
    assert undeclared.err.count("has no parameter `m`") == 2


def test_the_environment_is_never_shown(project):
    """Nor does it matter whether a variable is set."""
    job = JOB.replace("task: tasks.same", 'task: {call: tasks.same, with: {t: "${env.TOKEN}"}}')
    project.write("a.yaml", job)
    project.write("b.yaml", job.replace("TOKEN", "KEY"))
    for environ in ({}, {"TOKEN": "hunter2-hunter2", "KEY": "hunter3-hunter3"}):
        done = project.runner("diff", "a.yaml", "b.yaml", environ=environ)
        assert "`task.with.t` is `${env.KEY}`: was `${env.TOKEN}`" in done.out
        assert "hunter" not in done.out + done.err


def test_secrets_are_compared_by_name(project):
    """They need not be there, and what stands behind a name does not matter to an unfinished run."""
    job = JOB.replace("task: tasks.same", 'task: {call: tasks.same, with: {t: "Bearer ${secret.TOKEN}"}}')
    project.write("a.yaml", job)
    project.write("b.yaml", f"{job}secrets: {{TOKEN: {{file: /run/token}}}}\n")
    project.write("c.yaml", job.replace("TOKEN", "KEY"))
    done = project.runner("diff", "a.yaml", "b.yaml")
    assert "`secrets.TOKEN.file` is `/run/token`: was not set" in done.out
    assert "can still be resumed" in done.out
    done = project.runner("diff", "a.yaml", "c.yaml", environ={"TOKEN": "hunter2-hunter2"})
    assert "`task.with.t` is `Bearer ${secret.KEY}`: was `Bearer ${secret.TOKEN}`" in done.out
    project.write("d.yaml", f"{job}secrets: {{TOKEN: hunter2-hunter2}}\n")
    for form in ("text", "json", "markdown"):
        done = project.runner("diff", "a.yaml", "d.yaml", "--format", form)
        assert done.code == 78
        assert "hunter2" not in done.out + done.err


def test_nothing_of_the_user_is_imported_and_nothing_written(project):
    """It is safe on a stranger's pull request."""
    project.write("evil.py", "open('was-imported', 'w')")
    project.write("a.yaml", JOB.replace("tasks.same", "evil.f"))
    project.write("b.yaml", JOB.replace("tasks.same", "evil.g"))
    before = sorted(project.root.rglob("*"))
    assert project.runner("diff", "a.yaml", "b.yaml").code == 0
    assert sorted(project.root.rglob("*")) == before


def test_an_unfinished_run_is_refused_for_what_diff_names(project):
    """What a review says of a resumption is what the next run does."""
    project.job(input={"type": "items", "items": [0, 2, 5, 6]}, task="tasks.odd_ones_fail")
    old = project.read("job.yaml")
    assert project.run().code == 1
    project.write("old.yaml", old)
    edits = {
        "free": {"pool": {"size": 3}, "timeout": "9s", "failures": {"tolerate": 0}, "labels": {"a": "b"}},
        "forbidden": {
            "input": {"type": "items", "items": [0, 2, 5, 7]},
            "params": {"n": 1},
            "pool": {"ordered": False},
        },
    }
    for name, keys in edits.items():
        project.job(
            **{"input": {"type": "items", "items": [0, 2, 5, 6]}, "task": "tasks.odd_ones_fail", **keys}
        )
        report = json.loads(project.runner("diff", "old.yaml", "job.yaml", "--format", "json").out)
        done = project.run()
        if name == "free":
            assert report["is_resumable"]
            assert "going on with the unfinished run" in done.err
        else:
            assert done.code == 3
            assert report["decisive"] == ["input.items", "params.n", "pool.ordered"]
            assert all(f"`{key}` changed" in done.err for key in report["decisive"])


def test_textconv_prints_every_value_sorted(project):
    """Defaults included, the same for a restyled file."""
    project.write("a.yaml", JOB)
    project.write("b.yaml", "\n".join(reversed(JOB.splitlines())))
    done = project.runner("diff", "--textconv", "a.yaml")
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines == sorted(lines)
    assert "pool.size = 2" in lines
    assert "failures.tolerate.count = 0" in lines
    assert project.runner("diff", "--textconv", "b.yaml").out == done.out


@pytest.mark.parametrize(
    "content",
    [
        b"services:\n  web: {image: x}\n",
        b"version: 2\nname: x\n",
        b"\xff\xfe",
        b"",
        b"a: [\n",
        b"x: &a 1\ny: *a\n",
    ],
)
def test_textconv_passes_on_what_is_no_job(project, content):
    """Git would show nothing at all if it failed."""
    project.write("a.yaml", content)
    done = subprocess.run(
        [sys.executable, "-m", "runner", "diff", "--textconv", "a.yaml"],
        cwd=project.root,
        env=project.environ,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, content, b"")


def test_plain_git_diff_shows_changed_values(project, git):
    """With the driver of docs/review.md: a restyled file with one change is one line out and one in."""
    command = f"{sys.executable} -m runner diff --textconv"
    git("config", "diff.runner-job.textconv", command)
    project.write(".gitattributes", "jobs/*.yaml diff=runner-job\n")
    restyled = "\n".join(["# a comment", *reversed(JOB.replace("size: 2", "size: 64").splitlines()), ""])
    project.write("jobs/job.yaml", restyled)
    changed = [
        line
        for line in git("diff", "-U0").splitlines()
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changed == ["-pool.size = 2", "+pool.size = 64"]
    project.write("jobs/job.yaml", restyled.replace("64", "2"))
    assert "@@" not in git("diff")
    # The command itself reads what was committed, not what the driver makes of it.
    assert "no change of behaviour" in project.runner("diff", "jobs/job.yaml").out


def test_the_workflow_of_the_document_makes_a_comment(project, git):
    """The script that docs/review.md gives for GitHub Actions, run as it stands."""
    document = (REPOSITORY / "docs" / "review.md").read_text("utf-8")
    text = re.search(r"^```yaml\n(name: .*?)^```$", document, re.MULTILINE | re.DOTALL)
    (step,) = (
        step for step in yaml.safe_load(text[1])["jobs"]["review"]["steps"] if step.get("name") == "Compare"
    )
    base = git("rev-parse", "HEAD").strip()
    project.write("jobs/a job.yaml", JOB)
    git("add", "jobs")
    git("commit", "-q", "-m", "second")
    project.write("jobs/a job.yaml", JOB.replace("size", "sizes"))
    project.write("jobs/job.yaml", JOB.replace("size: 2", "size: 64"))
    git("commit", "-q", "-a", "-m", "third")
    project.write("bin/runner", f'#!/bin/sh\nexec "{sys.executable}" -m runner "$@"\n').chmod(0o755)
    environ = {
        **project.environ,
        "PATH": f"{project.root / 'bin'}:{project.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(project.root / "summary.md"),
    }
    for before, phrases in (
        (base, ["at most 2 -> 64 calls at once"]),
        ("HEAD~1", ["-> 64 calls", "unknown key `sizes`"]),
    ):
        subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=project.root,
            env={**environ, "BASE": before},
            timeout=60,
            check=True,
        )
        shown = project.read("review.md")
        assert all(phrase in shown for phrase in phrases)
        assert project.read("summary.md").endswith(shown)


def test_help_names_the_exit_codes(project):
    """Nobody should have to look them up elsewhere."""
    done = project.runner("diff", "--help")
    assert done.code == 0
    for word in ("REV:path", "--exit-code", "78", "--textconv"):
        assert word in done.out
