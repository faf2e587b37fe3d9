"""What becomes of failures: counted in commit order, grouped, logged, judged against the budget."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from runner.errors import ItemRefused
from runner.item import Item, Where
from runner.ledger.checkpoint import Checkpoint
from runner.observers.attempts import AttemptObserver
from runner.observers.log import FailureLog
from runner.outcome import Failure, FailureGroup
from runner.policies.budget import FailureBudget
from runner.raised import is_a, message_of

if TYPE_CHECKING:
    from runner.run import Run

PASSED = Failure("passed", "", "", None)
"""In the place of a failure: an earlier process has delivered this item, which was only passed over."""


class Failures:
    """The failures of one run. Workers call `seen`, the thread that writes everything else.

    Args:
        run: The run; its summary counts and groups the failures.
        total: Items of the whole run, `None` where that is not known before its end.
        checkpoint: What earlier processes of the run have committed.

    Attributes:
        attempts: Told of retries and timeouts by the pool.
    """

    def __init__(self, run: Run, total: int | None, checkpoint: Checkpoint) -> None:
        from runner.task import user_frames

        self._run = run
        self._summary = run.summary
        self._mask = run.loaded.secrets.mask if run.loaded.secrets else None
        self._frames = partial(user_frames, mask=run.loaded.secrets.mask)
        tolerate = run.job.failures.tolerate
        self._budget = FailureBudget(tolerate.count, tolerate.percent, total, failed=checkpoint.failed)
        self._seen = count(checkpoint.failed + 1)
        self._log = FailureLog(run.log)
        self.attempts = AttemptObserver(
            run.log, run.summary, failed=self.seen, frames=self._frames, say=run.say, clock=run.clock
        )
        self._verdict = ""
        self._culprit: tuple[Item, Failure] | None = None
        self._broken_by: FailureGroup | None = None
        for group in map(_unpacked, checkpoint.groups):
            if group.count:
                run.summary.groups[group.stage, group.type] = group

    @property
    def uncommitted(self) -> int:
        """How many counted failures are not to be committed: 1 if a failure has ended the run, else 0."""
        return int(self._broken_by is not None)

    def seen(self, item: Item, failure: Failure) -> None:
        """Told of each item as soon as it fails: once the budget cannot hold, nothing more is started."""
        if failure is PASSED:
            return
        if failure.stops or self._budget.seen(next(self._seen)):
            if self._culprit is None or failure.stops:
                self._culprit = (item, failure)
            self._run.stop.request("failures")

    def take(self, item: Item, failure: Failure, items_so_far: int) -> Failure | None:
        """Count and log a failure; return it without secrets, or `None` where it ends the run.

        Args:
            item: The item.
            failure: Why it failed.
            items_so_far: Items delivered in the whole run, this one included.
        """
        failure = self._masked(failure)
        kind = (failure.stage, failure.type)
        self._summary.failed += 1
        group = self._summary.groups.get(kind)
        if group is None:
            group = self._summary.groups[kind] = FailureGroup(*kind, failure.message, item)
        else:
            group.count += 1
        self._write(item, failure)
        if self._budget.fail(items_so_far) or failure.stops:
            self._verdict = _stopped_by(failure) if failure.stops else self._over_budget(items_so_far)
            self._broken_by = group
            return None
        return failure

    def conclude(self, *, is_complete: bool) -> str:
        """Return why the run has failed, empty where it has not; tell the log what was only counted."""
        self._log.close()
        self.attempts.close()
        items = self._summary.items
        if not self._verdict and is_complete and self._budget.at_end(items):
            self._verdict = self._over_budget(items)
        if not self._verdict and not is_complete and self._run.stop.reason == "failures":
            self._verdict = self._tell_culprit()
        return self._verdict

    def packed(self) -> tuple[dict[str, Any], ...]:
        """Return the groups as a checkpoint holds them."""
        return tuple(
            _packed(group, less=int(group is self._broken_by)) for group in self._summary.groups.values()
        )

    def _tell_culprit(self) -> str:
        """Name the failure that stopped the run where it lies behind items that were dropped.

        It is not in the counts, which are those of the committed prefix.
        """
        assert self._culprit is not None
        item, failure = self._culprit
        failure = self._masked(failure)
        kind = (failure.stage, failure.type)
        self._summary.groups.setdefault(kind, FailureGroup(*kind, failure.message, item))
        self._write(item, failure)
        return _stopped_by(failure) if failure.stops else "more items failed than are tolerated"

    def _over_budget(self, items: int) -> str:
        tolerate = self._run.job.failures.tolerate
        if tolerate.count == 0 and tolerate.percent is None:
            return "an item failed and none may (`failures.tolerate` is 0)"
        allowed = [f"{tolerate.count:,}"] if tolerate.count is not None else []
        allowed += [f"{tolerate.percent:g} %"] if tolerate.percent is not None else []
        return f"{self._summary.failed:,} of {items:,} items failed, tolerated are {' or '.join(allowed)}"

    def _masked(self, failure: Failure) -> Failure:
        """Return a failure whose message holds no secret: behind this, it goes everywhere.

        Masked before it is cut to its length, so that it does not depend on how long the secret is.
        """
        if self._mask is None:
            return failure
        error, message = failure.error, failure.message
        if error is not None and message == message_of(error):
            return failure._replace(message=message_of(error, self._mask))
        return failure._replace(message=self._mask(message))

    def _write(self, item: Item, failure: Failure) -> None:
        kind, now = (failure.stage, failure.type), self._run.clock.monotonic()
        data: dict[str, Any] = {}
        if self._log.wants_more(kind, now):
            error = {"stage": failure.stage, "type": failure.type, "message": failure.message}
            data = {"index": item.index, "where": item.where._asdict(), "error": error}
            is_theirs = failure.stage in ("task", "convert") and not is_a(failure.error, ItemRefused)
            if is_theirs and failure.error is not None:
                data["traceback"] = self._frames(failure.error)
        self._log.failed(kind, now, **data)


def _stopped_by(failure: Failure) -> str:
    return f"a rule of `retry` says to stop at {failure.type}"


def _packed(group: FailureGroup, *, less: int) -> dict[str, Any]:
    where = list(group.example.where[:3])
    return {
        "stage": group.stage,
        "type": group.type,
        "message": group.message,
        "count": group.count - less,
        "example": [group.example.index, where],
    }


def _unpacked(packed: dict[str, Any]) -> FailureGroup:
    index, where = packed["example"]
    example = Item(index, None, Where(*where))
    return FailureGroup(packed["stage"], packed["type"], packed["message"], example, packed["count"])
