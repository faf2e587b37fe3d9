"""Attempts under policies: when each is made, who waits for what, and what a hung one costs.

Time is virtual, so the times are exact.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.clock import Clock, SystemClock
from runner.engine.attempt import make_full_attempt
from runner.engine.guarded import GuardedPool, Policies
from runner.engine.threads import ThreadPool, shared
from runner.engine.window import Outcomes
from runner.errors import AttemptTimeout, WorkerBroken
from runner.item import NOWHERE, Item
from runner.outcome import Outcome
from runner.policies.backoff import Backoff
from runner.policies.rate_limit import RateLimit
from runner.policies.retry import RetryPolicy, Rule
from runner.testing import RecordingObserver, VirtualClock

PLAIN = Backoff.model_validate({"initial": "1s", "factor": 2.0, "max": "60s", "jitter": "none"})


class Busy(Exception):
    """What a service says that has no time."""


class Started:
    """A running map under policies.

    Args:
        task: Called with the number of the item and of the attempt.
        count: Items.
    """

    def __init__(
        self,
        task: Callable[[int, int], object],
        count: int,
        *,
        clock: Clock,
        size: int = 2,
        ordered: bool = True,
        window: int = 1024,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        rate_limit: RateLimit | None = None,
        open_worker: Callable[[], Any] | None = None,
    ) -> None:
        self.clock = clock
        self.ended_at = 0.0
        self.watcher = RecordingObserver(clock)
        policies = Policies(retry=retry, timeout=timeout, rate_limit=rate_limit)
        attempt = make_full_attempt(
            lambda item: item.raw,
            task,
            None,
            context=lambda index, number: number,  # type: ignore[arg-type, return-value]
        )

        def make(done: Any) -> GuardedPool:
            self.pool = GuardedPool(
                open_worker or (lambda: (attempt, None)),
                done,
                policies=policies,
                watcher=self.watcher,
                size=size,
                clock=clock,
            )
            return self.pool

        items = (Item(number, number, NOWHERE) for number in range(count))
        self.outcomes: Outcomes[Outcome] = Outcomes(
            items, make, chunksize=1, ordered=ordered, window=window, clock=clock
        )

    def all(self) -> list[Outcome]:
        """Return every outcome; attempts that still hang come back then, too late, and their threads end."""
        try:
            with self.outcomes:
                return [Outcome(*outcome) for batch in self.outcomes for outcome in batch]
        finally:
            self.ended_at = self.clock.monotonic()
            if isinstance(self.clock, VirtualClock):
                self.clock.release()


def rules(*rules: Rule, seed: int = 1) -> RetryPolicy:
    """Return a policy with these rules."""
    return RetryPolicy(rules, seed=seed)


def times_of(attempts: Iterable[tuple[float, int, int]], item: int) -> list[float]:
    """Return when each attempt at an item began."""
    return [at for at, index, _ in attempts if index == item]


@pytest.mark.parametrize("jitter", ["none", "equal", "full"])
@pytest.mark.parametrize(
    ("initial", "factor", "longest"), [("1s", 2.0, "60s"), ("500ms", 3.0, "4s"), ("0s", 1.0, "1s")]
)
def test_attempts_are_made_when_the_backoff_says(
    jitter: str, initial: str, factor: float, longest: str
) -> None:
    """Exactly then, for every kind of jitter: each delay counts from the end of the attempt before."""
    backoff = Backoff.model_validate({"initial": initial, "factor": factor, "max": longest, "jitter": jitter})
    clock, attempts = VirtualClock(), []

    def task(index: int, number: int) -> int:
        attempts.append((clock.monotonic(), index, number))
        clock.sleep(0.25)
        raise Busy

    policy = rules(Rule((Busy,), 6, backoff), seed=7)
    (outcome,) = Started(task, 1, clock=clock, retry=policy).all()
    chance, expected = random.Random(7), [0.0]
    for failed in range(1, 6):
        expected.append(expected[-1] + 0.25 + backoff.delay(failed, chance))
    assert times_of(attempts, 0) == pytest.approx(expected, abs=1e-9)
    assert outcome.failure is not None
    assert [number for _, _, number in attempts] == [1, 2, 3, 4, 5, 6]


def test_a_retry_that_waits_holds_no_worker() -> None:
    """One worker: while item 0 waits a minute, all others are done; in order it still comes first."""
    clock, attempts = VirtualClock(), []

    def task(index: int, number: int) -> int:
        attempts.append((clock.monotonic(), index, number))
        if index == 0 and number == 1:
            raise Busy
        clock.sleep(1)
        return index

    backoff = PLAIN.model_copy(update={"initial": 60.0})
    started = Started(task, 11, clock=clock, size=1, retry=rules(Rule((Busy,), 2, backoff)))
    outcomes = started.all()
    assert [outcome.item.index for outcome in outcomes] == list(range(11))
    assert times_of(attempts, 0) == [0.0, 60.0]
    assert [times_of(attempts, index) for index in range(1, 11)] == [[float(at)] for at in range(10)]
    assert started.watcher.retries == [(0, 1, 60.0)]


def test_a_retry_that_is_due_goes_before_fresh_items() -> None:
    """It holds up everything behind it in the order, so it does not queue again."""
    clock, attempts = VirtualClock(), []

    def task(index: int, number: int) -> int:
        attempts.append((clock.monotonic(), index, number))
        if index == 0 and number == 1:
            raise Busy
        clock.sleep(1)
        return index

    backoff = PLAIN.model_copy(update={"initial": 1.5})
    Started(task, 100, clock=clock, size=1, retry=rules(Rule((Busy,), 2, backoff))).all()
    assert times_of(attempts, 0) == [0.0, 2.0]  # due at 1.5, when the worker is at an item


def test_retries_hold_their_place_in_the_window() -> None:
    """A window full of items that wait draws nothing more, and no more than the window was ever drawn."""
    clock, begun = VirtualClock(), []

    def task(index: int, number: int) -> int:
        begun.append((clock.monotonic(), index))
        if number == 1:
            raise Busy
        return index

    Started(task, 30, clock=clock, window=10, ordered=False, retry=rules(Rule((Busy,), 2, PLAIN))).all()
    assert {index for at, index in begun if at < 1.0} == set(range(10))


def test_only_errors_with_a_rule_are_tried_again() -> None:
    """The first rule that fits decides; `then: stop` marks the failure; decoding is not tried again."""
    clock, numbers = VirtualClock(), []

    def task(index: int, number: int) -> int:
        numbers.append((index, number))
        raise [ValueError, Busy, KeyError][index]

    policy = rules(Rule((Busy,), 3, PLAIN), Rule((KeyError,), 2, PLAIN, "stop"))
    outcomes = Started(task, 3, clock=clock, retry=policy).all()
    assert [sum(index == each for each, _ in numbers) for index in range(3)] == [1, 3, 2]
    assert [outcome.failure.stops for outcome in outcomes if outcome.failure] == [False, False, True]


@pytest.mark.parametrize(("rate", "burst"), [(5.0, 1), (5.0, 4), (0.1, 1), (1000.0, 10)])
def test_attempts_start_at_the_rate_exactly(rate: float, burst: int) -> None:
    """Evenly spaced after the first burst, whatever the number of workers, failing attempts included."""
    clock, starts = VirtualClock(), []

    def task(index: int, number: int) -> int:
        starts.append(clock.monotonic())
        if number == 1 and index % 5 == 0:
            raise Busy
        return index

    now = PLAIN.model_copy(update={"initial": 0.0})
    retry = rules(Rule((Busy,), 2, now))
    Started(task, 50, clock=clock, size=7, retry=retry, rate_limit=RateLimit(rate, burst)).all()
    expected = [0.0] * burst + [(n + 1) / rate for n in range(60 - burst)]
    assert sorted(starts) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from([0.5, 3.0, 10.0, 40.0]),
    burst=st.integers(1, 6),
    lengths=st.lists(st.sampled_from([0.0, 0.0, 0.1, 1.0, 5.0]), min_size=1, max_size=25),
)
def test_no_window_has_more_attempts_than_rate_and_burst(
    rate: float, burst: int, lengths: list[float]
) -> None:
    """In any window of w seconds at most rate x w + burst, however long the attempts take."""
    clock, starts = VirtualClock(), []

    def task(index: int, number: int) -> None:
        starts.append(clock.monotonic())
        clock.sleep(lengths[index])

    Started(task, len(lengths), clock=clock, size=3, rate_limit=RateLimit(rate, burst)).all()
    starts.sort()
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            assert last - first + 1 <= rate * (starts[last] - starts[first]) + burst + 1e-6


def test_an_attempt_is_overdue_exactly_at_its_timeout() -> None:
    """The item fails at that moment, another thread does the rest, and the late result is nobody's."""
    clock = VirtualClock()

    def task(index: int, number: int) -> int:
        clock.sleep(100 if index == 3 else 1)
        return index

    started = Started(task, 10, clock=clock, size=2, timeout=5.0)
    outcomes = started.all()
    assert [outcome.item.index for outcome in outcomes] == list(range(10))
    failed = [outcome for outcome in outcomes if outcome.failure]
    assert [outcome.item.index for outcome in failed] == [3]
    assert isinstance(failed[0].failure and failed[0].failure.error, AttemptTimeout)
    assert started.watcher.timeouts == [(3, 1, 6.0)]
    assert started.ended_at < 100


