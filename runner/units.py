"""Durations, sizes and rates as people write them in a job file: one way to write each.

A duration is float seconds in code, a size whole bytes, a rate float events per second. The
grammar is small on purpose: a whole or decimal number and a unit, nothing between them.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_DURATION_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = "36500d"  # a hundred years; no clock of the system waits much longer, and none can wait for ever
_LONGEST_SECONDS = 36500 * 86400.0
_HIGHEST_RATE = 1e9
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|min|h)", re.ASCII)
_RATE_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB)", re.ASCII)
_SIZE_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

SIZE_SCHEMA = {"type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$", "description": "a size, at least `1B`"}
DURATION_SCHEMA = {
    "type": "string",
    "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$",
    "description": "a duration",
}
RATE_SCHEMA = {
    "type": "string",
    "pattern": "^[0-9]+(\\.[0-9]+)?/(s|min|h)$",
    "description": "a number and `/s`, `/min` or `/h`",
}
"""What editors take for a size, a duration and a rate, and what the documents call them."""


def parse_duration(text: str) -> float:
    """Return the seconds of `500ms`, `30s`, `5m`, `2h` or `1d`; raise ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"a duration is a number and a unit (500ms, 30s, 5m, 2h), got {text!r}")
    seconds = float(match[1]) * _DURATION_SECONDS[match[2]]
    if seconds > _LONGEST_SECONDS:
        raise ValueError(f"a duration must be at most {_LONGEST}, got {_clipped(text)}")
    return seconds


def parse_size(text: str) -> int:
    """Return the bytes of `512B`, `64KiB`, `16MiB` or `1GiB`; raise ValueError for anything else."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"a size is a whole number and a unit (512B, 64KiB, 16MiB, 1GiB), got {text!r}")
    return int(match[1]) * _SIZE_BYTES[match[2]]


def parse_rate(text: str) -> float:
    """Return the events per second of `50/s`, `1000/min` or `10/h`; raise ValueError for anything else."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"a rate is a number and a time (50/s, 1000/min, 10/h), got {text!r}")
    return float(match[1]) / _RATE_SECONDS[match[2]]


def format_size(size: int) -> str:
    """Return `size` bytes in the largest unit that holds it exactly, as `parse_size` reads it."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZE_BYTES[unit] == 0:
            return f"{size // _SIZE_BYTES[unit]}{unit}"
    return f"{size}B"


def write_duration(seconds: float) -> str:
    """Return `seconds` as `parse_duration` reads it, in the largest unit that holds it as a whole number."""
    for unit in ("d", "h", "m", "s"):
        if seconds and seconds % _DURATION_SECONDS[unit] == 0:
            return f"{int(seconds / _DURATION_SECONDS[unit])}{unit}"
    return f"{seconds * 1000:.0f}ms" if seconds else "0s"


def write_rate(rate: float) -> str:
    """Return events per second as `parse_rate` reads them, in the first unit that gives a whole number."""
    for unit, seconds in _RATE_SECONDS.items():
        number = round(rate * seconds)
        if number / seconds == rate:
            return f"{number}/{unit}"
    return f"{Decimal(repr(rate)):f}/s"


def format_duration(seconds: float) -> str:
    """Return `seconds` for a person: `350 ms`, `12.3 s`, `4 min 05 s`, `2 h 07 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"a size needs its unit: write {value}B, or KiB, MiB, GiB")
    if not isinstance(value, str):
        raise ValueError(f"a size is a whole number and a unit (512B, 64KiB, 16MiB, 1GiB), got {value!r}")
    size = parse_size(value)
    if size < 1:
        raise ValueError("a size must be at least 1B")
    return size


def _duration(value: Any) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a duration needs its unit: write {value}s, or ms, m, h")
    raise ValueError(f"a duration is a number and a unit (500ms, 30s, 5m, 2h), got {value!r}")


def _rate(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a rate needs its time: write {value}/s, or /min, /h")
    if not isinstance(value, str):
        raise ValueError(f"a rate is a number and a time (50/s, 1000/min, 10/h), got {value!r}")
    rate = parse_rate(value)
    if rate <= 0:
        raise ValueError(f"a rate must be above 0, got {_clipped(value)}")
    if not 1 / _LONGEST_SECONDS <= rate <= _HIGHEST_RATE:
        raise ValueError(
            f"a rate must be at least once in {_LONGEST} and at most 1000000000/s, got {_clipped(value)}"
        )
    return rate


def _clipped(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


Size = Annotated[
    int,
    BeforeValidator(_size),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema(SIZE_SCHEMA),
]
"""A field that takes `16MiB` and holds bytes."""

Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema(DURATION_SCHEMA),
]
"""A field that takes `30s` and holds seconds."""

Rate = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema(RATE_SCHEMA),
]
"""A field that takes `50/s` and holds events per second."""
