"""A comparison as text for people, as Markdown for a pull request, and as data for machines.

Everything shown comes from a file that somebody else may have written, perhaps a stranger in a pull request:
no character of it may command a terminal, leave its cell, or become a link, a mention or an image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.jobfile.behaviour import Behaviour
from runner.jobfile.diff import Comparison
from runner.jobfile.phrases import quotable, spell, spell_at
from runner.jobfile.problem import Problem, in_words
from runner.jobfile.render import escape, to_json
from runner.jobfile.secret import blank_values
from runner.jobfile.weight import Weight

_CODE = re.compile(r"`([^`]*)`")
_SPECIAL = re.compile(r"([\\`*_\[\]<|~@&]|:(?=/)|(?<=www)\.)")


_MOST_KEYS = 20  # arbitrary; that keep a run from being resumed, and are named


@dataclass(frozen=True, slots=True)
class Side:
    """One file of a comparison, under the name that the user gave it."""

    name: str
    behaviour: Behaviour

    @property
    def text(self) -> str:
        """Return the text of the file, for showing the lines that problems point at, without secrets."""
        return blank_values(self.behaviour.document)

    @property
    def errors(self) -> list[Problem]:
        """What keeps the file from being compared."""
        return [problem for problem in self.behaviour.problems if problem.severity == "error"]


def verdict(comparison: Comparison) -> str:
    """Return how much differs, in a few words."""
    count = len(comparison.changes)
    return f"{count} change{'' if count == 1 else 's'} of behaviour" if count else "no change of behaviour"


def resumption(comparison: Comparison) -> str:
    """Return whether an unfinished run of the old file can be gone on with by the new one."""
    if comparison.decisive:
        named = [f"`{quotable(key)}`" for key in comparison.culprits]
        rest = len(named) - _MOST_KEYS
        keys = in_words(named[:_MOST_KEYS] + [f"{rest:,} more"] * (rest > 0), last="and")
        return f"an unfinished run can no longer be resumed: {keys} changed"
    return "an unfinished run can still be resumed"


def diff_text(old: Side, new: Side, comparison: Comparison) -> str:
    """Return the changes by weight, each on a line."""
    lines = [f"{old.name} -> {new.name}: {verdict(comparison)}"]
    for weight in Weight:
        messages = [change.message for change in comparison.changes if change.weight is weight]
        if messages:
            lines += ["", f"{weight.title}:", *(f"  {message}" for message in messages)]
    if comparison.changes or comparison.decisive:
        lines += ["", resumption(comparison)]
    return "".join(f"{escape(line)}\n" for line in lines)


def diff_markdown(old: Side, new: Side, comparison: Comparison) -> str:
    """Return a line with the verdict, and a table of the changes."""
    told = [verdict(comparison)]
    if comparison.changes or comparison.decisive:
        told.append(resumption(comparison))
    lines = [f"**{_code(new.name)}: {'; '.join(map(_prose, told))}** (from {_code(old.name)})"]
    if comparison.changes:
        lines += ["", "| | change | key |", "|---|---|---|"]
        for change in comparison.changes:
            keys = ", ".join(_code(key) for key in change.keys)
            lines.append(f"| {change.weight.title} | {_prose(change.message)} | {keys} |")
    return "".join(f"{line}\n" for line in lines)


def faults_markdown(sides: Sequence[Side]) -> str:
    """Return what keeps files from being compared, as a line and a list for each."""
    lines = []
    for side in sides:
        count = len(side.errors)
        state = (
            f"{count} error{'' if count == 1 else 's'}, so it cannot be compared" if count else "no errors"
        )
        lines += [f"**{_code(side.name)}: {state}**", ""]
        for problem in side.errors:
            place = f"line {problem.line}: " if problem.line is not None else ""
            lines.append(f"- {place}{_prose(problem.message)} ({_code(problem.code)})")
        lines += [""] * bool(side.errors)
    return "".join(f"{line}\n" for line in lines).rstrip("\n") + "\n"


def diff_json(old: Side, new: Side, comparison: Comparison | None) -> dict[str, Any]:
    """Return everything: the changes, their values, what may be resumed; without a comparison, the faults.

    A value that one side does not have is left out of `old` or `new`.
    """
    report: dict[str, Any] = {
        "old": old.name,
        "new": new.name,
        "verdict": verdict(comparison) if comparison is not None else "cannot be compared",
        "has_changed": bool(comparison.changes) if comparison is not None else None,
        "changes": [],
        "is_resumable": not comparison.decisive if comparison is not None else None,
        "decisive": list(comparison.decisive) if comparison is not None else [],
        "problems": to_json([*old.errors, *new.errors]),
    }
    before, now = old.behaviour.values, new.behaviour.values
    for change in comparison.changes if comparison is not None else ():
        report["changes"].append(
            {
                "weight": change.weight.name.lower(),
                "message": change.message,
                "keys": list(change.keys),
                "old": {key: before[key] for key in change.keys if key in before},
                "new": {key: now[key] for key in change.keys if key in now},
            }
        )
    return report


def value_lines(behaviour: Behaviour) -> Iterator[str]:
    """Yield `path = value` for each value, sorted by path; an entry of a list is `path[] = value`.

    An entry has no number, so that one that is put in between is one line of difference, not a hundred.
    """
    for path, value in sorted(behaviour.values.items()):
        if isinstance(value, list) and value:
            yield from (f"{path}[] = {spell(entry)}" for entry in value)
        else:
            yield f"{path} = {spell_at(path, value)}"


def _prose(text: str) -> str:
    """Return a sentence for Markdown: what stands in backquotes is code, and nothing else means anything."""
    parts = _CODE.split(escape(text))
    return "".join(_code(part) if odd % 2 else _SPECIAL.sub(r"\\\1", part) for odd, part in enumerate(parts))


def _code(text: str) -> str:
    """Return a text as code within a cell of a table."""
    shown = escape(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