def test_a_timeout_is_tried_again_under_a_rule_for_timeouterror() -> None:
    """The retry overlaps the hung attempt; its own result counts, the late one does not."""
    clock = VirtualClock()

    def task(index: int, number: int) -> str:
        clock.sleep(8 if number == 1 else 1)
        return f"attempt {number}"

    retry = rules(Rule((TimeoutError,), 2, PLAIN))
    started = Started(task, 1, clock=clock, timeout=5.0, retry=retry)
    (outcome,) = started.all()
    assert outcome.failure is None
    assert started.watcher.timeouts == [(0, 1, 5.0)]
    assert started.watcher.retries == [(0, 1, 1.0)]
    assert started.ended_at == 7.0


def test_a_timeouterror_of_the_task_is_the_tasks_own() -> None:
    """It is no attempt that took too long, and is not counted as one."""
    clock = VirtualClock()

    def task(index: int, number: int) -> None:
        raise TimeoutError("mine")

    started = Started(task, 1, clock=clock, timeout=5.0)
    (outcome,) = started.all()
    assert outcome.failure is not None
    assert outcome.failure.type == "TimeoutError"
    assert started.watcher.timeouts == []


def test_waiting_for_the_rate_limit_is_no_part_of_the_attempt() -> None:
    """The timer starts when the task is called."""
    clock = VirtualClock()
    started = Started(
        lambda index, number: index, 5, clock=clock, size=1, timeout=2.0, rate_limit=RateLimit(0.1)
    )
    assert all(outcome.failure is None for outcome in started.all())
    assert started.ended_at == 40.0
    assert started.pool.throttled_seconds == 40.0


