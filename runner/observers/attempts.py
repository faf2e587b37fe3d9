"""What happens to attempts that fail and are not the end of their item: counted, logged, said once."""

from __future__ import annotations

from collections.abc import Callable

from runner.clock import Clock
from runner.item import Item
from runner.observers.log import FailureLog, RunLog
from runner.outcome import Failure, RunSummary


class AttemptObserver:
    """Told by the pool about retries and timeouts; see `runner.engine.guarded.Watcher`.

    Args:
        log: The run's log.
        summary: Whose `retries` and `timeouts` are counted.
        failed: Told of every item that has failed for good.
        frames: Makes the text of a traceback.
        say: Writes a line for the person who watches.
        clock: Time.
    """

    def __init__(
        self,
        log: RunLog,
        summary: RunSummary,
        *,
        failed: Callable[[Item, Failure], None],
        frames: Callable[[BaseException], str],
        say: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self.failed = failed
        self._summary = summary
        self._frames = frames
        self._say = say
        self._clock = clock
        self._retries = FailureLog(log, "item.retry_scheduled", "info")
        self._timeouts = FailureLog(log, "attempt.timed_out", "warning")

    def postponed(self, item: Item, failure: Failure, *, number: int, delay: float) -> None:
        """Count and log an attempt that is made again in `delay` seconds."""
        self._summary.retries += 1
        self._log(self._retries, item, failure, attempt=number, delay_seconds=round(delay, 3))

    def timed_out(self, item: Item, failure: Failure, *, number: int, hanging: int) -> None:
        """Count and log an attempt that is overdue, with the place in the task where it is."""
        if not self._summary.timeouts:
            self._say(
                f"warning: an attempt at item {item.index:,} took too long; its thread cannot be ended, "
                "so it may still be at work beside the next one"
            )
        self._summary.timeouts += 1
        error = failure.error
        self._log(
            self._timeouts,
            item,
            failure,
            attempt=number,
            hanging_threads=hanging,
            traceback=self._frames(error) if error is not None else "",
        )

    def close(self) -> None:
        """Tell in the log what was only counted."""
        self._retries.close()
        self._timeouts.close()

    def _log(self, log: FailureLog, item: Item, failure: Failure, **data: object) -> None:
        kind, now = (failure.stage, failure.type), self._clock.monotonic()
        error = {"stage": failure.stage, "type": failure.type, "message": failure.message}
        log.failed(kind, now, index=item.index, where=item.where._asdict(), error=error, **data)
