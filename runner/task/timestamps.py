"""Numbers in the place of dates: `20260131`, which pydantic takes for seconds since 1970.

It does so for texts too, under its strict rules as well, and cannot be told not to. So the texts that stand
where a type has a date or a date and time are looked at beside it. Where code of the user's reads such a text
first (a `BeforeValidator`, a validator of the model), it is theirs to say what the number means.
"""

from __future__ import annotations

import datetime
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from runner.task.mismatch import Path, is_number
from runner.task.record import alternatives, comes_first, is_unknown, record_of

Find = Callable[[Any], Path | None]
"""Looks for the text of a number in the place of a moment, and returns the way to it."""

_LISTS = (list, set, frozenset, tuple, Iterable, Sequence)
_MOMENTS = (datetime.date, datetime.datetime)
_PYDANTIC_MOMENTS = frozenset(
    {"AwareDatetime", "NaiveDatetime", "PastDatetime", "FutureDatetime", "PastDate", "FutureDate"}
)


def timestamp_finder(annotation: object) -> Find | None:
    """Return what finds such a text in a value of a type; `None` where the type has no dates."""
    return _Moments().finder(annotation)


class _Moments:
    """Makes the finder for a type from those of its parts, those of a type that holds itself included."""

    def __init__(self) -> None:
        self._known: dict[object, Find | None] = {}
        self._begun: set[object] = set()

    def finder(self, annotation: object) -> Find | None:
        """Return the finder for a type, `None` where there is nothing to find in it."""
        if typing.get_origin(annotation) is typing.Annotated:
            kind, *metadata = typing.get_args(annotation)
            return None if comes_first(metadata) else self.finder(kind)
        members = [each for each in alternatives(annotation) if each not in (None, type(None))]
        if any(_may_be_text(member) for member in members):
            return None
        found = [find for each in members if (find := self._of_one(each)) is not None]
        return found[0] if len(found) == 1 else _any_of(found) if found else None

    def _of_one(self, kind: Any) -> Find | None:
        if kind in _MOMENTS or (isinstance(kind, type) and kind.__name__ in _PYDANTIC_MOMENTS):
            return _moment
        if typing.get_origin(kind) in _LISTS:
            finds = [self.finder(each) for each in typing.get_args(kind) if each is not Ellipsis]
            inner = [find for find in finds if find is not None]
            return _in_list(_any_of(inner)) if inner else None
        if typing.get_origin(kind) in (dict, Mapping):
            of_value = self.finder(typing.get_args(kind)[1])
            return None if of_value is None else _in_mapping(of_value)
        return self._of_record(kind)

    def _of_record(self, kind: Any) -> Find | None:
        record = record_of(kind)
        if record is None:
            return None
        if kind in self._begun:  # it holds itself: what is found out about it later counts
            return lambda value: find(value) if (find := self._known.get(kind)) is not None else None
        self._begun.add(kind)
        finds = [
            (field.keys, find)
            for field in record.fields
            if field.is_plain and (find := self.finder(field.annotation)) is not None
        ]
        self._known[kind] = _in_record(finds) if finds else None
        return self._known[kind]


def _may_be_text(kind: object) -> bool:
    return kind is str or is_unknown(kind) or (isinstance(kind, type) and issubclass(kind, str))


def _moment(value: object) -> Path | None:
    return () if is_number(value) else None


def _any_of(finds: list[Find]) -> Find:
    def find(value: object) -> Path | None:
        return next((path for each in finds if (path := each(value)) is not None), None)

    return finds[0] if len(finds) == 1 else find


def _in_list(inner: Find) -> Find:
    def find(value: object) -> Path | None:
        if isinstance(value, list | tuple):
            for position, each in enumerate(value):
                if (path := inner(each)) is not None:
                    return (position, *path)
        return None

    return find


def _in_mapping(inner: Find) -> Find:
    def find(value: object) -> Path | None:
        if isinstance(value, dict):
            for key, each in value.items():
                if (path := inner(each)) is not None:
                    return (key, *path)
        return None

    return find


def _in_record(fields: list[tuple[tuple[str, ...], Find]]) -> Find:
    def find(value: object) -> Path | None:
        if isinstance(value, dict):
            for keys, inner in fields:
                for key in keys:
                    if key in value and (path := inner(value[key])) is not None:
                        return (key, *path)
        return None

    return find