def test_the_failure_of_a_hung_attempt_says_where_it_hangs() -> None:
    """Its traceback is that of the thread, so that the log shows the line."""
    clock = VirtualClock()

    def waits_for_ever(index: int, number: int) -> None:
        clock.sleep(1000)

    (outcome,) = Started(waits_for_ever, 1, clock=clock, timeout=5.0).all()
    assert outcome.failure is not None
    assert outcome.failure.error is not None
    names, trace = [], outcome.failure.error.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert names[0] == "waits_for_ever"


def test_more_hung_threads_than_workers_end_the_run() -> None:
    """As many as the pool has seats are borne, one more is not; all that was done before is delivered."""
    clock = VirtualClock()

    def task(index: int, number: int) -> int:
        if index >= 4:
            clock.sleep(10_000)
        return index

    started = Started(task, 100, clock=clock, size=3, timeout=5.0)
    seen: list[int] = []

    def take_all() -> None:
        for batch in started.outcomes:
            seen.extend(outcome[0].index for outcome in batch)

    try:
        with pytest.raises(WorkerBroken, match="4 attempts have taken longer"):
            take_all()
    finally:
        started.outcomes.close()
        clock.release()
    assert seen[:7] == list(range(7))
    assert not started.outcomes.complete


def test_nobody_waits_for_a_thread_that_timed_out_after_the_run_was_stopped() -> None:
    """Its place stays empty then; the run ends with the last attempt, and counts the thread once."""
    clock, all_there = VirtualClock(), threading.Barrier(3)

    def task(index: int, number: int) -> int:
        all_there.wait()
        if index == 0:
            started.outcomes.drain(grace=25)
        clock.sleep(10_000)
        return index

    started = Started(task, 2, clock=clock, size=2, timeout=5.0)
    all_there.wait()
    try:
        assert [outcome[0].index for batch in started.outcomes for outcome in batch] == [0, 1]
        assert clock.monotonic() == 5.0
        assert started.outcomes.abandoned == 2
        assert started.outcomes.complete
    finally:
        clock.advance(1e6)


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_worker_that_never_closes_is_left_behind(is_asked: bool) -> None:
    """After a minute, or after the grace of somebody who asks to stop; everything is delivered before."""
    clock = VirtualClock()
    attempt = make_full_attempt(lambda item: item.raw, lambda value: value, None)

    def close() -> None:
        if is_asked:
            started.outcomes.drain(grace=25)
        clock.sleep(10_000)

    started = Started(
        lambda *_: None, 5, clock=clock, size=2, timeout=5.0, open_worker=lambda: (attempt, close)
    )
    try:
        assert len([outcome for batch in started.outcomes for outcome in batch]) == 5
        assert clock.monotonic() == (25.0 if is_asked else 60.0)
        assert started.outcomes.abandoned == 2
        assert started.outcomes.complete
    finally:
        clock.advance(1e6)


