"""The only place that reads the time, sleeps or waits, so that a test can put another clock in its place."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any, Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Return the wall-clock time, with the zone UTC. For logs and `run.date`, never for intervals."""

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start. For every interval."""

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`."""

    @property
    def queue(self) -> Callable[[], SimpleQueue[Any]]:
        """What makes a queue whose `get(timeout=...)` waits by this clock.

        Every wait of the engine is one at such a queue, so whoever makes the queues knows when all
        threads wait for time to pass.
        """


_monotonic, _sleep = time.monotonic, time.sleep
"""As they are before the user's code is imported: what a task or its library puts there is its own time."""


class SystemClock:
    """The machine's own clock."""

    queue: type[SimpleQueue[Any]] = SimpleQueue
    """Python's own, in C."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return _monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        _sleep(seconds)
