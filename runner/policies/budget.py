"""How many items may fail: the failure budget, judged in commit order.

`failures.tolerate` is a count, a percentage, both (either trips), or `all`. What it allows is
computed exactly: 0.7 % of 1,000 is 7, which floats make 6.999….
"""

from __future__ import annotations

from fractions import Fraction
from math import floor

FIRST_JUDGED = 1000
"""A percentage of an unknown total is judged from this many items on: 1 of the first 2 is no 50 %."""


class FailureBudget:
    """The failures of one run against what is tolerated. One thread calls it.

    `failed` counts the failures that were judged, the breaking one included. A resumed run begins
    with the failures that are committed.

    Args:
        tolerance_count: Most failed items, `None` for no such bound.
        tolerance_percent: Most failed items of a hundred, `None` for no such bound.
        total: Items of the whole run, `None` where that is not known before its end.
        failed: Failures committed by earlier processes of this run.
    """

    def __init__(
        self,
        tolerance_count: int | None,
        tolerance_percent: float | None,
        total: int | None,
        *,
        failed: int = 0,
    ) -> None:
        self.failed = failed
        # Through the decimal text: Fraction(0.7) is the float's own value, a little less than 7/10.
        self._share = None if tolerance_percent is None else Fraction(str(tolerance_percent)) / 100
        bounds = [] if tolerance_count is None else [tolerance_count]
        if self._share is not None and total is not None:
            bounds.append(floor(self._share * total))
        self._bound = min(bounds, default=None)
        self._share_is_open = self._share is not None and total is None

    def fail(self, items_so_far: int) -> bool:
        """Count one failed item, in commit order, and return whether it breaks the budget.

        Args:
            items_so_far: Items delivered in the whole run, this one included.
        """
        self.failed += 1
        return self.seen(self.failed) or (
            items_so_far >= FIRST_JUDGED and self._share_is_open and self._exceeds_share_of(items_so_far)
        )

    def seen(self, failures_seen: int) -> bool:
        """Return whether so many failures in the whole run, in any order, can never fit the budget.

        A percentage of an unknown total never decides this: more items may follow.
        """
        return self._bound is not None and failures_seen > self._bound

    def at_end(self, items: int) -> bool:
        """Return whether the budget is broken now that the run is known to have had `items` items."""
        return self.seen(self.failed) or (self._share_is_open and self._exceeds_share_of(items))

    def _exceeds_share_of(self, items: int) -> bool:
        return self._share is not None and self.failed > floor(self._share * items)
