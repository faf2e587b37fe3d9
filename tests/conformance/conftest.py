"""What every engine test runs under: both orders, every chunksize, and an end to every hang."""

from __future__ import annotations

import faulthandler
import gc
import os
from collections.abc import Callable, Container, Iterator
from typing import Any

import pytest

import runner

from .probes import Task, disown_threads, open_outcomes


@pytest.fixture(params=[True, False], ids=["ordered", "unordered"])
def ordered(request: pytest.FixtureRequest) -> bool:
    """Return the order of the results."""
    return request.param


@pytest.fixture(params=[1, 2, 10, "auto"], ids=lambda chunksize: f"chunk-{chunksize}")
def chunksize(request: pytest.FixtureRequest) -> int | str:
    """Return a chunksize as `imap` takes it."""
    return request.param


@pytest.fixture(params=[1, 2, 10], ids=lambda chunksize: f"chunk-{chunksize}")
def whole_chunksize(request: pytest.FixtureRequest) -> int:
    """Return a chunksize as the level below `imap` takes it."""
    return request.param


@pytest.fixture(scope="session")
def real_stderr(request: pytest.FixtureRequest) -> Iterator[int]:
    """Return a descriptor of stderr that pytest does not capture."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        descriptor = os.dup(2)
    yield descriptor
    os.close(descriptor)


@pytest.fixture(autouse=True)
def no_hang(real_stderr: int) -> Iterator[None]:
    """End the process with all stacks when one test takes a minute: pytest itself would wait for ever."""
    faulthandler.dump_traceback_later(60, exit=True, file=real_stderr)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def own_threads() -> None:
    """Let a test see its own threads only."""
    disown_threads()


@pytest.fixture
def imap() -> Iterator[Callable[..., Any]]:
    """Return `runner.imap`; what it made is closed after the test."""
    made = []

    def recorded(*arguments: Any, **options: Any) -> Any:
        made.append(runner.imap(*arguments, **options))
        return made[-1]

    yield recorded
    for results in made:
        results.close(grace=0)


@pytest.fixture
def outcomes() -> Iterator[Callable[..., Any]]:
    """Return `open_outcomes`; what it made is closed after the test."""
    made = []

    def recorded(*arguments: Any, **options: Any) -> Any:
        made.append(open_outcomes(*arguments, **options))
        return made[-1]

    yield recorded
    for running in made:
        running.close(grace=0)


@pytest.fixture
def make_task() -> Iterator[Callable[..., Task]]:
    """Return a maker of tasks that hold; whatever still holds after the test is let go."""
    made = []

    def make(held: Container[Any] = ()) -> Task:
        made.append(Task(held))
        return made[-1]

    yield make
    for task in made:
        task.let_go()


@pytest.fixture
def without_gc() -> Iterator[None]:
    """Switch the garbage collector off, so that a reference cycle counts as a leak."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
