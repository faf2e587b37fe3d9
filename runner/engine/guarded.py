"""Worker threads whose attempts are under policies: retries, a timeout for each attempt, a rate limit.

::

    reader ──► tasks ──► worker: begin (rate limit, timer) ─► attempt ─► settle ──► done queue
                 ▲  ▲                                                       │
                 │  └── urgent ◄── keeper: heap of postponed turns ◄────────┘ failed, to be tried again
                 └──── nudge ◄───┘  └─► timers of the seats: an attempt that is overdue is taken over

A *seat* is a place for one worker; a *turn* is one attempt at one item. Guarantees (DESIGN 4):

7. A turn that is to be tried again waits in the keeper's heap, not in a worker. It keeps its sequence
   number, and so its place in the window and in the order. When it is due it goes before fresh items.
8. An attempt that takes longer than `timeout` fails with `AttemptTimeout`. Its thread cannot be ended:
   the seat gets a new one, and what the old one brings later is dropped, because the right to bring
   an outcome is one token, which either the worker takes or the keeper. When as many threads hang as
   there are seats, the next one that hangs ends the run.
10. A worker that cannot be opened ends the run; one in the place of a hung one is tried again under the
   retry rules first.

An attempt starts, and its timer begins to run, when its time under the rate limit has come: waiting for
that is no part of the attempt. On `stop` all waits end at once: turns in the heap and turns that wait for
their time are dropped, like tasks in the queue.

Items are handed over one by one here, whatever the chunksize: a chunk saves less than a microsecond an
item, and taking one apart in the middle of its run, from another thread, was tried and is not worth it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Protocol

from runner.clock import Clock
from runner.engine.attempt import message_of, type_name
from runner.engine.threads import OpenWorker
from runner.engine.window import EXITED, LONGEST_GRACE, Message, Task
from runner.errors import AttemptTimeout, WorkerBroken
from runner.item import Item
from runner.outcome import Failure, Outcome
from runner.policies.rate_limit import RateLimit
from runner.policies.retry import RetryPolicy
from runner.units import format_duration

Begin = Callable[[], bool]
_NUDGE: Any = (-1, None, 0)
"""A task that is none: look whether there is an urgent turn."""
_ATTEMPT_FILE = message_of.__code__.co_filename  # where the frames of the task end
_GONE = "gone"
_WAKE = "wake"


class Watcher(Protocol):
    """Told of what happens to attempts."""

    def failed(self, item: Item, failure: Failure) -> None:
        """An item has failed for good. Called by workers and the keeper."""

    def postponed(self, item: Item, failure: Failure, *, number: int, delay: float) -> None:
        """Attempt `number` has failed, the next one begins in `delay` seconds. Called by the keeper."""

    def timed_out(self, item: Item, failure: Failure, *, number: int, hanging: int) -> None:
        """Attempt `number` is overdue; `hanging` threads hang now. Called by the keeper."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What attempts are under.

    Attributes:
        retry: When a failed attempt is made again; `None` for never.
        timeout: Seconds for one attempt; `None` for no limit.
        rate_limit: When an attempt may start; `None` for at any time.
    """

    retry: RetryPolicy | None = None
    timeout: float | None = None
    rate_limit: RateLimit | None = None

    def __bool__(self) -> bool:
        return self.retry is not None or self.timeout is not None or self.rate_limit is not None


class Turn(NamedTuple):
    """One attempt that is to be made.

    Attributes:
        sequence: The item's number in the window.
        item: The item.
        weight: Its bytes.
        number: Number of the attempt, from 1.
        used: Failed attempts by retry rule so far.
    """

    sequence: int
    item: Item
    weight: int
    number: int
    used: tuple[int, ...]


class _Postponed(NamedTuple):
    turn: Turn
    failure: Failure
    delay: float


class _Seat:
    """A place for one worker and the thread that holds it; a thread that hangs keeps its own.

    Attributes:
        turn: What the worker is at: a turn, or the task of a first attempt.
        name: Of the thread.
        running: When the attempt began, and the token for its outcome; `None` while none is timed.
        thread: The thread that holds the seat.
        throttled_seconds: How long it has waited under the rate limit.
    """

    __slots__ = ("name", "running", "thread", "throttled_seconds", "turn")

    def __init__(self, name: str) -> None:
        self.name = name
        self.turn: tuple[Any, ...] = ()
        self.running: tuple[float, list[tuple[Any, ...]]] | None = None
        self.thread: Thread | None = None
        self.throttled_seconds = 0.0


class GuardedPool:
    """A `runner.engine.window.Pool` of `size` threads for single items under policies.

    Args:
        open_worker: Returns a `make_full_attempt` of one worker, and what closes it.
        done: Where outcomes go.
        policies: What attempts are under.
        watcher: Told what happens.
        size: Number of workers.
        clock: Time, and its queues.

    Attributes:
        size: Number of workers.
    """

    def __init__(
        self,
        open_worker: OpenWorker,
        done: SimpleQueue[Message],
        *,
        policies: Policies,
        watcher: Watcher,
        size: int,
        clock: Clock,
    ) -> None:
        assert size >= 1
        self.size = size
        self._open = open_worker
        self._done = done
        self._policies = policies
        self._fresh = policies.retry.fresh if policies.retry is not None else ()
        self._watcher = watcher
        self._clock = clock
        self._stopping: list[bool] = []  # its truth is the cheapest flag to look at
        self._tasks: SimpleQueue[Task | None] = clock.queue()
        self._urgent: deque[Turn] = deque()
        self._tokens: SimpleQueue[None] = clock.queue()  # ends waits under the rate limit
        self._inbox: SimpleQueue[_Postponed | str] = clock.queue()
        self._seats = [_Seat(f"runner-worker-{number}") for number in range(size)]
        self._hung: list[Thread] = []
        self._keeper = Thread(target=self._keep, name="runner-keeper", daemon=True)
        self.submit = self._tasks.put

    @property
    def throttled_seconds(self) -> float:
        """How long workers have waited under the rate limit, all together."""
        return sum(seat.throttled_seconds for seat in self._seats)

    def start(self) -> None:
        """Start every thread, or none."""
        for number, seat in enumerate(self._seats):
            try:
                self._seat(seat, is_replacement=False)
            except RuntimeError as error:
                self.stop(drop=True)
                raise WorkerBroken(
                    f"only {number} of {self.size} worker threads could be started ({error}); "
                    "lower `pool.size` or raise the limit on threads"
                ) from error
        self._keeper.start()

    def stop(self, *, drop: bool) -> None:
        """End the workers: now (`drop`), or when the queue is empty.

        An attempt that has begun is finished, and an item that fails in it is not tried again.
        """
        if drop:
            self._stopping.append(True)
            self._urgent.clear()
            try:
                while True:
                    self._tasks.get_nowait()
            except Empty:
                pass
            for _ in range(self.size):
                self._tokens.put(None)
            self._inbox.put(_WAKE)
        for _ in range(self.size):
            self._tasks.put(None)

    def alive(self) -> int:
        """Return how many threads are still running, hung ones included."""
        return sum(thread.is_alive() for thread in self._threads()) + self.hanging()

    def hanging(self) -> int:
        """Return how many threads of attempts that took too long have still not come back."""
        return sum(thread.is_alive() for thread in list(self._hung))

    def join(self, deadline: float, clock: Clock) -> None:
        """Wait for the threads that hold a seat, at most until `deadline`."""
        if self._keeper.ident is not None:
            # It ends when all seats are left. Before that it may be about to fill one.
            self._keeper.join(max(0.0, deadline - clock.monotonic()))
        for thread in self._threads():
            if thread is not current_thread():
                thread.join(max(0.0, deadline - clock.monotonic()))

    def _threads(self) -> list[Thread]:
        # Looked at once each: the keeper may empty a seat meanwhile.
        return [thread for seat in self._seats if (thread := seat.thread) is not None]

    def _seat(self, seat: _Seat, *, is_replacement: bool) -> None:
        """Start the thread of a seat. Raises RuntimeError when the system has no more."""
        thread = Thread(target=self._work, args=(seat, is_replacement), name=seat.name, daemon=True)
        thread.start()
        seat.thread = thread

    # --- workers

    def _work(self, seat: _Seat, is_replacement: bool) -> None:
        """Hold a seat until the end, or until the attempt is taken over by the keeper."""
        error: BaseException | None = None
        try:
            opened = self._open_again() if is_replacement else self._open()
            if opened is not None:
                attempt, close = opened
                try:
                    is_mine = self._attempt_all(seat, attempt)
                finally:
                    if close is not None:
                        close()
                if not is_mine:
                    return  # the seat has another thread
        except BaseException as raised:  # a bug of ours, no memory, or a worker that cannot be opened
            error = raised
        self._done.put((EXITED, None, error))
        self._inbox.put(_GONE)

    def _attempt_all(self, seat: _Seat, attempt: Callable[..., Outcome | None]) -> bool:
        """Attempt items until told to end; return whether the seat is still this thread's."""
        get, put, urgent, stopping = self._tasks.get, self._done.put, self._urgent, self._stopping
        policies, fresh = self._policies, self._fresh
        begin = None
        if policies.timeout is not None or policies.rate_limit is not None:
            begin = self._make_begin(seat)
        while True:
            if urgent and not stopping:
                try:
                    sequence, item, weight, number, used = seat.turn = urgent.popleft()
                except IndexError:  # another worker was quicker
                    continue
            else:
                task = get()
                if task is None:
                    return True
                if task is _NUDGE:
                    continue
                sequence, item, weight = seat.turn = task
                number, used = 1, fresh
            outcome = attempt(item, number, begin)
            running = seat.running
            if running is not None:
                seat.running = None
                try:
                    running[1].pop()
                except IndexError:
                    return False
            if outcome is None:  # the run stops; the queue says when to end
                pass
            elif outcome[3] is None:
                put((sequence, outcome, weight))
            else:
                self._settle(Turn(sequence, item, weight, number, used), outcome)
            # Nothing may keep the item and the result alive while this thread waits for the next one.
            seat.turn = ()
            if stopping:
                return True
            task = item = outcome = running = None  # type: ignore[assignment]

    def _make_begin(self, seat: _Seat) -> Begin:
        """Return what is called right before the task: waits for its time, and starts its timer."""
        limit, is_timed, monotonic = (
            self._policies.rate_limit,
            self._policies.timeout is not None,
            self._clock.monotonic,
        )

        def begin() -> bool:
            if limit is not None and not self._wait(limit, seat):
                return False
            if is_timed:
                seat.running = (monotonic(), [seat.turn])
            return True

        return begin

    def _wait(self, limit: RateLimit, seat: _Seat) -> bool:
        """Wait until an attempt may start; return whether it still shall."""
        monotonic = self._clock.monotonic
        now = monotonic()
        seconds = limit.reserve(now)
        while seconds > 0 and not self._stopping:
            due = now + seconds
            try:
                self._tokens.get(timeout=min(seconds, LONGEST_GRACE))
            except Empty:
                pass
            before, now = now, monotonic()
            seat.throttled_seconds += now - before
            if now < due:
                seconds = due - now  # a token left over, or a wait longer than the system can take
            elif now - due > limit.lateness:
                seconds = limit.reserve(now)
            else:
                break
        return not self._stopping

    def _settle(self, turn: Turn, outcome: Outcome) -> None:
        """Decide about a failed attempt: again later, or the item has failed."""
        failure, retry = outcome.failure, self._policies.retry
        assert failure is not None
        if retry is not None and failure.stage == "task" and failure.error is not None:
            decision = retry.decide(failure.error, turn.used)
            if decision.action == "retry":
                again = turn._replace(number=turn.number + 1, used=decision.used)
                self._inbox.put(_Postponed(again, failure, decision.delay))
                return
            if decision.action == "stop":
                failure = failure._replace(stops=True)
                outcome = outcome._replace(failure=failure)
        self._watcher.failed(turn.item, failure)
        self._done.put((turn.sequence, outcome, turn.weight))

    def _open_again(self) -> tuple[Any, Callable[[], object] | None] | None:
        """Open a worker in the place of a hung one, again under the retry rules if it fails.

        Returns `None` when the run stops meanwhile.
        """
        retry, used = self._policies.retry, self._fresh
        while not self._stopping:
            try:
                return self._open()
            except Exception as error:
                decision = None if retry is None else retry.decide(error.__cause__ or error, used)
                if decision is None or decision.action != "retry":
                    raise
                used = decision.used
                try:
                    self._tokens.get(timeout=min(decision.delay, LONGEST_GRACE))
                except Empty:
                    pass
        return None

    # --- the keeper's thread

    def _keep(self) -> None:
        """Bring back turns when they are due, and take over attempts that are overdue."""
        try:
            _Keeper(self).run()
        except BaseException as error:  # a bug of ours, or no memory: told, or items would wait for ever
            self._done.put((EXITED, None, error))


