"""What a run would do now: its input, its bounds, what it would go on with or replace.

Nothing is written, and neither the task is called nor what makes the items of a `python` input. What is
decided about an earlier run is decided by the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from runner.destination import Destination, shorten
from runner.errors import ItemFault
from runner.item import BrokenRecord, Item
from runner.jobfile import Job
from runner.jobfile.origin import SetValue, set_values
from runner.jobfile.worst_case import WorstCase, worst_case
from runner.ledger.checkpoint import Checkpoint
from runner.outcome import ExitCode
from runner.raised import is_a, message_of, type_name
from runner.resumption import Foresight, foresee
from runner.run import Run
from runner.sources.base import Source
from runner.sources.decompression import SUFFIXES
from runner.sources.python_iterable import PythonOptions
from runner.sources.records import RecordSource
from runner.task import Task

SAMPLE_BYTES = 2**20
"""Of the input that are read to count or estimate its items; arbitrary."""


@dataclass(frozen=True, slots=True)
class InputFacts:
    """What is known of the input without reading more than the beginning.

    Attributes:
        kind: Its type.
        files: Number of files; `None` where it is none.
        size: Bytes of them, as they lie on the disk; `None` where one is no plain file.
        items: Items of a run, `--limit` included; `None` where that is unknown.
        is_estimate: Whether `items` is an estimate from the first MiB.
        item_bytes: Bytes of a record in the first MiB, on average.
        note: Why items are not counted, or empty.
    """

    kind: str
    files: int | None = None
    size: int | None = None
    items: int | None = None
    is_estimate: bool = False
    item_bytes: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class FirstItem:
    """The item that a run would begin with, as the task would get it.

    Attributes:
        index: Its index.
        place: File and line, or empty.
        value: The value as it is decoded; `None` too where there is none.
        typed: What a typed task gets, as its `repr`; empty where the task takes the value as it is.
        fault: Why it would fail before the task is called, or empty.
    """

    index: int
    place: str
    value: Any
    typed: str
    fault: str


@dataclass(frozen=True, slots=True)
class OutputFacts:
    """Where a run would publish.

    Attributes:
        path: As the job names it, `-` for standard output, `None` for none.
        effect: What becomes of what stands there: `create`, `replace`, `skip`, `refuse`, `write` (standard
            output) or `none`.
        size: Bytes of the file that stands there.
        dead_letter: Where failed items would go.
        has_dead_letter: Whether a file stands there, which would be replaced.
    """

    path: str | None
    effect: str
    size: int | None
    dead_letter: str
    has_dead_letter: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do now.

    Attributes:
        job: The job.
        path: Its file.
        root: The project root.
        values: Every value with its origin.
        input: The input.
        first: What it would begin with; `None` where that is not known without running.
        no_first: Why there is no `first`.
        checkpoint: Where an unfinished run has got to that would be gone on with.
        run_id: The name of that run.
        holder: Who seems to be at work on this output now, or `None`.
        output: The output.
        shortest: Seconds that the rate limit needs for the items left; `None` where there is none.
        worst: What one item can cost.
        said: What the run would say about an unfinished run that it does not go on with.
        status: `ready`, `skipped` or `refused`.
        message: Why it would be skipped or refused.
        exit_code: What the run would end with at once; `DONE` where it would begin.
    """

    job: Job
    path: Path
    root: Path
    values: tuple[SetValue, ...]
    input: InputFacts
    first: FirstItem | None
    no_first: str
    checkpoint: Checkpoint | None
    run_id: str | None
    holder: str | None
    output: OutputFacts
    shortest: float | None
    worst: WorstCase
    said: tuple[str, ...]
    status: str
    message: str
    exit_code: ExitCode


def make_plan(run: Run, *, said: list[str]) -> Plan:
    """Return what `run_job(run)` would do now; `said` collects what `run.say` is told.

    Raises:
        JobInvalid: As `run_job`.
        Broken: As `run_job`: the input is missing, or its beginning cannot be read.
    """
    ahead = foresee(run)
    job, source = run.job, ahead.source
    checkpoint = ahead.unfinished.checkpoint if ahead.unfinished is not None else None
    no_first = ""
    if isinstance(job.input, PythonOptions):
        no_first = f"only a run calls {job.input.call}"
    elif not source.is_repeatable:
        no_first = "it can be read only once, by the run"
    facts = _input_facts(run, source, no_first)
    first = None if no_first else _first_item(run, source, checkpoint)
    if not no_first and first is None:
        no_first = "there is none"
    status, message, code = _status(ahead)
    return Plan(
        job=job,
        path=run.loaded.path,
        root=run.loaded.root,
        values=tuple(set_values(run.loaded)),
        input=facts,
        first=first,
        no_first=no_first,
        checkpoint=checkpoint,
        run_id=ahead.unfinished.manifest.run_id if ahead.unfinished is not None else None,
        holder=ahead.destination.publication(run.files).holder(),
        output=_output_facts(run, ahead),
        shortest=_shortest(job, facts, checkpoint),
        worst=worst_case(job.retry, job.timeout),
        said=tuple(said),
        status=status,
        message=message,
        exit_code=code,
    )


