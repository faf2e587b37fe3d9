"""Progress in plain lines: one every 30 seconds, and one every 10 % where the total is known.

The thread that delivers only adds to the summary's counters; the main thread, which waits anyway, calls
`tick` now and then. So progress costs the run nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.outcome import RunSummary

EVERY_SECONDS = 30.0
LEAST_SECONDS = 2.0
"""Tenths of the total that come faster than this are not shown."""


class Progress:
    """Decides when a line is due, and writes it."""

    def __init__(self, summary: RunSummary, *, write: Callable[[str], None], start: float) -> None:
        self.total: int | None = None
        self._summary = summary
        self._write = write
        self._start = self._shown_at = start
        self._shown_items = 0

    def tick(self, now: float) -> None:
        """Write a line when one is due. `now` is monotonic seconds."""
        items = self._summary.items
        elapsed = now - self._shown_at
        is_tenth = bool(self.total) and (items - self._shown_items) * 10 >= (self.total or 0)
        if elapsed < EVERY_SECONDS and not (
            is_tenth and elapsed >= LEAST_SECONDS and items > self._shown_items
        ):
            return
        rate = (items - self._shown_items) / elapsed if elapsed else 0.0
        self._write(f"  {self._done(items)}, {rate:,.0f}/s, {self._summary.failed:,} failed")
        self._shown_at, self._shown_items = now, items

    def _done(self, items: int) -> str:
        if not self.total:
            return f"{items:,} items"
        return f"{items:,} of {self.total:,} items ({items * 100 // self.total} %)"
