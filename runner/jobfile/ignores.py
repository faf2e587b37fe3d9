"""Comments that keep a warning quiet: `# runner: ignore[code] reason`.

A comment counts for its own line; one that stands alone counts for the next line that is neither blank
nor a comment, so several can be stacked. Only warnings can be ignored: an error keeps a job from running
whatever is said about it. A comment that does nothing is itself a warning, so none outlives its cause.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runner.jobfile.codes import CODES, WARNINGS
from runner.jobfile.problem import MOST_SHOWN, Problem, Span, nearest, split_lines
from runner.jobfile.scalar import clip
from runner.jobfile.tree import Document, MappingNode, Node, SequenceNode

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*runner:\s*ignore\b([^\n\r]*)")
_BODY = re.compile(r"\[([^\[\]]*)\](?:\s+(\S.*?))?\s*")
_MOST_COMMENTS = 100  # arbitrary: lines of comments between an ignore and what it is about
_ELSEWHERE = frozenset({"unset-env", "unset-secret", "short-secret", "same-output", "same-name"})
"""Warnings that depend on more than the file, so that one that does not come today may come tomorrow."""


@dataclass(slots=True)
class Ignore:
    """A comment that is well formed.

    Attributes:
        line: The line it counts for.
        codes: What it ignores.
        reason: What it says.
        span: Where it stands.
        met: Codes of which there was a warning.
    """

    line: int
    codes: list[str]
    reason: str
    span: Span
    met: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A warning that a comment keeps quiet, and why."""

    problem: Problem
    reason: str


def take_ignores(document: Document, problems: Sequence[Problem]) -> tuple[list[Problem], list[Ignored]]:
    """Return the problems of a file less those that its comments ignore, and the ignored ones.

    Comments that are malformed or do nothing are among the problems. Whether one does nothing is
    known only of a file without errors, because errors keep some warnings from being looked for.
    """
    if not document.is_readable:
        return list(problems), []
    left: list[Problem] = []
    ignored: list[Ignored] = []
    about: list[Problem] = []
    ignores: dict[int, list[Ignore]] = {}
    for span, line, body in _comments(document):
        ignore = _read(document, span, line, body, about)
        if ignore is not None:
            ignores.setdefault(line, []).append(ignore)
    for problem in problems:
        candidates = ignores.get(problem.line or 0, []) if problem.severity == "warning" else []
        ignore = next((each for each in candidates if problem.code in each.codes), None)
        if ignore is None:
            left.append(problem)
        else:
            ignore.met.add(problem.code)
            ignored.append(Ignored(problem, ignore.reason))
    if all(problem.severity == "warning" for problem in left):
        for ignore in (each for line in ignores.values() for each in line):
            about += _unused(document, ignore)
    return [*left, *about[:MOST_SHOWN]], ignored


def _unused(document: Document, ignore: Ignore) -> Iterator[Problem]:
    for code in ignore.codes:
        if code not in ignore.met and code not in _ELSEWHERE:
            message = f"there is no warning `{code}` on line {ignore.line} to ignore"
            yield _problem(document, "unused-ignore", message, ignore.span, hint="remove the comment")


def _read(document: Document, span: Span, line: int, body: str, problems: list[Problem]) -> Ignore | None:
    """Return what a comment says, its faults added to `problems`."""
    match = _BODY.fullmatch(body)
    codes = [code.strip() for code in match[1].split(",")] if match else []
    if match is None or not all(codes):
        message = "the comment does not say which warning to ignore"
        hint = "write # runner: ignore[code] reason"
        problems.append(_problem(document, "bad-ignore", message, span, hint=hint))
        return None
    known = []
    for code in dict.fromkeys(codes):
        if code in WARNINGS:
            known.append(code)
            continue
        if code in CODES:
            message, hint = f"`{code}` is an error, and errors cannot be ignored", "mend it"
        else:
            near = nearest(code, sorted(WARNINGS))
            message = f"there is no warning `{clip(code)}`"
            hint = f"did you mean `{near}`?" if near else "runner explain lists the codes"
        problems.append(_problem(document, "bad-ignore", message, span, hint=hint))
    if not match[2]:
        hint = f"write # runner: ignore[{clip(', '.join(codes))}] and the reason"
        problems.append(_problem(document, "bad-ignore", "the comment gives no reason", span, hint=hint))
        return None
    return Ignore(line, known, match[2], span) if known else None


def _comments(document: Document) -> Iterator[tuple[Span, int, str]]:
    """Yield each comment that means us: its place, the line it counts for, what follows `ignore`."""
    scalars = sorted(_scalars(document.root))
    starts = [start for start, _ in scalars]
    lines = split_lines(document.text)
    for match in _COMMENT.finditer(document.text):
        before = bisect_right(starts, match.start()) - 1
        if before >= 0 and match.start() < scalars[before][1]:
            continue  # a text that speaks of such comments
        span = document.span(match.start(), match.start() + len(match[0].rstrip()))
        line = span.line
        if not lines[line - 1][: span.column - 1].strip():
            line = _next_line(lines, line)
        yield span, line, match[1]


def _next_line(lines: list[str], number: int) -> int:
    """Return the number of the next line that says something; it is near, or there is none."""
    for offset, line in enumerate(lines[number : number + _MOST_COMMENTS]):
        if line.strip() and not line.lstrip().startswith("#"):
            return number + offset + 1
    return number


def _scalars(node: Node | None) -> Iterator[tuple[int, int]]:
    """Yield the extent of every key and value that is a text."""
    if isinstance(node, MappingNode):
        for key, value in node.entries.values():
            yield key.start, key.end
            yield from _scalars(value)
    elif isinstance(node, SequenceNode):
        for item in node.items:
            yield from _scalars(item)
    elif node is not None:
        yield node.start, node.end


def _problem(document: Document, code: str, message: str, span: Span, *, hint: str) -> Problem:
    return Problem(
        code=code, message=message, file=document.file, severity="warning", hint=hint, **span._asdict()
    )
