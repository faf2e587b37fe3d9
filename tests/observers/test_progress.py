"""Plain progress lines: when one is due, and what it says."""

from __future__ import annotations

import pytest

from runner.observers.progress import Progress
from runner.outcome import RunSummary


class Watched:
    """A progress with its summary and the lines that it wrote."""

    def __init__(self, total: int | None = None) -> None:
        self.summary = RunSummary(run_id="r", job="j")
        self.lines: list[str] = []
        self.progress = Progress(self.summary, write=self.lines.append, start=100.0)
        self.progress.total = total

    def at(self, seconds: float, items: int) -> list[str]:
        """Tick so many seconds after the start; return the lines that this brought."""
        self.summary.items = items
        before = len(self.lines)
        self.progress.tick(100.0 + seconds)
        return self.lines[before:]


def test_nothing_is_said_at_first():
    """A short run needs no progress."""
    assert Watched().at(1, 1000) == []


def test_every_thirty_seconds_there_is_a_line():
    """Where the total is not known, time alone decides."""
    watched = Watched()
    assert watched.at(29, 1000) == []
    (line,) = watched.at(30, 3000)
    assert "3,000 items" in line
    assert watched.at(59, 4000) == []
    assert len(watched.at(60, 4000)) == 1


def test_every_tenth_of_the_total_there_is_a_line():
    """With the share that is done."""
    watched = Watched(total=1000)
    assert watched.at(3, 99) == []
    (line,) = watched.at(4, 100)
    assert "100 of 1,000 items (10 %)" in line
    assert watched.at(8, 199) == []
    assert len(watched.at(9, 200)) == 1


def test_tenths_that_come_fast_are_left_out():
    """Ten lines within a second help nobody."""
    watched = Watched(total=100)
    assert [watched.at(n / 10, n * 10) for n in range(1, 11)] == [[]] * 10


def test_a_run_that_stands_still_is_told_every_thirty_seconds():
    """Silence is not progress; a tenth that was told is not told again."""
    watched = Watched(total=10)
    assert len(watched.at(5, 5)) == 1
    assert watched.at(20, 5) == []
    (line,) = watched.at(35, 5)
    assert "waiting" in line


def test_items_that_are_done_behind_a_slow_one_are_told_at_once():
    """Nothing is delivered, and yet nearly all the work may be done."""
    watched = Watched(total=2000)
    watched.progress.count_held = lambda: 1023
    watched.at(29, 0)
    (line,) = watched.at(30, 7)
    assert "waiting" not in line
    watched.at(58, 7)
    (line,) = watched.at(60, 7)
    assert "for item 7 (1,023 behind it are done)" in line


def test_a_few_that_wait_for_their_turn_say_nothing():
    """Where deliveries come in bursts, the rate says more; only a long stall is told."""
    watched = Watched()
    watched.progress.count_held = lambda: 3
    for second in range(29):
        watched.at(second, 2 * second)
    (line,) = watched.at(30, 56)
    assert "waiting" not in line
    assert "/s" in line


def test_failures_are_told():
    """A run that fails a lot should be seen before its end."""
    watched = Watched()
    watched.summary.failed = 1234
    (line,) = watched.at(30, 5000)
    assert "1,234 failed" in line


def test_retries_are_told_where_there_are_any():
    """A slow run may be one that is throttled."""
    watched = Watched()
    watched.summary.retries = 56
    (line,) = watched.at(30, 5000)
    assert "56 retried" in line
    assert "failed" not in line


def test_the_rate_is_that_of_the_last_seconds():
    """Not the mean since the start: it tells what happens now."""
    watched = Watched()
    for second in range(0, 21, 5):
        watched.at(second, 0)
    for second in range(21, 30):
        watched.at(second, (second - 20) * 100)
    (line,) = watched.at(30, 1000)
    assert "100/s" in line


@pytest.mark.parametrize("total", [None, 0, 1])
def test_no_total_breaks_the_line(total):
    """An empty input, one item, or an unknown number."""
    watched = Watched(total=total)
    assert len(watched.at(30, total or 0)) == 1
    watched.progress.close()
