"""When threads cannot be started, or the pool itself breaks: one clear error, nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

import runner
from runner.engine.threads import ThreadPool
from runner.engine.window import Outcomes
from runner.errors import WorkerBroken

from .probes import Tap, eventually, flat, identity, runner_threads

Maker = Callable[..., Any]


@pytest.fixture
def only_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a switch that lets only so many more threads of the engine start."""

    def limit(number: int) -> None:
        left = iter(range(number))
        start = threading.Thread.start

        def limited(thread: threading.Thread) -> None:
            if thread.name.startswith("runner-") and next(left, None) is None:
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)

    return limit


@pytest.mark.parametrize("started", [0, 1, 3])
def test_a_pool_that_cannot_be_started_whole_is_not_started_at_all(
    only_threads: Callable[[int], None], chunksize: int | str, started: int
) -> None:
    """The error says how many there were and what to do; the threads that did start have ended."""
    only_threads(started)
    tap = Tap(count())
    with pytest.raises(
        WorkerBroken, match=rf"only {started} of 4 worker threads .*can't start new thread.*`pool\.size`"
    ):
        runner.imap(identity, tap, size=4, chunksize=chunksize)
    eventually(lambda: not runner_threads(), "nothing is left running")
    assert tap.asked == 0


def test_a_reader_that_cannot_be_started_stops_the_pool(
    only_threads: Callable[[int], None], chunksize: int | str
) -> None:
    """The pool stood already: it is ended, and the input is not touched."""
    only_threads(4)
    tap = Tap(count())
    with pytest.raises(WorkerBroken, match="reader thread could not be started"):
        runner.imap(identity, tap, size=4, chunksize=chunksize)
    eventually(lambda: not runner_threads(), "nothing is left running")
    assert tap.asked == 0


def test_the_next_map_works_when_threads_are_to_be_had_again(
    only_threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the failed start is remembered."""
    only_threads(2)
    with pytest.raises(WorkerBroken, match="only 2 of 4"):
        runner.imap(identity, range(9), size=4)
    monkeypatch.undo()
    assert list(runner.imap(identity, range(9), size=4)) == list(range(9))


def test_a_worker_that_breaks_by_itself_is_told_and_ends_the_run(whole_chunksize: int, ordered: bool) -> None:
    """A bug of ours in a worker is an error with its cause, never an item that silently goes missing."""

    def broken_rescue(item: int, error: BaseException) -> Any:
        raise MemoryError("no room for the failure")

    def task(item: int) -> int:
        return 1 // (item - 25)

    running = Outcomes(
        count(),
        lambda done: ThreadPool(
            lambda: (task, None), broken_rescue, done, size=3, is_chunked=whole_chunksize > 1
        ),
        chunksize=whole_chunksize,
        ordered=ordered,
        window=100,
    )
    with pytest.raises(WorkerBroken, match="no room for the failure") as caught:
        flat(running)
    assert type(caught.value.__cause__) is MemoryError
    assert next(running, "end") == "end"
    assert not running.complete


def test_no_thread_is_left_after_the_end(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """The workers of a finished map have ended when the consumer sees the end, without any `close`."""
    assert len(list(imap(identity, range(100), chunksize=chunksize, ordered=ordered))) == 100
    assert not [thread for thread in runner_threads() if "worker" in thread.name]


def test_threads_are_daemons_with_telling_names(imap: Maker, make_task: Maker) -> None:
    """They never keep the process alive, and a stack dump says whose they are."""
    task = make_task(held=(0, 1))
    imap(task, count(), size=2)
    task.has_started(0, 1)
    threads = runner_threads()
    assert sorted(t.name for t in threads) == ["runner-reader", "runner-worker-0", "runner-worker-1"]
    assert all(t.daemon for t in threads)
