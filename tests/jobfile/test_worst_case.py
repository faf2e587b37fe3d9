"""What is said of the worst case is what the policy of retries can be driven to, no more and no less."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.jobfile.worst_case import worst_case
from runner.policies.backoff import Backoff
from runner.policies.retry import RetryOptions, RetryPolicy, Rule

ERRORS = (KeyError, OSError, ValueError)


def options(attempts: int, initial: float, factor: float) -> RetryOptions:
    """Return a rule without jitter, whose delays are at most 4 s."""
    backoff = Backoff.model_validate(
        {"initial": f"{initial}s", "factor": factor, "max": "4s", "jitter": "none"}
    )
    return RetryOptions(attempts=attempts, backoff=backoff)


@given(
    rules=st.lists(
        st.builds(
            options,
            st.integers(1, 4),
            st.sampled_from([0.0, 0.5, 1.0, 4.0]),
            st.sampled_from([1.0, 2.0, 3.0]),
        ),
        max_size=3,
    )
)
@settings(max_examples=100, deadline=None)
def test_it_is_what_the_worst_sequence_of_errors_costs(rules):
    """An adversary who picks the error of each attempt gets exactly so many attempts and delays."""
    policy = RetryPolicy(
        tuple(Rule((error,), rule.attempts, rule.backoff) for error, rule in zip(ERRORS, rules, strict=False))
    )

    @cache
    def worst(used: tuple[int, ...]) -> tuple[int, float]:
        attempts, delay = 1, 0.0
        for error in ERRORS:
            decision = policy.decide(error(), used)
            if decision.action == "retry":
                more, later = worst(decision.used)
                attempts, delay = max(attempts, 1 + more), max(delay, decision.delay + later)
        return attempts, delay

    found = worst_case(rules, None)
    attempts, delay = worst(policy.fresh)
    assert found.attempts == attempts
    assert found.delay == pytest.approx(delay)
    assert found.seconds is None
    assert worst_case(rules, 2.0).seconds == pytest.approx(2 * attempts + delay)
