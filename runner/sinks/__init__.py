"""Sinks: rows in, bytes out; one file per kind."""

from __future__ import annotations

from runner.sinks.base import Encoder, FileSinkOptions, SinkOptions
from runner.sinks.csv_rows import CsvSink
from runner.sinks.discard import DiscardSink
from runner.sinks.json_lines import JsonLinesSink
from runner.sinks.text_lines import TextSink

__all__ = [
    "KINDS",
    "CsvSink",
    "DiscardSink",
    "Encoder",
    "FileSinkOptions",
    "JsonLinesSink",
    "SinkOptions",
    "TextSink",
]

KINDS: dict[str, type[SinkOptions]] = {
    "jsonl": JsonLinesSink,
    "csv": CsvSink,
    "text": TextSink,
    "none": DiscardSink,
}
"""The kinds that are built in, by the `type` of `output:`."""
