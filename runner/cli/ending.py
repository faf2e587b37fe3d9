"""How the end of a run is told: to a person, to a machine and in the log; and which exit code it has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from runner.cli.order import FaultyJob, Order, command_line
from runner.cli.words import name_locale, say, show_problems
from runner.errors import Broken, JobInvalid, Locked, Refused, UsageError
from runner.observers.log import RunLog
from runner.observers.summary import escape, render_summary, summary_json
from runner.outcome import ExitCode, RunSummary
from runner.raised import said_of, show


def explain(error: BaseException, summary: RunSummary) -> None:
    """Say what went wrong, and put status, exit code and message into the summary."""
    invalid = error.invalid if isinstance(error, FaultyJob) else error
    if isinstance(invalid, JobInvalid):
        texts = {str(error.loaded.path): error.loaded.text} if isinstance(error, FaultyJob) else {}
        if not texts:
            texts = _texts(str(getattr(problem, "file", "")) for problem in invalid.faults)
        show_problems(invalid.faults, texts)
        _end(summary, "invalid", ExitCode.INVALID, str(invalid))
    elif isinstance(error, UsageError):
        _end(summary, "invalid", ExitCode.USAGE, str(error))
    elif isinstance(error, Refused):
        _end(summary, "refused", ExitCode.REFUSED, str(error))
    elif isinstance(error, Locked):
        _end(summary, "locked", ExitCode.LOCKED, str(error))
    elif isinstance(error, Broken):
        _end(summary, "broken", ExitCode.BROKEN, str(error))
    elif isinstance(error, UnicodeEncodeError) and (said := name_locale(error)):
        _end(summary, "invalid", ExitCode.USAGE, said)
    elif isinstance(error, KeyboardInterrupt):
        _end(summary, "interrupted", ExitCode.INTERRUPTED, "stopped by SIGINT before the run began")
    else:
        say("runner has a bug; please report this:")
        say(show(error))
        _end(summary, "broken", ExitCode.BUG, f"a bug of runner: {said_of(error)}")


def _texts(files: Iterator[str]) -> dict[str, str]:
    texts = {}
    for file in set(files):
        try:
            if Path(file).is_file():  # a pipe would wait for a writer
                texts[file] = Path(file).read_text("utf-8", "replace")
        except OSError:
            continue
    return texts


def _end(summary: RunSummary, status: str, code: ExitCode, message: str) -> None:
    summary.status, summary.exit_code, summary.message = status, code, message


def report(order: Order, summary: RunSummary, log: RunLog | None) -> None:
    """Tell the log, the person and the machine how the run ended, and close the log."""
    if log is not None:
        level = "info" if summary.exit_code is ExitCode.DONE else "error"
        facts = summary_json(summary)
        del facts["run_id"], facts["job"]  # every line has them
        log.event("run.finished", level, **facts)
        log.close()
        if log.error is not None:
            say(f"warning: {log.error}")
    if not (order.is_quiet and summary.exit_code is ExitCode.DONE):
        _conclude(order, summary, log)
    if order.as_json:
        import orjson

        try:
            sys.stdout.buffer.write(orjson.dumps(summary_json(summary)) + b"\n")
            sys.stdout.flush()
        except OSError as error:
            # What the run has done stays done: another code would make a scheduler do it once more.
            say(f"warning: the report could not be written to standard output: {error.strerror}")


def _conclude(order: Order, summary: RunSummary, log: RunLog | None) -> None:
    """Say how it ended: as an error where nothing ran, else with all that happened."""
    if summary.status == "invalid" and summary.exit_code is ExitCode.INVALID:
        return  # the faults have been shown
    has_begun = summary.items or summary.retries or summary.timeouts
    if summary.status in ("invalid", "refused", "locked") or (summary.status == "broken" and not has_begun):
        say(f"error: {escape(summary.message, 2000)}")
        return
    next_step = None
    if summary.status in ("failed", "interrupted", "broken"):
        next_step = _next_step(order, summary)
    say(render_summary(summary, log=log.path if log is not None else None, next_step=next_step))


def _next_step(order: Order, summary: RunSummary) -> str:
    """Say what the user types next, and what to add after an edit."""
    command = command_line(order, date=order.date, limit=order.limit)
    what = "the same command goes on from there" if summary.is_kept else "the same command starts over"
    if summary.status == "interrupted":
        return f"{what}: {command}"
    edited = "\n                (add --accept code if you edit the task, --restart if you edit its input)"
    return f"fix the cause, then {what}: {command}{edited if summary.is_kept else ''}"
