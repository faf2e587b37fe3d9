"""The dead-letter line: all about an item that failed, and nothing that another run would not say.

`{index, where: {file, line, offset}, item | raw | raw_base64, error: {stage, type, message},
output_offset}`. `item` is what the task was given, decoded afresh; `raw` the text of a record that
could not be decoded; `raw_base64` its bytes where they are no text. No time, no run id, no attempt count:
the bytes of this file are the same however often the run was interrupted.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from runner.errors import RunnerError
from runner.item import BrokenRecord, Item
from runner.outcome import Failure

MOST_RAW_BYTES = 64 * 1024
"""Arbitrary: a longer undecodable record is cut here; `where` and the input have the rest."""


def dead_letter(
    item: Item,
    failure: Failure,
    *,
    decode: Callable[[Item], object],
    encode: Callable[[object], bytes],
    output_offset: int | None,
) -> bytes:
    """Return the line for a failed item, line ending included.

    `output_offset` is where in the uncompressed output its rows would have stood (`None`:
    unordered, or no output).
    """
    line: dict[str, Any] = {"index": item.index, "where": item.where._asdict()}
    error = {"stage": failure.stage, "type": failure.type, "message": failure.message}
    rest = {"error": error, "output_offset": output_offset}
    if failure.stage not in ("read", "decode"):
        try:
            return encode({**line, "item": decode(item), **rest})
        except RunnerError:
            pass  # decoded now and not before, or nothing that JSON can say: the raw record says it
    return encode({**line, **_raw(item.raw), **rest})


def _raw(raw: object) -> dict[str, str]:
    if isinstance(raw, BrokenRecord):
        raw = raw.head
    if not isinstance(raw, bytes):
        return {"raw": repr(raw)[:MOST_RAW_BYTES]}
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")[:MOST_RAW_BYTES]
    try:
        return {"raw": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"raw_base64": b64encode(raw).decode("ascii")}
