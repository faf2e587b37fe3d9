"""What can be wrong with a task, as a value: the job file's layer gives it its line and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runner.errors import RunnerError

FaultCode = Literal[
    "argument-type",
    "async-task",
    "attribute-missing",
    "bad-dotted-path",
    "columns-differ",
    "import-failed",
    "items-refused",
    "missing-argument",
    "missing-column",
    "missing-key",
    "module-missing",
    "no-item-parameter",
    "not-callable",
    "not-convertible",
    "stdlib-task",
    "syntax-error",
    "task-form",
    "task-not-allowed",
    "unknown-argument",
    "unknown-column",
    "unknown-exception",
]


@dataclass(frozen=True, slots=True)
class TaskFault:
    """One fault of a task.

    Attributes:
        code: The stable word for it, with a page in `docs/`.
        message: What is wrong, in one sentence.
        hint: What to write instead (a dotted path, the name of an argument), or `None`.
        notes: What else helps: places, a traceback. A note may have several lines.
        argument: The name in `task.with` that the fault is about, or `None` for the task itself.
        path: The way from that argument to the value in it that is at fault.
        is_warning: Whether the task can be used all the same.
    """

    code: FaultCode
    message: str
    hint: str | None = None
    notes: tuple[str, ...] = ()
    argument: str | None = None
    path: tuple[str | int, ...] = ()
    is_warning: bool = False


class TaskRejected(RunnerError):
    """A task cannot be used; `faults` say why, and there is at least one."""

    def __init__(self, faults: Sequence[TaskFault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)

    @property
    def fault(self) -> TaskFault:
        """The first fault."""
        return self.faults[0]


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the one of `names` that `name` was probably meant to be, or `None`."""
    from difflib import get_close_matches

    same = [other for other in names if other.lower() == name.lower()]
    return next(iter(same or get_close_matches(name, names, n=1)), None)
