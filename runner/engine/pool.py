"""What the window asks of a pool of workers; `threads` and `guarded` are such."""

from __future__ import annotations

from typing import Protocol

from runner.clock import Clock
from runner.engine.messages import Task


class Pool(Protocol):
    """Workers that run chunks. All calls but `submit` come from the consumer or a signal handler."""

    size: int

    @property
    def throttled_seconds(self) -> float:
        """Seconds that workers have waited under a rate limit, all together."""

    def start(self) -> None:
        """Start the workers. Raises WorkerBroken when that cannot be done; none is left running then."""

    def submit(self, task: Task) -> None:
        """Queue a chunk; never blocks (the window bounds what is queued). Called by the reader."""

    def stop(self, *, drop: bool) -> None:
        """Let every worker end after the item it is at (`drop`) or after all that is queued.

        Each worker that ends says so with `EXITED`. May be called again, and from a signal handler.
        """

    def alive(self) -> int:
        """Return how many workers have not ended."""

    def join(self, deadline: float, clock: Clock) -> None:
        """Wait until the workers have ended, at most until `deadline` on the clock."""
