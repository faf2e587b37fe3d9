"""Whether the first items of a job's input fit its task, for `runner validate --import`.

Only where there is an input to look at: a build machine mostly has none, and what standard input or the
code of a `python` input would give is not ours to take.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import islice

from runner.errors import InputBroken, ItemRefused, MalformedRecord, Refused
from runner.item import BrokenRecord
from runner.jobfile import LoadedJob
from runner.sources.base import Source
from runner.sources.csv_rows import CsvOptions
from runner.sources.python_iterable import PythonOptions
from runner.task import Task, TaskFault, check_header

_FIRST = 20  # arbitrary: enough to tell a wrong type from a bad row


def check_first_items(loaded: LoadedJob, task: Task) -> list[TaskFault]:
    """Return the columns that do not fit the fields of the task's item, or that no first item fits."""
    assert loaded.job is not None
    options = loaded.job.input
    paths = getattr(options, "path", None)
    is_known = not any(path[:1] == ("input",) for path in loaded.unknown)
    is_ours = not isinstance(options, PythonOptions) and paths != "-" and not (paths and "-" in paths)
    if not (is_known and is_ours) or (task.item is None and task.convert is None):
        return []
    try:
        source = options.open(loaded.root)
        values = _first_values(source)
    except (InputBroken, Refused):
        return []
    if task.item is not None and isinstance(options, CsvOptions) and values:
        assert isinstance(values[0], Mapping)
        faults = check_header(task.item, list(values[0]))
        if faults:
            return faults
    return _refusals(values, task)


def _first_values(source: Source) -> list[object]:
    found: list[object] = []
    items = source.items()
    try:
        for item in islice(items, _FIRST):
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
            reasons.append(f"{type(error).__name__}: {error}")
    if not reasons:
        return []
    number = f"the first {len(reasons)} items are" if len(reasons) > 1 else "the only item is"
    message = f"{number} no items of this task: {reasons[0]}"
    return [TaskFault("items-refused", message, is_warning=True)]
