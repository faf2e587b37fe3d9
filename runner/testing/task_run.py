"""A task run on items in memory, in the real engine, under the policies of a job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runner.clock import Clock
from runner.engine.attempt import make_full_attempt
from runner.engine.guarded import GuardedPool, Policies
from runner.engine.window import Outcomes
from runner.errors import UsageError
from runner.item import NOWHERE, Context, Item
from runner.outcome import Failure, Outcome
from runner.policies.rate_limit import RateLimit, RateLimitOptions
from runner.policies.retry import RetryOptions, RetryPolicy, Rule
from runner.task import Policy, Task, TaskFault, find_exception, load_task, make_task
from runner.testing.doubles import RecordingObserver
from runner.testing.virtual_clock import VirtualClock
from runner.units import parse_duration


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
    workers = _Workers(loaded, clock, encode, run_id, params or {})

    def make_pool(done: SimpleQueue[Any]) -> GuardedPool:
        return GuardedPool(workers.open, done, policies=policies, watcher=observer, size=size, clock=clock)

    began = clock.monotonic()
    source = map(Item, count(), given, [NOWHERE] * len(given))
    outcomes: Outcomes[Outcome] = Outcomes(
        source, make_pool, chunksize=1, ordered=True, window=max(1, len(given)), clock=clock
    )
    found: list[ItemRun] = []
    try:
        with outcomes:
            for batch in outcomes:
                found += map(workers.item_run, batch)
                if any(failure is not None and failure.stops for *_, failure in batch):
                    outcomes.drain(grace=0)
        seconds = clock.monotonic() - began
    finally:
        if isinstance(clock, VirtualClock):
            clock.release()
    return TaskRun(found, seconds, observer, any(item.failure.stops for item in found if item.failure))


class _Workers:
    """Opens workers that note when each attempt begins."""

    def __init__(
        self,
        task: Task,
        clock: Clock,
        encode: Callable[[object], object],
        run_id: str,
        params: Mapping[str, object],
    ) -> None:
        self._task = task
        self._clock = clock
        self._encode = encode
        self._run_id = run_id
        self._params = params
        self._starts: defaultdict[int, list[float]] = defaultdict(list)

    def open(self) -> tuple[Any, Callable[[], object] | None]:
        """Open one worker, in its thread."""
        task, starts, monotonic = self._task, self._starts, self._clock.monotonic
        call, close = task.open()

        def noted(value: object, context: Context) -> object:
            starts[context.index].append(monotonic())
            return call(value) if task.context is None else call(value, context)

        attempt = make_full_attempt(
            lambda item: item.raw,
            noted,
            self._encode,
            convert=task.convert,
            context=lambda index, number: Context(index, number, self._run_id, self._params),
            is_many=task.is_many,
            settles=True,
        )
        return attempt, close

    def item_run(self, outcome: Outcome) -> ItemRun:
        """Return what came of an item."""
        item, data, row_count, failure = outcome
        rows = (list(data) if self._task.is_many else [data]) if row_count else []
        return ItemRun(item.raw, rows, failure, self._starts[item.index])


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
