"""Problems as annotations of a GitHub workflow: lines on standard output that the runner of a step reads.

GitHub shows the first ten errors and the first ten warnings of a step, so errors come first. The form is
that of `@actions/core` (workflow commands): in a message `%` and line ends are escaped, in a property
`:` and `,` too.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.jobfile.problem import Problem
from runner.jobfile.render import escape


def render_github(problems: Sequence[Problem]) -> str:
    """Return one annotation for each problem, errors first; empty where there are none."""
    ordered = sorted(problems, key=lambda problem: problem.severity != "error")
    return "".join(f"{_annotation(problem)}\n" for problem in ordered)


def _annotation(problem: Problem) -> str:
    properties = {"file": problem.file, "line": problem.line, "col": problem.column, "title": problem.code}
    if problem.line is not None and problem.end_line == problem.line:
        properties["endLine"] = problem.end_line
        # What is marked ends with this column; ours is the one after it.
        properties["endColumn"] = max(problem.column or 1, (problem.end_column or 1) - 1)
    text = "; ".join(part for part in (problem.message, problem.hint) if part)
    shown = ",".join(
        f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None
    )
    return f"::{problem.severity} {shown}::{_message(text)}"


def _message(text: str) -> str:
    # Other control characters would reach the terminal of whoever reads the log.
    return escape(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
