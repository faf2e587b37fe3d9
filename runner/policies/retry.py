"""Whether a failed attempt is tried again, when, and what happens when no attempt is left.

A list of rules; the first that names the error's class, or a base class of it, decides. Each rule has its
own number of attempts for an item: an item that was throttled twice has still all its attempts for a
broken connection.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal, NamedTuple

from runner.policies.backoff import Backoff


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        errors: Classes it is for; subclasses count.
        attempts: Attempts in all, the first one included.
        backoff: Delays between them.
        then: When no attempt is left: the item fails, or the whole run stops.
    """

    errors: tuple[type[BaseException], ...]
    attempts: int
    backoff: Backoff
    then: Literal["fail", "stop"] = "fail"


class Decision(NamedTuple):
    """What happens after a failed attempt.

    Attributes:
        action: `retry`, `fail` (the item) or `stop` (the run).
        delay: Seconds until the next attempt; 0 where there is none.
        used: Failed attempts by rule so far, this one included.
    """

    action: Literal["retry", "fail", "stop"]
    delay: float
    used: tuple[int, ...]


class RetryPolicy:
    """The rules of a job. May be called from many threads at once.

    Args:
        rules: In their order.
        seed: For the jitter; a number makes the delays repeat themselves (for tests).
    """

    def __init__(self, rules: tuple[Rule, ...], *, seed: int | None = None) -> None:
        self.rules = rules
        self._chance = random.Random(seed)

    @property
    def fresh(self) -> tuple[int, ...]:
        """What `used` is before the first attempt."""
        return (0,) * len(self.rules)

    def decide(self, error: BaseException, used: tuple[int, ...]) -> Decision:
        """Return what to do about an attempt that raised `error`.

        An exception with a number of seconds as `retry_after` is waited for at least that long:
        what a service asks for in its `Retry-After` (RFC 9110, 10.2.3).
        """
        for number, rule in enumerate(self.rules):
            if not isinstance(error, rule.errors):
                continue
            failed = used[number] + 1
            used = (*used[:number], failed, *used[number + 1 :])
            if failed >= rule.attempts:
                return Decision("stop" if rule.then == "stop" else "fail", 0.0, used)
            delay = max(rule.backoff.delay(failed, self._chance), retry_after(error))
            return Decision("retry", delay, used)
        return Decision("fail", 0.0, used)


def retry_after(error: BaseException) -> float:
    """Return the seconds that the error asks for, 0 where it asks for none."""
    try:
        seconds = float(getattr(error, "retry_after", 0.0) or 0.0)
    except Exception:  # the error's own attribute may be anything
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
