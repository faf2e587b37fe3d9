"""Guards over every test: no thread of ours is left running, nothing is written into the tree or to HOME."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.sizing import usable_cpus
from tests import forked

REPOSITORY = Path(__file__).resolve().parents[1]
_CACHES = ("__pycache__", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".venv", ".git")
_PATIENCE_SECONDS = 5.0
"""For threads that were told to end; only a test that is about to fail waits so long."""
_written: list[str] = []


def _note_writes(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open":
        return
    path, _, flags = arguments
    if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return
    if isinstance(path, int) or not {"UPDATE_FAULTS", "UPDATE_EDITS"}.isdisjoint(os.environ):
        return
    text = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]  # str: this is hot
    if text.startswith(f"{REPOSITORY}/") and not any(f"/{cache}" in text for cache in _CACHES):
        _written.append(text)


def pytest_configure() -> None:
    """Watch every file that this process opens for writing; a hook cannot be taken back."""
    sys.addaudithook(_note_writes)


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the tests an empty HOME, and see that it is empty at their end."""
    home, before = tmp_path_factory.mktemp("home"), os.environ.get("HOME")
    os.environ["HOME"] = str(home)
    yield
    forked.close()
    if before is None:
        del os.environ["HOME"]
    else:
        os.environ["HOME"] = before
    assert not list(home.iterdir()), "a test wrote into HOME"


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """See that the threads a test started with `runner-` in their names have ended with it."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("runner-"):
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"the thread {thread.name} is still running"


@pytest.fixture(autouse=True)
def _nothing_written_here() -> Iterator[None]:
    """See that a test has opened no file of the repository for writing."""
    _written.clear()
    yield
    assert not _written, "a test wrote into the repository"


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `--numprocesses auto` means: the tests wait for others half of their time."""
    return max(4, 2 * usable_cpus())
