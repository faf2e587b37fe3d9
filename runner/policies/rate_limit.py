"""How many attempts may start in a time, over the whole pool.

The generic cell rate algorithm (GCRA, ITU-T I.371) in its virtual-scheduling form: one number, the
theoretical arrival time of the next attempt, says when each may start. In any window of w seconds at
most `burst + rate x w` attempts start; with a burst of 1 they are evenly spaced.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, ClassVar

from pydantic import Field, model_validator

from runner.options import Options
from runner.units import RATE_SCHEMA, Rate

LATENESS = 0.02
"""Seconds by which a start may miss its time and still count as on time (or one interval, if longer)."""


class RateLimitOptions(Options):
    """How many attempts may start in a time; `rate_limit: 50/s` is short for `rate_limit: {rate: 50/s}`."""

    SHORT_FORM: ClassVar[dict[str, Any]] = RATE_SCHEMA

    rate: Rate
    """Attempts in a time. Example: `1000/min`"""
    burst: int = Field(default=1, ge=1)
    """Attempts that may start at once after a pause; with 1 they are evenly spaced. Example: `100`"""

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, data: Any) -> Any:
        return data if isinstance(data, dict | cls) else {"rate": data}


class RateLimit:
    """Gives each attempt its time. May be called from many threads at once.

    Args:
        rate: Attempts per second, above 0.
        burst: Attempts that may start at once after a pause, at least 1.
    """

    def __init__(self, rate: float, burst: int = 1) -> None:
        self._interval = 1.0 / rate
        self._slack = (burst - 1) * self._interval
        self._next = float("-inf")
        self._lock = Lock()
        self.lateness = max(LATENESS, self._interval)

    def reserve(self, now: float) -> float:
        """Take the next place; return the seconds to wait for it from `now` (monotonic), 0 for none.

        Who comes more than `lateness` after that has slept through it (the machine was suspended, or
        had no time for us) and must take another place: all who slept would start at once.
        """
        with self._lock:
            arrival = max(self._next, now)
            self._next = arrival + self._interval
        return max(0.0, arrival - self._slack - now)
