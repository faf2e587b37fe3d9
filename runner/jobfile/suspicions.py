"""What is legal in a job file and most likely not what somebody meant: warnings, each with its code.

A warning that is wrong one time in twenty teaches people to read none of them. So a rule is here only
where the job would be better without what it warns of in nearly every case, and it is silent where a value
that it needs is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.jobfile.model import Job
from runner.jobfile.places import Places
from runner.jobfile.plain import texts_in
from runner.jobfile.problem import KeyPath, Problem, Severity
from runner.jobfile.scalar import clip
from runner.jobfile.targets import Target, input_patterns, reads, targets
from runner.jobfile.tree import Document
from runner.sinks.base import FileSinkOptions
from runner.sources.dead_letter import DeadLetterOptions
from runner.sources.inline import InlineOptions
from runner.sources.number_range import RangeOptions

_PARAM = re.compile(r"(?<!\$)\$\{params\.([^{}]*)\}")
_ENV_DEFAULT = re.compile(r"(?<!\$)\$\{env\.([A-Za-z0-9_]+):-([^{}]+)\}", re.ASCII)
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|API_?KEY|(?:PRIVATE|SECRET|ACCESS)_KEY)$",
    re.IGNORECASE | re.ASCII,
)
_MAY_BE_SECRET = {("task", "with"), ("input", "with")}
_NEARLY_A_REFERENCE = re.compile(
    r"\$\{\{ ?((?:params|env|secret)\.\w+) ?\}\}|\{\{ ?((?:params|env|secret)\.\w+) ?\}\}|"
    r"(?<!\$)\$((?:params|env|secret)\.\w+)|\$\(((?:params|env|secret)\.\w+)\)",
    re.ASCII,
)


_OF_THE_SHELL = re.compile(r"~(?=/|$)|\$([A-Z_][A-Z0-9_]*)(?=/|$)", re.ASCII)


def suspect(job: Job, document: Document, root: Path, unknown: frozenset[KeyPath]) -> list[Problem]:
    """Return what is suspicious in one job.

    Args:
        job: The job, its references resolved.
        document: The file it was read from.
        root: Where its paths start.
        unknown: Paths whose value is not known.
    """
    places = Places(document)
    return [
        *_tolerance(job, places),
        *_known_number_of_items(job, document, places),
        *_overwritten_inputs(job, places, root, unknown),
        *_retries(job, places),
        *_texts(document, places),
    ]


def _retries(job: Job, places: Places) -> Iterable[Problem]:
    if not job.retry and job.deadline is None and job.rate_limit is None:
        return ()
    from runner.jobfile.retry_suspicions import suspect_retries  # most jobs have none of these

    return suspect_retries(job, places)


def unused_params(job: Job, document: Document) -> list[Problem]:
    """Return a warning for each parameter that nothing in the file refers to."""
    places = Places(document)
    used = {match[1] for _, text in texts_in(document.data) for match in _PARAM.finditer(text)}
    return [
        _warning(
            places,
            "unused-param",
            f"nothing refers to the parameter `{clip(name)}`",
            ("params", name),
            hint=f"refer to it as ${{params.{clip(name)}}}, or remove it",
            is_key=True,
        )
        for name in job.params
        if name not in used
    ]


def _tolerance(job: Job, places: Places) -> Iterator[Problem]:
    tolerate = job.failures.tolerate
    if tolerate.count is None and tolerate.percent in (None, 100):
        message = (
            "`failures.tolerate` lets every item fail: a run in which nothing works ends with exit code 0"
        )
        hint = "50% lets half of them fail and still notices that"
        yield _warning(places, "tolerates-all", message, ("failures", "tolerate"), hint=hint)


def _known_number_of_items(job: Job, document: Document, places: Places) -> Iterator[Problem]:
    """What the number of items says, where the job file itself holds it."""
    options, pool = job.input, job.pool
    if isinstance(options, InlineOptions):
        total, key = len(options.items), "items"
    elif isinstance(options, RangeOptions):
        # Not `len`, which has a limit.
        total, key = max(0, -((options.start - options.stop) // options.step)), "stop"
    else:
        return
    if total == 0:
        yield _warning(places, "no-items", "the input is empty: there is nothing to do", ("input", key))
        return
    chunks = -(-total // pool.chunk)
    has_size = "size" in document.data.get("pool", {})  # else it depends on the machine
    if has_size and pool.chunk > 1 and chunks < pool.size / 2:
        message = (
            f"`pool.chunksize` makes {chunks} chunk{'s' if chunks > 1 else ''} of {clip(str(total))} items: "
            f"{pool.size - chunks} of {pool.size} workers will have nothing to do"
        )
        hint = f"at most {max(1, total // pool.size)} gives each worker something"
        yield _warning(places, "chunksize-idles-pool", message, ("pool", "chunksize"), hint=hint)


def _overwritten_inputs(
    job: Job, places: Places, root: Path, unknown: frozenset[KeyPath]
) -> Iterator[Problem]:
    written = targets(job, root)
    if isinstance(job.output, FileSinkOptions) and job.output.if_exists == "skip":
        written = [target for target in written if target.what != "output"]
    if isinstance(job.input, DeadLetterOptions):  # those that fail once more take the place of the old ones
        written = [target for target in written if target.what != "dead letters"]
    told: set[str] = set()
    for key, pattern in input_patterns(job, root):
        for target in written:
            is_known = not {key, key[:2], target.key} & unknown
            if is_known and target.what not in told and reads(pattern, target.path):
                told.add(target.what)
                yield _overwritten(places, target, key, is_glob=pattern != target.path)


def _overwritten(places: Places, target: Target, key: KeyPath, *, is_glob: bool) -> Problem:
    verb = "takes" if is_glob else "reads"
    reads_it = f"`input.path` {verb}: the next run would read what this one wrote"
    message = f"the {target.what} go to a file that {reads_it}"
    message = message.replace("the output go", "the output goes")
    line = places.document.value_span(key).line
    hint = "write to another folder" if is_glob else "write to another file"
    notes = (f"`input.path` is on line {line}",) if line else ()
    severity: Severity = "warning" if is_glob else "error"  # a glob may come to it one day
    return places.problem("overwrites-input", message, target.key, severity=severity, hint=hint, notes=notes)


def _texts(document: Document, places: Places) -> Iterator[Problem]:
    """What single texts look like."""
    for path, text in texts_in(document.data):
        shell = _OF_THE_SHELL.match(text) if _is_path(path) else None
        if shell is not None:
            message = f"`{clip(shell[0])}` is for a shell: here it is the name of a folder"
            hint = f"write ${{env.{clip(shell[1] or 'HOME')}}}"
            yield _warning(places, "looks-like-reference", message, path, hint=hint)
            continue
        if "$" not in text and "{{" not in text:
            continue
        for match in _ENV_DEFAULT.finditer(text):
            if _SECRET_NAME.search(match[1]):
                message = f"the default of `{clip(match[1])}`, a secret by its name, stands in the job file"
                kind = "secret" if path[:2] in _MAY_BE_SECRET else "env"
                hint = f"write ${{{kind}.{clip(match[1])}}}, so that a run without it stops"
                yield _warning(places, "secret-default", message, path, hint=hint)
        nearly = _NEARLY_A_REFERENCE.search(text)
        if nearly is not None and path[:1] not in {("description",), ("labels",), ("owner",)}:
            name = next(group for group in nearly.groups() if group)
            message = f"`{clip(nearly[0])}` is no reference: it is taken as it stands"
            yield _warning(places, "looks-like-reference", message, path, hint=f"write ${{{clip(name)}}}")


def _is_path(path: KeyPath) -> bool:
    return path[:2] in {("input", "path"), ("output", "path"), ("failures", "dead_letter")}


def _warning(
    places: Places,
    code: str,
    message: str,
    path: KeyPath,
    *,
    hint: str | None = None,
    is_key: bool = False,
    notes: tuple[str, ...] = (),
) -> Problem:
    return places.problem(code, message, path, is_key=is_key, severity="warning", hint=hint, notes=notes)
