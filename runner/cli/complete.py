"""What a shell completes: job files, the parameters of a job, the keys of `--set` and of `explain`.

Nothing is said where something goes wrong: a traceback in the middle of a command line helps nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem


def complete_job(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the path of a job file; where none begins so, whatever the shell finds."""
    folder, name = os.path.split(incomplete)
    try:
        found = sorted(
            entry.name
            for entry in os.scandir(folder or ".")
            if entry.name.startswith(name)
            and entry.name.endswith((".yaml", ".yml"))
            and _is_job(Path(entry.path))
        )
    except OSError:
        found = []
    if not found:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(os.path.join(folder, each)) for each in found]  # as it was typed


def complete_param(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a parameter that the job on the command line declares."""
    from runner.jobfile.document import read_document

    # Behind an option whose value is still to come, click leaves what it has not read in `args`.
    job = context.params.get("job") or next((word for word in context.args if word[:1] != "-"), None)
    if job is None:
        return []
    try:
        data = read_document(Path(job).read_bytes(), str(job)).data
    except OSError:
        return []
    params = data.get("params") if isinstance(data, dict) else None
    return _items(params, incomplete, end="=") if isinstance(params, dict) else []


def complete_key(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the dotted path of a key for `--set`."""
    return _items(_keys(), incomplete, end="=")


def complete_word(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a key or the code of a fault for `explain`."""
    from runner.jobfile.codes import CODES

    return _items([*_keys(), *CODES], incomplete)


def _keys() -> list[str]:
    from runner import sinks, sources
    from runner.jobfile.keys import Kinds
    from runner.jobfile.reference import all_keys

    return list(all_keys(Kinds(sources.KINDS, sinks.KINDS)))


def _items(words: Iterable[str], incomplete: str, *, end: str = "") -> list[CompletionItem]:
    return [CompletionItem(f"{word}{end}") for word in words if word.startswith(incomplete)]


def _is_job(path: Path) -> bool:
    """Whether a YAML file has what a job has, at its left margin."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("task:") for line in lines)
