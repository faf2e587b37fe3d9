"""Backoff, retry rules and the rate limit: pure functions of attempts, errors and time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.policies.backoff import Backoff
from runner.policies.rate_limit import RateLimit
from runner.policies.retry import RetryPolicy, Rule, retry_after

PLAIN = Backoff.model_validate({"initial": "1s", "factor": 3.0, "max": "20s", "jitter": "none"})


class Busy(ConnectionError):
    retry_after = 7


class Spiteful:
    """A value that wants to end the worker that looks at it."""

    def __float__(self) -> float:
        raise SystemExit


class Unhelpful(type):
    """A metaclass that does not say what is an instance."""

    def __instancecheck__(cls, each: object) -> bool:
        raise RuntimeError("who knows")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("who knows")

    __subclasscheck__ = __eq__
    __hash__ = type.__hash__


class Strange(Exception, metaclass=Unhelpful):
    """An exception whose class cannot be asked."""


def test_delays_grow_by_the_factor_up_to_the_longest() -> None:
    """1, 3, 9, then 20 for ever, also after more attempts than a float can count."""
    delays = [PLAIN.delay(failed, random.Random(1)) for failed in (1, 2, 3, 4, 5, 10_000)]
    assert delays == [1.0, 3.0, 9.0, 20.0, 20.0, 20.0]


@pytest.mark.parametrize(("jitter", "least"), [("full", 0.0), ("equal", 0.5)])
def test_jitter_takes_a_part_of_the_delay(jitter: str, least: float) -> None:
    """Full jitter any part of it, equal jitter at least half."""
    backoff = PLAIN.model_copy(update={"jitter": jitter})
    chance = random.Random(4)
    shares = [backoff.delay(3, chance) / 9.0 for _ in range(2000)]
    assert least <= min(shares) < least + 0.05
    assert 0.95 < max(shares) <= 1.0


def test_a_longest_delay_below_the_first_is_refused() -> None:
    """The delays could not grow."""
    with pytest.raises(ValidationError, match="`max` must be at least `initial`"):
        Backoff.model_validate({"initial": "5s", "max": "1s"})


def test_the_first_rule_that_fits_decides_and_counts_alone() -> None:
    """A base class counts; each rule has attempts of its own; an error without a rule fails at once."""
    slow = PLAIN.model_copy(update={"initial": 2.0})
    policy = RetryPolicy((Rule((TimeoutError,), 3, PLAIN), Rule((OSError,), 2, slow, then="stop")), seed=1)
    first = policy.decide(TimeoutError(), policy.fresh)
    assert (first.action, first.delay, first.used) == ("retry", 1.0, (1, 0))
    other = policy.decide(ConnectionResetError(), first.used)
    assert (other.action, other.delay, other.used) == ("retry", 2.0, (1, 1))
    again = policy.decide(TimeoutError(), other.used)
    assert (again.action, again.delay, again.used) == ("retry", 3.0, (2, 1))
    assert policy.decide(TimeoutError(), again.used).action == "fail"
    assert policy.decide(ConnectionResetError(), again.used).action == "stop"
    assert policy.decide(ValueError(), policy.fresh).action == "fail"


def test_a_rule_fits_as_an_except_clause_does() -> None:
    """By the bases that an exception has, whatever its class says of its instances."""
    policy = RetryPolicy((Rule((Strange, ConnectionError), 2, PLAIN),))
    assert policy.decide(Strange(), policy.fresh).action == "retry"
    assert policy.decide(ConnectionResetError(), policy.fresh).action == "retry"
    assert policy.decide(ValueError(), policy.fresh).action == "fail"


def test_what_the_error_asks_for_is_waited_for() -> None:
    """`retry_after` wins over a shorter backoff; what is no number of seconds is nothing."""
    policy = RetryPolicy((Rule((Busy,), 3, PLAIN),))
    assert policy.decide(Busy(), policy.fresh).delay == 7.0
    for odd in (None, "soon", -3, float("nan"), float("inf"), 10**400, Spiteful()):
        error = Busy()
        error.retry_after = odd  # type: ignore[assignment]
        assert retry_after(error) == 0.0
    error = Busy()
    error.retry_after = 1e18  # type: ignore[assignment]
    assert policy.decide(error, policy.fresh).delay == 86_400.0


@given(
    rate=st.floats(0.5, 1000),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 2), min_size=2, max_size=60),
)
def test_no_window_holds_more_than_the_rate_and_the_burst(
    rate: float, burst: int, pauses: list[float]
) -> None:
    """Whenever attempts ask, at most `burst + rate x w` start in any window of w seconds."""
    limit, now = RateLimit(rate, burst), 0.0
    starts = []
    for pause in pauses:
        now += pause
        starts.append(now + limit.reserve(now))
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            width = starts[last] - starts[first]
            assert last - first + 1 <= burst + rate * width + 1e-6 * rate + 1


def test_without_a_burst_attempts_are_evenly_spaced() -> None:
    """Five asked for at once start a tenth of a second apart."""
    limit = RateLimit(10.0)
    assert [round(limit.reserve(100.0), 6) for _ in range(5)] == [0.0, 0.1, 0.2, 0.3, 0.4]
