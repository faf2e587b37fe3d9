"""The heart: a lazy, bounded, ordered or unordered parallel map, over any pool of workers.

::

    items ──► reader thread ──► pool ──► done queue ──► Outcomes.__next__ ──► lists of results
                  ▲                                            │
                  └──────────────── credits ◄──────────────────┘

Guarantees (the numbers are those of DESIGN 4):

1. *Strict window.* An item is drawn only against a credit. There are `window` credits; one comes
   back when the consumer asks for the list after the one that held the item. So items drawn and
   not yet delivered never exceed `window`, whoever sleeps.
2. One thread, the reader, calls `iter()`, `next()` and `close()` of the input, for the whole run.
3. Ordered: results come in input order; unordered: as they finish.
5. If the input raises, everything drawn before is run and delivered; then the error is raised, once.
6. `drain` stops the drawing at once and drops what is queued; nothing waits for a blocked input or a
   hung task longer than the grace given.
12. No reference to an item or a result is kept once it is delivered.

Why it is cheap: a `SimpleQueue` costs 0.07 µs for a put and a get and wakes a waiting thread only
if there is one; threads meet once in a whole window, when the reader runs out of credits, not once an
item. Tried and dropped: a semaphore for the window (1.5 µs an item), one token an item in a queue
(0.1 µs), a `Future` an item (4 µs), refilling from the consumer's thread (stops reading ahead while the
consumer is busy). Measured by `benchmarks/engine.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import current_thread
from types import TracebackType
from typing import Any, Self, TypeVar

from runner.clock import Clock, SystemClock
from runner.engine.messages import END, EXITED, LONGEST_GRACE, WAKE, Message
from runner.engine.pool import Pool
from runner.engine.reader import Reader
from runner.errors import InputBroken, WorkerBroken
from runner.raised import is_a, said_of

R = TypeVar("R")

BROKEN_GRACE = 25.0
"""Seconds for what runs when a worker has broken: nobody may be there to ask twice."""
CLOSING_SECONDS = 60.0
"""For workers to close what they have opened when all is delivered; arbitrary."""
LOOK_SECONDS = 0.5


class Outcomes(Iterator[list[R]]):
    """The results, as lists; the consumer's end of a running map. Not for several threads at once.

    Attributes:
        delivered: Items whose results were yielded so far.
        complete: Whether the input ended without an error and every result was delivered.
        abandoned: Threads (workers, the reader) still in user code when the grace was over. Daemons.
        is_reader_abandoned: Whether the reader is one of them, so that it is the input that hangs.
        waited_seconds: How long the consumer has waited for results.
    """

    def __init__(
        self,
        items: Iterable[Any],
        make_pool: Callable[[SimpleQueue[Message]], Pool],
        *,
        chunksize: int,
        ordered: bool,
        window: int,
        window_bytes: int | None = None,
        weigh: Callable[[Any], int] | None = None,
        clock: Clock | None = None,
    ) -> None:
        assert window >= chunksize >= 1
        self.delivered = 0
        self.complete = False
        self.abandoned = 0
        self.is_reader_abandoned = False
        self.waited_seconds = 0.0
        self._clock = clock if clock is not None else SystemClock()
        self._done: SimpleQueue[Message] = self._clock.queue()
        self._pool = make_pool(self._done)
        self._reader: Reader[Any] = Reader(
            items,
            self._pool,
            self._done,
            chunksize=chunksize,
            window=window,
            window_bytes=window_bytes,
            weigh=weigh,
            clock=self._clock,
        )
        self._started_at = self._clock.monotonic()
        self._ordered = ordered
        # A list never holds the whole window, or the pool would run dry while it is consumed.
        self._most = max(1, window // 4)
        self._held: dict[int, tuple[Any, int]] = {}
        self._chunksize = chunksize
        self._is_single = chunksize == 1
        # Credits go back in bulk, since each time wakes the reader: when this many are owed, or
        # before waiting.
        self._most_owed = max(1, window // 2)
        self._owed_items = self._owed_bytes = 0
        self._total: int | None = None
        self._error: BaseException | None = None
        self._exited = 0
        self._deadline: float | None = None
        self._finished = False
        self._pool.start()
        try:
            self._reader.thread.start()
        except RuntimeError as error:
            self._pool.stop(drop=True)
            self._finished = True
            raise WorkerBroken(f"the reader thread could not be started: {error}") from error

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[R]:
        """Return the next results, at least one; waits for them.

        Raises:
            StopIteration: Everything was delivered, or the map was drained.
            BaseException: What the input raised, once, after the results of all items before it.
        """
        if self._owed_items >= self._most_owed:
            self._pay()
        results = self._gather()
        if not results:
            self._finish()
            raise StopIteration
        return results

    def _gather(self) -> list[R]:
        """Return what is deliverable, waiting for the first; an empty list at the end."""
        get, is_empty, held, most = self._done.get, self._done.empty, self._held, self._most
        is_single = self._is_single
        out: list[R] = []
        weight = 0
        expected = self.delivered
        while True:
            while held and len(out) < most and expected in held:
                results, held_weight = held.pop(expected)
                weight += held_weight
                if is_single:
                    out.append(results)
                    expected += 1
                else:
                    out += results
                    expected += len(results)
            if len(out) >= most:
                break
            if not is_empty():
                sequence, results, detail = get()
            elif out or self._is_over(expected):
                break
            else:
                if self._owed_items:
                    self._pay()  # before waiting: the reader may be what everybody waits for
                start = self._clock.monotonic()
                try:
                    sequence, results, detail = get(timeout=self._patience())
                except Empty:
                    if self._deadline is None or self._clock.monotonic() < self._deadline:
                        continue
                    break
                finally:
                    self.waited_seconds += self._clock.monotonic() - start
            if sequence == expected or (sequence >= 0 and not self._ordered):
                weight += detail
                if is_single:
                    out.append(results)
                    expected += 1
                else:
                    out += results
                    expected += len(results)
            elif sequence >= 0:
                if is_single or results:
                    held[sequence] = (results, detail)
            else:
                self._note(sequence, results, detail)
            del results  # no reference while waiting
        self.delivered = expected
        # Owed from now, paid when the next list is asked for: these results are the consumer's by then.
        self._owed_items += len(out)
        self._owed_bytes += weight
        return out

    def reading_seconds(self) -> float:
        """Return how long the reader has been at the input, not waiting for room in the window."""
        end = self._reader.ended_at
        until = end if end is not None else self._clock.monotonic()
        return max(0.0, until - self._started_at - self._reader.waited_seconds)

    @property
    def throttled_seconds(self) -> float:
        """Seconds that workers have waited under a rate limit, all together."""
        return self._pool.throttled_seconds

    @property
    def held(self) -> int:
        """How many items are done behind one that is not, in input order; of chunks a close bound.

        May be asked in any thread: it only reads a length.
        """
        return len(self._held) * self._chunksize

    def _is_over(self, expected: int) -> bool:
        return self._finished or expected == self._total or self._exited >= self._pool.size

    def _patience(self) -> float:
        """Return the seconds to wait for a result before looking round: less where the grace ends sooner.

        A signal that arrives on the way into a wait does not interrupt it; its handler runs when the
        thread looks round. Twice a second costs nothing: it happens only when there is nothing to do.
        """
        if self._deadline is None:
            return LOOK_SECONDS
        return max(0.0, min(LOOK_SECONDS, self._deadline - self._clock.monotonic()))

    def _pay(self) -> None:
        self._reader.credits.put((self._owed_items, self._owed_bytes))
        self._owed_items = self._owed_bytes = 0

    def _note(self, kind: int, detail: int, error: BaseException | None) -> None:
        if kind == END:
            self._total, self._error = detail, self._error or error
        elif kind == EXITED:
            self._exited += 1
            if is_a(error, WorkerBroken):
                self._error = self._error or error
            elif error is not None:
                self._error = WorkerBroken(f"a worker thread ended by itself: {said_of(error)}")
                self._error.__cause__ = error
            if error is not None:
                self.drain(grace=BROKEN_GRACE)

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        self._held.clear()
        all_delivered = self.delivered == self._total
        self._reader.stop()
        self._pool.stop(drop=not all_delivered)
        # Where all is delivered they are idle and only have to end; else they are beyond the grace.
        self._join(CLOSING_SECONDS if all_delivered and self._are_closed() else 0.0)
        error, self._error = self._error, None
        self.complete = all_delivered and error is None
        try:
            if is_a(error, StopIteration):  # raised raw it would look like the end of the results
                raise InputBroken("the input raised StopIteration") from error
            if error is not None and (all_delivered or is_a(error, WorkerBroken)):
                raise error
        finally:
            del error  # no cycle through this frame

    def _are_closed(self) -> bool:
        """Wait for idle workers to close what they have opened; return whether all did.

        That is the user's code and may hang: then as long as it may, or as `drain` says meanwhile.
        """
        until = self._clock.monotonic() + CLOSING_SECONDS
        while self._exited < self._pool.size:
            if self._deadline is not None:
                until = min(until, self._deadline)
            seconds = until - self._clock.monotonic()
            if seconds <= 0:
                return False
            try:
                kind, _, _ = self._done.get(timeout=min(LOOK_SECONDS, seconds))
            except Empty:
                continue
            self._exited += kind == EXITED
        return True

    def drain(self, *, grace: float | None = None) -> None:
        """Draw nothing more, drop what is queued, let running items finish; the rest is still delivered.

        Returns at once; the iteration ends when all running items have ended, or `grace` seconds from
        now at the latest (`None`: no limit). May be called from any thread and from a signal handler,
        and again with a shorter grace.
        """
        if grace is not None:
            grace = min(grace, LONGEST_GRACE)
            deadline = self._clock.monotonic() + grace
            self._deadline = deadline if self._deadline is None else min(deadline, self._deadline)
        self._reader.stop()
        self._pool.stop(drop=True)
        self._done.put((WAKE, None, None))

    def close(self, *, grace: float = 1.0) -> int:
        """End the map early: drop what is queued, wait `grace` seconds for what runs.

        Returns the number of threads left behind in user code (daemon threads). Closing again, or
        after the end, does nothing.
        """
        grace = min(grace, LONGEST_GRACE)
        if not self._finished:
            self.drain(grace=grace)
            self._finished = True
            self._held.clear()
            self._join(grace)
        return self.abandoned

    def _join(self, grace: float) -> None:
        """Wait for the threads, `grace` seconds at most, and count those that are left in user code."""
        # At least a moment: threads that are not in user code have been woken and are about to end.
        deadline = self._clock.monotonic() + max(0.2, grace)
        self._pool.join(deadline, self._clock)
        reader = self._reader.thread
        if reader is not current_thread():
            reader.join(max(0.0, deadline - self._clock.monotonic()))
        self.is_reader_abandoned = reader.is_alive()
        self.abandoned = self._pool.alive() + self.is_reader_abandoned
        self._pool.stop(drop=True)  # what the reader submitted while it was being stopped
        try:
            while True:
                self._done.get_nowait()  # finished and never to be delivered: let go of it
        except Empty:
            self._done.put((WAKE, None, None))  # for a consumer in another thread that still waits

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # An iterator that nobody reads any more: stop, without waiting for anything.
        if not getattr(self, "_finished", True):
            self.drain(grace=0)