def test_threads_that_come_back_are_not_counted_as_hung() -> None:
    """The cap is on those that hang at the same time, not on timeouts in all."""
    clock = VirtualClock()

    def task(index: int, number: int) -> None:
        clock.sleep(6)

    started = Started(task, 20, clock=clock, size=2, timeout=5.0)
    outcomes = started.all()
    assert len(outcomes) == 20
    assert len(started.watcher.timeouts) == 20


@pytest.mark.parametrize("waits", ["retry", "rate limit"])
def test_stopping_wakes_what_waits_at_once(waits: str) -> None:
    """A retry in an hour and an attempt whose time comes in an hour are dropped, in real time."""

    def task(index: int, number: int) -> int:
        if waits == "retry" and index > 0:
            raise Busy
        return index

    hour = PLAIN.model_copy(update={"initial": 3600.0, "max": 3600.0})
    retry = rules(Rule((Busy,), 2, hour)) if waits == "retry" else None
    limit = RateLimit(1 / 3600) if waits == "rate limit" else None
    started = Started(task, 10, clock=SystemClock(), retry=retry, rate_limit=limit)
    batches = iter(started.outcomes)
    assert [outcome[0].index for outcome in next(batches)] == [0]
    started.outcomes.drain(grace=25)
    assert list(batches) == []
    assert started.outcomes.abandoned == 0
    assert not started.outcomes.complete


