"""Rows as they are read back from what an output writes: what tests compare.

So a test says what stands in the file: a date is its text, a model its fields, a cell of CSV the text in it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from runner.errors import RowRefused
from runner.sinks.base import Encoder, SinkOptions
from runner.sinks.json_text import encode_json


class Writer:
    """Rows through an output of their own, and back.

    Args:
        output: What the job file says of the output.
        columns: Those that the task's annotation promises.
    """

    def __init__(self, output: SinkOptions, columns: Sequence[str] | None) -> None:
        self._output = output
        self._encoder: Encoder | None = output.encoder(columns)

    @property
    def encode(self) -> Callable[[object], object]:
        """What the worker does with a row."""
        return _as_data if self._encoder is None else self._encoder.encode

    def read_back(self, encoded: Sequence[Any]) -> list[object]:
        """Return the rows that somebody finds in the file.

        Raises:
            RowRefused: One does not fit the columns.
        """
        encoder = self._encoder
        if encoder is None:
            return list(encoded)
        pieces = [encoder.settle(each) for each in encoded] if encoder.settles else list(encoded)
        return self._parse(encoder.prologue() + b"".join(pieces)) if pieces else []

    def expect(self, rows: Sequence[object]) -> list[object]:
        """Return the rows of a test as they would be found in the file.

        Raises:
            RowRefused: The output cannot hold one of them.
        """
        if not self._output.has_columns:
            return list(rows)
        return self.read_back([self.encode(row) for row in rows])

    def _parse(self, data: bytes) -> list[object]:
        text = data.decode()
        if self._output.has_columns:
            delimiter = getattr(self._output, "delimiter", ",")
            return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
        lines: list[str] = text.split("\n")[:-1]
        if self._output.model_dump().get("type") != "jsonl":
            return list(lines)
        import msgspec

        return [msgspec.json.decode(line) for line in lines]


def _as_data(row: object) -> object:
    """Return a row that is not written as JSON would hold it, else as Python shows it."""
    import msgspec

    try:
        found: object = msgspec.json.decode(encode_json(row))
    except RowRefused:
        return repr(row)
    return found
