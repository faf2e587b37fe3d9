"""Worker threads: a fixed pool that takes chunks from one queue.

Guarantees: whatever an item raises, `SystemExit`, `KeyboardInterrupt`, `GeneratorExit` and
`StopIteration` included, becomes that item's result and touches nobody else's; a worker that is told
to stop finishes the item it is at, or the one it is about to take, and nothing after it; when the last
item is done, no worker holds a
reference to an item or a result.

Each worker opens what it attempts items with, in its own thread, before its first item, and closes it after
its last one: the place for a session or a connection. An opening that fails ends the run (law 10).

Threads are daemons: a hung task must not keep the process from ending.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from typing import Any

from runner.clock import Clock
from runner.engine.messages import EXITED, Message, Task
from runner.errors import WorkerBroken

Attempt = Callable[[Any], Any]
"""Runs one item. What it returns is the item's result; what it raises is handed to `Rescue`."""
OpenWorker = Callable[[], tuple[Any, Callable[[], object] | None]]
"""Returns what one worker attempts items with, and what closes it, or `None`; both in the worker's thread.

What it raises ends the run, as it is if it is a `WorkerBroken`. Closing never raises."""
Rescue = Callable[[Any, BaseException], Any]
"""Makes the result of an item from what its attempt raised; never raises itself."""


def shared(attempt: Attempt) -> OpenWorker:
    """Return what opens workers that all use the same `attempt`."""
    return lambda: (attempt, None)


class ThreadPool:
    """A `runner.engine.window.Pool` of `size` threads."""

    throttled_seconds = 0.0
    """Nothing is limited here."""

    def __init__(
        self,
        open_worker: OpenWorker,
        rescue: Rescue,
        done: SimpleQueue[Message],
        *,
        size: int,
        is_chunked: bool = False,
    ) -> None:
        assert size >= 1
        self.size = size
        # Empty until the workers are to stop: the truth of a list is the cheapest flag to look at.
        self._stopping: list[bool] = []
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.submit = self._tasks.put
        # The workers get the parts they need, not the pool, so that nothing keeps the consumer alive.
        work = _work_chunks if is_chunked else _work_singles
        self._threads = [
            Thread(
                target=_run,
                args=(work, self, open_worker, rescue, done),
                name=f"runner-worker-{n}",
                daemon=True,
            )
            for n in range(size)
        ]

    def start(self) -> None:
        """Start every thread, or none."""
        for started, thread in enumerate(self._threads):
            try:
                thread.start()
            except RuntimeError as error:
                self._threads = self._threads[:started]
                self.stop(drop=True)
                raise WorkerBroken(
                    f"only {started} of {self.size} worker threads could be started ({error}); "
                    "lower `pool.size` or raise the limit on threads"
                ) from error

    def stop(self, *, drop: bool) -> None:
        """End the workers: now (`drop`), or when the queue is empty.

        A task that a worker has already taken is run: in ordered mode everything behind it would be
        lost otherwise, for the sake of an item that was about to begin. One submitted later stands behind
        the `None` of every worker.
        """
        if drop:
            self._stopping.append(True)
            try:
                while True:
                    self._tasks.get_nowait()
            except Empty:
                pass
        for _ in range(self.size):
            self._tasks.put(None)

    def alive(self) -> int:
        """Return how many threads are still running."""
        return sum(thread.is_alive() for thread in self._threads)

    def join(self, deadline: float, clock: Clock) -> None:
        """Wait for the threads, at most until `deadline`."""
        for thread in self._threads:
            if thread is current_thread():
                continue  # a task that closes its own map
            thread.join(max(0.0, deadline - clock.monotonic()))


def _run(
    work: Callable[..., None],
    pool: ThreadPool,
    open_worker: OpenWorker,
    rescue: Rescue,
    done: SimpleQueue[Message],
) -> None:
    error: BaseException | None = None
    try:
        attempt, close = open_worker()
        try:
            work(pool, attempt, rescue, done)
        finally:
            if close is not None:
                close()
    except BaseException as raised:  # a bug of ours, or no memory: told, never a silent missing worker
        error = raised
    done.put((EXITED, None, error))


def _work_singles(pool: ThreadPool, attempt: Attempt, rescue: Rescue, done: SimpleQueue[Message]) -> None:
    get, put, stopping = pool._tasks.get, done.put, pool._stopping
    while not stopping and (task := get()) is not None:
        sequence, item, weight = task
        try:
            result = attempt(item)
        except BaseException as raised:  # user code: SystemExit too is the item's failure
            result = rescue(item, raised)
        put((sequence, result, weight))
        # Nothing may keep the item and the result alive while this thread waits for the next one.
        del task, item, result


def _work_chunks(pool: ThreadPool, attempt: Attempt, rescue: Rescue, done: SimpleQueue[Message]) -> None:
    get, put, stopping = pool._tasks.get, done.put, pool._stopping
    while not stopping and (task := get()) is not None:
        sequence, items, weight = task
        results: list[Any] = []
        add = results.append
        rest = iter(items)
        while True:  # one round, and one more for each item that raises
            try:
                for item in rest:
                    add(attempt(item))
                    if stopping:
                        break
                break
            except BaseException as raised:  # user code, as above
                add(rescue(item, raised))
                if stopping:
                    break
        put((sequence, results, weight))
        task = items = results = add = rest = item = None  # type: ignore[assignment]  # unbound on purpose, see the loop
