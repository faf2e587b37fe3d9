"""What a job file says, as frozen models: defaults, ranges, and nothing that is not a decision of the user.

`input` and `output` are declared by their base classes here. Which kind they are is decided by
`runner.jobfile.validate` from the registries, before the job itself is validated: a union in the model
would report the faults of every kind at once, with pydantic's names of the branches in their places.
"""

from __future__ import annotations

import keyword
import re
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from runner.jobfile.scalar import show_value
from runner.options import Options
from runner.policies.rate_limit import RateLimitOptions
from runner.policies.retry import RetryOptions
from runner.sinks.base import SinkOptions
from runner.sizing import default_size, default_window
from runner.sources.base import SourceOptions
from runner.units import Duration, Size

LARGEST_POOL = 1024  # arbitrary; threads beyond it cost more than they wait for
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LONGEST_NAME = 100  # leaves room for what is put around it in a file name
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)


def fault(code: str, message: str, *, hint: str | None = None, key: str | None = None) -> PydanticCustomError:
    """Return an error that a validator raises to say exactly what a problem will say.

    Args:
        code: The problem's code.
        message: The sentence after the path, beginning with `must be` or the like.
        hint: What to write instead.
        key: The key below the validated value that is at fault, where it is not the value itself.
    """
    context = {"message": message, "hint": hint, "key": key}
    return PydanticCustomError(code, "{message}", context)


def _check_version(value: object) -> object:
    if type(value) is int and value == 1:
        return value
    hint = "write 1" if value in ("1", "1.0", 1.0) else None
    raise fault("bad-value", f"must be 1, the only version there is, got {show_value(value)}", hint=hint)


def _check_name(value: str) -> str:
    if len(value) > _LONGEST_NAME:
        raise fault("bad-value", f"must have at most {_LONGEST_NAME} characters, got {len(value)}")
    if not NAME.fullmatch(value):
        better = re.sub(r"[^a-z0-9._-]+", "-", value.lower()).strip("-._")
        rule = "must be lower-case letters, digits, `.`, `_` and `-`, beginning with a letter or digit"
        hint = f"write `{better}`" if better and len(better) < _LONGEST_NAME else None
        raise fault("bad-value", f"{rule}, got {show_value(value)}", hint=hint)
    return value


def _check_timezone(value: str) -> str:
    if value == "UTC":
        return value
    import zoneinfo  # reads files; most jobs never need it

    try:
        zoneinfo.ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        from runner.jobfile.problem import nearest

        near = nearest(value, sorted(zoneinfo.available_timezones()))
        hint = f"did you mean `{near}`?" if near else "write `UTC` or a name such as `Europe/Berlin`"
        raise fault("bad-value", f"must be an IANA time zone, got {show_value(value)}", hint=hint) from None
    return value


def _check_param(value: object) -> object:
    if isinstance(value, dict):
        raise fault("wrong-type", "must be text, a number, true, false, null or a list, got a mapping")
    return value


def _check_call(value: str) -> str:
    parts = value.split(".")
    if len(parts) > 1 and all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        return value
    dotted = value.replace(":", ".").removesuffix("()")
    hint = (
        f"write `{dotted}`"
        if dotted != value and "." in dotted and " " not in dotted
        else "such as `package.module.function`"
    )
    raise fault(
        "bad-value", f"must be a dotted path to a function or class, got {show_value(value)}", hint=hint
    )


def _check_chunksize(value: object) -> object:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    code = "out-of-range" if is_number else "bad-value" if isinstance(value, str) else "wrong-type"
    raise fault(code, f"must be a whole number of at least 1, or auto, got {show_value(value)}")


def _check_secret_source(value: object) -> object:
    if isinstance(value, dict | SecretSource):
        return value
    # Somebody may have written the secret itself here: the value is not shown.
    hint = "{env: NAME} or {file: PATH}; never the secret itself"
    raise fault("wrong-type", "must say where the secret is", hint=hint)


