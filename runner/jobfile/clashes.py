"""What is suspicious between the job files of one call: two that write one file, two of one name."""

from __future__ import annotations

from collections.abc import Iterable

from runner.jobfile.load import LoadedJob
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath, Problem
from runner.jobfile.targets import targets


def find_clashes(jobs: Iterable[LoadedJob]) -> list[Problem]:
    """Return a warning for each job file that gets in the way of one before it, at most one for each pair."""
    writers: dict[str, LoadedJob] = {}
    names: dict[tuple[str, str], LoadedJob] = {}
    problems: list[Problem] = []
    for loaded in jobs:
        if loaded.job is None:
            continue
        clashing = _claim_targets(loaded, writers, problems)
        name = (str(loaded.root), loaded.job.name)
        first = names.setdefault(name, loaded)
        if first is not loaded and str(first.path) not in clashing:
            message = f"{first.path} has the name `{loaded.job.name}` too"
            problems.append(_warning(loaded, "same-name", message, ("name",)))
    return problems


def _claim_targets(loaded: LoadedJob, writers: dict[str, LoadedJob], problems: list[Problem]) -> set[str]:
    """Enter what a job writes, and report what another one writes too; return the other files."""
    assert loaded.job is not None
    clashing: set[str] = set()
    for target in targets(loaded.job, loaded.root):
        if target.key in loaded.unknown:
            continue
        first = writers.setdefault(target.path, loaded)
        if first is loaded or str(first.path) in clashing:
            continue
        clashing.add(str(first.path))
        verb = "goes" if target.what == "output" else "go"
        message = f"the {target.what} of this job {verb} to a file that {first.path} writes too"
        # Where no output is given, its path is made of the name.
        key = target.key if "output" in loaded.document.data else ("name",)
        problems.append(_warning(loaded, "same-output", message, key))
    return clashing


def _warning(loaded: LoadedJob, code: str, message: str, path: KeyPath) -> Problem:
    hint = "give one of them another name" if code == "same-name" else "give one of them another path"
    return Places(loaded.document).problem(code, message, path, severity="warning", hint=hint)
