"""A job file read and its code imported, for commands that really call the task."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from runner.cli.words import show_problems
from runner.clock import Clock
from runner.config import Config, load_config
from runner.errors import JobInvalid
from runner.first_items import compare_header
from runner.jobfile import LoadedJob, Problem, load_job
from runner.masking import mask_streams
from runner.policies.retry import RetryPolicy
from runner.review import find_rules, import_factory, import_task, place_at_input
from runner.task import Task


@dataclass(frozen=True, slots=True)
class Ready:
    """A job that could run.

    Attributes:
        loaded: The job file.
        task: The task, imported.
        retry: The rules of `retry:`, their exceptions found.
        factory: What makes the items of a `python` input, imported; else `None`.
    """

    loaded: LoadedJob
    task: Task
    retry: RetryPolicy | None
    factory: Callable[..., Iterable[object]] | None


def make_ready(
    path: Path,
    *,
    params: Mapping[str, str],
    overrides: Sequence[tuple[str, str]] = (),
    config: Path | None = None,
    on: date | None = None,
    clock: Clock,
) -> Ready:
    """Return the job of a file with its code imported; from then on, streams are masked.

    No bytecode is left behind: a command that writes nothing leaves no `__pycache__` either.

    Raises:
        UsageError: There is no such file.
        JobInvalid: It has faults, which have been shown.
    """
    sys.dont_write_bytecode = True
    loaded = load_job(path, params=params, overrides=overrides, environ=os.environ, now=clock.now(), date=on)
    mask_streams(loaded.secrets)
    problems, ready = list(loaded.problems), None
    try:
        if loaded.job is not None:
            ready, found = import_code(loaded, load_config(loaded.root, operator=config, environ=os.environ))
            problems += found
    except JobInvalid as invalid:  # the settings
        problems += invalid.faults
    if problems:
        show_problems(problems, {str(path): loaded.text})
    if ready is None or any(problem.severity == "error" for problem in problems):
        raise JobInvalid(problems)
    return ready


def import_code(loaded: LoadedJob, config: Config) -> tuple[Ready | None, list[Problem]]:
    """Return a job with the code that it names, imported and checked, and what there is to say of it.

    `None` where there is an error among that. A header that lacks what the task requires is only warned of:
    there may be other files, and it is the run that counts failures.
    """
    task, problems = import_task(loaded, config)
    retry, of_rules = find_rules(loaded, config)
    factory, of_factory = import_factory(loaded, config)
    problems += of_rules + of_factory
    if task is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    of_header = place_at_input(loaded, compare_header(loaded, task))
    problems += [replace(problem, severity="warning") for problem in of_header]
    return Ready(loaded, task, retry, factory), problems
