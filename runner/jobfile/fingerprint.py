"""What makes two runs the same job: a hash of every value that decides about the bytes of the output.

Kept as one hash a key, so that a refusal to go on can name each key that changed without keeping any
value, which may have come from the environment. Of a secret not even a hash is kept: the values of the job
hold its name (`runner.masking.Sealed`), and what stands behind the name may change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from runner.jobfile.model import Job, dead_letter_beside
from runner.jobfile.plain import put
from runner.jobfile.problem import KeyPath

_FREE = {
    "description",
    "owner",
    "labels",
    "secrets",
    "unfinished",
    "version",
    "timezone",
    "commit",
    "durability",
    "failures.tolerate",
    "output.if_exists",
    "input.append",
    "timeout",
    "deadline",
    "rate_limit",
    "retry",
    "tests",
}
_FREE_BLOCKS = {"pool"}
_KEPT = {"pool.ordered"}
_PLAIN = re.compile(r"[\w-]+")


def fingerprint(job: Job, *, limit: int | None) -> dict[str, str]:
    """Return a hash for each key that may not change between a run and its resumption."""
    decisive = {key: value for key, value in flatten(job).items() if decides(key)}
    if limit is not None:
        decisive["--limit"] = limit
    return {key: digest(value) for key, value in sorted(decisive.items())}


def decides(key: str) -> bool:
    """Return whether a key of `flatten` may not change between a run and its resumption.

    Every key may not but those that DESIGN 5 lists as free: the size and windows of the pool, timeouts,
    retries, rate limits, the tolerance, descriptions, commit settings.
    """
    if key in _KEPT:
        return True
    block = key.partition(".")[0]
    is_free = key in _FREE or block in _FREE or any(key.startswith(f"{free}.") for free in _FREE)
    return not (is_free or block in _FREE_BLOCKS)


def flatten(job: Job, holes: Mapping[KeyPath, str] | None = None) -> dict[str, Any]:
    """Return every value of a job, defaults included, by its dotted path.

    A mapping is taken apart unless it is empty, a list is one value. A key that is no plain word is
    quoted: `task.with."a.b"` is not `task.with.a.b`.

    Args:
        job: The job.
        holes: By path, texts to put in the place of values.
    """
    return {dotted(path): value for path, value in walk(job, holes)}


def walk(job: Job, holes: Mapping[KeyPath, str] | None = None) -> Iterator[tuple[KeyPath, Any]]:
    """Yield what `flatten` returns, each value with the path of its keys."""
    # Not as JSON: that would make NaN and infinity null.
    values = job.model_dump(mode="python", by_alias=True)
    if _is_default_dead_letter(job):
        values["failures"]["dead_letter"] = None
    for path, text in (holes or {}).items():
        put(values, path, text)
    yield from _leaves(values, ())


def dotted(path: KeyPath) -> str:
    """Return a path as `flatten` spells it."""
    keys = (str(part) for part in path)
    return ".".join(key if _PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False) for key in keys)


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the keys whose values differ, in order."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def digest(value: object) -> str:
    """Return a short hash of a value that JSON can say; 1, 1.0 and true are three values."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, (*path, str(key)))


def _is_default_dead_letter(job: Job) -> bool:
    """Return whether the dead letters are said to go where they go anyway."""
    own, output = job.failures.dead_letter, getattr(job.output, "path", None)
    if own is None or output is None or not PurePath(output).name:
        return False
    return PurePath(own) == dead_letter_beside(PurePath(output))
