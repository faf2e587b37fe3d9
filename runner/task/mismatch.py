"""Why a value does not fit a type, in the words of somebody who has the data before them.

Pydantic's own messages speak of inputs and parsing, name the branches of a union in the place of a field, and
end in an address. Here each place is named once, with all that it may be and what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.task.fault import nearest

if TYPE_CHECKING:
    from pydantic import ValidationError

Path = tuple[str | int, ...]
"""The way from a value to one in it: keys and positions."""

MOST_NAMED = 5
"""Arbitrary: how many places a sentence names."""
_MOST_TEXT = 60  # arbitrary: what is shown of a value or a key
_MOST_CHOICES = 300  # arbitrary: what is shown of a list of choices

_MUST = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "string_sub_type": "text",
    "none_required": "null",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "iterable_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping with the fields of {class_name}",
    "model_attributes_type": "a mapping with the fields of {class_name}",
    "dataclass_type": "a mapping with the fields of {class_name}",
    "dataclass_exact_type": "a {class_name}",
    "arguments_type": "a mapping of fields",
    "date_type": "a date such as 2026-01-31",
    "date_parsing": "a date such as 2026-01-31",
    "date_from_datetime_parsing": "a date such as 2026-01-31",
    "date_from_datetime_inexact": "a date such as 2026-01-31, without a time",
    "datetime_type": "a date and time such as 2026-01-31T12:00:00",
    "datetime_parsing": "a date and time such as 2026-01-31T12:00:00",
    "datetime_object_invalid": "a date and time such as 2026-01-31T12:00:00",
    "datetime_from_date_parsing": "a date and time such as 2026-01-31T12:00:00",
    "time_type": "a time such as 12:00:00",
    "time_parsing": "a time such as 12:00:00",
    "time_delta_type": "a duration such as PT90S",
    "time_delta_parsing": "a duration such as PT90S",
    "timezone_naive": "a time without an offset from UTC",
    "timezone_aware": "a time with an offset from UTC",
    "uuid_type": "a UUID",
    "uuid_parsing": "a UUID",
    "path_type": "a path",
    "bytes_type": "bytes",
    "enum": "{expected}",
    "literal_error": "{expected}",
    "union_tag_invalid": "{expected_tags}",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
}
"""What stands after `must be`, by pydantic's name of the fault, with what it knows about it."""

_MUST_HAVE = {
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}

_GOES_ON = ("must ", "is ", "has ", "does ")
_TAGS = ("union_tag_invalid", "union_tag_not_found")
_TOO_MANY = ("extra_forbidden", "unexpected_keyword_argument")

TIMESTAMP = "must be written as ISO 8601 has it, such as 2026-01-31"
"""Of a number in the place of a date, which is seconds since 1970 to pydantic and perhaps to nobody else."""


class Mismatch(NamedTuple):
    """One place at which a value does not fit: where, and how the sentence about it goes on."""

    path: Path
    text: str


def mismatches(
    error: ValidationError, value: object, *, but: Callable[[str, object], bool] | None = None
) -> list[Mismatch]:
    """Return what is wrong with `value`, each place once, in the order of pydantic.

    Args:
        error: What pydantic said.
        value: What it was given.
        but: Told pydantic's name of a fault and what is at fault; returns whether it is none.
    """
    by_path: dict[Path, list[dict[str, Any]]] = {}
    too_many: dict[Path, list[str]] = {}
    for each in error.errors(include_url=False):
        if but is not None and but(each["type"], each["input"]):
            continue
        path = _path(each["loc"], value, each["type"])
        if each["type"] in _TAGS:  # it is the key that tells the types of a union apart
            key = str(each.get("ctx", {}).get("discriminator", "")).strip("'")
            path, each = (*path, key), {**each, "input": _got(each["input"], key)}
        if each["type"] in _TOO_MANY and path:
            too_many.setdefault(path[:-1], []).append(str(path[-1]))
        else:
            by_path.setdefault(path, []).append(dict(each))
    found = [Mismatch(path, _text(path, faults, value)) for path, faults in by_path.items()]
    return found + [Mismatch(path, _has_besides(names)) for path, names in too_many.items()]


def is_number(value: object) -> bool:
    """Return whether a text that pydantic took for a date or a time is a number to it."""
    # ISO 8601 has a hyphen after the year; what has none and was still taken is a number, or was empty.
    return type(value) is str and value != "" and value[4:5] != "-"


