"""Paths for a person, from whichever folder they type: each that is shown can be typed there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import forked


@pytest.fixture
def prices(project):
    """Give a project with a marked root, a job in a folder below it, and an item that fails."""
    project.write("config.yaml", "")
    project.write("data/prices.csv", "name,dollar\ntea,4.20\nwater,free\n")
    project.write("tasks.py", "def price(row):\n    return {'euro': float(row['dollar'])}\n")
    project.job(
        "jobs/prices.yaml",
        input={"type": "csv", "path": "data/*.csv"},
        task="tasks.price",
        failures={"tolerate": 1},
        output={"type": "jsonl", "path": "out/prices.jsonl"},
    )
    return project


def paths_in(text: str) -> list[str]:
    """Return the words of a text that name files of the project, without line numbers."""
    return re.findall(r"\S*(?:prices[^\s:]*|log)\.(?:csv|jsonl|yaml)\b", text)


@pytest.mark.parametrize("folder", [".", "jobs", ".."])
def test_what_a_run_shows_can_be_typed_where_it_was_started(prices, folder):
    """Input, output, dead letters and log; and, when the output is in the way, what is to be moved."""
    here = (prices.root / folder).resolve()
    job = str(prices.root / "jobs/prices.yaml")
    done = prices.runner("run", job, cwd=here)
    assert done.code == 0, done.err
    found = paths_in(done.err.partition("\n")[2])
    assert [Path(name).name for name in found] == [
        "prices.csv",
        "prices.jsonl",
        "prices.failed.jsonl",
        "log.jsonl",
    ]
    assert all((here / name).is_file() for name in found), found
    refused = prices.runner("run", job, "--limit", "1", cwd=here).err
    assert (here / paths_in(refused)[0]).is_file()


@pytest.mark.parametrize("folder", [".", "jobs", ".."])
def test_what_plan_and_preview_show_can_be_typed_too(prices, folder):
    """The glob of the input, the place of the first item, output and dead letters that would be replaced."""
    here = (prices.root / folder).resolve()
    job = str(prices.root / "jobs/prices.yaml")
    prices.runner("run", job)
    planned = prices.runner("plan", job, cwd=here).out.partition("\n\n  version")[0]
    previewed = prices.runner("preview", job, cwd=here).err
    assert [Path(name).name for name in paths_in(planned)][-2:] == ["prices.jsonl", "prices.failed.jsonl"]
    for name in paths_in(planned) + paths_in(previewed):
        assert (here / name).is_file(), name
    (glob,) = re.findall(r"\S+\*\.csv", planned)
    assert list(Path("/").glob(str(here / glob).lstrip("/")))


@pytest.mark.parametrize("folder", [".", "jobs", ".."])
def test_a_machine_gets_the_same_report_wherever_it_stands(prices, folder):
    """Paths of reports start at the project root, which the report names."""
    job = str(prices.root / "jobs/prices.yaml")
    report = prices.runner("run", job, "--json", cwd=(prices.root / folder).resolve()).report
    assert report["root"] == str(prices.root)
    assert (report["output"], report["dead_letter"]) == ("out/prices.jsonl", "out/prices.failed.jsonl")


def in_a_folder_that_has_gone(project, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a folder that is removed before it starts."""

    def prepare() -> None:
        gone = project.root / "gone"
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()

    return forked.run(
        *words, cwd=project.root, environ=project.environ, is_started=True, prepare=prepare, timeout=30
    )


@pytest.mark.parametrize(
    "line", ["run", "plan", "preview", "validate --import", "test", "diff {root}/job.yaml"]
)
def test_an_absolute_path_works_where_the_current_folder_has_gone(project, line):
    """Nothing else starts there."""
    job = str(project.job(tests=[{"name": "same", "item": 1, "row": 1}]))
    done = in_a_folder_that_has_gone(project, *line.format(root=project.root).split(), job)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line", ["run job.yaml", "diff job.yaml", "validate job.yaml", "init", "init new", "preview job.yaml"]
)
def test_a_current_folder_that_has_gone_is_named(project, line):
    """Where a path starts there, wrong usage, and what helps."""
    project.job()
    done = in_a_folder_that_has_gone(project, *line.split())
    assert done.returncode == 2, done.stderr
    assert b"error: the current folder has been removed; cd to one that exists" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("line", ["run", "plan", "preview", "test", "validate"])
def test_settings_that_cannot_be_read_allow_nothing(project, line):
    """A pipe, here: nobody waits for what comes out of it."""
    project.job(tests=[{"name": "same", "item": 1, "row": 1}])
    os.mkfifo(project.root / "config.yaml")
    done = project.runner(line, "job.yaml")
    assert done.code == (1 if line == "validate" else 78), done.err
    assert "the settings cannot be read: it is no file" in done.out + done.err
    assert not project.has("out.jsonl")


@pytest.mark.parametrize("command", ["run", "plan", "preview"])
@pytest.mark.parametrize("key", ["input", "output"])
def test_a_locale_that_cannot_say_a_path_is_named(project, command, key):
    """Where Python was told to believe it; ASCII paths work there as everywhere."""
    ascii_only = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    project.write("\xe9.csv", "a,b\n1,2\n")
    paths = {"input": "plain.csv", "output": "plain.jsonl"}
    project.write(paths["input"], "a,b\n1,2\n")
    for is_plain in (True, False):
        if not is_plain:
            paths[key] = {"input": "\xe9.csv", "output": "\xe9.jsonl"}[key]
        project.job(
            input={"type": "csv", "path": paths["input"]}, output={"type": "jsonl", "path": paths["output"]}
        )
        done = project.runner(command, "job.yaml", environ=ascii_only)
        if is_plain or (command == "preview" and key == "output"):  # which preview does not touch
            assert done.code == 0, done.err
            continue
        assert done.code == 2, done.err
        assert "error: the locale has paths in ascii" in done.err
        assert "set LC_ALL=C.UTF-8" in done.err
        assert "Traceback" not in done.err


@pytest.mark.parametrize("path", ["~/x.jsonl", "$HOME/x.jsonl"])
def test_a_path_for_a_shell_is_warned_of(project, path):
    """It would be a folder of that name."""
    project.job(output={"type": "jsonl", "path": path})
    done = project.runner("validate", "job.yaml")
    assert done.code == 0, done.err
    assert "warning[looks-like-reference]" in done.out
    assert "write ${env.HOME}" in done.out
    project.job(output={"type": "jsonl", "path": "a~b/$x.jsonl"})
    assert "warning" not in project.runner("validate", "job.yaml").out


def test_a_job_file_of_another_name_is_not_suggested_for_its_suffix(project):
    """Only what stands before it is compared."""
    project.job("\xf1.yaml")
    done = project.run(job="./-x.yaml")
    assert done.code == 2
    assert "did you mean" not in done.err
    assert "did you mean \xf1.yaml" in project.run(job="\xf1.yml").err