class _Keeper:
    """What the keeper's thread knows: nobody else touches it."""

    def __init__(self, pool: GuardedPool) -> None:
        self._pool = pool
        self._timeout = pool._policies.timeout
        self._heap: list[tuple[float, int, Turn]] = []
        self._tie = count()
        self._look_at = inf if self._timeout is None else pool._clock.monotonic() + self._timeout

    def run(self) -> None:
        """Work until every seat is left."""
        pool, monotonic = self._pool, self._pool._clock.monotonic
        seated = pool.size
        while seated:
            due = min(self._heap[0][0] if self._heap else inf, self._look_at)
            try:
                if due == inf:
                    message = pool._inbox.get()
                else:
                    message = pool._inbox.get(timeout=max(0.0, min(due - monotonic(), LONGEST_GRACE)))
            except Empty:
                message = _WAKE
            now = monotonic()
            if isinstance(message, _Postponed):
                self._postpone(message, now)
            elif message == _GONE:
                seated -= 1
            del message
            if pool._stopping:
                self._heap.clear()  # nothing more is started
            self._release(now)
            if now >= self._look_at and self._timeout is not None:
                seated -= self._look(now, self._timeout)

    def _postpone(self, postponed: _Postponed, now: float) -> None:
        turn, failure, delay = postponed
        if self._pool._stopping:
            return
        self._pool._watcher.postponed(turn.item, failure, number=turn.number - 1, delay=delay)
        heappush(self._heap, (now + delay, next(self._tie), turn))

    def _release(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            self._pool._urgent.append(heappop(self._heap)[2])
            self._pool._tasks.put(_NUDGE)

    def _look(self, now: float, timeout: float) -> int:
        """Take over what is overdue, and set the time of the next look; return the seats given up.

        An attempt that begins after this look cannot be overdue before now + timeout.
        """
        given_up, self._look_at = 0, now + timeout
        for number, seat in enumerate(self._pool._seats):
            running = seat.running
            if running is None:
                continue
            started, token = running
            if now - started < timeout:
                self._look_at = min(self._look_at, started + timeout)
                continue
            trace = _trace_of(seat.thread)
            try:
                turn = token.pop()
            except IndexError:  # it has ended at this moment
                continue
            given_up += self._take_over(number, _as_turn(turn, self._pool._fresh), trace)
        return given_up

    def _take_over(self, number: int, turn: Turn, trace: TracebackType | None) -> int:
        """Fail an overdue attempt and fill its place again; return 1 where it stays empty."""
        pool = self._pool
        thread = pool._seats[number].thread
        assert self._timeout is not None
        pool._hung = [each for each in pool._hung if each.is_alive()]
        if thread is not None:
            pool._hung.append(thread)
            pool._seats[number].thread = None  # nobody waits for it at the end
        error = AttemptTimeout(f"no result within {format_duration(self._timeout)}")
        failure = Failure("task", type_name(error), message_of(error), error.with_traceback(trace))
        pool._watcher.timed_out(turn.item, failure, number=turn.number, hanging=len(pool._hung))
        pool._settle(turn, Outcome(turn.item, None, 0, failure))
        if pool._stopping:
            pool._done.put((EXITED, None, None))
            return 1
        if len(pool._hung) > pool.size:
            pool._done.put((EXITED, None, _too_many(len(pool._hung), pool.size)))
            return 1
        return self._seat_another(number)

    def _seat_another(self, number: int) -> int:
        pool = self._pool
        left = pool._seats[number]
        seat = _Seat(left.name)
        seat.throttled_seconds = left.throttled_seconds
        pool._seats[number] = seat
        try:
            pool._seat(seat, is_replacement=True)
        except RuntimeError as error:
            broken = WorkerBroken(f"no thread could be started in the place of one that hangs: {error}")
            pool._done.put((EXITED, None, broken))
            return 1
        return 0


def _as_turn(turn: tuple[Any, ...], fresh: tuple[int, ...]) -> Turn:
    if isinstance(turn, Turn):
        return turn
    sequence, item, weight = turn
    return Turn(sequence, item, weight, 1, fresh)


def _too_many(hanging: int, size: int) -> WorkerBroken:
    return WorkerBroken(
        f"{hanging} attempts have taken longer than `timeout` and their threads still hang, more than "
        f"`pool.size` ({size}): a thread cannot be ended from outside; give the task's own calls a time limit"
    )


def _trace_of(thread: Thread | None) -> TracebackType | None:
    """Return where a thread is, as the traceback of an exception raised there would say it."""
    import sys

    if thread is None or thread.ident is None:
        return None
    frame: FrameType | None = sys._current_frames().get(thread.ident)
    trace: TracebackType | None = None
    while frame is not None and frame.f_code.co_filename != _ATTEMPT_FILE:
        trace = TracebackType(trace, frame, max(frame.f_lasti, 0), frame.f_lineno or 0)
        frame = frame.f_back
    return trace