def _check_secrets(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise fault("wrong-type", "must be a mapping of names of secrets to where they are")  # not shown either


def _check_secret_names(value: dict[str, SecretSource]) -> dict[str, SecretSource]:
    for name in value:
        if not SECRET_NAME.fullmatch(name):
            rule = "must be a name of letters, digits and `_`, as in `${secret.API_TOKEN}`"
            raise fault("bad-value", rule, key=name)
    return value


def _check_variable(value: str) -> str:
    if SECRET_NAME.fullmatch(value):
        return value
    # Perhaps the secret itself, so it is not shown.
    raise fault("bad-value", "must be the name of an environment variable")


Name = Annotated[
    str, AfterValidator(_check_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"})
]
Timezone = Annotated[str, AfterValidator(_check_timezone)]
DottedPath = Annotated[str, AfterValidator(_check_call)]
Param = Annotated[object, AfterValidator(_check_param)]
Chunksize = Annotated[int | Literal["auto"], BeforeValidator(_check_chunksize)]


class SecretSource(Options):
    """Where the value of a secret is: one of its keys."""

    env: Annotated[str, AfterValidator(_check_variable)] | None = None
    """Name of the environment variable that holds it."""
    file: str | None = None
    """Path of the file that holds it, from the project root; one line end at its end is left out."""

    @model_validator(mode="after")
    def _check_one(self) -> SecretSource:
        if (self.env is None) == (self.file is None):
            raise fault("bad-value", "must have one of the keys env and file")
        return self


class TaskOptions(Options):
    """What is called for every item; `task: a.b.c` is short for `task: {call: a.b.c}`."""

    call: DottedPath
    """Dotted path of a function or class, importable from the project root."""
    with_: dict[str, object] = Field(default_factory=dict, alias="with")
    """Keyword arguments for every call, or for building the class."""

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"call": data}
        if not isinstance(data, dict | cls):
            message = f"must be a dotted path or a mapping with the key call, got {show_value(data)}"
            raise fault("wrong-type", message)
        return data


class PoolOptions(Options):
    """How many items at once, in which order, and how far ahead of the output."""

    engine: Literal["threads"] = "threads"
    """What the workers are."""
    size: int = Field(default_factory=default_size, ge=1, le=LARGEST_POOL)
    """Number of workers; by default the usable CPUs and four more, at most 32."""
    chunksize: Chunksize = 1
    """Items handed to a worker at a time: a whole number, or `auto`."""
    ordered: bool = True
    """Whether results come in the order of the input, or as they are finished."""
    window: int = Field(default_factory=lambda given: _default_window(given), ge=1)
    """Most items drawn and not yet delivered; by default 4 x size x chunksize, at least 1024."""
    window_bytes: Size = 256 * 2**20
    """The same bound in bytes of raw input; one item always passes."""

    @model_validator(mode="after")
    def _check_window(self) -> PoolOptions:
        if self.window < self.chunk:
            message = f"must be at least the chunksize ({self.chunk}), got {self.window}"
            raise fault("window-too-small", message, key="window")
        return self

    @property
    def chunk(self) -> int:
        """Return the chunksize as a number for bounds; `auto` begins with 1."""
        return self.chunksize if isinstance(self.chunksize, int) else 1


def _default_window(given: dict[str, Any]) -> int:
    chunksize = given["chunksize"] if isinstance(given["chunksize"], int) else 1
    return default_window(int(given["size"]), chunksize)


class Tolerance(Options):
    """How many items may fail: a count, a percentage of the items, both (either trips), or none for all."""

    count: int | None = Field(default=None, ge=0)
    """Most failures; `None` for no such limit."""
    percent: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    """Most failures per hundred items; `None` for no such limit."""

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, data: Any) -> Any:
        if isinstance(data, cls):
            return data
        if data == "all" and isinstance(data, str):
            return {}
        if type(data) is int:
            if data < 0:
                raise fault("out-of-range", f"must be at least 0, got {data}")
            return {"count": data}
        percent = _PERCENT.fullmatch(data) if isinstance(data, str) else None
        if percent:
            if float(percent[1]) > 100:
                raise fault("out-of-range", f"must be at most 100%, got {show_value(data)}")
            return {"percent": float(percent[1])}
        if isinstance(data, dict) and any(value is not None for value in data.values()):
            return data
        got = "an empty mapping" if isinstance(data, dict) else show_value(data)
        forms = "a count, a percentage such as 1%, {count: 200, percent: 1} or all"
        hint = f"write {data}%" if isinstance(data, float) and 0 <= data <= 100 else None
        raise fault("bad-value", f"must be {forms}, got {got}", hint=hint)


