"""A few real items through the real task, one after the other, in the engine; nothing is written.

What the job says of attempts holds as far as it protects somebody: `timeout` (a preview must not hang)
and `rate_limit` (a service cannot tell a preview from a run). Retries are off: who looks wants to see the
first failure, and is told what a run would do about it. No failure budget, no deadline, no lock, no
ledger, no log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import Any

from runner.clock import Clock
from runner.engine.attempt import make_full_attempt
from runner.engine.guarded import GuardedPool, Policies
from runner.engine.messages import Message
from runner.engine.window import Outcomes
from runner.errors import RowRefused, WorkerBroken
from runner.item import BrokenRecord, Context, Item
from runner.jobfile import Job, LoadedJob
from runner.outcome import Failure, Outcome
from runner.policies.rate_limit import RateLimit
from runner.preview.meter import Cost, Meter
from runner.raised import message_of, type_name
from runner.sinks.base import Encoder
from runner.sinks.json_text import encode_json
from runner.sources.base import Source
from runner.sources.python_iterable import PythonOptions
from runner.task import Task

Factory = Callable[..., Iterable[object]]
RUN_ID = "preview"
"""Of which `runner.Context` makes its idempotency keys: others than those of any run."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What came of one item.

    Attributes:
        item: The item.
        value: What the task was given before it was converted, as JSON or as Python shows it.
        rows: The lines that would be written, a header included where the first row brings one.
        failure: Why there are none, or `None`.
        cost: What it took; `None` where it was abandoned.
    """

    item: Item
    value: str
    rows: str
    failure: Failure | None
    cost: Cost | None


@dataclass(slots=True)
class Preview:
    """A preview of a job; iterate `samples` once.

    Attributes:
        loaded: The job file.
        task: The task, imported.
        factory: What makes the items of a `python` input, imported; else `None`.
        clock: Time.
        say: Writes a line for the person who watches.
        opened_seconds: How long a worker took to be set up, where the task is a class.
        total: Items of the job, where that is known without reading the input.
        has_ended: Whether the input has no items behind those that were taken.
    """

    loaded: LoadedJob
    task: Task
    factory: Factory | None
    clock: Clock
    say: Callable[[str], None]
    opened_seconds: float | None = None
    total: int | None = None
    has_ended: bool = False
    _costs: dict[int, Cost] = field(default_factory=dict)

    @property
    def job(self) -> Job:
        """The job of the file."""
        assert self.loaded.job is not None
        return self.loaded.job

    def samples(self, first: int, count: int) -> Iterator[Sample]:
        """Yield what comes of `count` items from index `first` on, as soon as each is done.

        Raises:
            InputBroken: The input is missing or stopped.
            WorkerBroken: A class could not be built.
        """
        source = self._open_source()
        self.total = source.total
        if not source.is_repeatable:
            self.say("the input can be read only once: what this preview takes of it is gone")
        meter, encoder = Meter(self.clock), self.job.output.encoder(self.task.columns)
        items = self._some(source.items(), first, count)
        outcomes: Outcomes[Outcome] = Outcomes(
            items,
            partial(self._make_pool, source, meter, encoder),
            chunksize=1,
            ordered=True,
            window=1,
            clock=self.clock,
        )
        meter.start()
        try:
            with outcomes:
                for batch in outcomes:
                    for item, data, _, failure in batch:
                        yield self._sample(source, encoder, item, data, failure)
        finally:
            meter.stop()

    def _open_source(self) -> Source:
        options = self.job.input
        if isinstance(options, PythonOptions):
            assert self.factory is not None
            return options.bind(self.factory, self.loaded.secrets.reveal(options.with_))
        return options.open(self.loaded.root)

    def _some(self, items: Iterator[Item], first: int, count: int) -> Iterator[Item]:
        """Yield some items, draw no more than these, and close `items`."""
        taken = 0
        try:
            for item in islice(items, first, first + count):
                taken += 1
                yield item
            self.has_ended = taken < count
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def _make_pool(
        self, source: Source, meter: Meter, encoder: Encoder | None, done: SimpleQueue[Message]
    ) -> GuardedPool:
        limit = self.job.rate_limit
        policies = Policies(
            timeout=self.job.timeout,
            rate_limit=None if limit is None else RateLimit(limit.rate, limit.burst),
        )
        open_worker = partial(self._open_worker, source, meter, encoder)
        return GuardedPool(open_worker, done, policies=policies, watcher=_Silent(), size=1, clock=self.clock)

    def _open_worker(
        self, source: Source, meter: Meter, encoder: Encoder | None
    ) -> tuple[Callable[..., Outcome | None], Callable[[], None] | None]:
        began = self.clock.monotonic()
        try:
            call, close = self.task.open()
        except BaseException as error:  # the user's constructor
            said = f"{type_name(error)}: {message_of(error, self.loaded.secrets.mask)}"
            raise WorkerBroken(f"a worker could not be set up: `{self.task.dotted}` raised {said}") from error
        if self.task.is_class:
            self.opened_seconds = self.clock.monotonic() - began
        attempt = make_full_attempt(
            source.decode,
            call,
            _shown_row if encoder is None else encoder.encode,
            quick=source.quick_decode,
            convert=self.task.convert,
            context=self._context if self.task.context is not None else None,
            is_many=self.task.is_many,
            settles=encoder is not None and encoder.settles,
        )

        def measured(item: Item, number: int = 1, begin: Callable[[], bool] | None = None) -> Outcome | None:
            waited = 0.0

            def begin_after_waiting() -> bool:
                nonlocal waited
                before = self.clock.monotonic()
                goes_on = begin is None or begin()
                waited = self.clock.monotonic() - before
                return goes_on

            state = meter.begin()
            outcome = attempt(item, number, begin_after_waiting)
            self._costs[item.index] = meter.end(state, waited)
            return outcome

        return measured, None if close is None else partial(_close, close)

    def _context(self, index: int, number: int) -> Context:
        return Context(index, number, RUN_ID, self.job.params)

    def _sample(
        self, source: Source, encoder: Encoder | None, item: Item, data: Any, failure: Failure | None
    ) -> Sample:
        rows = b""
        if failure is None and data is not None:
            try:
                rows = _settled(encoder, data, is_many=self.task.is_many)
            except RowRefused as error:
                failure = Failure("encode", type_name(error), message_of(error), error)
        return Sample(
            item,
            _shown_value(source, item),
            rows.decode("utf-8", "replace"),
            failure,
            self._costs.get(item.index),
        )


def _settled(encoder: Encoder | None, data: Any, *, is_many: bool) -> bytes:
    """Return the bytes of the rows of an item, which the writer of a run would make of them."""
    if encoder is None or not encoder.settles:
        return data  # type: ignore[no-any-return]  # bytes: only settling encoders make anything else
    before = encoder.state()
    try:
        return b"".join(map(encoder.settle, data if is_many else [data]))
    except RowRefused:
        encoder.restore(before)  # all rows of an item are written, or none
        raise


def _shown_row(row: object) -> bytes:
    """Return what a task returned whose rows are not written."""
    try:
        return encode_json(row)
    except RowRefused:
        return f"{row!r}\n".encode("utf-8", "backslashreplace")


def _shown_value(source: Source, item: Item) -> str:
    if isinstance(item.raw, BrokenRecord):
        return item.raw.head.decode("utf-8", "replace")
    try:
        value = source.decode(item)
    except Exception:  # the failure is shown beside it; a decoder may be the user's
        value = item.raw
    try:
        return encode_json(value).decode("utf-8", "replace").rstrip("\n")
    except RowRefused:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)


def _close(close: Callable[[], object]) -> None:
    try:
        close()
    except BaseException:  # of no consequence for what is shown
        pass


class _Silent:
    """Nobody watches: what happens is in the samples."""

    def failed(self, item: Item, failure: Failure) -> None:
        """Do nothing."""

    def postponed(self, item: Item, failure: Failure, *, number: int, delay: float) -> None:
        """Do nothing."""

    def timed_out(self, item: Item, failure: Failure, *, number: int, hanging: int) -> None:
        """Do nothing."""
