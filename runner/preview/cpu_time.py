"""What threads and processes have computed, by the counters of the system."""

from __future__ import annotations

import time


def thread_cpu() -> float:
    """Return the seconds that the calling thread has computed."""
    return time.thread_time()


def thread_delay() -> float:
    """Return the seconds in which the calling thread could have computed and no CPU was free for it.

    Linux only (`schedstat`, proc(5)); 0 elsewhere.
    """
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:  # noqa: PTH123  # a Path costs as much again
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def process_cpu() -> float:
    """Return the seconds that all threads of this process have computed."""
    return time.process_time()


def children_cpu() -> float:
    """Return the seconds that programs have computed which this process started and which have ended."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
