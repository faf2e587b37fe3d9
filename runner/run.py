"""Everything that one run needs, in one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from runner.clock import Clock
from runner.config import Config
from runner.engine.stop import Stop
from runner.files import Files
from runner.item import Current
from runner.jobfile import Job, LoadedJob
from runner.observers.log import RunLog
from runner.observers.progress import Progress
from runner.outcome import RunSummary
from runner.policies.retry import RetryPolicy
from runner.sources.base import Source
from runner.sources.python_iterable import PythonOptions
from runner.task import Task

Factory = Callable[..., Iterable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything a run needs; made by the command line, used up by `run_job`.

    Attributes:
        loaded: The job file.
        task: The task, imported and checked.
        retry: The rules of `retry:`, their exceptions found; `None` for one attempt an item.
        factory: What makes the items of a `python` input, imported; else `None`.
        config: The operator's settings.
        summary: Filled while the run goes on.
        stop: How somebody else ends the run.
        log: The run's log.
        current: Which item each worker is at, for the log.
        progress: Told of the total.
        clock: Time.
        files: The disk.
        date: ISO date of the run's first start: what `${run.date}` is.
        limit: Most items to take from the input; `None` for all.
        must_resume: Whether to go on with an unfinished run or not to run at all.
        must_restart: Whether to start over, whatever stands there.
        accept: What may have changed since the unfinished run: `code`, `input`.
        say: Writes a line for the person who watches.
    """

    loaded: LoadedJob
    task: Task
    retry: RetryPolicy | None = None
    factory: Factory | None
    config: Config
    summary: RunSummary
    stop: Stop
    log: RunLog
    current: Current
    progress: Progress
    clock: Clock
    files: Files
    date: str
    limit: int | None = None
    must_resume: bool = False
    must_restart: bool = False
    accept: frozenset[str] = frozenset()
    say: Callable[[str], None]

    @property
    def job(self) -> Job:
        """The job of the file."""
        assert self.loaded.job is not None
        return self.loaded.job


def open_source(run: Run) -> Source:
    """Return the input of the job, opened; see `runner.sources.base.SourceOptions.open`."""
    options = run.job.input
    if isinstance(options, PythonOptions):
        assert run.factory is not None
        return options.bind(run.factory, run.loaded.secrets.reveal(options.with_))
    return options.open(run.loaded.root)
