"""Outcomes in commit order to output, dead letters, summary and log; and how far that has got."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runner.engine.window import Outcomes
from runner.errors import RowRefused
from runner.failures import PASSED, Failures
from runner.item import Item
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.dead_letter import dead_letter
from runner.ledger.publication import Publication
from runner.ledger.watermark import Watermark
from runner.outcome import ExitCode, Failure, Outcome
from runner.raised import message_of, type_name
from runner.sinks.base import Encoder
from runner.sinks.json_text import encode_json
from runner.sources.base import Source
from runner.sources.records import RecordSource
from runner.units import format_duration

if TYPE_CHECKING:
    from runner.run import Run


class Delivery:
    """Takes outcomes, one list after the other, in the thread that writes.

    Commit order is the order of the input, or the order in which items finish. The budget is judged
    at each failure in that order; the failure that breaks it is not written, nor anything behind it.

    Attributes:
        failures: What becomes of items that fail; workers tell it of each at once.
        settles: Whether `encode` returns snapshots, of which an item of a generator has a list.
    """

    def __init__(self, run: Run, source: Source, publication: Publication, checkpoint: Checkpoint) -> None:
        self._run = run
        self._source = source
        self._publication = publication
        self._checkpoint = checkpoint
        self._summary = run.summary
        self._encoder: Encoder | None = run.job.output.encoder(run.task.columns)
        self.settles = self._encoder is not None and self._encoder.settles
        self._is_ordered = run.job.pool.ordered
        self._has_output_offset = self._is_ordered and self._encoder is not None
        self._watermark = Watermark(checkpoint.index, checkpoint.done)
        total = source.total
        if total is not None and run.limit is not None:
            total = min(total, run.limit)
        self.failures = Failures(run, total, checkpoint)
        self._is_over = False  # a failure has ended the run
        self._is_torn = False  # between the first byte of a list of outcomes and the last
        self._frozen = checkpoint
        self._started_at = run.clock.monotonic()
        run.progress.total = total
        run.progress.is_ordered = self._is_ordered
        self._restore(checkpoint)

    @property
    def encode(self) -> Callable[[object], object] | None:
        """What the workers do with a row; `None` where rows are only counted."""
        return self._encoder.encode if self._encoder is not None else None

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
        settles, watermark = self.settles, None if self._is_ordered else self._watermark
        last: Item | None = None
        for item, data, item_rows, failure in outcomes:
            if settles and failure is None and data is not None:
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
        return not self._is_over

    def note_times(self, outcomes: Outcomes[Outcome]) -> None:
        """Keep for the summary where the time went."""
        summary = self._summary
        summary.running_seconds = self._run.clock.monotonic() - self._started_at
        summary.reading_seconds = min(outcomes.reading_seconds(), summary.running_seconds)
        summary.waiting_seconds = min(outcomes.waited_seconds, summary.running_seconds)
        summary.throttled_seconds = outcomes.throttled_seconds

    def conclude(self, *, is_complete: bool) -> bool:
        """Decide how the run ended; return whether its output is to be published."""
        summary, reason = self._summary, self._run.stop.reason
        verdict = self.failures.conclude(is_complete=is_complete)
        if verdict:
            summary.status, summary.exit_code = "failed", ExitCode.FAILED
            summary.message = verdict
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

    def freeze(self) -> Checkpoint:
        """Return how far delivery has got. What it says has been written, though not yet synced."""
        if self._is_torn:
            return self._frozen
        summary = self._summary
        index, before = self._watermark.mark()
        position = self._checkpoint.position
        done = () if self._is_ordered else self._watermark.ranges()
        if before is not None:
            position = self._source.position_after(before)
        elif done and isinstance(self._source, RecordSource):
            position = self._source.renewed(position)
        broken = self.failures.uncommitted
        self._frozen = Checkpoint(
            index=index,
            position=position,
            done=done,
            output_size=self._publication.output_size,
            dead_size=self._publication.dead_size,
            items=summary.items - broken,
            failed=summary.failed - broken,
            rows=summary.rows,
            groups=self.failures.packed(),
            encoder=self._encoder.state() if self._encoder is not None else {},
        )
        return self._frozen

    def _restore(self, checkpoint: Checkpoint) -> None:
        summary = self._summary
        summary.items, summary.failed, summary.rows = checkpoint.items, checkpoint.failed, checkpoint.rows
        summary.succeeded = summary.items - summary.failed
        summary.items_before = checkpoint.items
        if self._encoder is not None and checkpoint.encoder:
            self._encoder.restore(checkpoint.encoder)

    def _settled(self, item: Item, snapshot: Any) -> tuple[Any, Failure | None]:
        """Return the bytes of an item's snapshot, or of its list of them where the task is a generator."""
        assert self._encoder is not None
        before = self._encoder.state() if self._run.task.is_many else None
        try:
            if before is None:
                return self._encoder.settle(snapshot), None
            return b"".join(map(self._encoder.settle, snapshot)), None
        except RowRefused as error:
            if before is not None:
                self._encoder.restore(before)  # all rows of an item are written, or none
            failure = Failure("encode", type_name(error), message_of(error), error)
            self.failures.seen(item, failure)
            return None, failure

    def _write(self, rows: list[bytes]) -> None:
        data = b"".join(rows)
        if data:
            self._publication.append(data)

    def _fail(self, item: Item, failure: Failure, items_so_far: int) -> bool:
        """Deliver a failure; return whether the run goes on."""
        tolerated = self.failures.take(item, failure, items_so_far)
        if tolerated is None:
            self._is_over = True
            return False
        offset = self._publication.output_size if self._has_output_offset else None
        self._publication.append_dead_letter(
            dead_letter(
                item,
                tolerated,
                decode=self._source.decode,
                encode=encode_json,
                output_offset=offset,
                mask=self._run.loaded.secrets.mask,
            )
        )
        return True
