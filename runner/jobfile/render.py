"""Problems as text for people, as lines for tools, and as data for machines.

Everything shown comes from a file or a flag that somebody else may have written. Control characters,
invisible ones and those that turn the direction of text are therefore shown as escapes, so that a
job file can neither command the terminal nor show something else than it says.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from runner.jobfile.problem import Problem, in_order, split_lines

_WIDTH = 100
_TAB = 4
_LEAST_GUTTER = 2
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def render_text(problems: Sequence[Problem], sources: Mapping[str, str]) -> str:
    """Return the problems with the lines they point at, and a last line that counts them.

    Args:
        problems: Problems of any number of files; each file's are put in the order of its lines.
        sources: Text by file name; a file that is missing here is shown without its lines.
    """
    if not problems:
        return ""
    blocks = []
    for file in dict.fromkeys(problem.file for problem in problems):
        lines = split_lines(sources[file]) if file in sources else []
        ordered = in_order(problem for problem in problems if problem.file == file)
        gutter = max(_LEAST_GUTTER, *(len(str(problem.line or 0)) for problem in ordered))
        blocks += [_block(problem, lines, gutter) for problem in ordered]
    return "\n".join([*blocks, _count(problems)]) + "\n"


def render_concise(problems: Sequence[Problem]) -> str:
    """Return one line for each problem: `file:line:col: error[code] message`."""
    lines = []
    for problem in problems:
        place = f":{problem.line}:{problem.column}" if problem.line is not None else ""
        lines.append(
            f"{escape(problem.file)}{place}: {problem.severity}[{problem.code}] {escape(problem.message)}\n"
        )
    return "".join(lines)


def to_json(problems: Sequence[Problem]) -> list[dict[str, str | int | None]]:
    """Return the problems as `validate --format json` prints them."""
    return [
        {
            "code": problem.code,
            "severity": problem.severity,
            "message": encodable(problem.message),
            "hint": encodable(problem.hint) if problem.hint is not None else None,
            "file": encodable(problem.file),
            "line": problem.line,
            "column": problem.column,
            "end_line": problem.end_line,
            "end_column": problem.end_column,
            "path": encodable(problem.path),
        }
        for problem in problems
    ]


def escape(text: str) -> str:
    """Return `text` with every character that does not show as itself written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape_character(character) for character in text)


def _escape_character(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


def encodable(text: str) -> str:
    """Return `text` without lone surrogates (undecodable bytes of a command line), which JSON cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _block(problem: Problem, lines: Sequence[str], gutter: int) -> str:
    place = f":{problem.line}:{problem.column}" if problem.line is not None else ""
    shown = [
        f"{problem.severity}[{problem.code}]: {escape(problem.message)}",
        f"{' ' * gutter}--> {escape(problem.file)}{place}",
    ]
    hint = f"help: {escape(problem.hint)}" if problem.hint else ""
    margin = " " * gutter
    if problem.line is not None and problem.line <= len(lines):
        code, caret = _snippet(problem, lines[problem.line - 1], _WIDTH - gutter - 3)
        shown.append(f"{problem.line:>{gutter}} | {code}".rstrip())
        shown.append(f"{margin} | {caret} {hint}".rstrip())
    elif hint:
        shown.append(f"{margin} = {hint}")
    for note in problem.notes:  # a traceback has lines
        first, *rest = map(escape, note.splitlines() or [""])
        shown += [f"{margin} = {first}", *(f"{margin}   {line}" for line in rest)]
    return "\n".join(shown) + "\n"


def _snippet(problem: Problem, line: str, width: int) -> tuple[str, str]:
    """Return the line and the carets below it, both cut around the fault to `width` columns."""
    start = min((problem.column or 1) - 1, len(line))
    end = len(line)
    if problem.end_line == problem.line and problem.end_column is not None:
        end = max(start, min(problem.end_column - 1, end))
    # A line may be a megabyte long: only what can end up on the screen is looked at.
    head = _cells(line[max(0, start - width) : start])
    tail = _cells(line[start : start + width])
    before = after = ""
    if len(head) + len(tail) < len(line) or _columns(head) + _columns(tail) > width:
        whole = len(head), len(tail)
        head = _fitting(head[::-1], width // 3)[::-1]
        tail = _fitting(tail, width - width // 3 - 2)
        before = "…" if len(head) < whole[0] or whole[0] < start else ""
        after = "…" if len(tail) < whole[1] or start + whole[1] < len(line) else ""
    text = before + "".join(shown for shown, _ in head + tail) + after
    carets = max(1, _columns(tail[: end - start]))
    return text, " " * (len(before) + _columns(head)) + "^" * carets


def _fitting(cells: list[tuple[str, int]], width: int) -> list[tuple[str, int]]:
    """Return as many of the first cells as fit into `width` columns."""
    for count in range(len(cells) + 1):
        if _columns(cells[:count]) > width:
            return cells[: count - 1]
    return cells


def _cells(text: str) -> list[tuple[str, int]]:
    """Return what is shown for each character and how many terminal columns it takes."""
    return [_cell(character) for character in text]


def _cell(character: str) -> tuple[str, int]:
    if character == "\t":
        return " " * _TAB, _TAB  # the width of a tab must not depend on where it stands
    shown = _escape_character(character)
    if shown != character:
        return shown, len(shown)
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _columns(cells: Sequence[tuple[str, int]]) -> int:
    return sum(width for _, width in cells)


def counted(number: int, noun: str) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _count(problems: Sequence[Problem]) -> str:
    counts = [
        counted(number, word)
        for word in ("error", "warning")
        if (number := sum(problem.severity == word for problem in problems))
    ]
    files = list(dict.fromkeys(problem.file for problem in problems))
    return f"{' and '.join(counts)} in {escape(files[0]) if len(files) == 1 else f'{len(files)} files'}"
