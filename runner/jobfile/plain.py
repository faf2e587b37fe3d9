"""Plain data, of a document or of a job: mappings, lists and scalars, and the paths through them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.jobfile.problem import KeyPath


def texts_in(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield every text in `data` with its path; `path` is that of `data` itself."""
    if isinstance(data, dict):
        for key, inner in data.items():
            yield from texts_in(inner, (*path, key))
    elif isinstance(data, list):
        for index, inner in enumerate(data):
            yield from texts_in(inner, (*path, index))
    elif isinstance(data, str):
        yield path, data


def literal(data: Any) -> Any:
    """Return `data` as a job file has it where none of its texts is a reference."""
    if isinstance(data, str):
        return data.replace("${", "$${")
    if isinstance(data, list):
        return [literal(each) for each in data]
    if isinstance(data, dict):
        return {key: literal(each) for key, each in data.items()}
    return data


def put(data: Any, path: KeyPath, value: object) -> None:
    """Put `value` in the place of the one at `path`, which is not empty.

    A key in a list is one of its only member: `retry: {...}` is short for a list of one.
    """
    *way, last = path
    for part in way:
        data = _holder(data, part)[part]
    _holder(data, last)[last] = value


def _holder(data: Any, part: str | int) -> Any:
    return data[0] if isinstance(data, list) and isinstance(part, str) else data
