"""`runner.imap`: the engine as a library, a better `multiprocessing.pool.ThreadPool.imap`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, cast

from runner.engine.threads import ThreadPool, shared
from runner.engine.window import Outcomes
from runner.errors import TaskFailed
from runner.raised import drop_first_frame, is_a, message_of, short_name
from runner.sizing import LARGEST_POOL, default_size, default_window

T = TypeVar("T")
R = TypeVar("R")


class _Raised(Iterator[Any]):
    """A result that is an exception; as an iterator it raises it, once."""

    __slots__ = ("_error", "_is_own")

    def __init__(self, error: BaseException, *, is_own: bool = True) -> None:
        self._error: BaseException | None = error
        self._is_own = is_own  # the task's, not that of the input or of a signal handler

    def __next__(self) -> Any:
        error, self._error = self._error, None
        if error is None:
            raise StopIteration
        try:
            is_plain = is_a(error, Exception) and not is_a(error, StopIteration, StopAsyncIteration)
            if is_plain or not self._is_own:
                raise error
            raise TaskFailed(f"the task raised {short_name(type(error))}: {message_of(error)}") from error
        finally:
            del error  # no cycle through this frame


class _Rescue:
    """Makes the results of items that failed. Held by the workers, so it must not hold the consumer."""

    def __init__(self) -> None:
        self.has_failed = False

    def __call__(self, item: object, error: BaseException) -> _Raised:
        self.has_failed = True
        drop_first_frame(error)  # the worker's: it says nothing to the user, and would keep the chunk alive
        return _Raised(error)


class _Runs(Iterator[Iterator[Any]]):
    """Cuts the lists of results into runs without a failure and failures: what `Results` chains."""

    def __init__(self) -> None:
        self.outcomes: Outcomes[Any] | None = None
        self._left: list[list[Any]] = []
        self.rescue = _Rescue()
        self._queue: deque[list[Any] | _Raised] = deque()

    def __next__(self) -> Iterator[Any]:
        if not self._queue:
            assert self.outcomes is not None
            try:
                results = next(self.outcomes)
            except StopIteration:
                raise
            except BaseException as error:  # the input's or the task's own, Ctrl-C too
                # Raised by an iterator within the chain, which survives that; raised here it would end
                # the chain, and a caller who goes on after a Ctrl-C would lose the rest without a word.
                return _Raised(error, is_own=False)
            if not self.rescue.has_failed:
                return self._popping(results)
            self._cut(results)
        run = self._queue.popleft()
        return run if isinstance(run, _Raised) else self._popping(run)

    def _cut(self, results: list[Any]) -> None:
        good: list[Any] = []
        for result in results:
            if type(result) is not _Raised:
                good.append(result)
                continue
            if good:
                self._queue.append(good)
                good = []
            self._queue.append(result)
        if good:
            self._queue.append(good)

    def clear(self) -> None:
        """Let go of everything not yet delivered; the chain ends."""
        self._queue.clear()
        self._left.clear()

    def _popping(self, run: list[Any]) -> Iterator[Any]:
        # Popped, not iterated: a delivered result may be large, and belongs to the caller alone. All
        # in C, and `clear` ends it from outside.
        run.reverse()
        self._left = [run] * len(run)
        return map(list.pop, self._left)


class Results(chain[R]):
    """The results of `imap`, one by one. Not for several threads at once.

    `next()` returns the next result, or raises what the task raised for that item, with its own
    traceback, and may then be called again for the items after it. `StopIteration`,
    `StopAsyncIteration` and what is no `Exception` arrive as `TaskFailed` with a `__cause__`. What the
    input raised is raised once, after all results.

    A `chain` because that is an iterator in C which survives an exception of the iterator that it is
    in: a `__next__` in Python costs more than all the rest of the engine at chunksize 100.
    """

    _runs: _Runs

    def close(self, *, grace: float = 1.0) -> int:
        """End early: draw nothing more, drop what is queued, wait `grace` seconds for running items.

        Returns the number of threads left behind in the task (daemon threads, 0 as a rule).
        """
        assert self._runs.outcomes is not None
        left = self._runs.outcomes.close(grace=grace)
        self._runs.clear()
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def imap(
    func: Callable[[T], R],
    iterable: Iterable[T],
    *,
    size: int | None = None,
    chunksize: int | Literal["auto"] = 1,
    ordered: bool = True,
    window: int | None = None,
    engine: Literal["threads"] = "threads",
) -> Results[R]:
    """Call `func` on every item of `iterable` in a pool of threads; return an iterator of the results.

    Lazy at both ends: at most `window` items are drawn from `iterable` and not yet taken from the
    iterator, so an endless input and a slow consumer are both fine. One thread, not the caller's,
    iterates `iterable`. Work starts at the call.

    Args:
        func: Called with one item, in many threads at once.
        iterable: Drawn as results are taken.
        size: Threads, at most 1024; `None` means min(32, usable CPUs + 4).
        chunksize: Items handed to a thread at a time, or `"auto"`. Only a matter of speed: a failing
            item never touches another of its chunk.
        ordered: Results in the order of the input (`imap`), or as they finish (`imap_unordered`).
        window: Most items drawn and not yet taken, at least `chunksize`; `None` means
            max(1024, 4 x size x chunksize).
        engine: Only `"threads"` so far.

    Returns:
        An iterator, also a context manager: leaving the block, `close()` or dropping the last
        reference stops the drawing and drops what is queued.

    Raises:
        ValueError: `size`, `chunksize`, `window` or `engine` is out of range.
        TypeError: `func` is not callable, `iterable` is not iterable.
        WorkerBroken: The threads could not be started.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable, got {type(func).__name__}")
    if not hasattr(iterable, "__iter__") and not hasattr(iterable, "__getitem__"):
        raise TypeError(f"`iterable` must be iterable, got {type(iterable).__name__}")
    if engine != "threads":
        raise ValueError(f'`engine` must be "threads", got {engine!r}')
    size = _at_least("size", 1, default_size() if size is None else size)
    if size > LARGEST_POOL:
        raise ValueError(f"`size` must be at most {LARGEST_POOL}, got {size}")
    # For threads a chunk of 1 already costs less than a microsecond, and anything larger could make
    # a tiny item wait behind a slow one.
    chunksize = 1 if chunksize == "auto" else _at_least("chunksize", 1, chunksize)
    window = default_window(size, chunksize) if window is None else window
    window = _at_least("window", chunksize, window)

    pool_size, chunk, runs = size, chunksize, _Runs()
    rescue = runs.rescue

    def make_pool(done: Any) -> ThreadPool:
        return ThreadPool(shared(func), rescue, done, size=pool_size, is_chunked=chunk > 1)

    runs.outcomes = Outcomes(iterable, make_pool, chunksize=chunksize, ordered=ordered, window=window)
    results = cast(Results[R], Results.from_iterable(runs))
    results._runs = runs
    return results


def _at_least(name: str, least: int, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"`{name}` must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}, got {value}")
    return value
