"""A path to a loaded job: the file, the flags, the references, the models, and all that is wrong."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner import sinks, sources
from runner.errors import UsageError
from runner.jobfile.document import MAX_BYTES, read_document
from runner.jobfile.flags import apply_overrides, read_params
from runner.jobfile.interpolate import Interpolation
from runner.jobfile.keys import Kinds
from runner.jobfile.model import Job, TaskOptions
from runner.jobfile.places import Places
from runner.jobfile.problem import MOST_SHOWN, KeyPath, Problem, in_order, nearest
from runner.jobfile.scalar import show_value
from runner.jobfile.secret import SecretReader, blank_values
from runner.jobfile.tree import Document
from runner.jobfile.validate import Validated, check_between, validate_job
from runner.jobfile.values import NAME
from runner.masking import NO_SECRETS, Secrets
from runner.paths import check_current_folder
from runner.sources.base import SourceOptions

_SETTINGS = "config.yaml"
_PROJECT = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class LoadedJob:
    """A job file that was read.

    Attributes:
        job: The job; `None` where there are errors, or where a value that it cannot do without
            comes from a variable or parameter that is not set and only `validate` wants to know.
        problems: In the order of the file.
        document: The file as data with places.
        path: The file as the user named it.
        root: Folder from which the job's paths and imports start.
        date: What `${run.date}` stands for.
        places: Where each value comes from.
        secrets: The values of the secrets that the job names; none where `validate` only looks.
        task: The task, also where other parts of the file have errors.
        input: The input, likewise.
        unknown: Paths whose value is not known, so that nothing can be said about it.
    """

    job: Job | None
    problems: tuple[Problem, ...]
    document: Document
    path: Path
    root: Path
    date: datetime.date
    places: Places
    secrets: Secrets = NO_SECRETS
    task: TaskOptions | None = None
    input: SourceOptions | None = None
    unknown: frozenset[KeyPath] = frozenset()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the problems that keep the job from running."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def text(self) -> str:
        """Return the text of the file, for showing the lines that problems point at, without secrets."""
        return blank_values(self.document)


def find_root(job_path: Path) -> Path:
    """Return the nearest folder at or above the job file that is marked as a project, else the file's own."""
    if not job_path.is_absolute():
        check_current_folder()
    folder = job_path.parent.resolve()
    for candidate in (folder, *folder.parents):
        if has_mark(candidate):
            return candidate
    return folder


def has_mark(folder: Path) -> bool:
    """Return whether a folder is marked as the root of a project."""
    # Settings that cannot be read are settings all the same: with another root, they would not hold.
    return os.path.lexists(folder / _SETTINGS) or (folder / _PROJECT).is_file()


def load_job(
    path: Path,
    *,
    params: Mapping[str, str] | None = None,
    overrides: Sequence[tuple[str, str]] = (),
    environ: Mapping[str, str],
    now: datetime.datetime,
    date: datetime.date | None = None,
    strict_env: bool = True,
    source: bytes | None = None,
) -> LoadedJob:
    """Read and validate a job file; what the user got wrong in it is in `problems`.

    Args:
        path: The file.
        params: `-p name=value`, each read as the type of its default.
        overrides: `--set path=value`, in their order.
        environ: The environment.
        now: The time of the run's first start; `${run.date}` is its date in the job's time zone.
        date: Another date for `${run.date}`.
        strict_env: Whether values that only a run needs (an unset variable or secret, a parameter
            without a value) are errors. Where false, the first two are warnings and the last nothing,
            and no secret is read.
        source: What the file holds, where it is not to be read from `path`.

    Raises:
        UsageError: There is no such file, or it cannot be read.
    """
    document = read_document(read_file(path) if source is None else source, str(path))
    places = Places(document)
    if date is None:
        data = document.data
        date = _date_in(data.get("timezone") if isinstance(data, dict) else None, now)
    root = find_root(path)
    reader = SecretReader(environ, root, strict_env)
    found, problems = _read(
        document,
        Kinds(sources.KINDS, sinks.KINDS),
        places,
        params=params or {},
        overrides=overrides,
        environ=environ,
        today=date,
        strict_env=strict_env,
        reader=reader,
    )
    loaded = LoadedJob(None, problems, document, path, root, date, places, reader.secrets)
    if found is None:
        return loaded
    unknown = frozenset(places.unknown)
    return replace(loaded, job=found.job, task=found.task, input=found.input, unknown=unknown)


def read_job(
    document: Document,
    kinds: Kinds,
    *,
    params: Mapping[str, str],
    overrides: Sequence[tuple[str, str]],
    environ: Mapping[str, str] | None,
    today: datetime.date,
    strict_env: bool,
    reader: SecretReader | None = None,
    places: Places | None = None,
) -> tuple[Job | None, tuple[Problem, ...]]:
    """Return the job of a document that was read, and all problems; see `load_job`.

    Without an `environ`, what only a run knows stays a reference, or has a value that fits in its
    place; see `Interpolation`; and no secret is looked up. `reader` is left with the values of the
    secrets, `places` with where each value comes from.
    """
    if reader is None and environ is not None:
        reader = SecretReader(environ, Path(), strict_env)
    found, problems = _read(
        document,
        kinds,
        places if places is not None else Places(document),
        params=params,
        overrides=overrides,
        environ=environ,
        today=today,
        strict_env=strict_env,
        reader=reader,
    )
    return found.job if found is not None else None, problems


