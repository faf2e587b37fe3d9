"""Tasks: from a dotted path to a function that can be called, in the user's terms all the way."""

from __future__ import annotations

from runner.task.fault import TaskFault, TaskRejected
from runner.task.load import Task, load_task
from runner.task.locate import Located, locate
from runner.task.policy import Policy
from runner.task.signature import check_call
from runner.task.trace import user_frames

__all__ = [
    "Located",
    "Policy",
    "Task",
    "TaskFault",
    "TaskRejected",
    "check_call",
    "load_task",
    "locate",
    "user_frames",
]
