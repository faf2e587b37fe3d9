"""Which files of a folder are job files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.cli.job_files import find_job_files, looks_like_job
from runner.errors import UsageError

JOB = "version: 1\nname: x\ninput: {type: range, stop: 1}\ntask: a.b\n"
OTHERS = {
    "workflow": "name: CI\non: [push]\njobs:\n  test:\n    runs-on: ubuntu-latest\n",
    "compose": "version: '3'\nservices:\n  web: {image: nginx}\n",
    "taskfile": "version: '3'\ntasks:\n  default: {cmds: [echo]}\n",
    "kubernetes": "apiVersion: batch/v1\nkind: Job\nspec: {}\n",
    "settings": "tasks:\n  allow: ['jobs.*']\n",
    "ansible": "- hosts: all\n  tasks: []\n",
    "deep": "pipeline:\n  version: 1\n  input: a\n  task: b\n",
    "empty": "",
    "binary": "\0\0\0",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*names: str, text: str = JOB) -> None:
    """Write files below the current folder."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        JOB,
        "version: 1\nname: x\ntask: a.b\n",
        "input: 5\ntask: 6\n",
        "tsak: a.b\nversion: 1\nname: x\ninput: {type: range}\n",
        "\"version\" : 1\n'task': a.b\n",
        "\ufeffversion: 1\r\ntask: a.b\r\n",
        "# yaml-language-server: $schema=../job.schema.json\n\n",
        "task: [\nversion: 1\n",
    ],
)
def test_a_job_file_is_known_also_with_faults(folder, text):
    """A missing or misspelt key, or broken YAML, must not hide a file from the review."""
    write("job.yaml", text=text)
    assert looks_like_job(Path("job.yaml"))


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_yaml_is_no_job_file(folder, text):
    """What people keep beside their jobs."""
    write("other.yaml", text=text)
    assert not looks_like_job(Path("other.yaml"))


def test_a_folder_stands_for_its_job_files_in_their_order(folder):
    """At any depth, hidden and installed things aside; others are counted."""
    write("jobs/b.yaml", "jobs/a.yml", "jobs/deep/er/c.yaml", "jobs/job.json", "jobs/.hidden.yaml")
    write("jobs/.git/x.yaml", "jobs/node_modules/x.yaml", "jobs/env/pyvenv.cfg", "jobs/env/x.yaml")
    write("jobs/compose.yaml", text=OTHERS["compose"])
    found = find_job_files(["jobs"])
    assert found.files == ["jobs/a.yml", "jobs/b.yaml", "jobs/deep/er/c.yaml"]
    assert found.others == 1


def test_a_loop_of_links_is_not_followed(folder):
    """Nor anything else that a link to a folder leads to."""
    write("jobs/a.yaml")
    os.symlink("..", "jobs/up")
    assert find_job_files(["jobs"]).files == ["jobs/a.yaml"]


def test_pipes_and_devices_in_a_folder_are_passed_over(folder):
    """A link to a device can come with a pull request; nothing waits for it."""
    write("jobs/a.yaml")
    os.mkfifo("jobs/pipe.yaml")
    os.symlink("/dev/zero", "jobs/zero.yaml")
    os.symlink("nowhere", "jobs/broken.yaml")
    assert find_job_files(["jobs"]).files == ["jobs/a.yaml"]


def test_a_glob_stands_for_what_the_shell_would_find(folder):
    """A quoted one too; its files are named, its folders looked into."""
    write("jobs/a.yaml", "jobs/b/c.yaml", "jobs/[x].yaml")
    write("jobs/other.yaml", text=OTHERS["compose"])
    assert find_job_files(["jobs/*.yaml"]).files == ["jobs/[x].yaml", "jobs/a.yaml", "jobs/other.yaml"]
    assert find_job_files(["jobs/**/c.yaml"]).files == ["jobs/b/c.yaml"]
    assert find_job_files(["jobs/[x].yaml"]).files == ["jobs/[x].yaml"]
    assert find_job_files(["job[s]"]).files == ["jobs/[x].yaml", "jobs/a.yaml", "jobs/b/c.yaml"]


def test_each_file_is_taken_once(folder):
    """Whatever paths lead to it."""
    write("jobs/a.yaml")
    assert find_job_files(["jobs/a.yaml", "jobs", "jobs/*", "-", "-"]).files == ["jobs/a.yaml", "-"]


def test_named_files_that_are_no_jobs_can_be_passed_over(folder):
    """A hook is given every YAML file of a commit."""
    write("a.yaml")
    write("other.yaml", text=OTHERS["workflow"])
    (folder / "empty").mkdir()
    found = find_job_files(["a.yaml", "other.yaml", "empty", "missing.yaml"], only_jobs=True)
    assert (found.files, found.others) == (["a.yaml", "missing.yaml"], 1)


@pytest.mark.parametrize(("path", "message"), [("empty", "no job file in the folder"), ("*.yaml", "nothing")])
def test_nothing_to_look_at_is_said(folder, path, message):
    """A check that looked at nothing must not look like one that found nothing."""
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        find_job_files([path])
