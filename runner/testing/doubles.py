"""A source, a sink and an observer in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from runner.clock import Clock
from runner.item import BrokenRecord, Item
from runner.outcome import Failure
from runner.sources.inline import InlineSource


@dataclass
class RecordingObserver:
    """Keeps what the pool tells of attempts; see `runner.engine.guarded.Watcher`.

    Attributes:
        failures: Item and failure of each item that failed for good.
        retries: Index, number of the attempt that failed, and seconds until the next one.
        timeouts: Index, number of the attempt, and the time at which it was overdue.
    """

    clock: Clock
    failures: list[tuple[int, Failure]] = field(default_factory=list)
    retries: list[tuple[int, int, float]] = field(default_factory=list)
    timeouts: list[tuple[int, int, float]] = field(default_factory=list)

    def failed(self, item: Item, failure: Failure) -> None:
        """Keep an item that failed."""
        self.failures.append((item.index, failure))

    def postponed(self, item: Item, failure: Failure, *, number: int, delay: float) -> None:
        """Keep a retry."""
        self.retries.append((item.index, number, delay))

    def timed_out(self, item: Item, failure: Failure, *, number: int, hanging: int) -> None:
        """Keep an attempt that was overdue."""
        self.timeouts.append((item.index, number, self.clock.monotonic()))


class FakeSource(InlineSource):
    """A source of values in memory, any values, some of which may be broken records.

    Args:
        values: The values, one an item.
        broken: By index, why a record could not be cut.
    """

    def __init__(self, values: Sequence[Any], *, broken: Mapping[int, str] | None = None) -> None:
        super().__init__(list(values))
        self.broken = dict(broken or {})

    def items(self, index: int = 0, position: dict[str, Any] | None = None) -> Iterator[Item]:
        """Yield the items from `index` on."""
        for item in super().items(index, position):
            reason = self.broken.get(item.index)
            yield item if reason is None else item._replace(raw=BrokenRecord(b"", 0, 1, reason))

    def decode(self, item: Item) -> object:
        """Return the value itself, not a copy."""
        return item.raw


class MemorySink:
    """A `runner.sinks.base.Encoder` that keeps rows as they are, in `rows`, and writes no byte."""

    settles = True

    def __init__(self) -> None:
        self.rows: list[object] = []

    def prologue(self) -> bytes:
        """Return nothing."""
        return b""

    def encode(self, row: object) -> object:
        """Return the row."""
        return row

    def settle(self, snapshot: object) -> bytes:
        """Keep the row."""
        self.rows.append(snapshot)
        return b""

    def epilogue(self) -> bytes:
        """Return nothing."""
        return b""

    def state(self) -> dict[str, object]:
        """Return how many rows there are."""
        return {"rows": len(self.rows)}

    def restore(self, state: dict[str, object]) -> None:
        """Forget the rows behind a `state`."""
        del self.rows[cast("int", state["rows"]) :]
