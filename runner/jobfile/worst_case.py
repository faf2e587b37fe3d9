"""How often and how long one item can be tried: what the retry rules and the timeout allow at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.policies.retry import RetryOptions


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The most that one item can cost. An error that asks for a longer delay (`retry_after`) can exceed it.

    Attributes:
        attempts: Attempts in all.
        delay: Seconds between them, without jitter, which only shortens them.
        seconds: Attempts and delays together; `None` where no timeout ends an attempt.
    """

    attempts: int
    delay: float
    seconds: float | None


def worst_case(rules: Sequence[RetryOptions], timeout: float | None) -> WorstCase:
    """Return the most that one item can cost: every rule has a number of attempts of its own."""
    attempts = 1 + sum(rule.attempts - 1 for rule in rules)
    delay = sum(rule.backoff.full_delay(failed) for rule in rules for failed in range(1, rule.attempts))
    return WorstCase(attempts, delay, None if timeout is None else attempts * timeout + delay)
