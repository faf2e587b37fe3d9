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
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from typing import Any

from runner.clock import Clock
from runner.engine.keeper import GONE, WAKE, Keeper, Postponed, Seat, Turn, Watcher
from runner.engine.messages import EXITED, LONGEST_GRACE, Message, Task
from runner.engine.threads import OpenWorker
from runner.errors import WorkerBroken
from runner.outcome import Outcome
from runner.policies.rate_limit import RateLimit
from runner.policies.retry import RetryPolicy

Begin = Callable[[], bool]
_NUDGE: Any = (-1, None, 0)
"""A task that is none: look whether there is an urgent turn."""


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
        self.stopping: list[bool] = []  # its truth is the cheapest flag to look at
        self._tasks: SimpleQueue[Task | None] = clock.queue()
        self._urgent: deque[Turn] = deque()
        self._tokens: SimpleQueue[None] = clock.queue()  # ends waits under the rate limit
        self._inbox: SimpleQueue[Postponed | str] = clock.queue()
        self.seats = [Seat(f"runner-worker-{number}") for number in range(size)]
        self._keeper = Keeper(self, self._inbox, timeout=policies.timeout, watcher=watcher, clock=clock)
        self.submit = self._tasks.put

    @property
    def throttled_seconds(self) -> float:
        """How long workers have waited under the rate limit, all together."""
        return sum(seat.throttled_seconds for seat in self.seats)

    def start(self) -> None:
        """Start every thread, or none."""
        for number, seat in enumerate(self.seats):
            try:
                self.fill(seat, is_replacement=False)
            except RuntimeError as error:
                self.stop(drop=True)
                raise WorkerBroken(
                    f"only {number} of {self.size} worker threads could be started ({error}); "
                    "lower `pool.size` or raise the limit on threads"
                ) from error
        self._keeper.thread.start()

    def stop(self, *, drop: bool) -> None:
        """End the workers: now (`drop`), or when the queue is empty.

        An attempt that has begun is finished, and an item that fails in it is not tried again.
        """
        if drop:
            self.stopping.append(True)
            self._urgent.clear()
            try:
                while True:
                    self._tasks.get_nowait()
            except Empty:
                pass
            for _ in range(self.size):
                self._tokens.put(None)
            self._inbox.put(WAKE)
        for _ in range(self.size):
            self._tasks.put(None)

    def alive(self) -> int:
        """Return how many threads are still running, hung ones included."""
        return sum(thread.is_alive() for thread in self._threads()) + self.hanging()

    def hanging(self) -> int:
        """Return how many threads of attempts that took too long have still not come back."""
        return sum(thread.is_alive() for thread in list(self._keeper.hung))

    def join(self, deadline: float, clock: Clock) -> None:
        """Wait for the threads that hold a seat, at most until `deadline`."""
        if self._keeper.thread.ident is not None:
            # It ends when all seats are left. Before that it may be about to fill one.
            self._keeper.thread.join(max(0.0, deadline - clock.monotonic()))
        for thread in self._threads():
            if thread is not current_thread():
                thread.join(max(0.0, deadline - clock.monotonic()))

    def _threads(self) -> list[Thread]:
        # Looked at once each: the keeper may empty a seat meanwhile.
        return [thread for seat in self.seats if (thread := seat.thread) is not None]

    def fill(self, seat: Seat, *, is_replacement: bool) -> None:
        """Start the thread of a seat. Raises RuntimeError when the system has no more."""
        thread = Thread(target=self._work, args=(seat, is_replacement), name=seat.name, daemon=True)
        thread.start()
        seat.thread = thread

    def bring_back(self, turn: Turn) -> None:
        """Hand a turn to the next worker that is free, before fresh items."""
        self._urgent.append(turn)
        self._tasks.put(_NUDGE)

    def as_turn(self, turn: tuple[Any, ...]) -> Turn:
        """Return what a seat was at as a turn: that of a first attempt is a plain task."""
        if isinstance(turn, Turn):
            return turn
        sequence, item, weight = turn
        return Turn(sequence, item, weight, 1, self._fresh)

    def leave(self, error: BaseException | None) -> None:
        """Say that a seat stays empty, and why."""
        self._done.put((EXITED, None, error))

    def _work(self, seat: Seat, is_replacement: bool) -> None:
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
        self.leave(error)
        self._inbox.put(GONE)

    def _attempt_all(self, seat: Seat, attempt: Callable[..., Outcome | None]) -> bool:
        """Attempt items until told to end; return whether the seat is still this thread's."""
        get, put, urgent, stopping = self._tasks.get, self._done.put, self._urgent, self.stopping
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
                self.settle(Turn(sequence, item, weight, number, used), outcome)
            # Nothing may keep the item and the result alive while this thread waits for the next one.
            seat.turn = ()
            if stopping:
                return True
            task = item = outcome = running = None  # type: ignore[assignment]  # see above

    def _make_begin(self, seat: Seat) -> Begin:
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

    def _wait(self, limit: RateLimit, seat: Seat) -> bool:
        """Wait until an attempt may start; return whether it still shall."""
        monotonic = self._clock.monotonic
        now = monotonic()
        seconds = limit.reserve(now)
        while seconds > 0 and not self.stopping:
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
        return not self.stopping

    def settle(self, turn: Turn, outcome: Outcome) -> None:
        """Decide about a failed attempt: again later, or the item has failed."""
        failure, retry = outcome.failure, self._policies.retry
        assert failure is not None
        if retry is not None and failure.stage == "task" and failure.error is not None:
            decision = retry.decide(failure.error, turn.used)
            if decision.action == "retry":
                again = turn._replace(number=turn.number + 1, used=decision.used)
                self._inbox.put(Postponed(again, failure, decision.delay))
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
        while not self.stopping:
            try:
                return self._open()
            except Exception as error:  # the user's constructor
                decision = None if retry is None else retry.decide(error.__cause__ or error, used)
                if decision is None or decision.action != "retry":
                    raise
                used = decision.used
                try:
                    self._tokens.get(timeout=min(decision.delay, LONGEST_GRACE))
                except Empty:
                    pass
        return None
