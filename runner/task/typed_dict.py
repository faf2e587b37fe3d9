"""A `typing.TypedDict` for pydantic, which on Python 3.11 takes only that of `typing_extensions`.

One that stands inside of a dataclass or a model is out of reach, and pydantic says so.
"""

from __future__ import annotations

import sys
import typing
from typing import Any

import typing_extensions

from runner.task.record import alternatives, hints_of, record_of


def as_pydantic_takes_it(annotation: Any) -> Any:
    """Return an annotation that says the same, with other TypedDicts where that is needed."""
    if sys.version_info >= (3, 12):
        return annotation
    if type(annotation) is type(_Sample):
        return _remade(annotation)
    arguments = typing.get_args(annotation)
    if not arguments or typing.get_origin(annotation) is typing.Literal:
        return annotation
    remade = tuple(map(as_pydantic_takes_it, arguments))
    if remade == arguments:
        return annotation
    if typing.get_origin(annotation) is typing.Annotated:
        return typing.Annotated[remade]
    if typing.get_origin(annotation) is typing.Union or not hasattr(annotation, "copy_with"):
        if len(alternatives(annotation)) > 1:
            return typing.Union[remade]  # noqa: UP007  # built at run time
        return typing.get_origin(annotation)[remade]
    return annotation.copy_with(remade)


_make: Any = typing_extensions.TypedDict


class _Sample(typing.TypedDict):
    pass


def _remade(kind: Any) -> Any:
    record = record_of(kind)
    assert record is not None
    marks = {True: typing_extensions.Required, False: typing_extensions.NotRequired}
    hints = hints_of(kind)
    fields = {
        field.name: marks[field.is_required][as_pydantic_takes_it(_unmarked(hints[field.name]))]
        for field in record.fields
    }
    made = _make(kind.__name__, fields)
    made.__module__ = kind.__module__
    if hasattr(kind, "__pydantic_config__"):
        made.__pydantic_config__ = kind.__pydantic_config__
    return made


def _unmarked(hint: Any) -> Any:
    marks = (typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.ReadOnly)
    while typing.get_origin(hint) in (typing.Required, typing.NotRequired, *marks):
        hint = typing.get_args(hint)[0]
    return hint
