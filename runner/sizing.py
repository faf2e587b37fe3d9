"""How many workers and how much window, where nobody said."""

from __future__ import annotations

import os
import sys

LEAST_WINDOW = 1024
"""Arbitrary, but measured: below about 256 threads meet too often, above 1024 nothing is gained."""


LARGEST_POOL = 1024
"""Arbitrary; threads beyond it cost more than they wait for."""

LARGEST_DEFAULT = 32
"""CPython's own: more threads than that meet in the interpreter more often than they wait."""


def usable_cpus() -> int:
    """Return the CPUs this process may run on, at least 1."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS


def default_size() -> int:
    """Return min(32, usable CPUs + 4): the rule of CPython's own `ThreadPoolExecutor`."""
    return min(LARGEST_DEFAULT, usable_cpus() + 4)


def default_window(size: int, chunksize: int) -> int:
    """Return the most items drawn and not yet delivered: max(1024, 4 x size x chunksize)."""
    return max(LEAST_WINDOW, 4 * size * chunksize)
