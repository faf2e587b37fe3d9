"""A registry of small kinds: these tests stand on the contract, not on what the kinds happen to be."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NoReturn

import pytest

from runner.jobfile import Document, Job, Kinds, Problem, read_document, read_job
from runner.sinks.base import FileSinkOptions, SinkOptions
from runner.sources.base import RecordOptions, SourceOptions

NOW = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
JOB = """\
version: 1
name: nearest-hub
input: {type: csv, path: airports.csv}
task: jobs.airports.nearest_hub
"""


class CsvOptions(RecordOptions):
    """A source with a required key and one of its own."""

    type: Literal["csv"] = "csv"
    path: str
    """Where the file stands."""
    delimiter: str = ","
    """What stands between fields."""

    def open(self, root: Path) -> NoReturn:
        """Refuse: these tests open nothing."""
        raise NotImplementedError


class JsonLinesOptions(RecordOptions):
    """A source with a union."""

    type: Literal["jsonl"] = "jsonl"
    path: str | list[str]
    """Where the files stand."""

    def open(self, root: Path) -> NoReturn:
        """Refuse: these tests open nothing."""
        raise NotImplementedError


class RangeOptions(SourceOptions):
    """A source of numbers."""

    type: Literal["range"] = "range"
    stop: int
    """The first number that is left out."""

    def open(self, root: Path) -> NoReturn:
        """Refuse: these tests open nothing."""
        raise NotImplementedError


class JsonLinesSink(FileSinkOptions):
    """A sink with a path."""

    type: Literal["jsonl"] = "jsonl"

    def encoder(self) -> None:
        """Return nothing: these tests write nothing."""


class DiscardSink(SinkOptions):
    """A sink without keys."""

    type: Literal["none"] = "none"

    def encoder(self) -> None:
        """Return nothing: these tests write nothing."""


KINDS = Kinds(
    {"csv": CsvOptions, "jsonl": JsonLinesOptions, "range": RangeOptions},
    {"jsonl": JsonLinesSink, "none": DiscardSink},
)

Read = Callable[..., tuple[Job | None, tuple[Problem, ...]]]


@pytest.fixture
def job_text() -> str:
    """Return the shortest job."""
    return JOB


@pytest.fixture
def read() -> Read:
    """Return a function that reads a job from its text with the small kinds."""

    def read_text(
        source: str | bytes | Document,
        *,
        params: Mapping[str, str] | None = None,
        overrides: Sequence[tuple[str, str]] = (),
        environ: Mapping[str, str] | None = None,
        strict_env: bool = True,
    ) -> tuple[Job | None, tuple[Problem, ...]]:
        document = source if isinstance(source, Document) else read_document(source, "job.yaml")
        return read_job(
            document,
            KINDS,
            params=params or {},
            overrides=overrides,
            environ=environ or {},
            today=NOW.date(),
            strict_env=strict_env,
        )

    return read_text
