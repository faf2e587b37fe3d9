"""The operator's settings: what a job file may name, how much is logged, where state is kept.

Two files count: the operator's (`--config`, else `$RUNNER_CONFIG`) and the project's (`config.yaml` in
the project root). The project's can narrow the operator's, never widen it: a task must be allowed by
both lists, and where the operator names a state folder or a log level, that one holds.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from runner.errors import JobInvalid, UsageError
from runner.jobfile.document import read_document
from runner.jobfile.problem import Problem, format_path
from runner.jobfile.scalar import show_value
from runner.options import Options

LogLevel = Literal["debug", "info", "warning", "error"]


class TaskSettings(Options):
    """What a job file may name as its task."""

    allow: list[str] | None = None
    """Patterns of dotted paths (`jobs.*`); `None` allows all but the standard library."""


class LogSettings(Options):
    """What is written to a run's log."""

    level: LogLevel = "info"
    """The least level that is written."""


class Settings(Options):
    """One `config.yaml`."""

    tasks: TaskSettings = Field(default_factory=TaskSettings)
    """What a job file may name."""
    log: LogSettings = Field(default_factory=LogSettings)
    """The log."""
    state: str = ".runner"
    """Folder of the runner's own records; a relative one starts at the project root."""


def _every_key() -> str:
    from runner.jobfile.keys import keys_of
    from runner.jobfile.problem import in_words
    from runner.jobfile.reference import block_in

    inner = {name: block_in(field.annotation) for name, field in Settings.model_fields.items()}
    return in_words(
        [
            path
            for name, block in inner.items()
            for path in ([f"`{name}.{key}`" for key in keys_of(block)] if block else [f"`{name}`"])
        ],
        last="and",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force for one run.

    Attributes:
        allow: Lists of patterns; a task must match one of each.
        log_level: The least level that is logged.
        state: Folder for logs and for work without an output path, absolute.
        operator: The file beside that of the project, where one was named.
    """

    allow: tuple[tuple[str, ...], ...]
    log_level: LogLevel
    state: Path
    operator: Path | None = None


def load_config(root: Path, *, operator: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the settings for a project.

    Args:
        root: The project root.
        operator: The file named with `--config`.
        environ: Where `RUNNER_CONFIG` is looked up when there is none.

    Raises:
        UsageError: A file that was named cannot be read.
        JobInvalid: A file has faults.
    """
    if operator is None and environ.get("RUNNER_CONFIG"):
        operator = Path(environ["RUNNER_CONFIG"])
    settings = [] if operator is None else [_read(operator)]
    project = root / "config.yaml"
    if os.path.lexists(project):  # whatever it is: what cannot be read must not mean that all is allowed
        settings.append(_read_of_project(project))
    # The defaults are asked of the classes: without a file, pydantic needs to build none of the three.
    states = [one.state for one in settings if "state" in one.model_fields_set]
    levels = [one.log.level for one in settings if "level" in one.log.model_fields_set]
    return Config(
        allow=tuple(tuple(one.tasks.allow) for one in settings if one.tasks.allow is not None),
        log_level=(levels or [LogSettings.model_fields["level"].default])[0],
        state=root / (states or [Settings.model_fields["state"].default])[0],
        operator=operator,
    )


def _read_of_project(path: Path) -> Settings:
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return _read(path)
        reason = "it is no file"
    except OSError as error:
        reason = error.strerror or str(error)
    except UsageError as error:
        reason = str(error.__cause__.strerror) if isinstance(error.__cause__, OSError) else str(error)
    if path.is_symlink():
        reason = f"it is a link to {os.readlink(path)}: {reason}"
    message = f"the settings cannot be read: {reason}; mend or remove {path}"
    raise JobInvalid([Problem(code="bad-value", message=message, file=str(path))])


def _read(path: Path) -> Settings:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the settings {path}: {error.strerror}") from error
    document = read_document(source, str(path))
    problems = list(document.problems)
    if document.is_readable and not problems:
        try:
            return Settings.model_validate(document.data if document.data is not None else {})
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False):
                place = tuple(part for part in detail["loc"])
                is_key = detail["type"] == "extra_forbidden"
                span = document.key_span(place) if is_key else document.value_span(place)
                what = "unknown key" if is_key else detail["msg"]
                if detail["type"] == "model_type":
                    what = f"must be a mapping of keys to values, got {show_value(detail['input'])}"
                problems.append(
                    Problem(
                        code="unknown-key" if is_key else "bad-value",
                        message=f"`{format_path(place)}`: {what}" if place else f"the settings {what}",
                        file=str(path),
                        path=format_path(place),
                        notes=(f"the settings are {_every_key()}",),
                        **span._asdict(),
                    )
                )
    raise JobInvalid(problems)
