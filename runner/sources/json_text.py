"""JSON text to a value, and why it is none: what every source that holds JSON needs.

msgspec gives integers of up to 4,300 digits back exactly; of an object with the same key twice it
keeps the last value, as the standard library does; it refuses NaN, infinity and half surrogate
pairs, which JSON cannot say.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from runner.errors import MalformedRecord

UNREADABLE = (ValueError, RecursionError)
"""What a decoder raises for bytes that are no JSON; `malformed` says it in a sentence."""

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_PLACE = re.compile(r"JSON is malformed: (.*) \(byte (\d+)\)")


def json_decoder() -> Callable[[bytes], object]:
    """Return a function that decodes JSON and may be called by many threads at once."""
    import msgspec

    return msgspec.json.Decoder().decode


def malformed(raw: bytes, error: Exception) -> MalformedRecord:
    """Return what to raise when decoding `raw` raised `error`."""
    return MalformedRecord(_sentence(raw, error))


def _sentence(raw: bytes, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "not readable JSON: nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return not_utf8(raw)
    text = str(error)
    if place := _PLACE.fullmatch(text):
        return f"not valid JSON: {place[1]} at byte {place[2]}"
    if "truncated" in text:
        if not raw.strip():
            return "not valid JSON: there is no value"
        if _HALF_PAIR.search(raw):
            return "not valid JSON: it ends too early, or has half of a surrogate pair (\\ud800 to \\udfff)"
        return "not valid JSON: it ends too early"
    if "out of range" in text:
        return "not readable JSON: a number is too large (above 1.8e308, or a whole one of over 4300 digits)"
    return f"not valid JSON: {text}"


def not_utf8(raw: bytes) -> str:
    """Return the sentence for bytes that are no UTF-8, with the place of the first bad one."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"not valid UTF-8: {error.reason} 0x{raw[error.start]:02x} at byte {error.start}"
    return "not valid UTF-8"
