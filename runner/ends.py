"""The two ends of a run: the input opened, the destination found, and neither in the other's way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from runner.destination import Destination, fault, find_destination
from runner.errors import UsageError
from runner.run import Run, open_source
from runner.sinks.base import FileSinkOptions
from runner.sources.base import Source
from runner.sources.dead_letter import DeadLetterOptions
from runner.task import code_files


class _Written(NamedTuple):
    key: str
    what: str
    path: Path


def open_ends(run: Run) -> tuple[Source, Destination]:
    """Return where the items come from and where the rows go.

    Raises:
        JobInvalid: An output path is a directory, or a file that the run reads: its input, the job file, the
            settings, the code of the task.
        UsageError: The log would be written to such a file.
        InputBroken: See `runner.sources.base.SourceOptions.open`.
    """
    source, destination = open_source(run), find_destination(run.loaded, run.config, limit=run.limit)
    written = list(_written(run, destination))
    for what, path in _read(run, source):
        for target in written:
            if not _is_same(path, target.path) or _may_replace(run, what, target):
                continue
            if target.key == "--log-file":
                run.log.close()  # how the run ended is not written there, either
                raise UsageError(f"--log-file is {what}: write the log to a file of its own")
            raise fault(
                run.loaded,
                target.key,
                f"is {what}, and the {target.what} would take its place: write to another file",
                code="overwrites-input",
            )
    return source, destination


def _written(run: Run, destination: Destination) -> Iterator[_Written]:
    if destination.output is not None:
        yield _Written("output.path", "output", destination.output)
    key = "failures.dead_letter" if run.job.failures.dead_letter is not None else "output.path"
    yield _Written(key, "dead letters", destination.dead_letter)
    yield _Written("--log-file", "log", run.log.path)


def _read(run: Run, source: Source) -> Iterable[tuple[str, Path]]:
    """Yield each file that a run reads, with what it is."""
    yield "this job file", run.loaded.path
    yield "the settings of the runner", run.loaded.root / "config.yaml"
    if run.config.operator is not None:
        yield "the settings of the runner", run.config.operator
    functions = [run.task.function] if run.factory is None else [run.task.function, run.factory]
    for name, path in code_files(run.loaded.root, *functions).items():
        yield f"{name}, code that this job is made of", path
    for path in source.files:
        yield "a file of the input", path


def _is_same(one: Path, other: Path) -> bool:
    """Return whether both lead to one file, which need not be there. Two names of one file are two."""
    if one.name != other.name and not one.is_symlink():
        return False  # as with nearly all of many input files
    return os.path.realpath(one) == os.path.realpath(other)


def _may_replace(run: Run, what: str, target: _Written) -> bool:
    """Return whether a file of the input may be replaced all the same."""
    if what != "a file of the input":
        return False
    if target.what == "dead letters":  # what fails once more takes the place of the old ones
        return isinstance(run.job.input, DeadLetterOptions)
    options = run.job.output
    return target.what == "output" and isinstance(options, FileSinkOptions) and options.if_exists == "skip"
