"""The numbers that are taken where nobody said any."""

from __future__ import annotations

import os

import pytest

from runner.sizing import default_size, default_window, usable_cpus


@pytest.mark.parametrize(("cpus", "size"), [(1, 5), (2, 6), (16, 20), (28, 32), (200, 32)])
def test_the_default_size_is_the_rule_of_cpython(
    monkeypatch: pytest.MonkeyPatch, cpus: int, size: int
) -> None:
    """min(32, usable CPUs + 4)."""
    monkeypatch.setattr("runner.sizing.usable_cpus", lambda: cpus)
    assert default_size() == size


@pytest.mark.parametrize(
    ("size", "chunksize", "window"), [(1, 1, 1024), (32, 8, 1024), (32, 9, 1152), (8, 100, 3200)]
)
def test_the_default_window_is_four_chunks_for_each_thread_or_1024(
    size: int, chunksize: int, window: int
) -> None:
    """max(1024, 4 x size x chunksize)."""
    assert default_window(size, chunksize) == window


def test_only_cpus_that_the_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `taskset` or in a container the machine may have more."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert usable_cpus() == 2


@pytest.mark.parametrize(("counted", "usable"), [(8, 8), (None, 1)])
def test_where_the_system_cannot_say_all_cpus_count(
    monkeypatch: pytest.MonkeyPatch, counted: int | None, usable: int
) -> None:
    """Without `sched_getaffinity` (macOS); at least 1, even if nothing is known."""
    monkeypatch.setattr(os, "process_cpu_count", lambda: counted, raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert usable_cpus() == usable
