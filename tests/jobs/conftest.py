"""A copy of the project for each test, where the example jobs are run as a newcomer would."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


class Project:
    """What a job needs of the project, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(REPOSITORY / "jobs", root / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(REPOSITORY / "pyproject.toml", root)

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a job through the command line, with `more` environment; `jobs` is that of the copy."""
        environ = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return subprocess.run(
            [sys.executable, "-m", "runner", "run", *words],
            cwd=self.root,
            env={**environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of an output, by its suffix."""
        with (self.root / name).open(newline="", encoding="utf-8") as lines:
            return (
                list(csv.DictReader(lines)) if name.endswith(".csv") else [json.loads(row) for row in lines]
            )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Give a copy of the project."""
    return Project(tmp_path)
