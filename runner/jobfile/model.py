"""What a job file says, as frozen models: defaults, ranges, and nothing that is not a decision of the user.

`input` and `output` are declared by their base classes here. Which kind they are is decided by
`runner.jobfile.validate` from the registries, before the job itself is validated: a union in the model
would report the faults of every kind at once, with pydantic's names of the branches in their places.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, model_validator

from runner.jobfile.job_tests import JobTest
from runner.jobfile.scalar import show_value
from runner.jobfile.values import (
    DOTTED_PATH,
    SECRET_NAME,
    Chunksize,
    DottedPath,
    Name,
    Param,
    Seconds,
    Timezone,
    Variable,
    Version,
    fault,
)
from runner.options import OR_ONE, Options
from runner.policies.rate_limit import RateLimitOptions
from runner.policies.retry import RetryOptions
from runner.sinks.base import SinkOptions
from runner.sizing import LARGEST_POOL, default_size, default_window
from runner.sources.base import SourceOptions
from runner.units import Duration, Size

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)


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


class SecretSource(Options):
    """Where the value of a secret is: one of its keys."""

    env: Variable | None = None
    """Name of the environment variable that holds it. Example: `SHOP_TOKEN`"""
    file: str | None = None
    """Path of the file that holds it, from the project root; one line end at its end is left out.
    Example: `/run/secrets/api_token`"""

    @model_validator(mode="after")
    def _check_one(self) -> SecretSource:
        if (self.env is None) == (self.file is None):
            raise fault("bad-value", "must have one of the keys env and file")
        return self


class TaskOptions(Options):
    """What is called for every item; `task: a.b.c` is short for `task: {call: a.b.c}`."""

    SHORT_FORM: ClassVar[dict[str, Any]] = DOTTED_PATH

    call: DottedPath
    """Dotted path of the function, importable from the project root; never one of the standard library.
    Example: `jobs.airports.nearest_hub`"""
    with_: dict[str, object] = Field(default_factory=dict, alias="with")
    """Keyword arguments, the same for every call; by default none. Example: `{radius_km: 500}`"""

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
    """What the workers are. Example: `threads`"""
    size: int = Field(default_factory=default_size, ge=1, le=LARGEST_POOL)
    """Number of workers; by default the usable CPUs and 4 more, at most 32. Example: `16`"""
    chunksize: Chunksize = 1
    """Items handed to a worker at a time. `auto` is 1 for threads. Example: `100`"""
    ordered: bool = True
    """Rows in the order of the input (`true`), or as they are finished (`false`). Example: `false`"""
    window: int = Field(default_factory=lambda given: _default_window(given), ge=1)
    """Most items drawn from the input and not yet delivered, at least `chunksize`; by default
    4 x `size` x `chunksize`, at least 1024. Example: `4096`"""
    window_bytes: Size = 256 * 2**20
    """The same bound in bytes of raw input; one item always passes. Example: `64MiB`"""

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

    SHORT_FORM: ClassVar[dict[str, Any]] = {
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": r"^(all|\d+(\.\d+)?%)$",
        "description": "a count, a percentage, `all`",
    }

    count: int | None = Field(default=None, ge=0)
    """Most failures; by default no such limit. Example: `200`"""
    percent: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    """Most failures in a hundred items; by default no such limit. Example: `0.5`"""

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
    """How many items may fail; more, and the run ends with exit code 1 and publishes nothing; by default
    `0`. Example: `1%`"""
    dead_letter: str | None = None
    """The file of failed items, a path from the project root; by default beside the output: its name and
    `.failed.jsonl`, without its own `.jsonl`. Example: `out/bad.jsonl`"""


def dead_letter_beside(output: PurePath) -> PurePath:
    """Return `out/hubs.failed.jsonl` for `out/hubs.jsonl`, `out/hubs.csv.failed.jsonl` for `out/hubs.csv`.

    So outputs side by side that differ in their suffix do not share a file of dead letters.
    """
    return output.with_name(f"{output.name.removesuffix('.jsonl')}.failed.jsonl")


class CommitOptions(Options):
    """How often what is done is made durable, so that a killed run goes on from there."""

    every: Duration = 1.0
    """Longest time from an outcome to its commit. `0s` commits at once, for items that are too dear to do
    twice. Example: `10s`"""
    bytes: Size = 8 * 2**20
    """So much output is committed sooner. Example: `64MiB`"""


def _as_list(value: object) -> object:
    if isinstance(value, dict | list):
        return [value] if isinstance(value, dict) else value
    message = f"must be a mapping such as {{attempts: 4}}, or a list of such rules, got {show_value(value)}"
    raise fault("wrong-type", message)


RetryRules = Annotated[list[RetryOptions], BeforeValidator(_as_list), Field(json_schema_extra=OR_ONE)]


class Job(Options):
    """One batch job."""

    version: Version
    """Version of this format. Example: `1`"""
    name: Name
    """Name of the job; part of file names. Example: `nearest-hub`"""
    description: str | None = None
    """What the job is for. Example: `Prices in euro.`"""
    owner: str | None = None
    """Who answers for it. Example: `data-platform`"""
    labels: dict[str, str] = Field(default_factory=dict)
    """Free text by key, for people and their tools; by default none. Example: `{team: examples}`"""
    params: dict[str, Param] = Field(default_factory=dict)
    """What `-p name=value` may change, with defaults. `null`: must be given for each run; by default none.
    Example: `{country: IS}`"""
    secrets: Annotated[
        dict[str, Annotated[SecretSource, BeforeValidator(_check_secret_source)]],
        BeforeValidator(_check_secrets),
        AfterValidator(_check_secret_names),
    ] = Field(default_factory=dict)
    """Where each `${secret.NAME}` is that is not in the environment variable `NAME`; by default none.
    Example: `{API_TOKEN: {file: /run/secrets/api_token}}`"""
    timezone: Timezone = "UTC"
    """In which time zone `${run.date}` is taken. Example: `Europe/Berlin`"""
    input: SerializeAsAny[SourceOptions]
    """Where items come from. Example: `{type: text, path: a.txt}`"""
    task: TaskOptions
    """What is called for every item. Example: `tasks.shout`"""
    pool: PoolOptions = Field(default_factory=PoolOptions)
    """How many at once, in which order. Example: `{size: 16}`"""
    timeout: Seconds | None = None
    """The longest that one attempt at an item may take; by default no limit. Example: `30s`"""
    deadline: Seconds | None = None
    """The longest that one start of the run may take; then it stops with exit code 1, all that is done
    committed, and the same command goes on; by default no limit. Example: `2h`"""
    rate_limit: RateLimitOptions | None = None
    """Most attempts that may start in a time, over the whole pool, retries included; by default no limit.
    Example: `50/s`"""
    retry: RetryRules = Field(default=[])
    """Which failed attempts are made again, how often, when; by default one attempt an item.
    Example: `{attempts: 4}`"""
    failures: FailureOptions = Field(default_factory=FailureOptions)
    """What happens to items that fail. Example: `{tolerate: 1%}`"""
    output: SerializeAsAny[SinkOptions]
    """Where rows go; by default JSON lines in `out/NAME.jsonl`. Example: `{type: none}`"""
    commit: CommitOptions = Field(default_factory=CommitOptions)
    """How often finished work is made durable. Example: `{every: 5s}`"""
    durability: Literal["power", "process"] = "power"
    """What committed work survives. `power`: a power loss. `process`: only the end of the process, a kill
    included; quicker on slow disks. Example: `process`"""
    unfinished: Literal["resume", "restart", "refuse"] = "resume"
    """What a new run does where an unfinished run of this job stands. `resume`: go on. `restart`: start over.
    `refuse`: exit code 3. Example: `refuse`"""
    tests: list[JobTest] = Field(default=[])
    """Items, and what must come of each; taken literally, without references; by default none.
    Example: `[{name: a, item: tea, row: {line: TEA!}}]`"""