class Session:
    """A worker that notes the thread of each of its steps."""

    def __init__(self, events: list[tuple[str, threading.Thread]], fails: bool = False) -> None:
        self.events = events
        self.note("open")
        if fails:
            raise ConnectionError("no route")

    def note(self, what: str) -> None:
        """Note a step."""
        self.events.append((what, threading.current_thread()))

    def worker(self) -> tuple[Any, Callable[[], None]]:
        """Return what the pool wants."""

        def call(index: int) -> int:
            self.note("call")
            return index

        return make_full_attempt(lambda item: item.raw, call, None), lambda: self.note("close")


def test_a_worker_is_opened_and_closed_once_in_its_own_thread() -> None:
    """And all its items run in that thread, between the two."""
    events: list[tuple[str, threading.Thread]] = []
    started = Started(
        lambda *_: None,
        50,
        clock=VirtualClock(),
        size=3,
        timeout=5.0,
        open_worker=lambda: Session(events).worker(),
    )
    started.all()
    by_thread: dict[threading.Thread, list[str]] = {}
    for what, thread in events:
        by_thread.setdefault(thread, []).append(what)
    assert len(by_thread) == 3
    for steps in by_thread.values():
        assert (steps[0], steps[-1]) == ("open", "close")
        assert set(steps[1:-1]) <= {"call"}
    assert sum(steps.count("call") for steps in by_thread.values()) == 50


def test_workers_are_closed_when_the_run_is_aborted() -> None:
    """Also those that never had an item."""
    events: list[tuple[str, threading.Thread]] = []
    started = Started(
        lambda *_: None,
        10**9,
        clock=SystemClock(),
        size=3,
        timeout=5.0,
        open_worker=lambda: Session(events).worker(),
    )
    next(started.outcomes)
    started.outcomes.close(grace=10)
    assert sorted(what for what, _ in events if what != "call") == ["close"] * 3 + ["open"] * 3


def test_a_worker_that_cannot_be_opened_ends_the_run() -> None:
    """At once, with the cause; a first opening is not tried again."""
    events: list[tuple[str, threading.Thread]] = []

    def open_worker() -> Any:
        raise WorkerBroken("no worker") from ConnectionError("no route")

    retry = rules(Rule((ConnectionError,), 5, PLAIN))
    started = Started(lambda *_: None, 10, clock=VirtualClock(), size=1, retry=retry, open_worker=open_worker)
    with pytest.raises(WorkerBroken, match="no worker") as caught:
        started.all()
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert events == []


@pytest.mark.parametrize("attempts", [2, 4])
def test_a_worker_in_the_place_of_a_hung_one_is_opened_under_the_retry_rules(attempts: int) -> None:
    """The service may be down for the very reason that the attempt hung."""
    clock, opened = VirtualClock(), []

    def open_worker() -> Any:
        opened.append(clock.monotonic())
        if 1 < len(opened) < 4:
            try:
                raise ConnectionError("no route")
            except ConnectionError as error:
                raise WorkerBroken("no worker") from error
        attempt = make_full_attempt(
            lambda item: item.raw, lambda index: clock.sleep(100 if index == 0 else 1), None
        )
        return attempt, None

    retry = rules(Rule((ConnectionError,), attempts, PLAIN))
    started = Started(
        lambda *_: None, 3, clock=clock, size=1, timeout=5.0, retry=retry, open_worker=open_worker
    )
    if attempts == 2:
        with pytest.raises(WorkerBroken, match="no worker"):
            started.all()
        assert opened == [0.0, 5.0, 6.0]
    else:
        assert [outcome.failure is None for outcome in started.all()] == [False, True, True]
        assert opened == [0.0, 5.0, 6.0, 8.0]


