"""`runner validate`: every fault of job files, without importing or running anything of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runner.jobfile import Problem


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "concise", "json"]),
    default="text",
    show_default=True,
    help="How faults are shown.",
)
@click.option("--config", type=click.Path(path_type=Path), help="The operator's settings (config.yaml).")
def validate(paths: tuple[str, ...], form: str, config: Path | None) -> int:
    """Look for faults in job files. Imports and runs nothing of yours.

    PATH is a job file, or a folder, of which every .yaml and .yml file is taken that has an `input:`
    and a `task:` of its own or is named alone. Exit code 0: none found; 1: faults; 2: no such file.
    """
    import os
    from datetime import UTC, datetime

    from runner.cli.words import say
    from runner.config import load_config
    from runner.errors import JobInvalid, UsageError
    from runner.jobfile import load_job
    from runner.review import review_task

    problems: list[Problem] = []
    texts: dict[str, str] = {}
    is_missing = False
    try:
        files = _job_files(paths)
        for path in files:
            try:
                loaded = load_job(path, environ=os.environ, now=datetime.now(UTC), strict_env=False)
            except UsageError as error:  # the faults of the other files are shown all the same
                say(f"error: {error}")
                is_missing = True
                continue
            texts[str(path)] = loaded.text
            problems += loaded.problems
            if loaded.job is not None:
                settings = load_config(loaded.root, operator=config, environ=os.environ)
                problems += review_task(loaded, settings)
    except UsageError as error:
        say(f"error: {error}")
        return 2
    except JobInvalid as error:  # the settings
        problems += error.faults
    if problems or not is_missing or form == "json":
        _print(problems, texts, form, len(files))
    if is_missing:
        return 2
    return 1 if any(problem.severity == "error" for problem in problems) else 0


def _job_files(paths: tuple[str, ...]) -> list[Path]:
    from runner.errors import UsageError

    files: list[Path] = []
    for name in paths:
        path = Path(name)
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and _is_job(p, path))
        if not found:
            raise UsageError(f"there is no job file in the folder {name}")
        files += found
    return list(dict.fromkeys(files))


def _is_job(path: Path, folder: Path) -> bool:
    """Whether a file met in `folder` is a job file: it has `input:` and `task:` at the top."""
    if any(part.startswith(".") for part in path.relative_to(folder).parts):
        return False
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("task:") for line in lines) and any(
        line.startswith("input:") for line in lines
    )


def _print(problems: list[Problem], texts: dict[str, str], form: str, files: int) -> None:
    from runner.cli.words import say

    if form == "json":
        import orjson

        from runner.jobfile.render import to_json

        click.echo(orjson.dumps(to_json(problems), option=orjson.OPT_INDENT_2).decode())
    elif form == "concise":
        from runner.jobfile.render import render_concise

        if problems:
            click.echo(render_concise(problems), nl=False)
    else:
        from runner.jobfile.render import render_text

        if problems:
            click.echo(render_text(problems, texts), nl=False)
        else:
            say(f"no faults in {files} job file{'s' if files != 1 else ''}")