def _status(ahead: Foresight) -> tuple[str, str, ExitCode]:
    if ahead.refusal is not None:
        return "refused", str(ahead.refusal), ExitCode.REFUSED
    if ahead.is_skipped:
        return "skipped", f"{ahead.destination.called} exists and `if_exists` is `skip`", ExitCode.DONE
    return "ready", "", ExitCode.DONE


def _input_facts(run: Run, source: Source, no_first: str) -> InputFacts:
    kind = str(run.job.input.model_dump().get("type"))
    if not isinstance(source, RecordSource):
        total = _limited(source.total, run.limit)
        files = source.total if kind == "files" else None
        return InputFacts(kind, files=files, items=total, note=no_first if total is None else "")
    sizes = [stream.size for stream in source.streams]
    size = None if None in sizes else sum(size or 0 for size in sizes)
    if no_first:
        return InputFacts(kind, files=len(sizes), size=size, note=no_first)
    sample = _sample(source.items())
    mean = sample.size / sample.items if sample.items else None
    if sample.is_all or (run.limit is not None and sample.items >= run.limit):
        return InputFacts(kind, len(sizes), size, _limited(sample.items, run.limit), False, mean)
    if any(Path(stream.name).suffix.lower() in SUFFIXES for stream in source.streams):
        note = "compressed: items are not counted without reading all of it"
        return InputFacts(kind, len(sizes), size, None, False, mean, note)
    assert size is not None
    estimate = round(sample.items * size / sample.read)
    return InputFacts(kind, len(sizes), size, _limited(estimate, run.limit), True, mean)


@dataclass(slots=True)
class _Sample:
    """The beginning of an input: items, their bytes, bytes read for them, and whether that is all."""

    items: int = 0
    size: int = 0
    read: int = 0
    is_all: bool = True


def _sample(items: Iterator[Item]) -> _Sample:
    sample = _Sample()
    ends: dict[str | None, int] = {}
    with closing(items):  # type: ignore[type-var]  # a generator
        for item in items:
            length = item.raw.length if isinstance(item.raw, BrokenRecord) else len(item.raw)
            sample.items += 1
            sample.size += length
            ends[item.where.file] = (item.where.offset or 0) + length
            if sample.size >= SAMPLE_BYTES:
                sample.is_all = False
                break
    sample.read = sum(ends.values())
    return sample


def _limited(items: int | None, limit: int | None) -> int | None:
    if limit is None or items is None:
        return items
    return min(items, limit)


def _first_item(run: Run, source: Source, checkpoint: Checkpoint | None) -> FirstItem | None:
    index, position = (checkpoint.index, checkpoint.position) if checkpoint is not None else (0, None)
    if run.limit is not None and index >= run.limit:
        return None
    items = source.items(index, position)
    try:
        item = next(islice(items, 1), None)
        return _as_the_task_sees_it(item, source, run.task) if item is not None else None
    finally:
        close: Callable[[], None] | None = getattr(items, "close", None)
        if close is not None:
            close()


def _as_the_task_sees_it(item: Item, source: Source, task: Task) -> FirstItem:
    file, line, _ = item.where
    place = "" if file is None else file if line is None else f"{file}:{line}"
    if isinstance(item.raw, BrokenRecord):
        return FirstItem(item.index, place, None, "", item.raw.reason)
    value = None
    try:
        value = source.decode(item)
        # A copy: the conversion is the user's code too, and may change what it is given.
        typed = repr(task.convert(source.decode(item))) if task.convert is not None else ""
        return FirstItem(item.index, place, value, "" if typed == repr(value) else typed, "")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # user code: told as what the item would fail with
        told = message_of(error) if is_a(error, ItemFault) else f"{type_name(error)}: {message_of(error)}"
        return FirstItem(item.index, place, value, "", told)


def _output_facts(run: Run, ahead: Foresight) -> OutputFacts:
    destination = ahead.destination
    size = None
    if destination.output is not None and destination.output.exists():
        size = destination.output.stat().st_size
    return OutputFacts(
        path=destination.shown,
        effect=_effect(destination, size, ahead),
        size=size,
        dead_letter=shorten(destination.dead_letter, run.loaded.root),
        has_dead_letter=destination.dead_letter.exists(),
    )


def _effect(destination: Destination, size: int | None, ahead: Foresight) -> str:
    if destination.is_stdout:
        return "write"
    if destination.output is None:
        return "none"
    if ahead.is_skipped:
        return "skip"
    if size is None:
        return "create"
    return "replace" if destination.may_replace else "refuse"


def _shortest(job: Job, facts: InputFacts, checkpoint: Checkpoint | None) -> float | None:
    """Return the seconds below which the rate limit cannot get, each item tried once."""
    if job.rate_limit is None or facts.items is None:
        return None
    left = facts.items - (checkpoint.items if checkpoint is not None else 0)
    return max(0, left - job.rate_limit.burst) / job.rate_limit.rate
