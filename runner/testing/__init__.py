"""For tests of your own tasks: a clock without waiting, fakes, and a task run under a job's policies.

::

    from runner.testing import run_task

    def test_a_busy_service_is_asked_again():
        run = run_task(fetch, ["a", "b"], retry={"attempts": 3, "errors": [Busy]}, timeout="30s")
        assert run.failed == []
        assert [len(item.attempts) for item in run.items] == [1, 3]
"""

from __future__ import annotations

from runner.testing.doubles import FakeSource, MemorySink, RecordingObserver
from runner.testing.task_run import ItemRun, TaskRun, run_task
from runner.testing.virtual_clock import VirtualClock

__all__ = [
    "FakeSource",
    "ItemRun",
    "MemorySink",
    "RecordingObserver",
    "TaskRun",
    "VirtualClock",
    "run_task",
]
