"""The failure budget: how many items may fail before the run stops."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.policies.budget import FailureBudget


def first_break(budget: FailureBudget, failures: list[int]) -> int | None:
    """Return the number of failures at the one that breaks, which of the items being `failures`."""
    return next((n for n, items in enumerate(failures, 1) if budget.fail(items)), None)


@pytest.mark.parametrize(
    ("count", "percent", "total", "tolerated"),
    [
        (0, None, 300, 0),
        (0, None, None, 0),
        (5, None, None, 5),
        (None, 1, 300, 3),
        (None, 1.0, 299, 2),
        (None, 0.7, 1000, 7),
        (None, 0.1, 3000, 3),
        (None, 0, 300, 0),
        (None, 1e-05, 10**7, 1),
        (None, 29, 100, 29),
        (2, 1, 300, 2),
        (200, 1, 300, 3),
        (2, 1, None, 2),
    ],
)
def test_the_failure_after_the_last_tolerated_one_breaks(
    count: int | None, percent: float | None, total: int | None, tolerated: int
) -> None:
    """Whatever is given, the smaller bound holds, in exact arithmetic."""
    budget = FailureBudget(count, percent, total)
    assert first_break(budget, list(range(1, tolerated + 2))) == tolerated + 1
    assert budget.failed == tolerated + 1
    assert budget.at_end(total or 300) is True


@pytest.mark.parametrize(("percent", "total"), [(None, None), (100, 300), (100, None)])
def test_all_may_fail_where_all_is_tolerated(percent: float | None, total: int | None) -> None:
    """Neither bound, or a hundred percent, never breaks."""
    budget = FailureBudget(None, percent, total)
    assert first_break(budget, list(range(1, 301))) is None
    assert budget.at_end(300) is False
    assert budget.seen(300) is False


def test_an_open_percentage_waits_for_the_thousandth_item() -> None:
    """A bad start is no verdict: 999 failures of 999 items go on, the next one is judged."""
    budget = FailureBudget(None, 1, None)
    assert first_break(budget, list(range(1, 1002))) == 1000


def test_an_open_percentage_is_judged_by_the_items_so_far() -> None:
    """Of 1,100 items 11 may have failed and no more."""
    assert first_break(FailureBudget(None, 1, None), [1100] * 12) == 12


@pytest.mark.parametrize(("items", "broken"), [(300, False), (299, True), (100_000, False)])
def test_an_open_percentage_is_judged_at_the_end(items: int, broken: bool) -> None:
    """A short run gets its verdict from the number of items that it really had."""
    budget = FailureBudget(None, 1, None)
    assert first_break(budget, [1, 2, 3]) is None
    assert budget.at_end(items) is broken


@pytest.mark.parametrize(
    ("count", "percent", "total", "seen", "hopeless"),
    [
        (3, None, None, 3, False),
        (3, None, None, 4, True),
        (None, 1, 300, 3, False),
        (None, 1, 300, 4, True),
        (None, 1, None, 10**6, False),
        (3, 1, None, 4, True),
        (None, None, 300, 300, False),
    ],
)
def test_seen_decides_only_what_no_later_item_can_change(
    count: int | None, percent: float | None, total: int | None, seen: int, hopeless: bool
) -> None:
    """A percentage of an unknown total may still come right; it changes no count."""
    budget = FailureBudget(count, percent, total)
    assert budget.seen(seen) is hopeless
    assert budget.failed == 0


def test_a_resumed_run_counts_the_failures_before_it() -> None:
    """Failures that an earlier process committed are not forgiven."""
    budget = FailureBudget(3, None, None, failed=3)
    assert budget.at_end(10) is False
    assert budget.fail(11) is True


@given(st.integers(0, 10_000), st.integers(1, 5000))
def test_a_known_percentage_tolerates_its_exact_share(hundredths: int, total: int) -> None:
    """For every percentage with two decimals the bound is that of exact arithmetic."""
    bound = int(Fraction(hundredths, 10_000) * total)
    budget = FailureBudget(None, hundredths / 100, total)
    assert not budget.seen(bound)
    assert budget.seen(bound + 1)
