"""The thread that draws the input: lazily, in chunks, never more than there are credits for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import compress, islice
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from runner.clock import Clock
from runner.engine.messages import END, Message
from runner.engine.pool import Pool

T = TypeVar("T")


class Reader(Generic[T]):
    """Draws the input in its own thread, which is the only one that calls it (law 2).

    Holds no reference to the consumer's end, so that a consumer that is dropped is collected.
    """

    def __init__(
        self,
        items: Iterable[T],
        pool: Pool,
        done: SimpleQueue[Message],
        *,
        chunksize: int,
        window: int,
        window_bytes: int | None,
        weigh: Callable[[T], int] | None,
        clock: Clock,
    ) -> None:
        self.credits: SimpleQueue[tuple[int, int]] = clock.queue()
        self.credits.put((window, 0))
        self.stopped = False
        self._items: Iterable[T] | None = items
        self._pool = pool
        self._done = done
        self._chunksize = chunksize
        self._window_bytes = window_bytes
        self._weigh = weigh if window_bytes is not None else None
        self._drawn = 0
        self._is_exhausted = False
        self._gate = [True] * chunksize
        self._clock = clock
        self.waited_seconds = 0.0
        self.ended_at: float | None = None
        self.thread = Thread(target=self._run, name="runner-reader", daemon=True)

    def stop(self) -> None:
        """Draw nothing more; wakes the reader where it waits for credits. Safe in a signal handler."""
        self.stopped = True
        self._gate.clear()
        self.credits.put((0, 0))

    def _run(self) -> None:
        error: BaseException | None = None
        iterator: Iterator[T] | None = None
        items, self._items = self._items, None
        assert items is not None
        try:
            iterator = iter(items)
            del items
            if self._chunksize == 1:
                self._feed_singles(iterator)
            else:
                self._feed_chunks(iterator)
        except BaseException as raised:  # the input's own, KeyboardInterrupt included: it is told, not lost
            error = raised
        try:
            close = getattr(iterator, "close", None)
            if callable(close):
                close()
        except BaseException as raised:  # user code
            # After an early stop nobody waits for the input any more, and a first error says more.
            error = error if error is not None or self.stopped else raised
        self.ended_at = self._clock.monotonic()
        is_known = self._is_exhausted or error is not None
        self._done.put((END, self._drawn if is_known else None, error))
        del error  # the frame is in its traceback: no cycle

    def _wait(self) -> tuple[int, int]:
        """Return credits that came back; waits for them, and counts how long."""
        start = self._clock.monotonic()
        credits = self.credits.get()
        self.waited_seconds += self._clock.monotonic() - start
        return credits

    def _feed_singles(self, iterator: Iterator[T]) -> None:
        submit, weigh = self._pool.submit, self._weigh
        limit = self._window_bytes if weigh is not None and self._window_bytes is not None else 1
        sequence = credit = used = weight = 0
        try:
            while not self.stopped:
                if credit == 0 or used >= limit:
                    items_back, bytes_back = self._wait()
                    credit += items_back
                    used -= bytes_back
                    continue
                first = sequence
                for item in islice(iterator, credit):
                    if weigh is not None:
                        weight = weigh(item)
                        used += weight
                    submit((sequence, item, weight))
                    sequence += 1
                    item = None  # type: ignore[assignment]  # no reference while the input is waited for
                    if self.stopped or used >= limit:
                        break
                else:
                    if sequence - first < credit:
                        self._is_exhausted = True
                        return
                credit -= sequence - first
        finally:
            self._drawn = sequence

    def _feed_chunks(self, iterator: Iterator[T]) -> None:
        submit, weigh = self._pool.submit, self._weigh
        limit = self._window_bytes if weigh is not None and self._window_bytes is not None else 1
        chunksize, gate = self._chunksize, self._gate
        sequence = credit = used = weight = 0
        chunk: list[T] = []
        try:
            while not self.stopped:
                if credit == 0 or used >= limit:
                    if used >= limit and chunk:
                        # Out of bytes: these may be all the bytes there are, so they cannot wait.
                        submit((sequence, chunk, weight))
                        sequence, chunk, weight = sequence + len(chunk), [], 0
                    items_back, bytes_back = self._wait()
                    credit += items_back
                    used -= bytes_back
                    continue
                before = len(chunk)
                wanted = min(chunksize - before, credit)
                is_full = False
                if weigh is None:
                    # A loop in C that `stop` can end from outside, by emptying the gate. What was drawn
                    # before an exception of the input stays in the chunk (as `list.extend` does it).
                    chunk.extend(islice(compress(iterator, iter(gate)), wanted))
                else:
                    for item in islice(iterator, wanted):
                        chunk.append(item)
                        size = weigh(item)
                        item = None  # type: ignore[assignment]  # no reference while the input is waited for
                        weight += size
                        used += size
                        is_full = used >= limit
                        if is_full or self.stopped:
                            break
                drawn = len(chunk) - before
                if before + drawn == chunksize:
                    submit((sequence, chunk, weight))
                    sequence, chunk, weight = sequence + chunksize, [], 0
                elif drawn < wanted and not is_full:
                    # Fewer than wanted: the input has ended, or `stop` has emptied the gate.
                    self._is_exhausted = not self.stopped
                    return
                credit -= drawn
        finally:
            # Also when the input raises: what was drawn before is run.
            if chunk:
                submit((sequence, chunk, weight))
            self._drawn = sequence + len(chunk)
