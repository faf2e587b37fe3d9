"""The README, done as a newcomer would: every block of it, word for word, where it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text("utf-8")


BLOCKS = [
    ("Try it", "console", "test_the_two_commands_of_a_newcomer"),
    ("Try it", "console", "test_the_commands_without_make"),
    ("A first job of your own", "python", "test_the_first_job_does_what_the_text_says"),
    ("A first job of your own", "csv", "test_the_first_job_does_what_the_text_says"),
    ("A first job of your own", "console", "test_the_first_job_does_what_the_text_says"),
    ("A first job of your own", "yaml", "test_the_job_file_written_by_hand_runs"),
    ("What you get", "text", "test_the_fault_is_shown_as_it_stands_there"),
    ("As a library", "python", "test_the_python_of_the_readme_runs"),
]
"""The chapter and language of every block, in order, and the test that does it."""

UNREACHABLE = re.compile("NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError")


def chapter(title: str) -> str:
    """Return the text below a heading."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README has no chapter {title}"
    return found[1]


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of a language in a text."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in found]


def code(text: str, language: str) -> str:
    """Return the one block of a language in a text."""
    (block,) = blocks(text, language)
    return block


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment with `runner` on the path, as the README asks for."""
    command = tmp_path / "bin" / "runner"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -P -m runner "$@"\n')
    command.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    path = f"{command.parent}:{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files of the first job, and nothing else."""
    made = tmp_path / "empty"
    made.mkdir()
    text = chapter("A first job of your own")
    languages = {"python": "tasks.py", "csv": "prices.csv"}
    for language, name in languages.items():
        assert f"`{name}`" in text
        (made / name).write_text(code(text, language))
    return made


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of this project as it is checked out, without what was installed or left in it."""
    left = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", ".runner", "out", "__pycache__")
    return shutil.copytree(REPOSITORY, tmp_path / "checkout", ignore=left, symlinks=True)


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Return an environment without a virtual one, whose `python3` is the Python that runs the tests."""
    command = tmp_path / "bin" / "python3"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys._base_executable}" "$@"\n')  # type: ignore[attr-defined]
    command.chmod(0o755)
    taken = ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    kept = {key: value for key, value in os.environ.items() if key not in taken}
    return {
        **kept,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHON": str(command),
        "HOME": str(tmp_path),
    }


