"""A clock without waiting: time that passes only when every thread waits for it."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from math import inf
from queue import Empty, SimpleQueue
from threading import Condition, Thread, current_thread
from typing import Any, NamedTuple, cast

_LOOK_SECONDS = 0.02
"""Real seconds after which a waiting thread looks whether another has ended meanwhile, which tells nobody."""


class VirtualClock:
    """Time that passes only when every thread waits for it, and then at once.

    The threads are the one that makes the clock, and those that the runner starts afterwards. A task that
    waits with `clock.sleep` lets the time pass; one that really sleeps, or waits for something else, holds
    it still. So a retry in an hour is tried in a moment, and the times of all attempts are exact.

    Args:
        start: The first value of `monotonic`, in seconds.
        now: The first value of `now`.
    """

    def __init__(self, start: float = 0.0, *, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = self._time = start
        self._now = now
        self._changed = Condition()
        self._waiting: dict[Thread, _Wait] = {}
        self._released: set[Thread] = set()
        self._mine = current_thread()
        self._others = set(threading.enumerate()) - {self._mine}

    def now(self) -> datetime:
        """Return the wall-clock time, in UTC."""
        return self._now + timedelta(seconds=self.monotonic() - self._start)

    def monotonic(self) -> float:
        """Return the seconds."""
        with self._changed:
            return self._time

    def sleep(self, seconds: float) -> None:
        """Wait until the time has passed."""
        try:
            self.queue().get(timeout=max(0.0, seconds))
        except Empty:
            pass

    def advance(self, seconds: float) -> None:
        """Let time pass from outside, whoever waits for what."""
        with self._changed:
            self._time += seconds
            self._changed.notify_all()

    def release(self) -> None:
        """End every wait of other threads, those to come included: for attempts that were left behind."""
        with self._changed:
            self._released |= set(self._waiting) - {current_thread()}
            self._changed.notify_all()

    def queue(self) -> SimpleQueue[Any]:
        """Return a queue whose `get(timeout=...)` waits by this clock."""
        return cast("SimpleQueue[Any]", _Queue(self))

    def _pass_if_all_wait(self) -> None:
        """Go to the next moment that somebody waits for, if nobody can do anything before. Holds the lock."""
        for thread in threading.enumerate():
            is_ours = thread is self._mine or (
                thread.name.startswith("runner-") and thread not in self._others
            )
            if is_ours and thread not in self._waiting:
                return
        waits = self._waiting.values()
        if any(wait.queue.has_items() or wait.until <= self._time for wait in waits):
            return
        until = min((wait.until for wait in waits), default=inf)
        if until < inf:
            self._time = until
            self._changed.notify_all()


class _Wait(NamedTuple):
    queue: _Queue
    until: float


class _Queue:
    """What `SimpleQueue` offers, waiting by a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._items: deque[Any] = deque()

    def has_items(self) -> bool:
        """Return whether there is something to take."""
        return bool(self._items)

    def put(self, item: Any) -> None:
        """Add an item."""
        with self._clock._changed:
            self._items.append(item)
            self._clock._changed.notify_all()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the first item; wait for it, `timeout` virtual seconds at most. Raises queue.Empty."""
        clock, me = self._clock, current_thread()
        with clock._changed:
            until = inf if timeout is None else clock._time + timeout
            while not self._items:
                if not block or clock._time >= until or me in clock._released:
                    raise Empty
                clock._waiting[me] = _Wait(self, until)
                try:
                    clock._pass_if_all_wait()
                    if not self._items and clock._time < until:
                        clock._changed.wait(_LOOK_SECONDS)
                finally:
                    del clock._waiting[me]
            return self._items.popleft()

    def get_nowait(self) -> Any:
        """Take the first item. Raises queue.Empty."""
        return self.get(block=False)

    def empty(self) -> bool:
        """Return whether there is nothing to take."""
        return not self._items
