"""`runner test`: the tests in job files, without input and output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import options
from runner.cli.complete import complete_job

if TYPE_CHECKING:
    from datetime import datetime

    from runner.clock import Clock
    from runner.job_tests.report import FileReport


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...", shell_complete=complete_job)
@click.option("-k", "only", default="", metavar="TEXT", help="Only tests with that in their name.")
@click.option(
    "--update", is_flag=True, help="Put what came of each item into the job file, and show the change."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "junit", "json"]),
    default="text",
    show_default=True,
    help="How the result is shown.",
)
@options.config
def test(jobs: tuple[str, ...], only: str, update: bool, form: str, config: Path | None) -> int:
    """Run the tests: of job files: an item through the task, and what must come of it.

    JOB is a job file, or a folder of them. Input and output are not touched. Retries, timeouts and injected
    faults run under a clock in which waiting takes no time.

    Exit code 0: all passed, or were updated. 1: one failed. 2: wrong usage. 78: a job file is wrong.
    """
    import sys

    from runner.errors import UsageError

    out = sys.stdout
    sys.stdout = sys.stderr  # whatever tasks print
    try:
        code = _test(jobs, only, config, form=form, is_update=update, write=out.write)
        out.flush()
        return code
    except UsageError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    finally:
        sys.stdout = out


def _test(
    names: tuple[str, ...],
    only: str,
    config: Path | None,
    *,
    form: str,
    is_update: bool,
    write: Callable[[str], object],
) -> int:
    from datetime import UTC, datetime

    from runner.cli.job_files import find_job_files
    from runner.clock import SystemClock
    from runner.job_tests import report
    from runner.job_tests.modules import forget_modules

    clock, now = SystemClock(), datetime.now(UTC)
    began, reports = clock.monotonic(), []
    for path in map(Path, find_job_files(names).files):
        with forget_modules():
            found = _test_file(path, only, config, clock, now, is_shown=form == "text", write=write)
            if is_update and not found.fault:
                found = _update(path, found, now, write if form == "text" else None)
        reports.append(found)
    if form == "json":
        import orjson

        write(orjson.dumps(report.as_json(reports), option=orjson.OPT_INDENT_2).decode() + "\n")
    elif form == "junit":
        write(report.as_junit(reports))
    else:
        write(report.render_total(reports, clock.monotonic() - began, only=only) + "\n")
    if any(each.fault for each in reports):
        return 78
    return int(any(verdict.status != "passed" for each in reports for verdict in each.verdicts))


def _test_file(
    path: Path,
    only: str,
    config: Path | None,
    clock: Clock,
    now: datetime,
    *,
    is_shown: bool,
    write: Callable[[str], object],
) -> FileReport:
    """Run the tests of one file, shown as they are done."""
    import os

    from runner.cli.words import show_problems
    from runner.config import load_config
    from runner.errors import JobInvalid
    from runner.job_tests.judge import Verdict, judge_tests
    from runner.job_tests.prepare import Preparation
    from runner.job_tests.report import FileReport, render_verdict
    from runner.jobfile import render_concise

    verdicts: list[Verdict] = []
    name = path.stem
    try:
        preparation = Preparation(path, now)
        assert preparation.loaded.job is not None
        name = preparation.loaded.job.name
        settings = load_config(preparation.loaded.root, operator=config, environ=os.environ)
        for verdict in judge_tests(preparation, settings, clock, only=only):
            verdicts.append(verdict)
            if is_shown:
                write(render_verdict(str(path), verdict) + "\n")
    except JobInvalid as invalid:
        show_problems(invalid.faults, {str(path): path.read_text("utf-8", "replace")})
        return FileReport(str(path), name, verdicts, fault=render_concise(invalid.faults))
    return FileReport(str(path), name, verdicts)


def _update(
    path: Path, found: FileReport, now: datetime, write: Callable[[str], object] | None
) -> FileReport:
    """Put what came of the items into the file; return the report as it is then."""
    from dataclasses import replace
    from difflib import unified_diff

    from runner.cli.words import say
    from runner.errors import UsageError
    from runner.job_tests.report import UPDATED
    from runner.job_tests.update import UpdateFailed, rewrite, update_text
    from runner.jobfile import read_document

    raw = path.read_bytes()
    document = read_document(raw, str(path))
    try:
        text = update_text(document, found.verdicts)
        if text == document.text:
            return found
        rewrite(path, raw, text)
    except UpdateFailed as error:
        say(f"error: {path} was not changed: {error}")
        return found
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    if write is not None:
        lines = unified_diff(document.text.splitlines(True), text.splitlines(True), str(path), str(path))
        write("".join(line if line.endswith("\n") else f"{line}\n" for line in lines))
    filled = ("failed", "unfilled")
    verdicts = [
        replace(each, status="passed", said=UPDATED) if each.status in filled else each
        for each in found.verdicts
    ]
    return replace(found, verdicts=verdicts)
