"""Where each value of a job was set: a line of the file, a flag, the environment, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runner.jobfile.fingerprint import dotted, walk
from runner.jobfile.load import LoadedJob
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath


@dataclass(frozen=True, slots=True)
class SetValue:
    """A value and who set it.

    Attributes:
        path: Its dotted path.
        value: The value; one that came from the environment as the reference to it, never as what it is.
        origin: `file`, `flag`, `environment` or `default`.
        line: In the file, where it was set there.
        told: The flags, references and variables that had a part in it, in words; or empty.
    """

    path: str
    value: Any
    origin: Literal["file", "flag", "environment", "default"]
    line: int | None
    told: str


def set_values(loaded: LoadedJob) -> Iterator[SetValue]:
    """Yield every value of a job without errors, in the order of its keys, defaults included."""
    assert loaded.job is not None
    places = loaded.places
    hidden = {path: places.references[path] for path in places.environment}
    for path, value in walk(loaded.job, hidden):
        yield _set_value(path, value, places, hidden)


def _set_value(path: KeyPath, value: Any, places: Places, hidden: Mapping[KeyPath, str]) -> SetValue:
    name = dotted(path)
    written = _written(path, places)
    flag = places.flag_of(path)
    if flag is not None:
        return SetValue(name, value, "flag", None, flag)
    below = [text for other, text in places.flags.items() if _is_within(path, other)]  # in a list, one value
    if written is None:
        return SetValue(name, value, "flag" if below else "default", None, ", ".join(below))
    line = places.document.value_span(written).line
    if any(_is_within(other, written) for other in hidden):
        return SetValue(name, value, "environment", line, "")
    references = [text for other, text in places.references.items() if _is_within(other, written)]
    flags = [
        flag
        for param, flag in places.flags.items()
        if any(f"${{params.{param[-1]}}}" in r for r in references)
    ]
    return SetValue(name, value, "file", line, ", ".join([*references[:1], *flags, *below]))


def _written(path: KeyPath, places: Places) -> KeyPath | None:
    """Return the path at which the file has a value, or the short form that it was made of; else `None`."""
    found: Any = places.document.data
    for depth, part in enumerate(path):
        if not isinstance(found, dict):
            return path[:depth]
        if part not in found:
            return None
        found = found[part]
    return path


def _is_within(path: KeyPath, other: KeyPath) -> bool:
    """Return whether one of two paths is the other or leads to it."""
    length = min(len(path), len(other))
    return path[:length] == other[:length]
