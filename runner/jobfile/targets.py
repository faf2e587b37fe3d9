"""The files that a job reads and writes, by the text of the job file alone: nothing on the disk is looked at.

So two paths are one file only if they are written so, or lead there by `.` and `..`; a link is met by
the run itself.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import NamedTuple

from runner.jobfile.model import Job, dead_letter_beside
from runner.jobfile.problem import KeyPath
from runner.sinks.base import STDOUT, FileSinkOptions

_GLOB = frozenset("*?[")


class Target(NamedTuple):
    """A file that is written: the key from whose value its name comes, its path, and what is in it."""

    key: KeyPath
    path: str
    what: str


def targets(job: Job, root: Path) -> list[Target]:
    """Return the output and the dead letters of a job, as far as they are files that somebody named."""
    found = []
    output = job.output.path if isinstance(job.output, FileSinkOptions) else None
    if output is not None and output != STDOUT:
        found.append(Target(("output", "path"), _absolute(root, output), "output"))
    if job.failures.dead_letter is not None:
        path = _absolute(root, job.failures.dead_letter)
        found.append(Target(("failures", "dead_letter"), path, "dead letters"))
    elif found:
        path = str(dead_letter_beside(PurePath(found[0].path)))
        found.append(Target(("output", "path"), path, "dead letters"))
    return found


def input_patterns(job: Job, root: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield the paths and globs that the input reads, absolute, with their keys."""
    paths = getattr(job.input, "path", None)
    if isinstance(paths, str):
        yield ("input", "path"), _absolute(root, paths)
    elif isinstance(paths, list):
        for number, path in enumerate(paths):
            yield ("input", "path", number), _absolute(root, path)


def reads(pattern: str, path: str) -> bool:
    """Return whether a path or glob of an input takes the file at `path`."""
    if _GLOB.isdisjoint(pattern):
        return pattern == path
    return _matches(pattern.split("/"), path.split("/"))


def _matches(patterns: list[str], parts: list[str]) -> bool:
    # Where each row says how much of the path the patterns so far can take: no pattern is tried twice.
    reached = {0}
    for pattern in patterns:
        if pattern == "**":
            reached = {end for start in reached for end in range(start, len(parts))}
        else:
            reached = {at + 1 for at in reached if at < len(parts) and _fits(parts[at], pattern)}
    return len(parts) in reached


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))


def _absolute(root: Path, name: str) -> str:
    return os.path.normpath(root / name)
