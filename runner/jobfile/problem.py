"""A fault of a job file as a value: what is wrong, where it stands, and what to write instead.

Problems are collected, never raised: a person who fixes a file wants all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]
KeyPath = tuple[str | int, ...]
"""The way from the top of a document to a value: `("output", "columns", 0)`."""

MOST_SHOWN = 100  # arbitrary; nobody reads more, and looking for near words takes time on a hostile file
_MOST_CANDIDATES = 1000
_LONGEST_WORD = 100  # arbitrary; longer than any key of ours, short enough for difflib on hostile input
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


class Span(NamedTuple):
    """A stretch of text: 1-based line and column of its first character, and of the one after its last."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault or warning.

    Attributes:
        code: A stable word, one of `runner.jobfile.codes.CODES`.
        severity: `error` or `warning`.
        message: One sentence that says what was found and what is allowed.
        hint: What to write instead, or `None`.
        file: The file as the user named it.
        line: 1-based, or `None` where the cause has no place in the file (a command-line flag).
        column: 1-based, in characters.
        end_line: Line of the first character after the fault.
        end_column: Its column.
        path: The dotted path of the value, such as `pool.size`; empty for the file as a whole.
        notes: Further sentences: the keys a block takes, the place of the first of two keys.
    """

    code: str
    message: str
    file: str
    severity: Severity = "error"
    hint: str | None = None
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    path: str = ""
    notes: tuple[str, ...] = ()


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems in the order of the file; those that have no place come last."""
    return tuple(sorted(problems, key=lambda p: (p.line is None, p.line or 0, p.column or 0)))


def format_path(path: Sequence[str | int]) -> str:
    """Return a key path as people write it: `output.columns[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `word` most likely stands for, or `None`; case, `-` and `_` do not count."""
    if len(word) > _LONGEST_WORD:
        return None
    plain = {_plain(candidate): candidate for candidate in islice(candidates, _MOST_CANDIDATES)}
    if _plain(word) in plain:
        return plain[_plain(word)]
    import difflib  # only a fault needs it

    matches = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.6)
    return plain[matches[0]] if matches else None


def is_same_word(left: str, right: str) -> bool:
    """Return whether two words differ in nothing but case, `-` and `_`."""
    return _plain(left) == _plain(right)


def in_words(words: Iterable[str], *, last: str = "or") -> str:
    """Return a list for a sentence: `a, b or c`."""
    *rest, end = list(words)
    return f"{', '.join(rest)} {last} {end}" if rest else end


def split_lines(text: str) -> list[str]:
    """Return the lines of a text as editors count them, which know less line breaks than YAML 1.1."""
    return _LINE_BREAK.split(text)


def line_starts(text: str) -> list[int]:
    """Return the offset at which each line of `split_lines` begins."""
    return [0, *(match.end() for match in _LINE_BREAK.finditer(text))]


def _plain(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "")