SCRIPTS = st.lists(
    st.lists(st.sampled_from(["busy", "slow", "wrong"]), max_size=4).map(lambda bad: [*bad, "good"]),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(
    scripts=SCRIPTS,
    size=st.integers(1, 4),
    attempts=st.integers(1, 4),
    ordered=st.booleans(),
    is_limited=st.booleans(),
)
def test_what_comes_of_an_item_depends_on_its_own_attempts_alone(
    scripts: list[list[str]], size: int, attempts: int, ordered: bool, is_limited: bool
) -> None:
    """Whatever the others do, and however many workers there are: the law that a resumption rests on."""
    clock, made = VirtualClock(), []
    lock = threading.Lock()

    def task(index: int, number: int) -> int:
        with lock:
            made.append((index, number))
        what = scripts[index][number - 1]
        if what == "busy":
            raise Busy
        if what == "wrong":
            raise ValueError
        clock.sleep(7 if what == "slow" else 1)
        return index

    retry = rules(Rule((Busy, TimeoutError), attempts, PLAIN))
    started = Started(
        task,
        len(scripts),
        clock=clock,
        size=size,
        ordered=ordered,
        retry=retry,
        timeout=5.0,
        rate_limit=RateLimit(2.0) if is_limited else None,
    )
    outcomes = started.all()
    expected = [expect(script, attempts) for script in scripts]
    assert sorted(made) == [(i, n + 1) for i, (count, _) in enumerate(expected) for n in range(count)]
    ends = [(outcome.item.index, outcome.failure and outcome.failure.type) for outcome in outcomes]
    assert (ends if ordered else sorted(ends, key=lambda end: end[0])) == [
        (index, end) for index, (_, end) in enumerate(expected)
    ]
    assert sorted((index, failure.type) for index, failure in started.watcher.failures) == [
        (index, end) for index, (_, end) in enumerate(expected) if end
    ]


def expect(script: list[str], attempts: int) -> tuple[int, str | None]:
    """Return how many attempts an item takes, and the type of its failure."""
    names = {"busy": f"{Busy.__module__}.Busy", "slow": "runner.AttemptTimeout"}
    for number, what in enumerate(script, 1):
        if what == "good":
            return number, None
        if what == "wrong":
            return number, "ValueError"
        if number == attempts:
            return number, names[what]
    raise AssertionError("a script ends well")


class Sticky(SimpleQueue[Any]):
    """A queue that cannot be emptied from outside: as if the workers were always quicker."""

    def get_nowait(self) -> Any:
        """Find nothing."""
        raise Empty


class StickyClock(SystemClock):
    """A clock with such queues."""

    queue = Sticky


@pytest.mark.parametrize("form", ["single", "chunk", "guarded"])
def test_after_a_stop_each_worker_ends_at_most_one_item(form: str) -> None:
    """So a failure budget that has tripped bounds what is still done by the pool size."""
    size, goes_on, begun, ended = 3, threading.Event(), [], []
    is_chunked = form == "chunk"
    clock, done = StickyClock(), Sticky()

    def task(item: Item) -> Item:
        begun.append(item)
        assert goes_on.wait(30)
        ended.append(item)
        return item

    pool: Any
    if form == "guarded":
        attempt = make_full_attempt(lambda item: item, task, None)
        policies = Policies(timeout=60.0)
        pool = GuardedPool(
            lambda: (attempt, None),
            done,
            policies=policies,
            watcher=RecordingObserver(clock),
            size=size,
            clock=clock,
        )
    else:
        pool = ThreadPool(
            shared(task), lambda item, error: error, done, size=size, is_chunked=form == "chunk"
        )
        pool._tasks = Sticky()
        pool.submit = pool._tasks.put
    pool.start()
    for number in range(0, 100, 10):
        items = [Item(number + each, 0, NOWHERE) for each in range(10)]
        for task_ in [(number, items, 0)] if is_chunked else [(item.index, item, 0) for item in items]:
            pool.submit(task_)
    while len(begun) < size:
        clock.sleep(0.001)
    pool.stop(drop=True)
    goes_on.set()
    pool.join(clock.monotonic() + 30, clock)
    assert len(ended) == size
