"""Progress: one live line on a terminal; elsewhere a plain line every 30 seconds or every tenth of the total.

The thread that delivers only adds to the summary's counters. The main thread, which waits anyway, calls
`tick` a few times a second; so progress costs the run nothing. A total is shown only where the source
knows it without reading: nothing is read twice for a progress line.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from runner.masking import NO_SECRETS, Secrets, mask_streams
from runner.outcome import RunSummary
from runner.units import format_duration

EVERY_SECONDS = 30.0
LEAST_SECONDS = 2.0
"""Tenths of the total that come faster than this are not shown."""
RATE_SECONDS = 10.0
"""The rate is that of so many last seconds."""
LEAST_BAR_COLUMNS = 60
"""Arbitrary: a narrower terminal has no room for a bar and for what went wrong."""
STALL_SECONDS = 5.0
"""Without a new item for so long, the line says what it is waiting for."""
HELD_SECONDS = 1.0
"""The same where more are done behind that one than were delivered lately: it would look like a hang."""


class Progress:
    """What is known of the progress of a run, and when to say it.

    Attributes:
        total: Items in all, where the source knows; set when the run starts.
        is_ordered: Whether items are delivered in the order of the input; set when the run starts.
        count_held: Tells how many items are done and wait for one before them; set when the run starts.
        tick_seconds: How often `tick` wants to be called.
    """

    tick_seconds = 0.5

    def __init__(
        self,
        summary: RunSummary,
        *,
        write: Callable[[str], None],
        start: float,
        secrets: Secrets = NO_SECRETS,
    ) -> None:
        self.total: int | None = None
        self.is_ordered = True
        self.count_held: Callable[[], int] = int
        self._summary = summary
        self._write = write
        self._start = self._shown_at = self._moved_at = start
        self._shown_items = 0
        self._samples: deque[tuple[float, int]] = deque([(start, 0)])

    def tick(self, now: float) -> None:
        """Look at the counters, and write a line when one is due. `now` is monotonic seconds."""
        self.sample(now)
        items = self._summary.items
        elapsed = now - self._shown_at
        is_tenth = bool(self.total) and (items - self._shown_items) * 10 >= (self.total or 0)
        is_due = is_tenth and elapsed >= LEAST_SECONDS and items > self._shown_items
        if elapsed < EVERY_SECONDS and not is_due:
            return
        self._write("  " + ", ".join(self.facts(now)))
        self._shown_at, self._shown_items = now, items

    def close(self) -> None:
        """End the display; called once, before the summary is shown."""

    def abandon(self) -> None:
        """Give the terminal back because the process ends at once; takes no lock."""

    def sample(self, now: float) -> None:
        """Remember the count of items for the rate."""
        items = self._summary.items
        if items != self._samples[-1][1]:
            self._moved_at = now
        self._samples.append((now, items))
        while len(self._samples) > 2 and now - self._samples[1][0] >= RATE_SECONDS:
            self._samples.popleft()

    def facts(self, now: float) -> list[str]:
        """Return what there is to say, the most important first, each a few words."""
        items = self._summary.items
        (then, before) = self._samples[0]
        rate = (items - before) / (now - then) if now > then else 0.0
        facts = [self._done(items)]
        if self._summary.failed:
            facts.append(f"{self._summary.failed:,} failed")
        if self._summary.retries:
            facts.append(f"{self._summary.retries:,} retried")
        stalled, held = now - self._moved_at, self.count_held()
        if stalled >= (HELD_SECONDS if held > items - before else STALL_SECONDS):
            facts.append(self._stall(items, stalled, held))
        else:
            facts.append(f"{rate:,.0f}/s" if rate >= 10 or rate == 0 else f"{rate:.1f}/s")
            if self.total and rate > 0:
                facts.append(f"{format_duration(max(0.0, (self.total - items) / rate))} left")
        facts.append(f"{format_duration(now - self._start)} so far")
        return facts

    def _done(self, items: int) -> str:
        if not self.total:
            return f"{items:,} items"
        return f"{items:,} of {self.total:,} items ({items * 100 // self.total} %)"

    def _stall(self, items: int, seconds: float, held: int) -> str:
        # In input order the next item to be delivered is the one that everything waits for.
        what = f"item {items:,}" if self.is_ordered else "any item"
        behind = f" ({held:,} behind it {'is' if held == 1 else 'are'} done)" if held else ""
        return f"waiting {format_duration(seconds)} for {what}{behind}"


class LiveProgress(Progress):
    """One line on a terminal, drawn again five times a second.

    `secrets` are masked in what a task prints while the line is shown.
    """

    tick_seconds = 0.2

    def __init__(
        self,
        summary: RunSummary,
        *,
        write: Callable[[str], None],
        start: float,
        secrets: Secrets = NO_SECRETS,
    ) -> None:
        super().__init__(summary, write=write, start=start)
        self._secrets = secrets
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False)
        # What a task prints goes through the display while it is live, or it would stand in the line.
        self._live: Any = Live(console=self._console, auto_refresh=False, transient=True)

    def tick(self, now: float) -> None:
        """Draw the line."""
        self.sample(now)
        if not self._live.is_started:
            self._live.start()
            # The display breaks long lines, and a secret over two lines would not be found behind it.
            mask_streams(self._secrets)
        self._live.update(self._line(now), refresh=True)

    def close(self) -> None:
        """Take the line away."""
        if self._live.is_started:
            self._live.stop()

    def abandon(self) -> None:
        """Show the cursor again and end the line."""
        if self._live.is_started:
            with suppress(OSError):
                os.write(2, b"\x1b[?25h\r\x1b[2K")

    def _line(self, now: float) -> Any:
        from rich.text import Text

        line = Text(no_wrap=True, overflow="ellipsis")
        if self.total and self._console.width >= LEAST_BAR_COLUMNS:
            line.append(
                _bar(self._summary.items / self.total, min(20, self._console.width // 5)) + " ", "green"
            )
        room = self._console.width - 1
        for number, fact in enumerate(self.facts(now)):
            separator = " · " if number else ""
            if line.cell_len + len(separator) + len(fact) > room and number:
                break
            style = "red" if fact.endswith(" failed") else "yellow" if fact.startswith("waiting") else ""
            line.append(separator).append(fact, style)
        return line


def _bar(share: float, width: int) -> str:
    full = round(max(0.0, min(1.0, share)) * width)
    return "━" * full + "─" * (width - full)
