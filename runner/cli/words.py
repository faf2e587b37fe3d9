"""How commands talk: messages on standard error, results on standard output, faults like a compiler's."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.jobfile import Problem


def say(text: str) -> None:
    """Write a line to standard error; a reader that has gone away is no reason to stop."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError, RuntimeError):
        pass  # closed, or `None`, or a signal handler that came within another write


def show_problems(problems: Sequence[Problem], sources: Mapping[str, str]) -> None:
    """Show faults as text on standard error."""
    from runner.jobfile.render import render_text

    say(render_text(problems, sources))