def _read(
    document: Document,
    kinds: Kinds,
    places: Places,
    *,
    params: Mapping[str, str],
    overrides: Sequence[tuple[str, str]],
    environ: Mapping[str, str] | None,
    today: datetime.date,
    strict_env: bool,
    reader: SecretReader | None,
) -> tuple[Validated | None, tuple[Problem, ...]]:
    problems = list(document.problems)
    if not document.is_readable:
        return None, _cut(problems)
    data = deepcopy(document.data)
    if not isinstance(data, dict):
        if data is None and not problems:
            hint = "`runner init` writes one to start from, `runner explain empty-file` shows one"
            problems.append(places.problem("empty-file", "the file holds no job", (), hint=hint))
        elif document.is_sound(()):
            message = f"a job file must be a mapping of keys to values, got {show_value(data)}"
            problems.append(places.problem("wrong-type", message, ()))
        return None, _cut(problems)
    _add_default_output(data)
    problems += apply_overrides(data, overrides, places)
    interpolation = Interpolation(_declared(data), frozenset(), environ, today, strict_env, places)
    problems += _take_params(data, params, interpolation)
    data = interpolation.resolve(data)
    problems += interpolation.problems
    found = validate_job(data, kinds, places)
    problems += found.problems
    if reader is not None:
        problems += reader.look_up(data, interpolation.secrets, places)
    if found.job is not None and not any(problem.severity == "error" for problem in problems):
        problems += check_between(found.job, places)
    if any(problem.severity == "error" for problem in problems):
        found = replace(found, job=None)
    return found, _cut(problems)


def _declared(data: Mapping[str, Any]) -> dict[str, Any] | None:
    declared = data.get("params", {})
    return dict(declared) if isinstance(declared, dict) else None


def _take_params(
    data: dict[str, Any], given: Mapping[str, str], interpolation: Interpolation
) -> list[Problem]:
    """Put the values of `-p` in the place of the defaults; tell the interpolation which have none."""
    declared = interpolation.params
    if declared is None:
        return []
    places = interpolation.places
    values, problems = read_params(declared, given, places)
    unknown = {name for name in values if not places.is_known(("params", name))}
    for name, value in declared.items():
        if value is None and name not in given and name not in unknown:
            unknown.add(name)
            if interpolation.strict_env:
                message = f"the parameter `{name}` has no value"
                hint = f"give it with -p {name}=..., or a default here"
                problems.append(
                    places.problem("missing-param", message, ("params", name), is_key=True, hint=hint)
                )
    if values:
        data["params"] = values
    interpolation.params = values
    interpolation.unknown_params = frozenset(unknown)
    return problems


def _add_default_output(data: dict[str, Any]) -> None:
    if "output" not in data:
        name = data.get("name")
        stem = name if isinstance(name, str) and NAME.fullmatch(name) else "job"  # a bad one is told apart
        data["output"] = {"type": "jsonl", "path": f"out/{stem}.jsonl"}


def _date_in(timezone: object, now: datetime.datetime) -> datetime.date:
    """Return the date of `now` in the job's time zone; a zone that there is none of is reported elsewhere."""
    if not isinstance(timezone, str) or timezone == "UTC":
        return now.astimezone(datetime.UTC).date()
    import zoneinfo  # reads files; most jobs never need it

    try:
        return now.astimezone(zoneinfo.ZoneInfo(timezone)).date()
    except (KeyError, ValueError, OSError):
        return now.astimezone(datetime.UTC).date()


def _cut(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return the problems in order, and of very many only the first with a word about the others."""
    ordered = in_order(problems)
    if len(ordered) <= MOST_SHOWN:
        return ordered
    rest = ordered[MOST_SHOWN:]
    message = f"{len(rest)} more faults stand below"
    first = rest[0]
    last = Problem(
        code="too-many-faults",
        message=message,
        file=first.file,
        line=first.line,
        column=first.column,
        end_line=first.end_line,
        end_column=first.end_column,
        hint="fix those above and look again",
    )
    return (*ordered[:MOST_SHOWN], last)


_NO_JOBS = {
    ".py": ("--from", "Python code"),
    **dict.fromkeys((".csv", ".tsv", ".jsonl", ".ndjson", ".txt"), ("--input", "data")),
}
"""By suffix, what is easily taken for a job file: the flag of `runner init` for it, and what it is."""


def read_file(path: Path) -> bytes:
    """Return a job file, or more of it than a job file may have; raise UsageError where it cannot be read."""
    try:
        with path.open("rb") as file:
            if path.suffix in _NO_JOBS:
                flag, what = _NO_JOBS[path.suffix]
                raise UsageError(
                    f"{path} is {what}, not a job file; this makes one: runner init {flag} {path}"
                )
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        if not path.is_absolute():
            check_current_folder()
        files = _job_files(path.parent)
        stems = {Path(file).stem: file for file in files}  # the suffix is of all of them
        near = stems.get(path.name) or stems.get(nearest(path.stem, stems) or "")
        hint = f"; did you mean {path.parent / near}?" if near else ""
        raise UsageError(f"there is no job file {path}{hint}") from error
    except IsADirectoryError as error:
        files = _job_files(path)
        hint = f"; name a file in it, such as {path / files[0]}" if files else ""
        raise UsageError(f"{path} is a folder, not a job file{hint}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read the job file {path}: {reason}") from error


def _job_files(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix in {".yaml", ".yml"})
    except OSError:
        return []
