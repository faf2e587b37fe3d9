"""The faults of a job's task, at their places in the job file: what `jobfile` and `task` know together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RowRefused
from runner.jobfile import Job, LoadedJob, Problem
from runner.jobfile.problem import KeyPath, format_path
from runner.masking import spell
from runner.policies.retry import RetryPolicy, Rule
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


def review_task(loaded: LoadedJob, config: Config) -> list[Problem]:
    """Return what is wrong with the task as far as it can be seen without importing anything."""
    assert loaded.job is not None
    task = loaded.job.task
    of_columns: list[TaskFault] = []
    faults = _forbidden(task.call, config)
    if not faults:
        # As Python will look it up: the project first, then what is installed beside the runner.
        located = locate(task.call, [loaded.root, *map(Path, sys.path)])
        if isinstance(located, TaskFault):
            faults = [located]
        elif located.arguments is not None:
            faults = check_call(located, spell(task.with_))
            if located.returns is None and _lacks_columns(loaded.job):
                of_columns = [unknown_columns()]
    problems = _placed(loaded, faults) + _placed(loaded, of_columns, ("output", "columns"), is_key=True)
    return problems + _review_input(loaded, config) + _review_retry(loaded)


def _review_retry(loaded: LoadedJob) -> list[Problem]:
    search = [loaded.root, *map(Path, sys.path)]
    return [
        problem
        for path, name in _error_names(loaded)
        if (fault := review_exception(name, search)) is not None
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
    by_rule = zip(loaded.job.retry, _rule_paths(loaded), strict=True)
    rules = [
        Rule(
            tuple(found[*path, "errors", number] for number in range(len(options.errors))),
            options.attempts,
            options.backoff,
            options.then,
        )
        for options, path in by_rule
    ]
    return RetryPolicy(tuple(rules)), []


def _rule_paths(loaded: LoadedJob) -> list[KeyPath]:
    """Return where each rule of `retry:` stands: a single one may be written without a list."""
    assert loaded.job is not None
    data = loaded.document.data
    if isinstance(data, dict) and isinstance(data.get("retry"), dict):
        return [("retry",)]
    return [("retry", number) for number in range(len(loaded.job.retry))]


def _error_names(loaded: LoadedJob) -> list[tuple[KeyPath, str]]:
    assert loaded.job is not None
    return [
        ((*path, "errors", number), name)
        for options, path in zip(loaded.job.retry, _rule_paths(loaded), strict=True)
        for number, name in enumerate(options.errors)
    ]


def _lacks_columns(job: Job) -> bool:
    """Return whether only the task can say which columns the output has."""
    has_some = getattr(job.output, "columns", None) is not None
    return job.output.has_columns and not job.pool.ordered and not has_some


def _review_input(loaded: LoadedJob, config: Config) -> list[Problem]:
    assert loaded.job is not None
    options = loaded.job.input
    if not isinstance(options, PythonOptions):
        return []
    faults = _forbidden(options.call, config)
    if not faults:
        located = locate(options.call, [loaded.root, *map(Path, sys.path)])
        # A class or a generator function is no task yet, but makes items very well.
        is_fault = isinstance(located, TaskFault) and located.code != "task-form"
        faults = [located] if is_fault else []  # type: ignore[list-item]
    return _placed(loaded, faults, ("input", "call"))


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
    document, mask = loaded.document, loaded.secrets.mask
    problems = []
    for fault in faults:
        is_short = isinstance(document.data, dict) and isinstance(document.data.get("task"), str)
        path: KeyPath = ("task",) if is_short and call[0] == "task" else call
        span = document.key_span(path) if is_key else document.value_span(path)
        if fault.argument is not None and not is_short:
            path = (call[0], "with", fault.argument, *fault.path)
            span = document.value_span(path) if fault.path else document.key_span(path)
        problems.append(
            Problem(
                code=fault.code,
                severity="warning" if fault.is_warning else "error",
                message=mask(fault.message),
                hint=None if fault.hint is None else mask(fault.hint),
                notes=tuple(map(mask, fault.notes)),
                file=str(loaded.path),
                path=format_path(path),
                **span._asdict(),
            )
        )
    return problems
