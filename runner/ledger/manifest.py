"""The manifest: what a run was when it began, so that another process can tell whether it is the same.

Written once, before the first item. No value of the job is in it, only hashes: a value may have come from
the environment.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

FORMAT = 1

Check = Callable[[str], Literal["same", "changed", "unsure", "torn"]]
"""Reads an input file again, as far as it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run was when it began.

    Attributes:
        run_id: Its name, the same over all resumptions.
        job: Name of the job.
        date: ISO date of its first start, in the job's time zone: what `${run.date}` is.
        fingerprint: A hash for each key of the job that may not change.
        code: Hash of each file of code, by its path from the project root.
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


def differences(
    before: Manifest,
    now: Manifest,
    *,
    accept: frozenset[str],
    may_grow: bool,
    check: Check,
) -> list[str]:
    """Return what keeps `now` from going on with `before`, each a phrase that names what changed.

    Args:
        before: The unfinished run.
        now: The run that would go on.
        accept: What may have changed all the same: `code`, `input`.
        may_grow: Whether an input file may have grown (what was read of it must be the same).
        check: Reads an input file again as far as the unfinished run has read it, and says whether that is
            the same. Called only where size, time or inode of the file are not.
    """
    found = [
        f"`{key}` changed"
        for key in sorted(before.fingerprint.keys() | now.fingerprint.keys())
        if before.fingerprint.get(key) != now.fingerprint.get(key)
    ]
    if "code" not in accept:
        names = sorted(before.code.keys() | now.code.keys())
        changed = [name for name in names if before.code.get(name) != now.code.get(name)]
        if changed:
            found.append(f"the code in {', '.join(changed)} changed (--accept code goes on with the new one)")
    if found:
        return found  # another input of the job explains another identity
    old = {file["path"]: file for file in before.input}
    new = {file["path"]: file for file in now.input}
    found = [f"the input file {path} is gone" for path in old if path not in new]
    found += [f"the input file {path} is new" for path in new if path not in old]
    for path in old.keys() & new.keys():
        told = _input_difference(old[path], new[path], accept=accept, may_grow=may_grow, check=check)
        if told:
            found.append(f"the input file {path} {told}")
    return sorted(found)


def _input_difference(
    was: Mapping[str, Any],
    is_now: Mapping[str, Any],
    *,
    accept: frozenset[str],
    may_grow: bool,
    check: Check,
) -> str:
    if "size" in was and "size" not in is_now:
        return "is no regular file any more, and can be read only once"
    sizes = f"from {was.get('size', 0):,} to {is_now.get('size', 0):,} bytes"
    if is_now.get("size", 0) < was.get("size", 0):
        return f"shrank {sizes}"
    if was.get("head") != is_now.get("head"):
        return "has another content"
    if was.get("size") != is_now.get("size") and not may_grow:
        return f"grew {sizes} (`input.append: allow` goes on with it)"
    if all(was.get(mark) == is_now.get(mark) for mark in ("size", "mtime_ns", "inode")):
        return ""
    match check(was["path"]):
        case "changed":
            return "changed in the part that is done"
        case "torn":
            return (
                "goes on in its last line, which the run has taken as a whole one though it had no line end"
            )
        case "unsure" if "input" not in accept:
            return (
                "changed where the run was reading (--accept input goes on where you know that only items "
                "which are not done changed)"
            )
    return ""
