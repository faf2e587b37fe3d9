"""Packages of npm that some tests need, in pinned versions, kept in `.venv`."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / ".venv" / "npm"
LIMIT_SECONDS = 180


class Unavailable(Exception):
    """There is no such package to be had here; the message says why."""


def install(name: str, version: str) -> Path:
    """Return the folder of a package, installed where it is not there yet.

    Raises:
        Unavailable: npm or node is missing, or npm cannot get the package.
    """
    home = HOME / f"{name}-{version}"
    folder = home / "node_modules" / name
    if (home / "complete").exists():
        return folder
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise Unavailable(f"there is no {tool} on the path")
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:  # several workers of a test run may want it at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            _install(name, version, home)
    return folder


def _install(name: str, version: str, home: Path) -> None:
    words = ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", "--ignore-scripts"]
    words += ["--cache", str(HOME / "cache")]  # not in the home of whoever runs the tests
    try:
        done = subprocess.run(
            [*words, f"{name}@{version}"], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"npm install {name} did not end within {LIMIT_SECONDS} s") from error
    if done.returncode != 0:
        raise Unavailable(f"npm cannot install {name}: {done.stderr.strip()[-200:]}")
    (home / "complete").touch()
