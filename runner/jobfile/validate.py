"""Data to a validated job: the kind of each block is chosen first, then every part is validated by its model.

Choosing first keeps unions out of the models, so that a fault in a csv input is told by csv alone.
All parts are validated whatever the others say: the faults of a file are shown together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runner.jobfile.faults import Explainer
from runner.jobfile.keys import LATER_KINDS, Kinds, blocks_of
from runner.jobfile.locate import Fault, locate
from runner.jobfile.model import Job, TaskOptions
from runner.jobfile.places import Places
from runner.jobfile.plain import put
from runner.jobfile.problem import Problem, in_words, nearest
from runner.jobfile.review_tests import check_tests
from runner.jobfile.scalar import UnreadableValue, read_scalar, show_value
from runner.jobfile.stand_in import StandIns
from runner.jobfile.targets import targets
from runner.options import Options
from runner.sources.base import SourceOptions

_MOST_ERRORS = 1000  # arbitrary; a hundred are shown, and the rest need not be in the order of the file


@dataclass(frozen=True, slots=True)
class Validated:
    """What came of the values of a job file.

    Attributes:
        job: The job; `None` where something is wrong or unknown.
        task: Its task, also where only other parts are wrong.
        input: Its input, likewise.
        problems: Every problem of the values.
    """

    job: Job | None
    task: TaskOptions | None
    input: SourceOptions | None
    problems: list[Problem]


def validate_job(data: dict[str, Any], kinds: Kinds, places: Places) -> Validated:
    """Return the job, or as much of it as is right, and every problem of its values.

    Args:
        data: The content of the file, references resolved.
        kinds: The registries of inputs and outputs.
        places: Where each value stands; values that are known to be wrong already are passed over.
    """
    problems: list[Problem] = []
    chosen: dict[str, type[Options]] = {}
    for block in ("input", "output"):
        if block in data:
            model = _choose(block, data[block], kinds, places, problems)
            if model is not None:
                chosen[block] = model
    job, faults = _validate(data, chosen)
    if _read_environment(data, faults, places):
        job, faults = _validate(data, chosen)
    stand_ins = StandIns(places.holes)
    while stand_ins.fill(data, faults):
        job, faults = _validate(data, chosen)
    explainer = Explainer(data, kinds, blocks_of(chosen), places)
    problems += explainer.explain(fault for fault in faults if _is_news(fault, data))
    if job is not None:
        return Validated(job, job.task, job.input, problems)
    task = _part(data, "task", TaskOptions, places)
    input_ = _part(data, "input", chosen["input"], places) if "input" in chosen else None
    assert isinstance(task, TaskOptions | None)
    assert isinstance(input_, SourceOptions | None)
    return Validated(None, task, input_, problems)


def _part(data: dict[str, Any], key: str, model: type[Options], places: Places) -> Options | None:
    """Return one block of a job that is wrong elsewhere, or `None` where the block itself is wrong."""
    if key not in data or not places.is_known((key,)):
        return None
    try:
        return model.model_validate(data[key])
    except ValidationError:
        return None


def check_between(job: Job, places: Places) -> list[Problem]:
    """Return what is wrong between blocks: one file for two things, idle workers, faulty tests."""
    return [*_check_targets(job, places), *_check_size(job, places), *check_tests(job, places)]


def _check_targets(job: Job, places: Places) -> list[Problem]:
    written = [target.path for target in targets(job, Path("/"))]
    if len(set(written)) == len(written):
        return []
    message = "`failures.dead_letter` must not be the output"
    hint = "give it a name of its own, or remove it"
    return [places.problem("path-clash", message, ("failures", "dead_letter"), hint=hint)]


def _check_size(job: Job, places: Places) -> list[Problem]:
    pool = job.pool
    least = pool.size * pool.chunk
    if pool.window >= least:
        return []
    message = (
        f"`pool.window` should be at least size x chunksize ({pool.size} x {pool.chunk} = {least}), "
        f"got {pool.window}: some workers will have nothing to do"
    )
    return [places.problem("window-too-small", message, ("pool", "window"), severity="warning")]


def _choose(
    block: str, value: Any, kinds: Kinds, places: Places, problems: list[Problem]
) -> type[Options] | None:
    """Return the options model of a block by its `type`, or report why there is none."""
    registry, path = kinds.of(block), (block, "type")
    all_kinds = in_words(registry)
    if not isinstance(value, dict):
        if places.is_known((block,)):
            hint = f"such as {{type: {next(iter(registry))}}}"
            message = f"`{block}` must be a mapping with the key type, got {show_value(value)}"
            problems.append(places.problem("wrong-type", message, (block,), hint=hint))
        return None
    if "type" not in value:
        near = nearest("kind" if "kind" in value else "type", value)
        hint = f"did you mean `type` instead of `{near}`?" if near else f"one of {all_kinds}"
        message = f"`{block}` needs the key `type`"
        problems.append(places.problem("missing-key", message, (block,), is_key=True, hint=hint))
        return None
    kind = value["type"]
    if isinstance(kind, str) and kind in registry:
        return registry[kind]
    if places.is_known(path):
        if isinstance(kind, str) and kind in LATER_KINDS[block]:
            message = f"{block} of type `{kind}` is not built yet"
            problems.append(places.problem("not-built-yet", message, path, hint=f"there is {all_kinds}"))
        else:
            message = f"`{block}.type` must be {all_kinds}, got {show_value(kind)}"
            found = nearest(kind, registry) if isinstance(kind, str) else None
            advice = f"did you mean `{found}`?" if found else None
            problems.append(places.problem("bad-value", message, path, hint=advice))
    return None


def _validate(data: dict[str, Any], chosen: dict[str, type[Options]]) -> tuple[Job | None, list[Fault]]:
    faults: list[Fault] = []
    parts = {key: value for key, value in data.items() if key not in {"input", "output"}}
    for block, model in chosen.items():
        try:
            parts[block] = model.model_validate(data[block])
        except ValidationError as error:
            faults += _faults(_errors(error), model, (block,), data[block])
    job = None
    try:
        job = Job.model_validate(parts)
    except ValidationError as error:
        faults += _faults(_errors(error), Job, (), data)
    return job, faults


def _errors(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False)[:_MOST_ERRORS]


def _faults(
    errors: Iterable[ErrorDetails], model: type[Options], prefix: tuple[str, ...], data: Any
) -> list[Fault]:
    return [locate(error, model, prefix, data) for error in errors]


def _is_news(fault: Fault, data: dict[str, Any]) -> bool:
    """Return whether a fault says more than that a block whose kind is at fault has been left out."""
    return not (fault.error["type"] == "missing" and len(fault.path) == 1 and fault.path[0] in data)


def _read_environment(data: dict[str, Any], faults: list[Fault], places: Places) -> bool:
    """Read texts of the environment as numbers or booleans where a key wants one; return whether any was.

    The environment holds nothing but text. `size: ${env.WORKERS:-8}` can only mean the number.
    """
    has_changed = False
    for fault in faults:
        value = places.environment.get(fault.path)
        if not isinstance(value, str) or fault.error["type"].startswith("string_"):
            continue
        try:
            scalar = read_scalar(value)
        except UnreadableValue:
            continue
        if scalar is not None and not isinstance(scalar, str):
            put(data, fault.path, scalar)
            has_changed = True
    return has_changed
