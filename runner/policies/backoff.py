"""How long to wait before the next attempt: exponential, capped, with jitter.

After the n-th failed attempt (n from 1) the full delay is `min(max, initial x factor^(n-1))` seconds. Jitter
spreads it, so that items that failed together do not come back together: `full` takes a uniform
part of it, `equal` half of it and a uniform part of the other half, `none` all of it. The names and
formulas are those of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random
from typing import Literal

from pydantic import Field, model_validator

from runner.options import Options
from runner.units import Duration


class Backoff(Options):
    """The delays between attempts."""

    initial: Duration = 0.5
    """Delay after the first failed attempt. Example: `1s`"""
    factor: float = Field(default=2.0, ge=1, le=100, allow_inf_nan=False)
    """By which the delay grows with each attempt. Example: `3`"""
    max: Duration = 30.0
    """The longest delay, at least `initial`. Example: `5m`"""
    jitter: Literal["full", "equal", "none"] = "full"
    """Which part of the delay is waited for. `full`: any part. `equal`: at least half. `none`: all of it.
    Example: `none`"""

    @model_validator(mode="after")
    def _is_in_order(self) -> Backoff:
        if self.max < self.initial:
            raise ValueError("`max` must be at least `initial`")
        return self

    def full_delay(self, failed: int) -> float:
        """Return the seconds after the `failed`-th failed attempt (from 1), before jitter."""
        try:
            return min(self.max, self.initial * self.factor ** (failed - 1))
        except OverflowError:
            return self.max

    def delay(self, failed: int, chance: random.Random) -> float:
        """Return the seconds to wait after the `failed`-th failed attempt (from 1)."""
        full = self.full_delay(failed)
        if self.jitter == "none":
            return full
        if self.jitter == "equal":
            return full / 2 + chance.uniform(0, full / 2)
        return chance.uniform(0, full)
