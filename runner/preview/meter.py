"""What an attempt costs: time, computing, and how much of the computing keeps other threads from running.

CPython lets one thread at a time run Python code, the one that holds the interpreter's lock (the GIL).
Waiting lets go of it, and so does much of what is written in C (hashing, compressing, numpy). Whether a task
holds it cannot be read from any clock, but it can be felt: a second thread that sleeps for a moment comes
back at once where the lock is free, and some milliseconds late (`sys.getswitchinterval`) where it is held.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from runner.clock import Clock
from runner.preview.cpu_time import children_cpu, process_cpu, thread_cpu, thread_delay

_NAP_SECONDS = 0.001
"""Short enough for some looks at items of 2 ms, long enough to cost them a few per cent at most."""
LATE_SECONDS = 0.001
"""Later than an idle system wakes a thread, and earlier than a held lock is passed on (5 ms)."""
LEAST_LOOKS = 8
"""Arbitrary: with fewer looks, what they say is chance."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one attempt took.

    Attributes:
        seconds: From before the record was decoded until its rows were encoded, without the rate limit.
        cpu: Of these, what its thread computed.
        delayed: How long it could have computed and others had the CPUs; not part of `seconds`.
        other_cpu: What other threads of this process and programs that it started computed meanwhile.
        looks: How often it was looked whether the interpreter's lock was free.
        held: How often it was not.
    """

    seconds: float
    cpu: float
    delayed: float = 0.0
    other_cpu: float = 0.0
    looks: int = 0
    held: int = 0


class Meter:
    """Measures attempts one after the other; `probe` runs in a thread of its own from `start` to `stop`."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.monotonic
        self._ends: SimpleQueue[None] = SimpleQueue()
        self._thread = Thread(target=self._probe, name="runner-probe", daemon=True)
        self._looks: list[tuple[float, bool]] = []
        self._own_cpu = 0.0

    def start(self) -> None:
        """Begin to look whether the lock is free."""
        self._thread.start()

    def stop(self) -> None:
        """End that."""
        self._ends.put(None)
        self._thread.join()

    def begin(self) -> tuple[float, float, float, float]:
        """Return the state of the clocks; called by the thread that makes the attempt."""
        others, delayed = self._others(), thread_delay()
        cpu = thread_cpu()
        return self._now(), cpu, others, delayed

    def end(self, began: tuple[float, float, float, float], waited: float) -> Cost:
        """Return what was used since `began` by the thread that calls, less `waited` seconds."""
        now = self._now()
        cpu = thread_cpu() - began[1]
        delayed = max(0.0, thread_delay() - began[3])
        looks = [is_held for at, is_held in self._looks if began[0] < at <= now]
        seconds = max(cpu, now - began[0] - waited - delayed)
        others = max(0.0, self._others() - began[2] - cpu)
        return Cost(seconds, cpu, delayed, others, len(looks), sum(looks))

    def _others(self) -> float:
        return process_cpu() + children_cpu() - self._own_cpu

    def _probe(self) -> None:
        late = max(LATE_SECONDS, sys.getswitchinterval() / 5)
        while True:
            before, delayed = self._now(), thread_delay()
            try:
                self._ends.get(timeout=_NAP_SECONDS)
            except Empty:
                pass
            else:
                return
            now = self._now()
            lateness = now - before - _NAP_SECONDS - (thread_delay() - delayed)
            self._looks.append((now, lateness > late))
            self._own_cpu = thread_cpu()
