"""Whether the first items of a job's input fit its task, before any of them is run.

Only where there is an input to look at: a build machine mostly has none, and what standard input, a pipe or
the code of a `python` input would give is not ours to take.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import islice

from runner.errors import InputBroken, ItemRefused, MalformedRecord, Refused
from runner.item import BrokenRecord
from runner.jobfile import LoadedJob
from runner.raised import said_of
from runner.sources.base import Source
from runner.sources.csv_rows import CsvOptions
from runner.sources.python_iterable import PythonOptions
from runner.task import Task, TaskFault, check_header

_FIRST = 20  # arbitrary: enough to tell a wrong type from a bad row


def check_first_items(loaded: LoadedJob, task: Task) -> list[TaskFault]:
    """Return the columns that do not fit the fields of the task's item, or that no first item fits."""
    if not _can_be_looked_at(loaded) or (task.item is None and task.convert is None):
        return []
    values = _first_values(loaded, _FIRST)
    return _compare_header(loaded, task, values) or _refusals(values, task)


def compare_header(loaded: LoadedJob, task: Task) -> list[TaskFault]:
    """Return the columns of a CSV that do not fit the fields of the task's item; runs no code of the user."""
    assert loaded.job is not None
    if task.item is None or not isinstance(loaded.job.input, CsvOptions) or not _can_be_looked_at(loaded):
        return []
    return _compare_header(loaded, task, _first_values(loaded, 1))


def _can_be_looked_at(loaded: LoadedJob) -> bool:
    """Return whether reading the input takes nothing from a run."""
    assert loaded.job is not None
    options = loaded.job.input
    is_known = not any(path[:1] == ("input",) for path in loaded.unknown)
    return is_known and not isinstance(options, PythonOptions)


def _compare_header(loaded: LoadedJob, task: Task, values: list[object]) -> list[TaskFault]:
    assert loaded.job is not None
    if task.item is None or not isinstance(loaded.job.input, CsvOptions) or not values:
        return []
    assert isinstance(values[0], Mapping)
    return check_header(task.item, list(values[0]))


def _first_values(loaded: LoadedJob, most: int) -> list[object]:
    """Return the first items as they are decoded; none where the input cannot be read, which a run tells."""
    assert loaded.job is not None
    try:
        source = loaded.job.input.open(loaded.root)
        if not source.is_repeatable:
            return []  # a pipe can be read only once
        return _read_values(source, most)
    except (InputBroken, Refused):
        return []


def _read_values(source: Source, most: int) -> list[object]:
    found: list[object] = []
    items = source.items()
    try:
        for item in islice(items, most):
            if isinstance(item.raw, BrokenRecord):
                continue
            try:
                found.append(source.decode(item))
            except MalformedRecord:
                continue
    finally:
        if isinstance(items, Generator):  # it may hold a file open
            items.close()
    return found


def _refusals(values: list[object], task: Task) -> list[TaskFault]:
    """Return one warning where every first item is refused: a single one may be a bad row."""
    reasons = []
    for value in values:
        try:
            if task.convert is not None:
                task.convert(value)
            return []
        except ItemRefused as error:
            reasons.append(str(error))
        except Exception as error:  # a validator of the user's
            reasons.append(said_of(error))
    if not reasons:
        return []
    number = f"the first {len(reasons)} items are" if len(reasons) > 1 else "the only item is"
    message = f"{number} no items of this task: {reasons[0]}"
    return [TaskFault("items-refused", message, is_warning=True)]