class FailureOptions(Options):
    """What happens to items that fail."""

    tolerate: Tolerance = Field(default_factory=lambda: Tolerance(count=0))
    """How many may fail before the run does: a count, a percentage, both, or `all`."""
    dead_letter: str | None = None
    """Where failed items are written; by default beside the output."""


def dead_letter_beside(output: PurePath) -> PurePath:
    """Return `out/hubs.failed.jsonl` for `out/hubs.csv` and `out/hubs.csv.gz`: the default."""
    name = output.name.removesuffix(".gz")
    return output.with_name(f"{name.removesuffix(PurePath(name).suffix)}.failed.jsonl")


class CommitOptions(Options):
    """How often what is done is made durable, so that a killed run goes on from there."""

    every: Duration = 1.0
    """Time from an outcome to its commit; `0s` for items that are too dear to do twice."""
    bytes: Size = 8 * 2**20
    """Output that is committed at once when it has come together sooner."""


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


Seconds = Annotated[Duration, Field(gt=0)]
RetryRules = Annotated[list[RetryOptions], BeforeValidator(_as_list)]


class Job(Options):
    """One batch job."""

    version: Annotated[int, BeforeValidator(_check_version), WithJsonSchema({"const": 1})]
    """Version of the file format: 1."""
    name: Name
    """Name of the job, also part of file names."""
    description: str | None = None
    """What the job is for."""
    owner: str | None = None
    """Who answers for it."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Free text by key, for reports."""
    params: dict[str, Param] = Field(default_factory=dict)
    """Values that `-p name=value` can change, with their defaults; `null` must be given."""
    secrets: Annotated[
        dict[str, Annotated[SecretSource, BeforeValidator(_check_secret_source)]],
        BeforeValidator(_check_secrets),
        AfterValidator(_check_secret_names),
    ] = Field(default_factory=dict)
    """Where each `${secret.NAME}` is that is not in the environment variable NAME."""
    timezone: Timezone = "UTC"
    """IANA time zone in which `${run.date}` is taken."""
    input: SerializeAsAny[SourceOptions]
    """Where the items come from."""
    task: TaskOptions
    """What is called for every item."""
    pool: PoolOptions = Field(default_factory=PoolOptions)
    """How many at once and in which order."""
    timeout: Seconds | None = None
    """The longest that one attempt at an item may take; by default there is no limit."""
    deadline: Seconds | None = None
    """The longest that one start of the run may take, before it stops with all that is done committed."""
    rate_limit: RateLimitOptions | None = None
    """Most attempts that may start in a time, over the whole pool; by default there is no limit."""
    retry: RetryRules = Field(default_factory=list)
    """Which failed attempts are made again, how often and when: a rule, or a list of rules."""
    failures: FailureOptions = Field(default_factory=FailureOptions)
    """What happens to items that fail."""
    output: SerializeAsAny[SinkOptions]
    """Where the rows go; by default JSON lines in `out/NAME.jsonl`."""
    commit: CommitOptions = Field(default_factory=CommitOptions)
    """How often what is done is made durable."""
    durability: Literal["power", "process"] = "power"
    """What committed work survives: a power loss, or only the end of the process, a kill included."""
    unfinished: Literal["resume", "restart", "refuse"] = "resume"
    """What to do where an unfinished run of this job stands: go on, start over, or leave it alone."""
