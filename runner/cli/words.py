"""How commands talk: messages on standard error, results on standard output, faults like a compiler's."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runner.jobfile import Problem


def say(text: str) -> None:
    """Write a line to standard error; a reader that has gone away is no reason to stop."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError, RuntimeError):
        pass  # closed, or `None`, or a signal handler that came within another write


def name_locale(error: UnicodeEncodeError) -> str | None:
    """Return what is wrong where a path cannot be said in the encoding of the locale, `None` where it can."""
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") == "utf8":
        return None
    return (
        f"the locale has paths in {encoding}, which cannot say {ascii(error.object)[:200]}; "
        "set LC_ALL=C.UTF-8, or PYTHONUTF8=1"
    )


def show_problems(problems: Sequence[Problem], sources: Mapping[str, str]) -> None:
    """Show faults as text on standard error."""
    from runner.jobfile.render import render_text

    say(render_text(problems, sources))


def print_json(report: object) -> None:
    """Print one JSON document on standard output: integers of any size, ASCII only, no NaN.

    What comes from a job file or an item may be anything that orjson refuses.
    """
    import json

    click.echo(json.dumps(_finite(report), indent=2, default=repr))


def _finite(value: object) -> object:
    """Return a value in which NaN and infinities are texts, for JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
