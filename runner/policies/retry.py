"""Whether a failed attempt is tried again, when, and what happens when no attempt is left.

A list of rules; the first that names the error's class, or a base class of it, decides. Each rule has its
own number of attempts for an item: an item that was throttled twice has still all its attempts for a
broken connection. Only what the task raises is tried again: a record that cannot be read, or a row that
cannot be written, would be no better the next time.
"""

from __future__ import annotations

import keyword
import math
import random
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from runner.options import Options
from runner.policies.backoff import Backoff
from runner.raised import is_a

MOST_ATTEMPTS = 1000
"""Arbitrary; who needs more has a job that should wait outside."""


def _check_error_name(value: str) -> str:
    if all(part.isidentifier() and not keyword.iskeyword(part) for part in value.split(".")):
        return value
    raise ValueError(
        f"must be the name of an exception, such as TimeoutError or jobs.api.Busy, got {value!r}"
    )


ErrorName = Annotated[str, AfterValidator(_check_error_name)]


class RetryOptions(Options):
    """A rule for attempts that fail; `retry:` is one rule or a list of them, the first that fits decides."""

    attempts: int = Field(default=1, ge=1, le=MOST_ATTEMPTS)
    """Attempts in all at one item, the first one included. Example: `4`"""
    errors: list[ErrorName] = Field(default_factory=lambda: ["Exception"], min_length=1)
    """Exceptions that it is for, built-in or by dotted path, derived classes included; by default
    `[Exception]`. Example: `[TimeoutError, jobs.api.Busy]`"""
    backoff: Backoff = Field(default_factory=Backoff)
    """The delays between attempts. Example: `{initial: 1s}`"""
    then: Literal["fail", "stop"] = "fail"
    """What happens when no attempt is left. `fail`: the item fails. `stop`: the run stops with exit code 1.
    Example: `stop`"""


LONGEST_ASKED = 86_400.0
"""Seconds that an error can ask for: a day. Arbitrary; what is longer is milliseconds or a point in time."""


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

    def is_for(self, error: BaseException) -> bool:
        """Return whether a class of `errors` is that of `error` or a base of it.

        As an `except` clause finds it: `isinstance` would ask the class, and what that answers, or raises,
        is the business of its author.
        """
        return is_a(error, *self.errors)


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
            if not rule.is_for(error):
                continue
            failed = used[number] + 1
            used = (*used[:number], failed, *used[number + 1 :])
            if failed >= rule.attempts:
                return Decision("stop" if rule.then == "stop" else "fail", 0.0, used)
            delay = max(rule.backoff.delay(failed, self._chance), retry_after(error))
            return Decision("retry", delay, used)
        return Decision("fail", 0.0, used)


def retry_after(error: BaseException) -> float:
    """Return the seconds that the error asks for, at most a day, 0 where it asks for none."""
    try:
        seconds = float(getattr(error, "retry_after", 0.0) or 0.0)
    except BaseException:  # the error's own attribute may be anything, and no item may end a worker
        return 0.0
    return min(seconds, LONGEST_ASKED) if math.isfinite(seconds) and seconds > 0 else 0.0
