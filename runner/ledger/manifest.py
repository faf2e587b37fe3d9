"""The manifest: what a run was when it began, so that another process can tell whether it is the same.

Written once, before the first item. No value of the job is in it, only hashes: a value may have come from
the environment.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run was when it began.

    Attributes:
        run_id: Its name, the same over all resumptions.
        job: Name of the job.
        date: ISO date of its first start, in the job's time zone: what `${run.date}` is.
        fingerprint: A hash for each key of the job that may not change.
        code: Hash of the module that the task comes from, and of that of a `python` input.
        input: What shows that the input is the same; see `runner.sources.base.Source.identity`.
        is_repeatable: Whether the input can be read again.
    """

    run_id: str
    job: str
    date: str
    fingerprint: Mapping[str, str]
    code: Mapping[str, str]
    input: Sequence[Mapping[str, Any]]
    is_repeatable: bool

    @property
    def input_sizes(self) -> dict[str, int]:
        """Bytes of each input file when the run began."""
        return {file["path"]: file["size"] for file in self.input if "size" in file}

    def to_bytes(self) -> bytes:
        """Return the content of the file: JSON, with a checksum over all its other values."""
        values = {"format": FORMAT, **asdict(self)}
        return json.dumps({**values, "check": _check(values)}, indent=1).encode() + b"\n"

    @staticmethod
    def from_bytes(data: bytes) -> Manifest:
        """Read the content of the file; raise ValueError with a sentence where it cannot be trusted."""
        try:
            values = json.loads(data)
            if values.pop("check") != _check(values):
                raise ValueError("its manifest is damaged")
            if values.pop("format") != FORMAT:
                raise ValueError("it was written by another version of runner")
            return Manifest(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("its manifest is damaged") from error


def _check(values: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(values).encode()):08x}"


def differences(before: Manifest, now: Manifest, *, accept: frozenset[str], may_grow: bool) -> list[str]:
    """Return what keeps `now` from going on with `before`, each a phrase that names what changed.

    Args:
        before: The unfinished run.
        now: The run that would go on.
        accept: What may have changed all the same: `code`, `input`.
        may_grow: Whether an input file may have grown (its begin must be the same).
    """
    found = [
        f"`{key}` changed"
        for key in sorted(before.fingerprint.keys() | now.fingerprint.keys())
        if before.fingerprint.get(key) != now.fingerprint.get(key)
    ]
    if "code" not in accept:
        found += [
            f"the code of {name} changed (--accept code goes on with the new one)"
            for name in sorted(before.code.keys() | now.code.keys())
            if before.code.get(name) != now.code.get(name)
        ]
    if found:
        return found  # another input of the job explains another identity
    return _input_differences(before, now, accept=accept, may_grow=may_grow)


def _input_differences(
    before: Manifest, now: Manifest, *, accept: frozenset[str], may_grow: bool
) -> list[str]:
    old = {file["path"]: file for file in before.input}
    new = {file["path"]: file for file in now.input}
    found = [f"the input file {path} is gone" for path in old if path not in new]
    found += [f"the input file {path} is new" for path in new if path not in old]
    for path in old.keys() & new.keys():
        was, is_now = old[path], new[path]
        if is_now.get("size", 0) < was.get("size", 0):
            found.append(f"the input file {path} shrank from {was['size']:,} to {is_now['size']:,} bytes")
        elif was.get("head") != is_now.get("head"):
            found.append(f"the input file {path} has another content")
        elif was.get("size") != is_now.get("size"):
            if not may_grow:
                found.append(
                    f"the input file {path} grew from {was['size']:,} to {is_now['size']:,} bytes "
                    "(`input.append: allow` goes on with it)"
                )
        elif was.get("mtime_ns") != is_now.get("mtime_ns") and "input" not in accept:
            found.append(
                f"the input file {path} was written since, with the same size "
                "(--accept input goes on where you know that its content is the same)"
            )
    return sorted(found)
