"""The faults of a job's task, at their places in the job file: what `jobfile` and `task` know together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RowRefused
from runner.jobfile import Job, LoadedJob, Problem
from runner.jobfile.problem import KeyPath, format_path
from runner.masking import spell
from runner.paths import current_folder
from runner.policies.retry import RetryOptions, RetryPolicy, Rule
from runner.sources.python_iterable import PythonOptions
from runner.task import (
    Policy,
    Task,
    TaskFault,
    TaskRejected,
    check_call,
    check_columns,
    find_exception,
    load_factory,
    load_task,
    locate,
    review_exception,
    unknown_columns,
)

if TYPE_CHECKING:
    from runner.config import Config


def review_task(loaded: LoadedJob, config: Config, *, isolated: bool = False) -> list[Problem]:
    """Return what is wrong with the task as far as it can be seen without importing anything.

    The rest of the file may have errors: a task that is well written is looked at all the same.

    Args:
        loaded: The job file.
        config: The settings in force.
        isolated: Whether what the tasks need is not installed here (as for a hook, which has an
            environment of its own): of a module that is not in the project nothing is said then,
            unless its name is nearly that of one that is.
    """
    found = _review_task(loaded, config, isolated) + _review_input(loaded, config, isolated)
    return found + _review_retry(loaded, isolated) if loaded.job is not None else found


def _review_task(loaded: LoadedJob, config: Config, isolated: bool) -> list[Problem]:
    task = loaded.task
    if task is None:
        return []
    of_columns: list[TaskFault] = []
    faults = _forbidden(task.call, config)
    if not faults:
        located = locate(task.call, search_path(loaded, isolated))
        if isinstance(located, TaskFault):
            faults = [] if _is_elsewhere(located, isolated) else [located]
        elif located.arguments is not None:
            faults = check_call(located, spell(task.with_))
            if located.returns is None and loaded.job is not None and _lacks_columns(loaded.job):
                of_columns = [unknown_columns()]
    found = _placed(loaded, faults) + _placed(loaded, of_columns, ("output", "columns"), is_key=True)
    return [problem for problem in found if not is_about_unknown(loaded, problem)]


def _review_input(loaded: LoadedJob, config: Config, isolated: bool) -> list[Problem]:
    options = loaded.input
    if not isinstance(options, PythonOptions):
        return []
    faults = _forbidden(options.call, config)
    if not faults:
        located = locate(options.call, search_path(loaded, isolated))
        # A class or a generator function is no task yet, but makes items very well.
        if isinstance(located, TaskFault) and located.code != "task-form":
            faults = [] if _is_elsewhere(located, isolated) else [located]
    return _placed(loaded, faults, ("input", "call"))


def search_path(loaded: LoadedJob, isolated: bool = False) -> list[Path]:
    """Return where Python will look: in the project first, then in what is installed beside the runner."""
    return [loaded.root] if isolated else [loaded.root, *map(Path, sys.path)]


def _is_elsewhere(fault: TaskFault, isolated: bool) -> bool:
    """Return whether a fault is only that a module is not in the project, where it may be installed."""
    return isolated and fault.code in ("module-missing", "unknown-exception") and fault.hint is None


def is_about_unknown(loaded: LoadedJob, problem: Problem) -> bool:
    """Return whether a problem is about the type of an argument whose value is not known yet."""
    paths = {format_path(path) for path in loaded.unknown}
    return problem.code == "argument-type" and problem.path in paths


def _review_retry(loaded: LoadedJob, isolated: bool) -> list[Problem]:
    search = search_path(loaded, isolated)
    return [
        problem
        for path, name in _error_names(loaded)
        if (fault := review_exception(name, search)) is not None
        and not ("." in name and _is_elsewhere(fault, isolated))
        for problem in _placed(loaded, [fault], path)
    ]


def find_rules(loaded: LoadedJob, config: Config) -> tuple[RetryPolicy | None, list[Problem]]:
    """Import the exceptions of `retry:`, after the task; return the policy, or what is wrong with them.

    `None` and no problem where the job makes one attempt at everything.
    """
    assert loaded.job is not None
    policies, problems = _policies(config), []
    found: dict[KeyPath, type[BaseException]] = {}
    for path, name in _error_names(loaded):
        each = find_exception(name, policies)
        if isinstance(each, TaskFault):
            problems += _placed(loaded, [each], path)
        else:
            found[path] = each
    if problems or not loaded.job.retry:
        return None, problems
    rules = [
        Rule(
            tuple(found[*path, "errors", number] for number in range(len(options.errors))),
            options.attempts,
            options.backoff,
            options.then,
        )
        for options, path in _rules(loaded)
    ]
    return RetryPolicy(tuple(rules)), []


def _rules(loaded: LoadedJob) -> list[tuple[RetryOptions, KeyPath]]:
    """Return the rules of `retry:`, and where each stands."""
    assert loaded.job is not None
    rules = loaded.job.retry
    return list(zip(rules, loaded.places.of_members("retry", len(rules)), strict=True))


def _error_names(loaded: LoadedJob) -> list[tuple[KeyPath, str]]:
    return [
        ((*path, "errors", number), name)
        for options, path in _rules(loaded)
        for number, name in enumerate(options.errors)
    ]


def _lacks_columns(job: Job) -> bool:
    """Return whether only the task can say which columns the output has."""
    has_some = getattr(job.output, "columns", None) is not None
    return job.output.has_columns and not job.pool.ordered and not has_some


def import_task(loaded: LoadedJob, config: Config) -> tuple[Task | None, list[Problem]]:
    """Import the task and check it for real; return it with warnings, or `None` and what is wrong with it."""
    assert loaded.job is not None
    options = loaded.job.task
    policies = _policies(config)
    faults = _forbidden(options.call, config)
    if faults:
        return None, _placed(loaded, faults)
    try:
        task = load_task(
            options.call,
            root=loaded.root,
            policy=policies[0],
            with_=loaded.secrets.reveal(options.with_),
            values=loaded.job.input.values,
        )
    except TaskRejected as rejected:
        return None, _placed(loaded, rejected.faults)
    for policy in policies[1:]:
        fault = policy.check_loaded(options.call, task.function)
        faults += [fault] if fault is not None else []
    of_columns = _review_columns(loaded.job, task)
    problems = _placed(loaded, [*faults, *task.warnings])
    problems += _placed(loaded, of_columns, ("output", "columns"), is_key=True)
    return (None if faults or of_columns else task), problems


def _review_columns(job: Job, task: Task) -> list[TaskFault]:
    """Return what is wrong with the columns of an output that has some, before there is a row."""
    output = job.output
    if not output.has_columns:
        return []
    declared: list[str] | None = getattr(output, "columns", None)
    if declared is not None:
        fault = check_columns(task.result, declared) if task.result is not None else None
        return [fault] if fault is not None else []
    if task.columns is None:
        return [unknown_columns()] if _lacks_columns(job) else []
    try:
        encoder = output.encoder(task.columns)
        assert encoder is not None
        encoder.prologue()
    except RowRefused as error:
        assert task.result is not None
        message = f"`output` needs the key `columns`, for those of {task.result.name} make no header: {error}"
        return [TaskFault("missing-key", message)]
    return []


def import_factory(
    loaded: LoadedJob, config: Config
) -> tuple[Callable[..., Iterable[object]] | None, list[Problem]]:
    """Import what makes the items of a `python` input; `None` and no problem for every other input."""
    assert loaded.job is not None
    options = loaded.job.input
    if not isinstance(options, PythonOptions):
        return None, []
    policies = _policies(config)
    faults = _forbidden(options.call, config)
    factory = None
    if not faults:
        try:
            factory = load_factory(options.call, root=loaded.root, policy=policies[0])
            faults = [
                fault for policy in policies[1:] if (fault := policy.check_loaded(options.call, factory))
            ]
        except TaskRejected as rejected:
            faults = list(rejected.faults)
    return factory, _placed(loaded, faults, ("input", "call"))


def place_at_input(loaded: LoadedJob, faults: Iterable[TaskFault]) -> list[Problem]:
    """Turn faults that are about the items into problems where the input is named."""
    return _placed(loaded, faults, ("input", "path"))


def _forbidden(dotted: str, config: Config) -> list[TaskFault]:
    for policy in _policies(config):
        fault = policy.check_path(dotted)
        if fault is not None:
            return [fault]
    return []


def _policies(config: Config) -> list[Policy]:
    """One policy for each list in force: a task must be allowed by all of them."""
    return [Policy(patterns) for patterns in config.allow] or [Policy()]


def _placed(
    loaded: LoadedJob,
    faults: Iterable[TaskFault],
    call: KeyPath = ("task", "call"),
    *,
    is_key: bool = False,
) -> list[Problem]:
    """Turn faults of a callable into problems where it is named, or at the argument they are about.

    A fault may show an argument, or what the user's module said while it was imported: secrets are masked.
    """
    data, places, mask = loaded.document.data, loaded.places, loaded.secrets.mask
    is_short = call[0] == "task" and isinstance(data, dict) and isinstance(data.get("task"), str)
    folder = current_folder()
    here = f"{folder or ''}{os.sep}"  # places are shown as short as can be
    problems = []
    for fault in faults:
        path, is_of_key = call, is_key
        if fault.argument is not None:
            path, is_of_key = (call[0], "with", fault.argument, *fault.path), not fault.path
        if is_short and places.flag_of(path) is None:
            path, is_of_key = ("task",), False
        problems.append(
            places.problem(
                fault.code,
                mask(fault.message),
                path,
                is_key=is_of_key,
                severity="warning" if fault.is_warning else "error",
                hint=None if fault.hint is None else mask(fault.hint),
                notes=tuple(mask(note.replace(here, "") if folder else note) for note in fault.notes),
            )
        )
    return problems
