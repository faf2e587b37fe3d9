"""What the kinds of sinks share: how a record or a moment is written, and why a value is refused.

A date, a time, a UUID and a Decimal are written as text. That of a Decimal is exact and keeps its zeros
(`12.30`), which most readers of JSON would lose with a number: they make a float of it.

A dataclass is written by all its fields, in their order: those with a leading underscore too, and
nothing that was set on the instance beside them (orjson's own way leaves out the first and writes
the second). A pydantic model is written as its `model_dump()` in Python mode, so by the aliases
and serializers that it declares itself; a field that holds a subclass of what it is annotated
with is written whole (`serialize_as_any`), not cut down to the annotated class. A TypedDict is the dict
that it is. A named tuple is written by its fields, like a dataclass, and not as a list, which would lose
their names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from os import PathLike
from uuid import UUID

from pydantic import BaseModel

from runner.errors import RowRefused

WRITTEN_AS_TEXT = (date, time, Decimal, UUID)
"""Whatever is an instance of these is written as text, by `spelled`."""

_HINTS = {
    "bytes": "decode it to text, or write it as base64",
    "bytearray": "decode it to text, or write it as base64",
    "memoryview": "decode it to text, or write it as base64",
    "set": "return a sorted list, because a set has no order of its own",
    "frozenset": "return a sorted list, because a set has no order of its own",
    "Fraction": "return its str(), which keeps it exact",
    "complex": "return its two parts",
    "timedelta": "return its total_seconds()",
    "generator": "return a list",
    "range": "return a list",
    "deque": "return a list",
    "dict_keys": "return a list",
    "dict_values": "return a list",
    "coroutine": "a task that is `async def` is not awaited here",
}
_MOST_TEXT = 60  # arbitrary: what is shown of a key, so that a sentence stays one


class NotSpelled(TypeError):
    """The value is none of those that are written by their parts or as text."""


def spelled(value: object) -> object:
    """Return a record by its fields, and what has a text of its own as that; one level, except for a model.

    The fields of a mapping, dataclass, named tuple or pydantic model come as a dict, a root model as its
    root. A date or time becomes ISO text, with its offset from UTC where it knows one; a UUID and a Decimal
    the text that reads back as the same.

    Raises:
        NotSpelled: The value is something else, or a Decimal that is not finite.
        Exception: What a property, a serializer or a mapping of the user's raises.
    """
    if isinstance(value, WRITTEN_AS_TEXT):
        return _text(value)
    if isinstance(value, BaseModel):
        return value.model_dump(serialize_as_any=True, warnings=False)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    raise NotSpelled


def _text(value: date | time | Decimal | UUID) -> str:
    if isinstance(value, Decimal):
        if value.is_finite():
            return Decimal.__str__(value)  # not that of a subclass, which may round
        raise NotSpelled
    if isinstance(value, UUID):
        return UUID.__str__(value)
    if value != value:  # pandas' NaT is a datetime, and no point in time
        raise ValueError("it is no point in time")
    return value.isoformat()


def refused(place: str, value: object, *, by: str) -> RowRefused:
    """Return the refusal of a value that `by` (`JSON`, `a CSV cell`) cannot hold, or no value of its type."""
    kind = type(value)
    if kind is float or isinstance(value, Decimal):
        return RowRefused(f"{place} is {value}, which {by} cannot hold: return None or a text")
    name = kind.__name__
    hint = _HINTS.get(name)
    if kind.__module__.partition(".")[0] == "numpy":
        name = f"numpy {name}"
        hint = "return its tolist()" if getattr(value, "shape", ()) else "return its item()"
    elif isinstance(value, PathLike):
        hint = "return its str()"
    return RowRefused(f"{place} is of type {name}, which {by} cannot hold" + (f": {hint}" if hint else ""))


def quoted(text: str) -> str:
    """Return a key of a row for a message: short, on one line, and safe to print."""
    shown = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"
    return shown if shown.isprintable() else ascii(shown)[1:-1]
