"""What makes two runs the same job: a hash of every value that decides about the bytes of the output.

Kept as one hash a key, so that a refusal to go on can name each key that changed without keeping any
value, which may have come from the environment. Of a secret not even a hash is kept: the values of the job
hold its name (`runner.masking.Sealed`), and what stands behind the name may change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from runner.jobfile.model import Job

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
}
_FREE_BLOCKS = {"pool"}
_KEPT = {"pool.ordered"}


def fingerprint(job: Job, *, limit: int | None) -> dict[str, str]:
    """Return a hash for each key that may not change between a run and its resumption.

    Everything is compared but what DESIGN 5 lists as free: the size and windows of the pool, timeouts,
    retries, rate limits, the tolerance, descriptions, commit settings.
    """
    values = job.model_dump(mode="json", by_alias=True)
    flat = {"--limit": limit} if limit is not None else {}
    for key, value in _flat(values, ""):
        block = key.partition(".")[0]
        is_free = key in _FREE or block in _FREE or any(key.startswith(f"{free}.") for free in _FREE)
        if key in _KEPT or not (is_free or block in _FREE_BLOCKS):
            flat[key] = value
    return {key: digest(value) for key, value in sorted(flat.items())}


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the keys whose values differ, in order."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def digest(value: object) -> str:
    """Return a short hash of a value that JSON can say."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _flat(value: Any, path: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        return [(path, value)]
    return [
        pair for key, inner in value.items() for pair in _flat(inner, f"{path}.{key}" if path else str(key))
    ]
