"""For tests of your own tasks: a clock without waiting, fakes, and a task run under a job's policies.

::

    from runner.testing import run_task

    def test_a_busy_service_is_asked_again():
        run = run_task(fetch, ["a", "b"], retry={"attempts": 3, "errors": [Busy]}, timeout="30s")
        assert run.failed == []
        assert [len(item.attempts) for item in run.items] == [1, 3]
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Condition, Thread, current_thread
from typing import Any, NamedTuple, cast

from runner.clock import Clock
from runner.engine.attempt import make_full_attempt
from runner.engine.guarded import GuardedPool, Policies
from runner.engine.window import Outcomes
from runner.errors import UsageError
from runner.item import NOWHERE, BrokenRecord, Context, Item
from runner.outcome import Failure, Outcome
from runner.policies.rate_limit import RateLimit, RateLimitOptions
from runner.policies.retry import RetryOptions, RetryPolicy, Rule
from runner.sources.inline import InlineSource
from runner.task import Policy, Task, TaskFault, find_exception, load_task, make_task
from runner.units import parse_duration

_LOOK_SECONDS = 0.02
"""Real seconds after which a waiting thread looks whether another has ended meanwhile, which tells nobody."""


class VirtualClock:
    """Time that passes only when every thread waits for it, and then at once.

    The threads are the one that makes the clock, and those that the runner starts afterwards. A task that
    waits with `clock.sleep` lets the time pass; one that really sleeps, or waits for something else, holds
    it still. So a retry in an hour is tried in a moment, and the times of all attempts are exact.

    Args:
        start: The first value of `monotonic`, in seconds.
        now: The first value of `now`.
    """

    def __init__(self, start: float = 0.0, *, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = self._time = start
        self._now = now
        self._changed = Condition()
        self._waiting: dict[Thread, _Wait] = {}
        self._released: set[Thread] = set()
        self._mine = current_thread()
        self._others = set(threading.enumerate()) - {self._mine}

    def now(self) -> datetime:
        """Return the wall-clock time, in UTC."""
        return self._now + timedelta(seconds=self.monotonic() - self._start)

    def monotonic(self) -> float:
        """Return the seconds."""
        with self._changed:
            return self._time

    def sleep(self, seconds: float) -> None:
        """Wait until the time has passed."""
        try:
            self.queue().get(timeout=max(0.0, seconds))
        except Empty:
            pass

    def advance(self, seconds: float) -> None:
        """Let time pass from outside, whoever waits for what."""
        with self._changed:
            self._time += seconds
            self._changed.notify_all()

    def release(self) -> None:
        """End every wait of other threads, those to come included: for attempts that were left behind."""
        with self._changed:
            self._released |= set(self._waiting) - {current_thread()}
            self._changed.notify_all()

    def queue(self) -> SimpleQueue[Any]:
        """Return a queue whose `get(timeout=...)` waits by this clock."""
        return cast("SimpleQueue[Any]", _Queue(self))

    def _pass_if_all_wait(self) -> None:
        """Go to the next moment that somebody waits for, if nobody can do anything before. Holds the lock."""
        for thread in threading.enumerate():
            is_ours = thread is self._mine or (
                thread.name.startswith("runner-") and thread not in self._others
            )
            if is_ours and thread not in self._waiting:
                return
        waits = self._waiting.values()
        if any(wait.queue.has_items() or wait.until <= self._time for wait in waits):
            return
        until = min((wait.until for wait in waits), default=inf)
        if until < inf:
            self._time = until
            self._changed.notify_all()


class _Wait(NamedTuple):
    queue: _Queue
    until: float


class _Queue:
    """What `SimpleQueue` offers, waiting by a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._items: deque[Any] = deque()

    def has_items(self) -> bool:
        """Return whether there is something to take."""
        return bool(self._items)

    def put(self, item: Any) -> None:
        """Add an item."""
        with self._clock._changed:
            self._items.append(item)
            self._clock._changed.notify_all()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the first item; wait for it, `timeout` virtual seconds at most. Raises queue.Empty."""
        clock, me = self._clock, current_thread()
        with clock._changed:
            until = inf if timeout is None else clock._time + timeout
            while not self._items:
                if not block or clock._time >= until or me in clock._released:
                    raise Empty
                clock._waiting[me] = _Wait(self, until)
                try:
                    clock._pass_if_all_wait()
                    if not self._items and clock._time < until:
                        clock._changed.wait(_LOOK_SECONDS)
                finally:
                    del clock._waiting[me]
            return self._items.popleft()

    def get_nowait(self) -> Any:
        """Take the first item. Raises queue.Empty."""
        return self.get(block=False)

    def empty(self) -> bool:
        """Return whether there is nothing to take."""
        return not self._items


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


@dataclass(frozen=True)
class ItemRun:
    """What came of one item.

    Attributes:
        item: The item, as it was given.
        rows: Its rows, none where it failed or the task returned `None`.
        failure: Why it failed, with `stage`, `type`, `message` and the `error` itself; or `None`.
        attempts: When each attempt began, in seconds of the clock.
    """

    item: object
    rows: list[object]
    failure: Failure | None
    attempts: list[float]


@dataclass(frozen=True)
class TaskRun:
    """What came of a task on some items.

    Attributes:
        items: One for each item, in the order given.
        seconds: How long it took, by the clock.
        observer: Retries and timeouts one by one.
        is_stopped: Whether a rule with `then: stop` has ended it; items behind may be missing.
    """

    items: list[ItemRun]
    seconds: float
    observer: RecordingObserver
    is_stopped: bool = False

    @property
    def rows(self) -> list[object]:
        """All rows, in the order of the items."""
        return [row for item in self.items for row in item.rows]

    @property
    def failed(self) -> list[ItemRun]:
        """The items that failed."""
        return [item for item in self.items if item.failure is not None]


def run_task(
    task: str | Callable[..., object] | Task,
    items: Iterable[object],
    *,
    with_: Mapping[str, object] | None = None,
    params: Mapping[str, object] | None = None,
    retry: Mapping[str, Any] | Sequence[Mapping[str, Any]] | RetryPolicy | None = None,
    timeout: str | float | None = None,
    rate_limit: str | Mapping[str, Any] | None = None,
    size: int = 4,
    clock: Clock | None = None,
    seed: int = 0,
    run_id: str = "test",
    encode: Callable[[object], object] = lambda row: row,
) -> TaskRun:
    """Run a task on items in the real engine, under the policies of a job; write nothing.

    Args:
        task: A function, generator function or class; or its dotted path; or a loaded task, which has its
            arguments.
        items: What it is called with, one after the other; they are converted as its annotation says.
        with_: Its keyword arguments, as `with:` gives them.
        params: What `runner.Context` has as parameters.
        retry: As in a job file; in `errors`, exceptions themselves are as good as their names.
        timeout: As in a job file (`"30s"`), or seconds.
        rate_limit: As in a job file (`"50/s"` or `{"rate": "50/s", "burst": 10}`).
        size: Workers.
        clock: Time; a new `VirtualClock` where none is given. A task that is to let virtual time pass, as a
            slow service would, calls `clock.sleep`.
        seed: For the jitter of the delays.
        run_id: The id of the run, of which the idempotency keys are made.
        encode: What becomes of each row, such as the `encode` of an output, which may refuse it.

    Raises:
        TaskRejected: The task cannot be called with an item and `with_`.
        UsageError: A policy is not what a job file may say; the message names it.
        WorkerBroken: A class could not be built, or too many attempts hang.
    """
    clock = clock if clock is not None else VirtualClock()
    policies = Policies(
        retry=_retry_policy(retry, seed),
        timeout=parse_duration(timeout) if isinstance(timeout, str) else timeout,
        rate_limit=_rate_limit(rate_limit),
    )
    loaded = _task(task, with_ or {})
    observer, given = RecordingObserver(clock), list(items)
    starts: dict[int, list[float]] = {index: [] for index in range(len(given))}

    def open_worker() -> tuple[Any, Callable[[], object] | None]:
        call, close = loaded.open()

        def noted(value: object, context: Context) -> object:
            starts[context.index].append(clock.monotonic())
            return call(value) if loaded.context is None else call(value, context)

        attempt = make_full_attempt(
            lambda item: item.raw,
            noted,
            encode,
            convert=loaded.convert,
            context=lambda index, number: Context(index, number, run_id, params or {}),
            is_many=loaded.is_many,
            settles=True,
        )
        return attempt, close

    def make_pool(done: SimpleQueue[Any]) -> GuardedPool:
        return GuardedPool(open_worker, done, policies=policies, watcher=observer, size=size, clock=clock)

    began = clock.monotonic()
    source = map(Item, count(), given, [NOWHERE] * len(given))
    outcomes: Outcomes[Outcome] = Outcomes(
        source, make_pool, chunksize=1, ordered=True, window=max(1, len(given)), clock=clock
    )
    found: list[ItemRun] = []
    try:
        with outcomes:
            for batch in outcomes:
                for item, rows, row_count, failure in batch:
                    many = rows if loaded.is_many else [rows]
                    found.append(
                        ItemRun(item.raw, list(many) if row_count else [], failure, starts[item.index])
                    )
                    if failure is not None and failure.stops:
                        outcomes.drain(grace=0)
        seconds = clock.monotonic() - began
    finally:
        if isinstance(clock, VirtualClock):
            clock.release()
    return TaskRun(found, seconds, observer, any(item.failure.stops for item in found if item.failure))


def _task(task: str | Callable[..., object] | Task, with_: Mapping[str, object]) -> Task:
    if isinstance(task, Task):
        return task
    if isinstance(task, str):
        return load_task(task, root=Path.cwd(), policy=Policy(), with_=with_)
    return make_task(getattr(task, "__name__", type(task).__name__), task, with_)


def _retry_policy(
    retry: Mapping[str, Any] | Sequence[Mapping[str, Any]] | RetryPolicy | None, seed: int
) -> RetryPolicy | None:
    if retry is None or isinstance(retry, RetryPolicy):
        return retry
    rules = [retry] if isinstance(retry, Mapping) else retry
    return RetryPolicy(tuple(map(_rule, rules)), seed=seed)


def _rule(rule: Mapping[str, Any]) -> Rule:
    named = [each for each in rule.get("errors", ["Exception"]) if isinstance(each, str)]
    classes = [each for each in rule.get("errors", []) if not isinstance(each, str)]
    options = _options(RetryOptions, {**rule, "errors": named or ["Exception"]}, "retry")
    for name in named:
        found = find_exception(name, [])
        if isinstance(found, TaskFault):
            raise UsageError(f"`retry.errors`: {found.message}")
        classes.append(found)
    return Rule(tuple(classes), options.attempts, options.backoff, options.then)


def _rate_limit(limit: str | Mapping[str, Any] | None) -> RateLimit | None:
    if limit is None:
        return None
    options = _options(RateLimitOptions, limit, "rate_limit")
    return RateLimit(options.rate, options.burst)


def _options(model: type[Any], value: object, key: str) -> Any:
    from pydantic import ValidationError

    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, (key, *first["loc"])))
        raise UsageError(f"`{place}`: {first['msg']}") from None


__all__ = [
    "FakeSource",
    "ItemRun",
    "MemorySink",
    "RecordingObserver",
    "TaskRun",
    "VirtualClock",
    "run_task",
]
