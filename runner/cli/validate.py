"""`runner validate`: every fault of job files, and what is suspicious in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import options
from runner.cli.complete import complete_job
from runner.cli.start import uncollected

if TYPE_CHECKING:
    from runner.cli.job_files import Found
    from runner.config import Config
    from runner.jobfile import LoadedJob
    from runner.lint import Review


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=complete_job)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "concise", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="How faults are shown.",
)
@click.option(
    "--strict", is_flag=True, help="Warnings make exit code 1 too, all but variables that are not set."
)
@click.option("--import", "imports", is_flag=True, help="Import the tasks and check them for real.")
@click.option(
    "--isolated",
    is_flag=True,
    help="What tasks need is not installed here, as in a hook: say nothing of modules outside the project.",
)
@click.option("--only-jobs", is_flag=True, help="Pass over named files that do not look like job files.")
@click.option(
    "--stdin-filename",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What to call standard input, and where its paths start.",
)
@options.config
def validate(
    paths: tuple[str, ...],
    form: str,
    strict: bool,
    imports: bool,
    isolated: bool,
    only_jobs: bool,
    stdin_filename: Path | None,
    config: Path | None,
) -> int:
    """Look for faults in job files. Imports and runs nothing of yours, unless you say --import.

    PATH is a job file, a glob, `-` for standard input, or a folder, of which every .yaml and .yml file is
    taken that looks like a job file. A warning is kept quiet by a comment on its line or alone above it:
    # runner: ignore[code] reason. Exit code 0: no faults. 1: faults. 2: no such file.
    """
    with uncollected():
        from runner.cli.job_files import find_job_files
        from runner.cli.words import say
        from runner.errors import UsageError
        from runner.lint import review_jobs

    if imports and isolated:
        raise click.UsageError("--import and --isolated exclude each other")
    try:
        found = find_job_files(paths, only_jobs=only_jobs)
        jobs, is_missing = _load(found, stdin_filename or Path("<stdin>"))
        review = review_jobs(jobs, lambda root: _settings(root, config), imports=imports, isolated=isolated)
    except UsageError as error:
        say(f"error: {error}")
        return 2
    if review.problems or not is_missing or form in ("json", "sarif"):
        _print(review, {str(loaded.path): loaded.text for loaded in jobs}, form)
    if form not in ("json", "sarif") and not is_missing:
        _close(review, found, len(jobs), is_for_people=form == "text")
        if form == "text" and not (imports or isolated):
            _tell_what_was_not_compared(jobs)
    if is_missing:
        return 2
    return 1 if any(_counts(problem.severity, problem.code, strict) for problem in review.problems) else 0


def _counts(severity: str, code: str, strict: bool) -> bool:
    """Return whether a problem makes exit code 1; what a machine lacks is no fault of the file."""
    return severity == "error" or (strict and not code.startswith("unset-"))


def _load(found: Found, stdin: Path) -> tuple[list[LoadedJob], bool]:
    """Return the jobs of the files, and whether a file was not there; the others are read all the same."""
    import os
    import sys
    from datetime import UTC, datetime

    from runner.cli.job_files import STDIN
    from runner.cli.words import say
    from runner.errors import UsageError
    from runner.jobfile import load_job
    from runner.jobfile.document import MAX_BYTES

    now = datetime.now(UTC)
    jobs = []
    is_missing = False
    for name in found.files:
        source = sys.stdin.buffer.read(MAX_BYTES + 1) if name == STDIN else None
        path = stdin if name == STDIN else Path(name)
        try:
            jobs.append(load_job(path, environ=os.environ, now=now, strict_env=False, source=source))
        except UsageError as error:
            say(f"error: {error}")
            is_missing = True
    return jobs, is_missing


def _settings(root: Path, operator: Path | None) -> Config:
    import os

    from runner.config import load_config

    return load_config(root, operator=operator, environ=os.environ)


def _print(review: Review, texts: dict[str, str], form: str) -> None:
    """Show the problems on standard output; each form is made by one function."""
    from runner.jobfile import render

    if form == "json":
        import orjson

        click.echo(orjson.dumps(render.to_json(review.problems), option=orjson.OPT_INDENT_2).decode())
    elif form == "sarif":
        import orjson

        from runner.jobfile.sarif import to_sarif

        click.echo(
            orjson.dumps(to_sarif(review.problems, review.ignored), option=orjson.OPT_INDENT_2).decode()
        )
    elif not review.problems:
        return
    elif form == "github":
        from runner.jobfile.annotations import render_github

        click.echo(render_github(review.problems), nl=False)
    elif form == "concise":
        click.echo(render.render_concise(review.problems), nl=False)
    else:
        click.echo(render.render_text(review.problems, texts), nl=False)


def _close(review: Review, found: Found, files: int, *, is_for_people: bool) -> None:
    """Say on standard error what was looked at."""
    from runner.cli.words import say
    from runner.jobfile.render import counted

    parts = []
    if found.others:
        parts.append(f"{counted(found.others, 'other YAML file')} passed over")
    if review.ignored:
        parts.append(f"{counted(len(review.ignored), 'warning')} ignored by comments")
    rest = f" ({', '.join(parts)})" if parts else ""
    if not review.problems:
        say(f"no faults in {counted(files, 'job file')}{rest}")
    elif parts:
        say(f"{counted(files, 'job file')} looked at{rest}")
    codes = list(dict.fromkeys(problem.code for problem in review.problems))
    if codes and is_for_people:
        say(f"what a code means: runner explain {codes[0]}")


def _tell_what_was_not_compared(jobs: list[LoadedJob]) -> None:
    """Say in one line where only an import could tell whether the input fits the type of the task."""
    from runner.cli.words import say
    from runner.jobfile.render import counted

    typed = sum(map(_has_typed_table, jobs))
    if typed:
        where = f" (in {counted(typed, 'job file')})" if len(jobs) > 1 else ""
        say(f"not compared: the columns of the input and the type that the task takes{where}; --import does")


def _has_typed_table(loaded: LoadedJob) -> bool:
    """Return whether there is a table, and a task whose source gives its item a type with fields."""
    from runner.errors import InputBroken, UsageError
    from runner.scaffold.function import find_function
    from runner.sources.csv_rows import CsvOptions

    if loaded.job is None or not isinstance(loaded.job.input, CsvOptions) or loaded.job.input.path == "-":
        return False
    try:
        loaded.job.input.open(loaded.root)
        return find_function(loaded.job.task.call, loaded.root).has_own_type
    except (InputBroken, UsageError):
        return False
