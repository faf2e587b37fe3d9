"""The job as one test wants it: its parameters and arguments in place, its code imported.

What only input and output need of the environment (a path, a folder) need not be there: it is stood in
for. What the task needs must be, or the test must give it: `with: {token: any}`.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.config import Config
from runner.errors import JobInvalid
from runner.jobfile import Job, LoadedJob, Problem, load_job
from runner.jobfile.emit import flow
from runner.jobfile.job_tests import JobTest
from runner.jobfile.plain import literal
from runner.masking import mask_streams
from runner.policies.retry import RetryPolicy
from runner.review import find_rules, import_task
from runner.task import Task

_NOT_NEEDED = ("input.", "output.", "failures.", "description", "owner", "labels.")
_UNSET = frozenset({"unset-env", "unset-secret"})
_STAND_IN = "not-set"


class TestBroken(Exception):
    """A test that cannot be run; the message says why, on some lines."""

    __test__ = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that a test can run.

    Attributes:
        loaded: The job file.
        task: The task, imported.
        retry: The rules of `retry:`, their exceptions found.
    """

    loaded: LoadedJob
    task: Task
    retry: RetryPolicy | None

    @property
    def job(self) -> Job:
        """The job of the file."""
        assert self.loaded.job is not None
        return self.loaded.job


class Preparation:
    """Prepares the tests of one job file; what two tests have in common is done once.

    Args:
        path: The file.
        config: Settings that are in force for a project root.

    Attributes:
        loaded: The file, read without what only a run needs.

    Raises:
        UsageError: There is no such file.
        JobInvalid: It has faults.
    """

    def __init__(self, path: Path, now: datetime.datetime) -> None:
        self._path = path
        self._now = now
        self._prepared: dict[str, Prepared] = {}
        self._stand_ins: list[tuple[str, str]] = []
        self._stand_ins = _stand_ins(self._load().problems)
        self.loaded = self._load()
        if self.loaded.job is None:
            raise JobInvalid(self.loaded.problems)

    def prepare(self, test: JobTest, config: Config) -> Prepared:
        """Return the job for one test; from then on, what the process prints is masked.

        Raises:
            TestBroken: The job has faults with the parameters and arguments of the test.
        """
        assert self.loaded.job is not None
        params, overrides = _changes(test, self.loaded.job)
        key = repr((sorted(params.items()), overrides))
        if key not in self._prepared:
            loaded = self._load(params, overrides, strict=True)
            mask_streams(loaded.secrets)
            problems, task, retry = list(loaded.errors), None, None
            if loaded.job is not None:
                task, found = import_task(loaded, config)
                retry, more = find_rules(loaded, config)
                problems += [each for each in (*found, *more) if each.severity == "error"]
            if task is None or problems:
                raise TestBroken("\n".join(map(_told, problems)))
            self._prepared[key] = Prepared(loaded, task, retry)
        return self._prepared[key]

    def _load(
        self,
        params: Mapping[str, str] | None = None,
        overrides: Iterable[tuple[str, str]] = (),
        *,
        strict: bool = False,
    ) -> LoadedJob:
        return load_job(
            self._path,
            params=params,
            overrides=[*self._stand_ins, *overrides],
            environ=os.environ,
            now=self._now,
            strict_env=strict,
        )


def _stand_ins(problems: Iterable[Problem]) -> list[tuple[str, str]]:
    """Return overrides for what is not set in the environment and no test needs."""
    return [
        (re.sub(r"\[(\d+)\]", r".\1", problem.path), _STAND_IN)
        for problem in problems
        if problem.code in _UNSET and problem.path.startswith(_NOT_NEEDED)
    ]


def _changes(test: JobTest, job: Job) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return what a test changes, as flags of the command line would."""
    params = {
        name: value if isinstance(value, str) and isinstance(job.params.get(name), str) else flow(value)
        for name, value in test.params.items()
    }
    # Tests are literal.
    return params, [(f"task.with.{name}", flow(literal(value))) for name, value in test.with_.items()]


def _told(problem: Problem) -> str:
    message = re.sub(r" \(from (--set|-p) .*\)$", " (as this test has it)", problem.message)
    hint = f"; {problem.hint}" if problem.hint else ""
    if problem.code in _UNSET and problem.path.startswith("task.with."):
        hint = f"{hint or ';'} or give the test `with: {{{problem.path.removeprefix('task.with.')}: ...}}`"
    return f"{message}{hint}"
