"""Tasks: from a dotted path to a function that can be called, in the user's terms all the way."""

from __future__ import annotations

from runner.task.code_hash import code_files, hash_code
from runner.task.columns import Columns, check_columns, check_header, unknown_columns
from runner.task.exceptions import find_exception, review_exception
from runner.task.fault import TaskFault, TaskRejected
from runner.task.frames import user_frames
from runner.task.load import Task, load_factory, load_task, make_task
from runner.task.locate import Located, locate
from runner.task.policy import Policy
from runner.task.signature import check_call

__all__ = [
    "Columns",
    "Located",
    "Policy",
    "Task",
    "TaskFault",
    "TaskRejected",
    "check_call",
    "check_columns",
    "check_header",
    "code_files",
    "find_exception",
    "hash_code",
    "load_factory",
    "load_task",
    "locate",
    "make_task",
    "review_exception",
    "unknown_columns",
    "user_frames",
]
