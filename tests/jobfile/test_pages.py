"""What is explained of a code: its examples do what they say, and nothing that is made from them is old."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from runner.config import load_config
from runner.jobfile import CODES, Problem, load_job
from runner.jobfile.pages import TASKS, Example, read_pages, render_page
from runner.lint import review_jobs

from .conftest import NOW

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = read_pages()
ALSO = {"bad-ignore": ["tolerates-all"], "too-many-faults": ["wrong-type"]}
"""Codes that cannot come alone."""


def review(example: Example, folder: Path, *, imports: bool) -> list[Problem]:
    """Return what is found in an example's job file, and between it and the one beside it."""
    (folder / "tasks.py").write_text(TASKS)
    (folder / "config.yaml").write_text("{}\n")
    for name, text in example.files.items():
        (folder / name).write_text(text)
    (folder / "job.yaml").write_bytes(example.job)
    words = shlex.split(example.flags or "")
    pairs = [(flag, *word.split("=", 1)) for flag, word in zip(words[::2], words[1::2], strict=True)]
    # Without flags it is `runner validate` that looks.
    names = [name for name in ("other.yaml", "job.yaml") if (folder / name).exists()]
    jobs = [
        load_job(
            folder / name,
            params={name: value for flag, name, value in pairs if flag == "-p"},
            overrides=[(name, value) for flag, name, value in pairs if flag == "--set"],
            environ=example.environment,
            now=NOW,
            strict_env=example.flags is not None,
        )
        for name in names
    ]
    found = review_jobs(
        jobs, lambda root: load_config(root, operator=None, environ={}), imports=imports
    ).problems
    return [problem for problem in found if not problem.file.endswith("other.yaml")]


@pytest.mark.parametrize("code", CODES)
def test_the_wrong_example_has_the_fault_and_no_other(code, tmp_path):
    """Whoever tries it sees the code that the page is about."""
    page = PAGES[code]
    found = {problem.code for problem in review(page.wrong, tmp_path, imports=page.imports)}
    assert code in found
    assert found == {code, *ALSO.get(code, ())}


@pytest.mark.parametrize("code", CODES)
def test_the_right_example_has_no_fault_at_all(code, tmp_path):
    """Nor a warning."""
    page = PAGES[code]
    assert review(page.right, tmp_path, imports=page.imports) == []


@pytest.mark.parametrize("code", CODES)
def test_a_page_fits_a_screen_and_says_what_there_is_to_do(code):
    """Its lines are short, and it names the document."""
    text = render_page(PAGES[code])
    assert text.startswith(f"{code}: a")
    assert max(map(len, text.splitlines())) <= 200
    assert text.count("\n") <= 60
    assert text.endswith(f"docs/faults.md#{code}\n")


def test_what_is_made_from_models_and_registry_is_up_to_date():
    """docs/faults.md, the tables of docs/job-file.md and the schema; `make update` writes them anew."""
    command = [sys.executable, "docs/make.py", "--check"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
