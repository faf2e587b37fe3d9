"""The dead-letter line: all about an item that failed, and nothing that another run would not say.

`{index, where: {file, line, offset}, item | raw | raw_base64, raw_bytes?, is_repr?, error: {stage, type,
message}, output_offset}`. `item` is what the task was given, decoded afresh; `raw` the text of a record that
could not be decoded; `raw_base64` its bytes where they are no text, and an item that is bytes. What is not
all of it says so, lest it be run as if it were: `raw_bytes` is how long a record is that was cut,
`is_repr: true` stands by the `raw` of an item that JSON cannot say. No time, no run id, no
attempt count: the bytes of this file are the same however often the run was interrupted.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from runner.errors import RunnerError
from runner.item import BrokenRecord, Item, Where
from runner.outcome import Failure

MOST_RAW_BYTES = 64 * 1024
"""Arbitrary: a longer undecodable record is cut here, and marked; `where` and the input have the rest."""


def dead_letter(
    item: Item,
    failure: Failure,
    *,
    decode: Callable[[Item], object],
    encode: Callable[[object], bytes],
    output_offset: int | None,
    mask: Callable[[str], str] = str,
) -> bytes:
    """Return the line for a failed item, line ending included.

    `output_offset` is where in the uncompressed output its rows would have stood (`None`:
    unordered, or no output). `mask` takes secrets out of the `repr` of an item that is no data; what
    is data is written as it is.
    """
    line: dict[str, Any] = {"index": item.index, "where": _where(item.where)}
    error = {"stage": failure.stage, "type": failure.type, "message": failure.message}
    rest = {"error": error, "output_offset": output_offset}
    if failure.stage not in ("read", "decode"):
        try:
            value = decode(item)
            if isinstance(value, bytes):
                return encode({**line, **_in_base64(value), **rest})
            return encode({**line, "item": value, **rest})
        except RunnerError:
            pass  # decoded now and not before, or nothing that JSON can say: the raw record says it
    return encode({**line, **_raw(item.raw, mask), **rest})


def _where(where: Where) -> dict[str, Any]:
    """Return a place as JSON can say it: a file name that is no UTF-8 has its odd bytes spelled out."""
    place = where._asdict()
    if where.file is not None and not where.file.isascii():
        place["file"] = os.fsencode(where.file).decode("utf-8", "backslashreplace")
    return place


def _raw(raw: object, mask: Callable[[str], str]) -> dict[str, Any]:
    missing = 0
    if isinstance(raw, BrokenRecord):
        missing = raw.length - len(raw.head)
        raw = raw.head
    if not isinstance(raw, bytes):
        return {"raw": _shown(raw, mask), "is_repr": True}
    if not missing:
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    size = len(raw) + missing
    raw = raw[:MOST_RAW_BYTES]
    try:
        return {"raw": raw.decode("utf-8"), **_cut(raw, size)}
    except UnicodeDecodeError as error:
        if len(raw) < size and error.start >= len(raw) - 3 and "end of data" in error.reason:
            return {"raw": raw[: error.start].decode("utf-8"), **_cut(raw, size)}  # cut within a character
        return _in_base64(raw, size)


def _in_base64(raw: bytes, size: int | None = None) -> dict[str, Any]:
    size = len(raw) if size is None else size
    raw = raw[:MOST_RAW_BYTES]
    return {"raw_base64": b64encode(raw).decode("ascii"), **_cut(raw, size)}


def _cut(raw: bytes, size: int) -> dict[str, int]:
    return {"raw_bytes": size} if len(raw) < size else {}


def _shown(value: object, mask: Callable[[str], str]) -> str:
    try:
        text = mask(repr(value))
    except Exception as error:  # the user's own code; its value is only for a person to look at
        return f"({type(value).__name__}; its text could not be read: {type(error).__name__})"
    return text[:MOST_RAW_BYTES].encode("utf-8", "backslashreplace").decode()