def timestamp(path: Path, value: object) -> Mismatch:
    """Return what is wrong with a number in the place of a date or time."""
    return Mismatch(path, f"{TIMESTAMP}, got {shown(_at(path, value))}")


def sentence(found: Sequence[Mismatch]) -> str:
    """Return all that is wrong with an item as one sentence."""
    parts = [f"{_place(each)} {each.text}" for each in found[:MOST_NAMED]]
    more = len(found) - MOST_NAMED
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def shown(value: object) -> str:
    """Return a value for a message: short, on one line, and safe to print."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) is str:
        return f'"{_clipped(value)}"' if value else "an empty text"
    if isinstance(value, int | float):
        try:
            return _clipped(repr(value))
        except ValueError:  # more digits than sys.get_int_max_str_digits()
            return "a whole number of very many digits"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return f"a value of type {type(value).__name__}"


def _place(found: Mismatch) -> str:
    if not found.path:
        # What a validator of the user's says need not go on from there.
        return "the item" if found.text.startswith(_GOES_ON) else "the item:"
    text = ""
    for part in found.path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{_clipped(part)}"
    return f"{text}:"


def _path(loc: Sequence[str | int], value: object, kind: str) -> Path:
    """Return the part of a location that is one of the value: not the names of branches and models."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        if isinstance(value, Mapping):
            if part in value:
                value = value[part]
            elif not (kind == "missing" and position == len(loc) - 1):
                continue
        elif isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _got(owner: object, key: str) -> object:
    return owner.get(key) if isinstance(owner, Mapping) else owner


def _at(path: Path, value: Any) -> object:
    for part in path:
        value = value[part]
    return value


def _text(path: Path, faults: list[dict[str, Any]], value: object) -> str:
    kinds = {fault["type"] for fault in faults}
    if kinds & {"missing", "union_tag_not_found"}:
        return _missing(path, value)
    if (
        "json_invalid" in kinds
    ):  # what was decoded is written as JSON to be checked, and is valid but for this
        return "is nested too deep to be checked"
    musts = list(dict.fromkeys(_must(fault) for fault in faults))
    says = [must for must in musts if must.startswith("must be ")]
    rest = [must for must in musts if not must.startswith("must be ")]
    if says:
        rest.insert(0, "must be " + _listed([must.removeprefix("must be ") for must in says]))
    got = faults[0]["input"]
    if not says and isinstance(got, Mapping | list | tuple):  # nothing that helps
        return ", or ".join(rest)
    return f"{', or '.join(rest)}, got {shown(got)}"


def _has_besides(names: list[str]) -> str:
    listed = ", ".join(f"`{_clipped(name)}`" for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"has {listed}{more} besides its fields"


def _missing(path: Path, value: object) -> str:
    try:
        owner = _at(path[:-1], value)
    except (LookupError, TypeError):
        owner = None
    keys = [key for key in owner if isinstance(key, str)] if isinstance(owner, Mapping) else []
    close = nearest(str(path[-1]), keys[:1000]) if path else None
    return "is missing" + (f"; there is `{_clipped(close)}`" if close is not None else "")


def _must(fault: dict[str, Any]) -> str:
    kind, context = fault["type"], fault.get("ctx") or {}
    if kind == "date_from_datetime_inexact" and is_number(fault["input"]):
        return TIMESTAMP
    try:
        if kind in _MUST:
            return "must be " + _clipped(_MUST[kind].format_map(context), _MOST_CHOICES)
        if kind in _MUST_HAVE:
            return "must have " + _MUST_HAVE[kind].format_map(context)
        if kind == "string_pattern_mismatch":
            return f"must match {_clipped(str(context['pattern']))}"
    except (KeyError, ValueError):  # another release of pydantic knows something else about it
        pass
    message = str(fault["msg"])
    if kind in ("value_error", "assertion_error"):  # a validator of the user's, in their own words
        return message.partition(", ")[2].strip() or message
    should = re.match(r"Input should (be|have) ", message)
    return f"must {should[1]} {message[should.end() :]}" if should else f"does not fit ({message})"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _clipped(text: str, most: int = _MOST_TEXT) -> str:
    text = text if len(text) <= most else text[:most] + "…"
    return text if text.isprintable() else ascii(text)[1:-1]
