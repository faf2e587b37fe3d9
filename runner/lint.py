"""`runner validate`: all that is wrong with job files, what is suspicious in them and between them.

Without `imports` nothing of the user's is imported or run, so that it may be asked about a stranger's
pull request.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import JobInvalid
from runner.jobfile import LoadedJob, Problem
from runner.jobfile.problem import in_order
from runner.jobfile.suspicions import suspect, unused_params
from runner.review import (
    find_rules,
    import_factory,
    import_task,
    is_about_unknown,
    place_at_input,
    review_task,
    search_path,
)
from runner.task import TaskFault, locate
from runner.task.parameters import describe

if TYPE_CHECKING:
    from runner.config import Config
    from runner.jobfile.ignores import Ignored


@dataclass(slots=True)
class Review:
    """What was found in some job files.

    Attributes:
        problems: Faults and warnings, file by file, in the order of the lines.
        ignored: Warnings that a comment keeps quiet.
    """

    problems: list[Problem] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)


def review_jobs(
    jobs: Sequence[LoadedJob],
    config_of: Callable[[Path], Config],
    *,
    imports: bool = False,
    isolated: bool = False,
) -> Review:
    """Return all that is wrong with some job files, and between them.

    Args:
        jobs: The files, loaded.
        config_of: Gives the settings of a project by its root; may raise `JobInvalid`.
        imports: Whether to import the tasks and check them for real.
        isolated: Whether what the tasks need is not installed here; see `review_task`.
    """
    review = Review()
    configs: dict[Path, Config | None] = {}
    for root in dict.fromkeys(loaded.root for loaded in jobs):
        try:
            configs[root] = config_of(root)
        except JobInvalid as invalid:
            configs[root] = None
            review.problems += [problem for problem in invalid.faults if problem not in review.problems]
    clashes = _find_clashes(jobs)
    imported = _import_all(jobs, configs) if imports else {}
    for loaded in jobs:
        config = configs[loaded.root]
        problems = [*loaded.problems, *(clash for clash in clashes if clash.file == str(loaded.path))]
        if config is not None:
            if loaded.path in imported:
                problems += imported[loaded.path]
            else:
                problems += review_task(loaded, config, isolated=isolated)
        if loaded.job is not None:
            problems += suspect(loaded.job, loaded.document, loaded.root, loaded.unknown)
            unused = unused_params(loaded.job, loaded.document)
            problems += unused if unused and not _may_read_params(loaded) else []
        left, ignored = _take_ignores(loaded, problems)
        review.problems += in_order(left)
        review.ignored += ignored
    return review


# A file alone, without such comments, is the common case, and starting must be quick: what it does not need
# is not imported.


def _find_clashes(jobs: Sequence[LoadedJob]) -> list[Problem]:
    if len(jobs) < 2:
        return []
    from runner.jobfile.clashes import find_clashes

    return find_clashes(jobs)


def _take_ignores(loaded: LoadedJob, problems: list[Problem]) -> tuple[list[Problem], list[Ignored]]:
    if "runner:" not in loaded.text:
        return problems, []
    from runner.jobfile.ignores import take_ignores

    return take_ignores(loaded.document, problems)


def _may_read_params(loaded: LoadedJob) -> bool:
    """Return whether the task may get the parameters without a reference: by a `runner.Context`."""
    if loaded.task is None:
        return True
    located = locate(loaded.task.call, search_path(loaded))
    function = None if isinstance(located, TaskFault) else describe(located)
    return function is None or any(each.is_context for each in function.parameters)


def _import_all(jobs: Sequence[LoadedJob], configs: dict[Path, Config | None]) -> dict[Path, list[Problem]]:
    """Return what importing says about each job that can be imported, project by project."""
    from runner.first_items import check_first_items

    found: dict[Path, list[Problem]] = {}
    for root, config in configs.items():
        with _modules_apart(root):
            for loaded in jobs:
                if loaded.root == root and config is not None and _can_be_imported(loaded):
                    task, problems = import_task(loaded, config)
                    if task is not None:
                        problems += place_at_input(loaded, check_first_items(loaded, task))
                    _, more = import_factory(loaded, config)
                    _, others = find_rules(loaded, config)
                    found[loaded.path] = [
                        problem
                        for problem in problems + more + others
                        if not is_about_unknown(loaded, problem)
                    ]
    return found


def _can_be_imported(loaded: LoadedJob) -> bool:
    """Return whether a job is known well enough: `validate` reads no secrets, and a task may want one."""
    return loaded.job is not None and loaded.secrets.can_reveal(loaded.job.task.with_)


@contextmanager
def _modules_apart(root: Path) -> Iterator[None]:
    """Import for one project: another one's `tasks` is another module, and what it prints is no result."""
    path, modules = list(sys.path), set(sys.modules)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            places = [Path(each) for each in (file, *getattr(sys.modules[name], "__path__", ())) if each]
            # What is installed is the same for all, and what is compiled may not be imported twice.
            if any(each.is_relative_to(root) and "site-packages" not in each.parts for each in places):
                del sys.modules[name]
