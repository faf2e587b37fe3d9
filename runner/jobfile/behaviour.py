"""What a job file says, whatever it looks like: every value by its path, with defaults, on any machine alike.

Two files with the same values behave the same, however they are written. Read without an environment and
without a date: a reference to them stands for itself, so that nothing of a machine, and no secret, gets
into a review. A default that depends on the machine is `DEFAULT`.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.jobfile.document import read_document
from runner.jobfile.fingerprint import flatten
from runner.jobfile.keys import Kinds
from runner.jobfile.load import read_job
from runner.jobfile.model import Job, PoolOptions
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath, Problem
from runner.jobfile.tree import Document
from runner.sizing import LARGEST_DEFAULT, LARGEST_POOL, default_window

DEFAULT = "default"
"""In the place of a number that each machine has of its own."""

_ANY_DAY = datetime.date(2000, 1, 1)  # no value depends on it: `${run.date}` stands for itself


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One side of a comparison.

    Attributes:
        document: The file.
        job: The job, with values that fit in the place of unresolved references; `None` where the file
            has errors.
        values: Values by dotted path; empty where there is no job.
        problems: What is wrong with the file.
    """

    document: Document
    job: Job | None
    values: Mapping[str, Any]
    problems: tuple[Problem, ...]


def read_behaviour(
    source: str | bytes,
    file: str,
    kinds: Kinds,
    *,
    params: Mapping[str, str] | None = None,
    overrides: Sequence[tuple[str, str]] = (),
) -> Behaviour:
    """Read a job file without an environment.

    Args:
        source: Its text.
        file: The name to show in problems.
        kinds: The registries.
        params: `-p name=value`.
        overrides: `--set path=value`.
    """
    document = read_document(source, file)
    places = Places(document)
    job, problems = read_job(
        document,
        kinds,
        params=params or {},
        overrides=overrides,
        environ=None,
        today=_ANY_DAY,
        strict_env=False,
        places=places,
    )
    if job is None:
        return Behaviour(document, None, {}, problems)
    values = flatten(job, places.holes) | _of_machine(job.pool, places.holes)
    return Behaviour(document, job, values, problems)


def declared_params(document: Document) -> frozenset[str]:
    """Return the names of the parameters that a file declares."""
    params = document.data.get("params") if isinstance(document.data, dict) else None
    return frozenset(params) if isinstance(params, dict) else frozenset()


def _of_machine(pool: PoolOptions, holes: Collection[KeyPath]) -> dict[str, str]:
    """Return the values of the pool that are not the same everywhere."""
    found = {} if "size" in pool.model_fields_set else {"pool.size": DEFAULT}
    if "window" in pool.model_fields_set:
        return found
    least, largest = pool.size, pool.size
    if found or ("pool", "size") in holes:
        least, largest = 1, LARGEST_DEFAULT if found else LARGEST_POOL
    is_open = default_window(least, pool.chunk) != default_window(largest, pool.chunk)
    if is_open or ("pool", "chunksize") in holes:
        found["pool.window"] = DEFAULT
    return found
