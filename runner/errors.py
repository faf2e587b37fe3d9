"""The whole exception tree, grouped by what the runner does next.

::

    RunnerError
    ├── UsageError            exit 2   the command line is wrong, or there is no such job file
    ├── JobInvalid            exit 78  the job file or its task is wrong; nothing ran; carries the faults
    ├── Refused               exit 3   going on would mix two runs or overwrite what must stay
    ├── Locked                exit 75  another run holds the output: try later
    ├── Broken                exit 4   the world around the run broke; the run can be repeated
    │   ├── InputBroken                the input is missing, unreadable, or failed midway
    │   ├── OutputBroken               an output, its folder or the state could not be written
    │   └── WorkerBroken               workers could not be started or set up
    ├── ItemFault                      this one item fails, nobody else
    │   ├── MalformedRecord            the record cannot be read as what the input says it is
    │   ├── ItemRefused                the item does not fit the type that the task wants
    │   └── RowRefused                 the task's row cannot be written without changing it
    ├── AttemptTimeout                 also a TimeoutError: an attempt took longer than `timeout`
    └── TaskFailed                     `runner.imap` only: a task raised what a caller must not meet raw

A failure of a task is never one of these: it travels as a value (`runner.outcome.Failure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class RunnerError(Exception):
    """Every error that runner raises on purpose."""


class UsageError(RunnerError):
    """The command line is wrong; the message says what to type instead."""


class JobInvalid(RunnerError):
    """The job file or its task has faults; nothing has run.

    `faults` are `runner.jobfile.Problem` values, in the order of the file.
    """

    def __init__(self, faults: Sequence[Any]) -> None:
        super().__init__(f"the job file has {len(faults)} fault{'s' if len(faults) != 1 else ''}")
        self.faults: tuple[Any, ...] = tuple(faults)


class Refused(RunnerError):
    """Going on would mix two different runs or replace what must stay; the message says how to go on."""


class Locked(RunnerError):
    """Another run works on the same output; the message names it."""


class Broken(RunnerError):
    """Input, output, state or workers broke. `path` is what broke, where there is one."""

    def __init__(self, message: str, *, path: Path | str | None = None) -> None:
        super().__init__(message)
        self.path = path


class InputBroken(Broken):
    """The input is missing, unreadable, or stopped midway for a reason that no single record explains."""


class OutputBroken(Broken):
    """An output, its folder or the run's state could not be written, synced or renamed."""


class WorkerBroken(Broken):
    """The workers of the pool could not be started or set up."""


class ItemFault(RunnerError):
    """One item cannot go on; raised inside its attempt and turned into its failure."""


class MalformedRecord(ItemFault):
    """A record is not what its input format says; the message says what is wrong, in one sentence."""


class ItemRefused(ItemFault):
    """An item does not fit the annotation of the task's parameter; the message names the fields.

    `found` are the places at which it does not, as `runner.task.mismatch` describes them.
    """

    def __init__(self, message: str, found: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.found: tuple[Any, ...] = tuple(found)


class RowRefused(ItemFault):
    """A row cannot be written without changing a value; the message names the field."""


class AttemptTimeout(RunnerError, TimeoutError):
    """An attempt took longer than the job's `timeout`; never raised, only the error of its failure.

    A `TimeoutError` that the task raises itself is the task's own; a retry rule for `TimeoutError` is
    for both.
    """


AttemptTimeout.__module__ = "runner"  # where users find it, and name it in a job file


class TaskFailed(RunnerError):
    """A task given to `runner.imap` raised `StopIteration` or something that is no `Exception`.

    What was raised is the `__cause__`. Raised raw, a `StopIteration` would end the caller's loop
    without a word, and a `SystemExit` would end the caller's program for one bad item.
    """
