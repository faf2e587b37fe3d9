"""Every example job, run as a newcomer would, in a copy of the project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.config import load_config

REPOSITORY = Path(__file__).resolve().parents[1]
AIRPORTS = 7884
ROWS = {
    "nearest_hub": ("out/nearest_hub.jsonl", AIRPORTS),
    "airport_pages": ("out/airport_pages.failed.jsonl", 0),
}
TESTED_APART = {"checksums", "clean_log", "daylight", "fetch_pages", "register"}
"""Examples with a test of their own in `tests/jobs`: they need a server, or fail in part, or say more."""
JOBS = sorted((REPOSITORY / "jobs").glob("*.yaml"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of what a job needs of the project."""
    shutil.copytree(REPOSITORY / "jobs", tmp_path / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command there; `jobs` is that of the copy."""
    return subprocess.run(
        [sys.executable, "-m", "runner", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_example_is_known_here() -> None:
    """A new example needs its number of rows here, or a test of its own."""
    assert {path.stem for path in JOBS} == set(ROWS) | TESTED_APART
    for name in TESTED_APART:
        assert (REPOSITORY / f"tests/jobs/test_{name}_job.py").is_file()


@pytest.mark.parametrize("job", [path for path in JOBS if path.stem in ROWS], ids=lambda path: path.stem)
def test_an_example_runs_to_its_end(copy: Path, job: Path) -> None:
    """Exit 0, no failure, and as many rows as there are airports that fit."""
    done = run(copy, "run", f"jobs/{job.name}", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    output, rows = ROWS[job.stem]
    assert (report["status"], report["items"], report["failed"]) == ("completed", AIRPORTS, 0)
    assert (copy / output).read_bytes().count(b"\n") == rows
    if job.stem == "airport_pages":
        assert (copy / "out/airport_pages/KEF.md").read_text().startswith("# Keflavik")


def test_the_examples_have_no_faults(copy: Path) -> None:
    """`runner validate jobs/` finds them all and nothing wrong with them."""
    done = run(copy, "validate", "jobs", DIRECTORY_TOKEN="open-sesame")
    assert done.returncode == 0, done.stdout
    assert f"no faults in {len(JOBS)} job files" in done.stderr


def test_the_sample_settings_load_and_allow_the_examples(tmp_path: Path) -> None:
    """`config.example.yaml` is valid, and says the defaults but for the list of tasks."""
    config = load_config(tmp_path, operator=REPOSITORY / "config.example.yaml", environ={})
    plain = load_config(tmp_path, operator=None, environ={})
    assert config.allow == (("jobs.*",),)
    assert (config.log_level, config.state) == (plain.log_level, plain.state)
