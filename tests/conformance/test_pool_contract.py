"""What `Outcomes` relies on in a pool of workers, one message at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from runner.clock import SystemClock
from runner.engine.messages import EXITED, Message
from runner.engine.threads import ThreadPool

from .probes import EVERYTHING, PATIENCE, eventually, identity, runner_threads

Maker = Callable[..., Any]


class Driven:
    """A started pool without a reader and a consumer."""

    def __init__(self, task: Callable[[Any], Any], size: int, is_chunked: bool) -> None:
        self.done: SimpleQueue[Message] = SimpleQueue()
        self.pool = ThreadPool(
            lambda: (task, None),
            lambda item, error: ("failed", item),
            self.done,
            size=size,
            is_chunked=is_chunked,
        )
        self.pool.start()

    def message(self) -> Message:
        """Return the next message of the workers."""
        return self.done.get(timeout=PATIENCE)

    def rest(self) -> list[Message]:
        """Return the messages of a pool that has ended."""
        self.pool.join(time.monotonic() + PATIENCE, SystemClock())
        messages = []
        try:
            while True:
                messages.append(self.done.get_nowait())
        except Empty:
            return messages


@pytest.fixture
def drive() -> Iterator[Callable[..., Driven]]:
    """Return a maker of pools; they are stopped after the test."""
    made = []

    def make(task: Callable[[Any], Any] = identity, size: int = 2, is_chunked: bool = True) -> Driven:
        made.append(Driven(task, size, is_chunked))
        return made[-1]

    yield make
    for driven in made:
        driven.pool.stop(drop=True)


def test_a_chunk_comes_back_under_its_sequence_with_its_weight(drive: Callable[..., Driven]) -> None:
    """One message for a chunk, results in the order of the items."""
    driven = drive()
    driven.pool.submit((40, [3, 1, 2], 77))
    assert driven.message() == (40, [3, 1, 2], 77)


def test_a_single_comes_back_under_its_sequence_with_its_weight(drive: Callable[..., Driven]) -> None:
    """Without chunks there is no list around an item or a result."""
    driven = drive(is_chunked=False)
    driven.pool.submit((40, [3, 1, 2], 77))
    assert driven.message() == (40, [3, 1, 2], 77)


def test_a_single_that_fails_comes_back_as_what_rescue_made(drive: Callable[..., Driven]) -> None:
    """Whatever it raised."""

    def task(item: int) -> int:
        raise GeneratorExit

    driven = drive(task, is_chunked=False)
    driven.pool.submit((40, 3, 77))
    assert driven.message() == (40, ("failed", 3), 77)


def test_as_many_results_as_items_come_back_whatever_fails(drive: Callable[..., Driven]) -> None:
    """Order is restored from the number of results alone."""

    def task(item: int) -> int:
        raise SystemExit if item % 2 else StopIteration

    driven = drive(task)
    driven.pool.submit((0, [0, 1, 2], 0))
    assert driven.message() == (0, [("failed", 0), ("failed", 1), ("failed", 2)], 0)


def test_a_soft_stop_runs_all_that_is_queued(drive: Callable[..., Driven], make_task: Maker) -> None:
    """Then every worker says that it has ended, and has nothing to blame."""
    task = make_task(held=(0,))
    driven = drive(task, size=1)
    for item in range(5):
        driven.pool.submit((item, [item], 0))
    driven.pool.stop(drop=False)
    task.let_go()
    assert driven.rest() == [(item, [item], 0) for item in range(5)] + [(EXITED, None, None)]
    assert driven.pool.alive() == 0


def test_a_hard_stop_ends_after_the_item_at_hand(drive: Callable[..., Driven], make_task: Maker) -> None:
    """The results of a chunk that was broken off come back, fewer than there were items."""
    task = make_task(held=(1,))
    driven = drive(task, size=1)
    driven.pool.submit((0, [0, 1, 2], 0))
    driven.pool.submit((3, [3], 0))
    task.has_started(1)
    driven.pool.stop(drop=True)
    task.let_go()
    assert driven.rest() == [(0, [0, 1], 0), (EXITED, None, None)]


@pytest.mark.parametrize("drops", [[True, True], [False, True], [True, False], [False, False]], ids=str)
def test_a_pool_may_be_stopped_twice(drive: Callable[..., Driven], drops: list[bool]) -> None:
    """Each worker ends once."""
    driven = drive(size=3)
    for drop in drops:
        driven.pool.stop(drop=drop)
    assert driven.rest() == [(EXITED, None, None)] * 3


def test_a_chunk_that_comes_after_the_stop_is_not_run(drive: Callable[..., Driven]) -> None:
    """The reader may be one step behind."""
    driven = drive()
    driven.pool.stop(drop=True)
    driven.pool.submit((0, [0], 0))
    assert driven.rest() == [(EXITED, None, None)] * 2


def test_join_waits_no_longer_than_its_deadline(drive: Callable[..., Driven], make_task: Maker) -> None:
    """A worker that hangs is still alive afterwards."""
    task = make_task(held=EVERYTHING)
    driven = drive(task)
    driven.pool.submit((0, [0], 0))
    task.has_started(0)
    driven.pool.stop(drop=True)
    eventually(lambda: driven.pool.alive() == 1, "the idle worker has ended")
    driven.pool.join(time.monotonic(), SystemClock())
    assert driven.pool.alive() == 1


def test_a_pool_has_as_many_threads_as_its_size(drive: Callable[..., Driven]) -> None:
    """They start with the pool, not with the first chunk."""
    drive(size=5)
    assert len(runner_threads()) == 5
