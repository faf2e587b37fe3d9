"""The thread that looks after attempts: what is postponed comes back, what hangs is taken over.

Nobody else touches its heap. What it shares with the workers of `guarded` is a queue to it, and the
seats: who brings the outcome of an attempt is who takes the one token of the seat.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Protocol

from runner.clock import Clock
from runner.engine.attempt import make_full_attempt
from runner.engine.messages import LONGEST_GRACE
from runner.errors import AttemptTimeout, WorkerBroken
from runner.item import Item
from runner.outcome import Failure, Outcome
from runner.raised import message_of, type_name
from runner.units import format_duration

_ATTEMPT_FILE = make_full_attempt.__code__.co_filename  # where the frames of the task end
GONE = "gone"
"""To the keeper: a worker has left its seat for good."""
WAKE = "wake"
"""To the keeper: look whether the run stops."""


class Watcher(Protocol):
    """Told of what happens to attempts."""

    def failed(self, item: Item, failure: Failure) -> None:
        """An item has failed for good. Called by workers and the keeper."""

    def postponed(self, item: Item, failure: Failure, *, number: int, delay: float) -> None:
        """Attempt `number` has failed, the next one begins in `delay` seconds. Called by the keeper."""

    def timed_out(self, item: Item, failure: Failure, *, number: int, hanging: int) -> None:
        """Attempt `number` is overdue; `hanging` threads hang now. Called by the keeper."""


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


class Postponed(NamedTuple):
    """A turn that is to be made `delay` seconds from now, because the one before it failed."""

    turn: Turn
    failure: Failure
    delay: float


class Seat:
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


class Kept(Protocol):
    """A pool, as its keeper sees it.

    Attributes:
        size: Number of seats.
        seats: Where the workers are; the keeper puts another one in the place of one that hangs.
        stopping: True as soon as nothing more is to be started.
    """

    size: int
    seats: list[Seat]
    stopping: list[bool]

    def as_turn(self, turn: tuple[Any, ...]) -> Turn:
        """Return what a seat was at as a turn."""

    def bring_back(self, turn: Turn) -> None:
        """Hand a turn to the next worker that is free."""

    def settle(self, turn: Turn, outcome: Outcome) -> None:
        """Decide about a failed attempt."""

    def fill(self, seat: Seat, *, is_replacement: bool) -> None:
        """Start the thread of a seat. Raises RuntimeError when the system has no more."""

    def leave(self, error: BaseException | None) -> None:
        """Say that a seat stays empty, and why."""


class Keeper:
    """Keeps the heap of postponed turns and the timers of the seats; ends when every seat is left.

    Args:
        pool: Whose attempts it looks after.
        inbox: Where workers say what they have postponed, and that they are gone.
        timeout: Seconds for one attempt, `None` for no limit.
        watcher: Told what happens.
        clock: Time.

    Attributes:
        hung: Threads of attempts that took too long.
        thread: Its own.
    """

    def __init__(
        self,
        pool: Kept,
        inbox: SimpleQueue[Postponed | str],
        *,
        timeout: float | None,
        watcher: Watcher,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._inbox = inbox
        self._timeout = timeout
        self._watcher = watcher
        self._clock = clock
        self._heap: list[tuple[float, int, Turn]] = []
        self._tie = count()
        self._look_at = inf if timeout is None else clock.monotonic() + timeout
        self.hung: list[Thread] = []
        self.thread = Thread(target=self._run, name="runner-keeper", daemon=True)

    def _run(self) -> None:
        try:
            self._keep()
        except BaseException as error:  # a bug of ours, or no memory: told, or items would wait for ever
            self._pool.leave(error)

    def _keep(self) -> None:
        """Work until every seat is left."""
        pool, inbox, monotonic = self._pool, self._inbox, self._clock.monotonic
        seated = pool.size
        while seated:
            due = min(self._heap[0][0] if self._heap else inf, self._look_at)
            try:
                if due == inf:
                    message = inbox.get()
                else:
                    message = inbox.get(timeout=max(0.0, min(due - monotonic(), LONGEST_GRACE)))
            except Empty:
                message = WAKE
            now = monotonic()
            if isinstance(message, Postponed):
                self._postpone(message, now)
            elif message == GONE:
                seated -= 1
            del message
            if pool.stopping:
                self._heap.clear()  # nothing more is started
            self._release(now)
            if now >= self._look_at and self._timeout is not None:
                seated -= self._look(now, self._timeout)

    def _postpone(self, postponed: Postponed, now: float) -> None:
        turn, failure, delay = postponed
        if self._pool.stopping:
            return
        self._watcher.postponed(turn.item, failure, number=turn.number - 1, delay=delay)
        heappush(self._heap, (now + delay, next(self._tie), turn))

    def _release(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            self._pool.bring_back(heappop(self._heap)[2])

    def _look(self, now: float, timeout: float) -> int:
        """Take over what is overdue, and set the time of the next look; return the seats given up.

        An attempt that begins after this look cannot be overdue before now + timeout.
        """
        given_up, self._look_at = 0, now + timeout
        for number, seat in enumerate(self._pool.seats):
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
            given_up += self._take_over(number, self._pool.as_turn(turn), trace)
        return given_up

    def _take_over(self, number: int, turn: Turn, trace: TracebackType | None) -> int:
        """Fail an overdue attempt and fill its place again; return 1 where it stays empty."""
        pool = self._pool
        thread = pool.seats[number].thread
        assert self._timeout is not None
        self.hung = [each for each in self.hung if each.is_alive()]
        if thread is not None:
            self.hung.append(thread)
            pool.seats[number].thread = None  # nobody waits for it at the end
        error = AttemptTimeout(f"no result within {format_duration(self._timeout)}")
        failure = Failure("task", type_name(error), message_of(error), error.with_traceback(trace))
        self._watcher.timed_out(turn.item, failure, number=turn.number, hanging=len(self.hung))
        pool.settle(turn, Outcome(turn.item, None, 0, failure))
        if pool.stopping:
            pool.leave(None)
            return 1
        if len(self.hung) > pool.size:
            pool.leave(_too_many(len(self.hung), pool.size))
            return 1
        return self._seat_another(number)

    def _seat_another(self, number: int) -> int:
        pool = self._pool
        left = pool.seats[number]
        seat = Seat(left.name)
        seat.throttled_seconds = left.throttled_seconds
        pool.seats[number] = seat
        try:
            pool.fill(seat, is_replacement=True)
        except RuntimeError as error:
            broken = WorkerBroken(f"no thread could be started in the place of one that hangs: {error}")
            pool.leave(broken)
            return 1
        return 0


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
