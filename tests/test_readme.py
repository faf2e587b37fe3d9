"""README's first job and its Python, done as a newcomer would: in an empty folder, word for word."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text("utf-8")


def chapter(title: str) -> str:
    """Return the text below a heading."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README has no chapter {title}"
    return found[1]


def code(text: str, language: str) -> str:
    """Return the one block of a language in a text."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
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


def run(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one line of a console block."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


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
