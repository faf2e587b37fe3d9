"""From a value of the input to what the task's annotation wants, or a sentence that says why not.

How much is read into a value depends on what the source can say at all (`runner.item.ValueKind`):

- `text`: there is nothing but text, so it is read as the type: `"42"` is 42, `"true"` is True. An empty text
  is `None` where the type takes `None`, and otherwise what it is: it is no 0 and no False.
- `json`, `yaml`: the value has a type, and a text was meant as one: `"42"` is no number, 1 is no boolean,
  42.0 no whole number. What JSON cannot say is read from the text that stands for it: dates, times,
  durations, UUIDs, paths, Decimal, members of an enum. A whole number fits a float.
- `object`: objects of the user's own code, under pydantic's usual rules.
- `letter`: a dead letter of which nobody knows the source: one of texts only is taken as `text`, another
  as `json`.

A number that is written where a date or a time should stand is refused, in whatever text: pydantic takes it
for seconds since 1970, also `20260131`.

The work is pydantic's. Its strict rules for JSON exist only for JSON text, so a decoded value is written
as JSON once more, which is exact and costs less than the check itself. Tried and dropped: checking the
record's own bytes, which saves 0.3 µs and takes `NaN` and `1e400` for numbers; and `validate_strings`,
which cannot say `None`.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter, ValidationError

from runner.errors import ItemRefused
from runner.item import ValueKind
from runner.raised import message_of, short_name
from runner.task.mismatch import Mismatch, mismatches, sentence, shown, timestamp
from runner.task.record import alternatives, bare, is_unknown, record_of, takes_none
from runner.task.timestamps import timestamp_finder
from runner.task.typed_dict import as_pydantic_takes_it

Convert = Callable[[object], object]
_EXACT = (bool, int, float, str)
_SPELLED = frozenset(
    {"bytes_type", "dataclass_exact_type", "date_type", "datetime_type", "decimal_type", "frozen_set_type"}
    | {"is_instance_of", "model_type", "set_type", "time_delta_type", "time_type", "tuple_type", "uuid_type"}
)


class NotConvertible(Exception):
    """Nothing can be converted to the annotation; the message is the end of a sentence that says why."""


def make_converter(annotation: object, values: ValueKind) -> Convert | None:
    """Return what turns a value into what `annotation` says; `None` where nothing is to be done.

    What is returned raises `ItemRefused`, or whatever a validator of the user's raises beside the
    errors that pydantic takes for its answer. It may be called by many threads at once.

    Raises:
        NotConvertible: Pydantic does not know the type, or a name in it does not exist.
    """
    plain = bare(annotation)
    if plain is annotation and _is_open(plain):
        return None
    if plain is annotation and (quick := _quick_mapping(plain, values)) is not None:
        return quick
    adapter = _adapter(annotation)
    convert = _guarded(_of_kind(annotation, adapter, values), annotation)
    is_exact = plain is annotation and plain in _EXACT and (values != "text" or plain is str)
    return _unless_exact(convert, plain) if is_exact else convert


def _refused(found: list[Mismatch]) -> ItemRefused:
    return ItemRefused(sentence(found), found)


def _is_open(annotation: Any) -> bool:
    """Return whether any value will do, as far as somebody has said."""
    if is_unknown(annotation) or annotation in (dict, Mapping, typing.Dict, typing.Mapping):  # noqa: UP006  # as users write them
        return True
    if typing.get_origin(annotation) in (Iterable, Iterator, Generator):
        return True  # pydantic would put an iterator in their place, which fails in the middle of the task
    members = alternatives(annotation)
    return len(members) > 1 and any(is_unknown(member) for member in members)


def _quick_mapping(annotation: Any, values: ValueKind) -> Convert | None:
    """Return the check for a mapping of anything, which a row is or is not."""
    arguments = typing.get_args(annotation)
    if values not in ("text", "json", "yaml") or len(arguments) != 2:
        return None
    if typing.get_origin(annotation) not in (dict, Mapping) or arguments[0] is not str:
        return None
    if not (is_unknown(arguments[1]) or (values == "text" and arguments[1] is str)):
        return None

    def check(value: object) -> object:
        if type(value) is dict:
            return value
        raise _refused([Mismatch((), f"must be a mapping, got {shown(value)}")])

    return check


def _adapter(annotation: object) -> TypeAdapter[Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(as_pydantic_takes_it(annotation))
        if not adapter.pydantic_complete:
            adapter.rebuild(raise_errors=True)
    except PydanticUndefinedAnnotation as error:
        raise NotConvertible(f"the name `{error.name}` in it does not exist when the job runs") from error
    except PydanticUserError as error:
        raise NotConvertible(_first_sentence(str(error))) from error
    except Exception as error:  # the user's own code takes part in this
        raise NotConvertible(f"{short_name(type(error))}: {_first_sentence(message_of(error))}") from error
    return adapter


def _first_sentence(text: str) -> str:
    return text.partition("\n")[0].partition(". ")[0].rstrip(".")


def _of_kind(annotation: object, adapter: TypeAdapter[Any], values: ValueKind) -> Convert:
    if values == "object":
        return _from_objects(adapter)
    if values == "text":
        return _from_text(annotation, adapter)
    from_json = _from_json(adapter, values)
    if values != "letter":
        return from_json
    from_text = _from_text(annotation, adapter)

    def from_letter(value: object) -> object:
        return (from_text if _is_all_text(value) else from_json)(value)

    return from_letter


def _from_objects(adapter: TypeAdapter[Any]) -> Convert:
    validate = adapter.validator.validate_python

    def convert(value: object) -> object:
        try:
            return validate(value)
        except ValidationError as error:
            raise _refused(mismatches(error, value)) from error

    return convert


def _from_text(annotation: object, adapter: TypeAdapter[Any]) -> Convert:
    validate = adapter.validator.validate_python
    without_blanks = _blank_reader(annotation)

    def convert(value: object) -> object:
        read = value if without_blanks is None else without_blanks(value)
        try:
            # Not strict, whatever the type says of itself: text is all there is.
            return validate(read, strict=False)
        except ValidationError as error:
            raise _refused(mismatches(error, read)) from error

    return convert


def _blank_reader(annotation: object) -> Convert | None:
    """Return what puts `None` in the place of empty texts where the type takes it; `None`: nowhere."""
    record = record_of(annotation)
    plain = bare(annotation)
    is_mapping = typing.get_origin(plain) in (dict, Mapping)
    if record is not None:
        keys = [key for field in record.fields if takes_none(field.annotation) for key in field.keys]
        return _blanks_at(keys) if keys else None
    if is_mapping:
        return _blanks_at(None) if takes_none(typing.get_args(plain)[1]) else None
    return (lambda value: None if value == "" else value) if takes_none(annotation) else None


def _blanks_at(keys: Sequence[str] | None) -> Convert:
    """Return what does so at some keys of a row; at all of them for `None`."""

    def without_blanks(row: object) -> object:
        if type(row) is dict and "" in row.values():
            row = row.copy()
            for key in row if keys is None else keys:
                if row.get(key) == "":
                    row[key] = None
        return row

    return without_blanks


def _from_json(adapter: TypeAdapter[Any], values: ValueKind) -> Convert:
    from orjson import dumps  # only where something is converted

    validate = adapter.validator.validate_json
    write: Callable[[object], bytes | str] = _spelled_out if values == "yaml" else dumps

    def convert(value: object) -> object:
        try:
            text = write(value)
        except TypeError:
            text = _spelled_out(value)
        try:
            return validate(text, strict=True)
        except ValidationError as error:
            found = mismatches(error, value, but=_is_spelled)
            if found:
                raise _refused(found) from error
        try:
            return validate(text)
        except ValidationError as error:
            raise _refused(mismatches(error, value)) from error

    return convert


def _is_spelled(kind: str, value: object) -> bool:
    """Return whether a fault is only that JSON spells what it cannot say.

    Behind a validator of the user's that comes first, pydantic forgets that the value was JSON, and its
    strict rules want a date where the text of one stands.
    """
    return kind in _SPELLED and isinstance(value, str | list | dict)


def _spelled_out(value: object) -> str:
    """Return a value as JSON that orjson does not write: with integers of any size, with NaN."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        raise _refused([Mismatch((), f"must be what JSON can say, got {shown(value)}")]) from None


def _is_all_text(value: object) -> bool:
    if type(value) is dict:
        return all(type(each) is str for each in value.values())
    return type(value) is str


def _guarded(convert: Convert, annotation: object) -> Convert:
    """Return `convert` without what pydantic makes of numbers in the place of moments."""
    find = timestamp_finder(annotation)
    if find is None:
        return convert

    def guarded(value: object) -> object:
        converted = convert(value)  # first, for it may have more to say
        path = find(value)
        if path is not None:
            raise _refused([timestamp(path, value)])
        return converted

    return guarded


def _unless_exact(convert: Convert, kind: type) -> Convert:
    """Return `convert` with a short way for values that are of the very type already."""

    def quick(value: object) -> object:
        return value if type(value) is kind else convert(value)

    return quick
