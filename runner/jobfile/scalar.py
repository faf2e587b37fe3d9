"""What a plain scalar means: the YAML 1.2 core schema, less the numbers that readers disagree about.

`no`, `on`, `12:30`, `1_000` and `2026-01-31` are text. Numbers with a leading zero are refused, and
so are those that Python could not write out again or would turn into infinity: a value is never
changed silently.
"""

from __future__ import annotations

import math
import re

Scalar = None | bool | int | float | str

_MAX_DIGITS = 1000  # arbitrary; below the 4300 at which Python refuses to write an integer out
_SHOWN = 40

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")


class UnreadableValue(ValueError):
    """A value that looks like something it cannot be read as; `code` and `hint` are the problem's."""

    def __init__(self, code: str, message: str, hint: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


def read_scalar(text: str) -> Scalar:
    """Return the value of a plain scalar.

    Raises:
        UnreadableValue: It is a number with a leading zero, or one that cannot be held as it stands.
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _INFINITY.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    if _NAN.fullmatch(text):
        return math.nan
    is_int = _INT.fullmatch(text) is not None
    if not is_int and not _FLOAT.fullmatch(text):
        return text
    return _read_number(text, is_int=is_int)


def show_value(value: object) -> str:
    """Return a value as a sentence names it, cut where it is long: `` `abc` ``, `5`, `a list`, `nothing`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _show_text(value) if value else "an empty text"
    if isinstance(value, int | float):
        return clip(str(value))
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def clip(text: str) -> str:
    """Return the beginning of a text that may be long."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _show_text(text: str) -> str:
    """Return a text for a sentence; one that reads like a number or boolean is said to be none."""
    try:
        is_text = isinstance(read_scalar(text), str)
    except UnreadableValue:
        is_text = False
    return f"`{clip(text)}`" if is_text else f"the text `{clip(text)}`"


def _read_number(text: str, *, is_int: bool) -> int | float:
    if _LEADING_ZERO.match(text):
        message = f"`{clip(text)}` begins with a zero: readers disagree about what it is"
        raise UnreadableValue("ambiguous-number", message, f'quote it if it is text: "{clip(text)}"')
    if len(text) > _MAX_DIGITS:
        message = f"a number of {len(text)} characters is too long"
        raise UnreadableValue("out-of-range", message, "quote it if it is text")
    if is_int:
        return int(text, 0 if text[:2] in {"0o", "0x"} else 10)
    number = float(text)
    if math.isinf(number):
        raise UnreadableValue(
            "out-of-range", f"`{clip(text)}` is too large for a number", "quote it if it is text"
        )
    return number
