"""Where two values differ, in sentences that name the place: a person reads what is wrong, not two dumps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from runner.jobfile.emit import flow
from runner.jobfile.problem import KeyPath, format_path

MOST_SAID = 20
"""Differences that are told of one test; arbitrary."""
_MOST_TEXT = 200


def differences(expected: object, got: object, at: KeyPath = ()) -> list[str]:
    """Return a sentence for each place at which `got` is not what was expected; none where they are equal.

    The order of keys does not count; 1 and 1.0 are equal, 1 and true are not.
    """
    found = list(islice(_differences(expected, got, at), MOST_SAID + 1))
    return [*found[:MOST_SAID], "and more"] if len(found) > MOST_SAID else found


def _differences(expected: object, got: object, at: KeyPath) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in expected:
            if key in got:
                yield from _differences(expected[key], got[key], (*at, key))
            else:
                yield f"{_place((*at, key))} is missing, expected {shown(expected[key])}"
        yield from (
            f"{_place((*at, key))} was not expected: {shown(value)}"
            for key, value in got.items()
            if key not in expected
        )
    elif isinstance(expected, list) and isinstance(got, list):
        for number, (left, right) in enumerate(zip(expected, got, strict=False)):
            yield from _differences(left, right, (*at, number))
        for number in range(len(got), len(expected)):
            yield f"{_place((*at, number))} is missing, expected {shown(expected[number])}"
        for number in range(len(expected), len(got)):
            yield f"{_place((*at, number))} was not expected: {shown(got[number])}"
    elif isinstance(expected, bool) is not isinstance(got, bool) or expected != got:
        yield f"{_place(at)}: expected {shown(expected)}, got {shown(got)}"


def shown(value: object) -> str:
    """Return a value as a job file has it, cut where it is long."""
    try:
        text = flow(value)
    except ValueError:
        text = repr(value)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…"


def _place(path: KeyPath) -> str:
    return f"`{format_path(path)}`"
