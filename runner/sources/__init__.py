"""Sources: an input in, items out; one file per kind. Readers and codecs load when a source is opened."""

from __future__ import annotations

from runner.sources.base import RecordOptions, Source, SourceOptions
from runner.sources.csv_rows import CsvOptions
from runner.sources.dead_letter import DeadLetterOptions
from runner.sources.file_list import FilesOptions
from runner.sources.inline import InlineOptions
from runner.sources.json_array import JsonArrayOptions
from runner.sources.json_lines import JsonLinesOptions
from runner.sources.number_range import RangeOptions
from runner.sources.python_iterable import PythonOptions
from runner.sources.text_lines import TextOptions

__all__ = [
    "KINDS",
    "CsvOptions",
    "DeadLetterOptions",
    "FilesOptions",
    "InlineOptions",
    "JsonArrayOptions",
    "JsonLinesOptions",
    "PythonOptions",
    "RangeOptions",
    "RecordOptions",
    "Source",
    "SourceOptions",
    "TextOptions",
]

KINDS: dict[str, type[SourceOptions]] = {
    "csv": CsvOptions,
    "jsonl": JsonLinesOptions,
    "json": JsonArrayOptions,
    "text": TextOptions,
    "files": FilesOptions,
    "items": InlineOptions,
    "range": RangeOptions,
    "python": PythonOptions,
    "dead_letter": DeadLetterOptions,
}
"""The kinds that are built in, by the `type` of `input:`."""
