"""What a command line orders: a job as `-p` and `--set` make it, its code, and the run of both.

Shared by `runner run`, which does it, and `runner plan`, which looks ahead.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from runner.cli.ready import Ready, import_code
from runner.cli.words import say, show_problems
from runner.clock import Clock
from runner.config import Config, load_config
from runner.destination import PROBE, check_dead_letters, find_destination, find_other_dates
from runner.engine.stop import Stop
from runner.errors import JobInvalid, RunnerError, UsageError
from runner.files import Files
from runner.item import Current
from runner.jobfile import LoadedJob, load_job
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.manifest import Manifest
from runner.ledger.publication import CHECKPOINT, MANIFEST
from runner.masking import mask_streams
from runner.observers.log import RunLog
from runner.observers.progress import Progress
from runner.observers.summary import escape
from runner.outcome import RunSummary
from runner.paths import near
from runner.run import Run

MOST_DATES = 5
"""Unfinished runs of other dates that are named; arbitrary."""


@dataclass(frozen=True, slots=True)
class Order:
    """The command line of `runner run`."""

    job: Path
    params: dict[str, str]
    overrides: Sequence[tuple[str, str]]
    limit: int | None
    must_resume: bool
    must_restart: bool
    accept: frozenset[str]
    date: date | None
    as_json: bool
    is_quiet: bool
    log_file: Path | None
    config: Path | None


class FaultyJob(Exception):
    """A job file with faults, and its text to show them in."""

    def __init__(self, loaded: LoadedJob, invalid: JobInvalid) -> None:
        self.loaded = loaded
        self.invalid = invalid


def read_order(order: Order, clock: Clock, summary: RunSummary) -> tuple[LoadedJob, Config]:
    """Return the job and the settings in force; `explain` says what any exception means."""
    if order.as_json and ("output.path", "-") in order.overrides:
        raise UsageError("--json and an output on standard output exclude each other")
    loaded = _load(order, clock, order.date)
    assert loaded.job is not None
    summary.job, summary.root = loaded.job.name, str(loaded.root)
    config = load_config(loaded.root, operator=order.config, environ=os.environ)
    _tell_other_dates(order, clock, loaded, config)
    pinned = _pinned_date(order, loaded, config)
    if pinned is not None and pinned != loaded.date:
        loaded = _load(order, clock, pinned)
    assert loaded.job is not None
    if order.as_json and getattr(loaded.job.output, "path", None) == "-":
        raise UsageError("--json and an output on standard output exclude each other")
    return loaded, config


def import_order(order: Order, loaded: LoadedJob, config: Config) -> Ready:
    """Return the job with the user's code that it names, imported and checked, and show warnings."""
    ready, problems = import_code(loaded, config)
    if ready is None:
        raise FaultyJob(loaded, JobInvalid(problems))
    warnings = [*loaded.problems, *problems, *check_dead_letters(loaded, config)]
    if warnings and not order.is_quiet:
        show_problems(warnings, {str(loaded.path): loaded.text})
    return ready


def make_run(
    order: Order,
    ready: Ready,
    config: Config,
    *,
    summary: RunSummary,
    log: RunLog,
    progress: Progress,
    clock: Clock,
    say: Callable[[str], None],
) -> Run:
    """Return the run that was ordered; nobody has begun it."""
    return Run(
        loaded=ready.loaded,
        task=ready.task,
        retry=ready.retry,
        factory=ready.factory,
        config=config,
        summary=summary,
        stop=Stop(),
        log=log,
        current=Current(),
        progress=progress,
        clock=clock,
        files=Files(),
        date=ready.loaded.date.isoformat(),
        limit=order.limit,
        must_resume=order.must_resume,
        must_restart=order.must_restart,
        accept=order.accept,
        say=say,
    )


def command_line(order: Order, *, date: date | None, limit: int | None = None) -> str:
    """Return the command line that does this once more, for a date and up to a limit."""
    words = ["runner", "run", str(order.job)]
    if date is not None:
        words += ["--date", date.isoformat()]
    if limit is not None:
        words += ["--limit", str(limit)]
    if order.config is not None:
        words += ["--config", str(order.config)]
    for flag, pairs in (("-p", order.params.items()), ("--set", order.overrides)):
        for name, value in pairs:
            words += [flag, f"{name}={value}"]
    return shlex.join(words)


def _load(order: Order, clock: Clock, date: date | None) -> LoadedJob:
    loaded = load_job(
        order.job,
        params=order.params,
        overrides=order.overrides,
        environ=os.environ,
        now=clock.now(),
        date=date,
    )
    mask_streams(loaded.secrets)
    if loaded.job is None:
        raise FaultyJob(loaded, JobInvalid(loaded.problems))
    return loaded


def _tell_other_dates(order: Order, clock: Clock, loaded: LoadedJob, config: Config) -> None:
    """Name the command for each unfinished run of this job that stands under another date."""
    if order.is_quiet or "run.date" not in loaded.text:
        return
    try:
        found = find_other_dates(_load(order, clock, PROBE), config, limit=order.limit)
    except (FaultyJob, RunnerError):  # what is wrong is told of the run itself
        return
    others = [run for run in found if run.date != loaded.date]
    for run in others[-MOST_DATES:]:
        say(
            f"an unfinished run of {run.date} stands in {escape(near(run.folder))} "
            f"({run.items:,} items are committed); this goes on with it: {command_line(order, date=run.date)}"
        )
    if len(others) > MOST_DATES:
        say(f"and {len(others) - MOST_DATES} more of earlier dates")


def _pinned_date(order: Order, loaded: LoadedJob, config: Config) -> date | None:
    """Return the date on which an unfinished run of this job began, for `${run.date}` stays what it was.

    Of one that is over and left its folder behind, nothing stays: what begins now is a run of today.
    """
    if order.date is not None or order.must_restart or loaded.job is None:
        return None
    try:
        folder = find_destination(loaded, config, limit=order.limit).publication(Files()).folder
        manifest = Manifest.from_bytes((folder / MANIFEST).read_bytes())
        if Checkpoint.from_bytes((folder / CHECKPOINT).read_bytes()).state == "published":
            return None
        return date.fromisoformat(manifest.date) if manifest.job == loaded.job.name else None
    except (OSError, ValueError, JobInvalid):  # none there, or one that the run itself will tell of
        return None