def run(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one line of a console block."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def installed(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that installs; skip the test where there is nothing to install from."""
    done = run(command, folder, environment)
    if done.returncode != 0 and UNREACHABLE.search(done.stderr):
        pytest.skip(f"`{command}` cannot reach the package index")
    assert done.returncode == 0, done.stderr
    return done


def commands_of(block: str) -> list[str]:
    """Return the commands of a console block, without the words beside them."""
    return [line.partition("  #")[0].strip() for line in block.splitlines()]


def test_every_block_is_done_by_a_test() -> None:
    """A block that nothing runs would be a promise that nothing keeps."""
    found = []
    for title in re.findall(r"^## (.+)$", README, re.MULTILINE):
        found += [(title, language) for language in re.findall(r"^ *```(\w+)$", chapter(title), re.MULTILINE)]
    assert found == [(title, language) for title, language, _ in BLOCKS]
    assert len(re.findall(r"^ *```", README, re.MULTILINE)) == 2 * len(BLOCKS)
    assert {name for *_, name in BLOCKS} <= globals().keys()


def test_every_command_that_is_named_exists(folder: Path, environment: dict[str, str]) -> None:
    """In the text too, not only in the blocks."""
    named = sorted(set(re.findall(r"`runner ([a-z]+)", README)))
    assert {"run", "init", "preview", "explain", "schema", "diff", "plan"} <= set(named)
    for name in named:
        done = run(f"runner {name} --help", folder, environment)
        assert done.returncode == 0, done.stderr
        assert f"runner {name}" in done.stdout


@pytest.mark.slow
def test_the_two_commands_of_a_newcomer(checkout: Path, bare: dict[str, str]) -> None:
    """The first makes .venv and the rows; the second is what CI runs, which this test is part of."""
    commands = commands_of(blocks(chapter("Try it"), "console")[0])
    assert commands == ["make run", "make test"]
    done = installed(commands[0], checkout, bare)
    assert (checkout / "out/nearest_hub.jsonl").read_bytes().count(b"\n") == 7884
    assert "out/nearest_hub.jsonl (7884 lines)" in done.stdout
    assert (checkout / ".ci/run").read_text("utf-8").splitlines()[-1] == commands[1]


@pytest.mark.slow
def test_the_commands_without_make(checkout: Path, bare: dict[str, str]) -> None:
    """The same rows, from a virtual environment made by hand."""
    for command in commands_of(blocks(chapter("Try it"), "console")[1]):
        installed(command, checkout, bare)
    assert (checkout / "out/nearest_hub.jsonl").read_bytes().count(b"\n") == 7884


def test_init_in_an_empty_folder_writes_an_example_that_runs(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """A job, its task, its data; and the job runs without a word more."""
    empty = tmp_path / "new"
    empty.mkdir()
    assert run("runner init", empty, environment).returncode == 0
    assert {path.suffix for path in empty.iterdir() if path.is_file()} >= {".yaml", ".py", ".csv"}
    done = run("runner run job.yaml", empty, environment)
    assert done.returncode == 0, done.stderr
    assert list((empty / "out").iterdir())


def test_the_job_file_written_by_hand_runs(folder: Path, environment: dict[str, str]) -> None:
    """Over the data above one record of three fails, more than its 1 %; without that record it is done."""
    (folder / "byhand.yaml").write_text(code(chapter("A first job of your own"), "yaml"))
    done = run("runner run byhand.yaml", folder, environment)
    assert done.returncode == 1, done.stderr
    assert "tolerated are 1 %" in done.stderr
    (folder / "prices.csv").write_text((folder / "prices.csv").read_text().replace("water,free\n", ""))
    done = run("runner run byhand.yaml --restart", folder, environment)
    assert done.returncode == 0, done.stderr
    assert (folder / "out/prices.jsonl").read_text().count("\n") == 2


def test_the_fault_is_shown_as_it_stands_there(folder: Path, environment: dict[str, str]) -> None:
    """To the letter, for a file that has the mistake on that line."""
    shown = code(chapter("What you get"), "text")
    job = [
        "version: 1",
        "name: hubs",
        "",
        "input:",
        "  type: range",
        "  stop: 3",
        "",
        "task: tasks.price",
        "",
    ]
    job += ["output:", "  type: none", "", "pool:", "  chunk_size: 10", ""]
    (folder / "jobs").mkdir()
    (folder / "jobs/hubs.yaml").write_text("\n".join(job))
    done = run("runner validate jobs/hubs.yaml", folder, environment)
    assert done.returncode == 1
    assert shown in done.stdout + done.stderr


def test_the_first_job_does_what_the_text_says(folder: Path, environment: dict[str, str]) -> None:
    """The preview shows the failure, two rows are there, the dead letter says which record, where and why."""
    commands = code(chapter("A first job of your own"), "console").splitlines()
    assert [line.split()[1] for line in commands] == ["init", "preview", "run"]
    for command, expected in zip(commands, (0, 1, 0), strict=True):
        done = run(command, folder, environment)
        assert done.returncode == expected, done.stderr
        if "preview" in command:
            assert "ValueError: could not convert string to float: 'free'" in done.stderr
            assert not (folder / "out").exists()
    rows = [json.loads(line) for line in (folder / "out/prices.jsonl").read_text().splitlines()]
    assert rows == [{"name": "tea", "euro": 3.86}, {"name": "coffee", "euro": 4.69}]
    (letter,) = (folder / "out/prices.failed.jsonl").read_text().splitlines()
    failed = json.loads(letter)
    assert failed["item"]["name"] == "water"
    assert (failed["where"]["file"], failed["where"]["line"]) == ("prices.csv", 4)
    assert "could not convert string to float" in failed["error"]["message"]


def test_without_tolerance_the_first_job_publishes_nothing(folder: Path, environment: dict[str, str]) -> None:
    """Exit code 1 and no output, as the text says of a job without `tolerate`."""
    init = code(chapter("A first job of your own"), "console").splitlines()[0]
    assert run(init, folder, environment).returncode == 0
    text = (folder / "prices.yaml").read_text()
    assert "tolerate: 0" in text
    assert run("runner run prices.yaml", folder, environment).returncode == 1
    assert not (folder / "out/prices.jsonl").exists()


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    """The example of the library prints its results in order."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code(chapter("As a library"), "python")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "A\nB\nC\n"), done.stderr
