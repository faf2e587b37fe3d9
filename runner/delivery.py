"""Outcomes in commit order to output, dead letters, summary and log; and how far that has got."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from runner.engine.attempt import message_of, type_name
from runner.engine.guarded import GuardedPool
from runner.engine.window import Outcomes
from runner.errors import ItemRefused, RowRefused
from runner.item import Item, Where
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.dead_letter import dead_letter
from runner.ledger.publication import Publication
from runner.ledger.watermark import Watermark
from runner.observers.attempts import AttemptObserver
from runner.observers.log import FailureLog
from runner.outcome import ExitCode, Failure, FailureGroup, Outcome, RunSummary
from runner.policies.budget import FailureBudget
from runner.sinks.base import Encoder
from runner.sinks.json_text import encode_json
from runner.sources.base import Source
from runner.units import format_duration

if TYPE_CHECKING:
    from runner.run import Run

PASSED = Failure("passed", "", "", None)
"""In the place of a failure: an earlier process has delivered this item, which was only passed over."""


class Delivery:
    """Takes outcomes, one list after the other, in the thread that writes.

    Commit order is the order of the input, or the order in which items finish. The budget is judged
    at each failure in that order; the failure that breaks it is not written, nor anything behind it.
    """

    def __init__(self, run: Run, source: Source, publication: Publication, checkpoint: Checkpoint) -> None:
        self._run = run
        self._source = source
        self._publication = publication
        self._checkpoint = checkpoint
        self._summary = run.summary
        self._encoder: Encoder | None = run.job.output.encoder(run.task.columns)
        self._settle = self._encoder.settle if self._encoder is not None and self._encoder.settles else None
        self._is_ordered = run.job.pool.ordered
        self._has_output_offset = self._is_ordered and self._encoder is not None
        self._watermark = Watermark(checkpoint.index, checkpoint.done)
        total = source.total
        if total is not None and run.limit is not None:
            total = min(total, run.limit)
        tolerate = run.job.failures.tolerate
        self._budget = FailureBudget(tolerate.count, tolerate.percent, total, failed=checkpoint.failed)
        self._failures_seen = count(checkpoint.failed + 1)
        self._failure_log = FailureLog(run.log)
        self._secrets = run.loaded.secrets
        self._verdict = ""
        self._culprit: tuple[Item, Failure] | None = None
        self.pool: GuardedPool | None = None
        self._attempts: AttemptObserver | None = None
        self._is_torn = False  # between the first byte of a list of outcomes and the last
        self._frozen = checkpoint
        self._broken_by: tuple[str, str] | None = None
        self._started_at = run.clock.monotonic()
        run.progress.total = total
        run.progress.is_ordered = self._is_ordered
        self._restore(checkpoint)

    @property
    def encode(self) -> Callable[[object], object] | None:
        """What the workers do with a row; `None` where rows are only counted."""
        return self._encoder.encode if self._encoder is not None else None

    @property
    def settles(self) -> bool:
        """Whether `encode` returns snapshots, of which an item may have a list."""
        return self._settle is not None

    @property
    def size(self) -> int:
        """Bytes of output and dead letters so far."""
        return self._publication.output_size + self._publication.dead_size

    @property
    def is_done(self) -> Callable[[int], bool] | None:
        """Tells which items an earlier process has delivered behind a gap; `None` where there are none."""
        return (
            Watermark(self._checkpoint.index, self._checkpoint.done).is_done
            if self._checkpoint.done
            else None
        )

    def seen(self, item: Item, failure: Failure) -> None:
        """Told of each item that has failed: once the budget cannot hold, nothing more is started."""
        if failure is PASSED:
            return
        if failure.stops:
            self._culprit = (item, failure)
            self._run.stop.request("failures")
        if self._budget.seen(next(self._failures_seen)):
            if self._culprit is None:
                self._culprit = (item, failure)
            self._run.stop.request("failures")

    def watch(self) -> AttemptObserver:
        """Return what the pool tells about attempts; its last counts are told by `conclude`."""
        from runner.task import user_frames

        run = self._run
        self._attempts = AttemptObserver(
            run.log,
            run.summary,
            failed=self.seen,
            frames=partial(user_frames, mask=self._secrets.mask),
            say=run.say,
            clock=run.clock,
        )
        return self._attempts

    def begin(self) -> None:
        """Write what comes before the first row."""
        if self._encoder is not None and self._publication.output_size == 0:
            self._write([self._encoder.prologue()])

    def take(self, outcomes: list[Outcome]) -> bool:
        """Deliver; return whether to go on.

        What raises here leaves bytes without their items, or items without their bytes: then `freeze`
        says what it said last, and a resumption cuts the rest off.
        """
        self._is_torn = True
        rows: list[bytes] = []
        taken = row_count = passed = 0
        settle, watermark = self._settle, None if self._is_ordered else self._watermark
        last: Item | None = None
        for item, data, item_rows, failure in outcomes:
            if settle is not None and failure is None and data is not None:
                data, failure = self._settled(item, data)
            if failure is not None:
                if failure is PASSED:
                    passed += 1
                else:
                    self._write(rows)
                    rows = []
                    if not self._fail(item, failure, self._summary.items + taken + 1 - passed):
                        taken += 1
                        break
            else:
                row_count += item_rows
                if data is not None:
                    rows.append(data)
            taken += 1
            last = item
            if watermark is not None:
                watermark.add(item)
        self._write(rows)
        if self._run.log.level == "debug":
            for item, _, item_rows, failure in outcomes[:taken]:
                if failure is None:
                    self._run.log.event("item.done", "debug", index=item.index, rows=item_rows)
        if last is not None and watermark is None:
            self._watermark.advance(last)
        summary = self._summary
        summary.items += taken - passed
        summary.rows += row_count
        summary.succeeded = summary.items - summary.failed
        self._is_torn = False
        return not self._verdict

    def note_times(self, outcomes: Outcomes[Outcome]) -> None:
        """Keep for the summary where the time went."""
        summary = self._summary
        summary.running_seconds = self._run.clock.monotonic() - self._started_at
        summary.reading_seconds = min(outcomes.reading_seconds(), summary.running_seconds)
        summary.waiting_seconds = min(outcomes.waited_seconds, summary.running_seconds)
        if self.pool is not None:
            summary.throttled_seconds = self.pool.throttled_seconds

    def conclude(self, *, is_complete: bool) -> bool:
        """Decide how the run ended; return whether its output is to be published."""
        self._failure_log.close()
        if self._attempts is not None:
            self._attempts.close()
        summary, reason = self._summary, self._run.stop.reason
        if not self._verdict and is_complete and self._budget.at_end(summary.items):
            self._verdict = _verdict(self._run.job.failures.tolerate, summary, summary.items)
        if not self._verdict and not is_complete and reason == "failures":
            self._tell_culprit()
        if self._verdict or (not is_complete and reason == "failures"):
            summary.status, summary.exit_code = "failed", ExitCode.FAILED
            summary.message = self._verdict or self._excuse()
            return False
        if not is_complete and reason == "deadline":
            summary.status, summary.exit_code = "failed", ExitCode.FAILED
            assert self._run.job.deadline is not None
            allowed = format_duration(self._run.job.deadline)
            summary.message = f"the deadline of {allowed} passed before all items were done"
            return False
        if not is_complete:
            is_term = reason == "SIGTERM"
            summary.status = "interrupted"
            summary.exit_code = ExitCode.TERMINATED if is_term else ExitCode.INTERRUPTED
            summary.message = f"stopped by {reason}"
            return False
        if self._encoder is not None:
            self._write([self._encoder.epilogue()])
        summary.status, summary.exit_code = "completed", ExitCode.DONE
        return True

    def _excuse(self) -> str:
        if self._culprit is not None and self._culprit[1].stops:
            return _stopped_by(self._culprit[1])
        return "more items failed than are tolerated"

    def _tell_culprit(self) -> None:
        """Name the failure that stopped the run where it lies behind items that were dropped.

        It is not in the counts, which are those of the committed prefix.
        """
        if self._culprit is not None:
            item, failure = self._culprit
            failure = self._masked(failure)
            kind = (failure.stage, failure.type)
            self._summary.groups.setdefault(kind, FailureGroup(*kind, failure.message, item))
            self._log(kind, item, failure)

    def freeze(self) -> Checkpoint:
        """Return how far delivery has got. What it says has been written, though not yet synced."""
        if self._is_torn:
            return self._frozen
        summary = self._summary
        index, before = self._watermark.mark()
        position = self._checkpoint.position
        if before is not None:
            position = self._source.position_after(before)
        broken = 1 if self._broken_by is not None else 0  # seen, and not committed
        self._frozen = Checkpoint(
            index=index,
            position=position,
            done=() if self._is_ordered else self._watermark.ranges(),
            output_size=self._publication.output_size,
            dead_size=self._publication.dead_size,
            items=summary.items - broken,
            failed=summary.failed - broken,
            rows=summary.rows,
            groups=tuple(
                _packed(group, less=int(kind == self._broken_by)) for kind, group in summary.groups.items()
            ),
            encoder=self._encoder.state() if self._encoder is not None else {},
        )
        return self._frozen

    def _restore(self, checkpoint: Checkpoint) -> None:
        summary = self._summary
        summary.items, summary.failed, summary.rows = checkpoint.items, checkpoint.failed, checkpoint.rows
        summary.succeeded = summary.items - summary.failed
        for group in map(_unpacked, checkpoint.groups):
            if group.count:
                summary.groups[group.stage, group.type] = group
        if self._encoder is not None and checkpoint.encoder:
            self._encoder.restore(checkpoint.encoder)

    def _settled(self, item: Item, snapshot: Any) -> tuple[Any, Failure | None]:
        assert self._settle is not None
        assert self._encoder is not None
        if type(snapshot) is not list or not self._run.task.is_many:
            snapshot, before = [snapshot], None
        else:
            before = self._encoder.state()  # all rows of an item are written, or none
        try:
            return b"".join(map(self._settle, snapshot)), None
        except RowRefused as error:
            if before is not None:
                self._encoder.restore(before)
            failure = Failure("encode", type_name(error), message_of(error), error)
            self.seen(item, failure)
            return None, failure

    def _write(self, rows: list[bytes]) -> None:
        data = b"".join(rows)
        if data:
            self._publication.append(data)

    def _masked(self, failure: Failure) -> Failure:
        """Return a failure whose message holds no secret: behind this, it goes everywhere.

        Masked before it is cut to its length, so that it does not depend on how long the secret is.
        """
        if not self._secrets:
            return failure
        error, message = failure.error, failure.message
        if error is not None and message == message_of(error):
            return failure._replace(message=message_of(error, self._secrets.mask))
        return failure._replace(message=self._secrets.mask(message))

    def _fail(self, item: Item, failure: Failure, items_so_far: int) -> bool:
        failure = self._masked(failure)
        kind = (failure.stage, failure.type)
        self._summary.failed += 1
        group = self._summary.groups.get(kind)
        if group is None:
            self._summary.groups[kind] = FailureGroup(*kind, failure.message, item)
        else:
            group.count += 1
        self._log(kind, item, failure)
        if self._budget.fail(items_so_far) or failure.stops:
            tolerate = self._run.job.failures.tolerate
            self._verdict = (
                _stopped_by(failure) if failure.stops else _verdict(tolerate, self._summary, items_so_far)
            )
            self._broken_by = kind
            return False
        offset = self._publication.output_size if self._has_output_offset else None
        self._publication.append_dead_letter(
            dead_letter(
                item,
                failure,
                decode=self._source.decode,
                encode=encode_json,
                output_offset=offset,
                mask=self._secrets.mask,
            )
        )
        return True

    def _log(self, kind: tuple[str, str], item: Item, failure: Failure) -> None:
        now = self._run.clock.monotonic()
        data: dict[str, Any] = {}
        if self._failure_log.wants_more(kind, now):
            error = {"stage": failure.stage, "type": failure.type, "message": failure.message}
            data = {"index": item.index, "where": item.where._asdict(), "error": error}
            is_theirs = failure.stage in ("task", "convert") and not isinstance(failure.error, ItemRefused)
            if is_theirs and failure.error is not None:
                from runner.task import user_frames

                data["traceback"] = user_frames(failure.error, self._secrets.mask)
        self._failure_log.failed(kind, now, **data)


def _stopped_by(failure: Failure) -> str:
    return f"a rule of `retry` says to stop at {failure.type}"


def _verdict(tolerate: Any, summary: RunSummary, items: int) -> str:
    if tolerate.count == 0 and tolerate.percent is None:
        return "an item failed and none may (`failures.tolerate` is 0)"
    allowed = [f"{tolerate.count:,}"] if tolerate.count is not None else []
    allowed += [f"{tolerate.percent:g} %"] if tolerate.percent is not None else []
    return f"{summary.failed:,} of {items:,} items failed, tolerated are {' or '.join(allowed)}"


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
