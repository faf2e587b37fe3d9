"""What is said when a run begins and ends: for a person as text, for a machine as one JSON object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.outcome import RunSummary
from runner.paths import near
from runner.units import format_duration

MOST_GROUPS = 10
MOST_MESSAGE = 200
LEAST_SECONDS = 2.0
"""A shorter run is not worth a line on where its time went."""


def render_summary(summary: RunSummary, *, log: Path | None, next_step: str | None) -> str:
    """Return the summary as lines for a terminal or a mail; control characters of data are escaped.

    Args:
        summary: What happened.
        log: The log.
        next_step: What the user may do next, or `None`.
    """
    root = summary.root or ""
    lines = [f"{summary.status}: {_counts(summary)}" if summary.items else summary.status]
    if summary.message:
        lines.append(f"  {escape(summary.message)}")
    if summary.running_seconds >= LEAST_SECONDS:
        lines.append(f"  {_times(summary)}")
    if summary.output is not None and summary.succeeded and not summary.rows:
        lines.append("  no item gave a row: does the task return something?")
    lines += [f"  {line}" for line in _attempts(summary)]
    groups = sorted(summary.groups.values(), key=lambda group: -group.count)
    for group in groups[:MOST_GROUPS]:
        message = escape(group.message, MOST_MESSAGE)
        first = "" if group.count == 1 else "the first: "
        kind = f"{group.count:,} x {escape(group.type, MOST_MESSAGE)} ({group.stage})"
        lines.append(f"  {kind}: {first}{message}")
        lines.append(f"      {'' if group.count == 1 else 'first '}at {escape(place(group.example, root))}")
    if len(groups) > MOST_GROUPS:
        lines.append(f"  and {len(groups) - MOST_GROUPS} more kinds of failure")
    if summary.output is not None and summary.output != "-":
        is_new = "" if summary.is_published else " (not published)"
        lines.append(f"  output        {escape(near(summary.output, root))}{is_new}")
    if summary.dead_letter is not None and summary.failed:
        lines.append(f"  dead letters  {escape(near(summary.dead_letter, root))}")
    if log is not None:
        lines.append(f"  log           {escape(near(log))}")
    if next_step is not None:
        lines.append(f"  next          {next_step}")
    return "\n".join(lines)


def summary_json(summary: RunSummary) -> dict[str, Any]:
    """Return what `run --json` prints; the keys of DESIGN 7."""
    report = {
        "run_id": summary.run_id,
        "job": summary.job,
        "root": summary.root,
        "status": summary.status,
        "exit_code": int(summary.exit_code),
        "items": summary.items,
        "succeeded": summary.succeeded,
        "failed": summary.failed,
        "rows": summary.rows,
        "retries": summary.retries,
        "timeouts": summary.timeouts,
        "throttled_seconds": round(summary.throttled_seconds, 3),
        "abandoned_threads": summary.abandoned_threads,
        "resumed_from": summary.resumed_from,
        "duration_seconds": round(summary.duration_seconds, 3),
        "output": summary.output,
        "dead_letter": summary.dead_letter,
        "message": summary.message,
    }
    # File names are bytes: what is no UTF-8 in them is spelled out.
    return {
        key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for key, value in report.items()
    }


def place(item: Any, root: str | Path) -> str:
    """Return where an item of a project stands, for a person: `data.csv:17 (item 15)`."""
    where = item.where
    if where.file is None:
        return f"item {item.index:,}"
    line = f":{where.line}" if where.line is not None else ""
    return f"{near(where.file, root)}{line} (item {item.index:,})"


def escape(text: str, most: int = 500) -> str:
    """Return `text` in one line without anything that moves a cursor or colours a terminal."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return shown if len(text) <= most else f"{shown}…"


def _times(summary: RunSummary) -> str:
    """Say what the run spent its time on: the three overlap with each other, not with waiting."""
    run = summary.running_seconds
    output = run - summary.waiting_seconds
    tasks = max(0.0, summary.waiting_seconds - summary.reading_seconds)
    shares = [
        ("reading input", summary.reading_seconds),
        ("waiting for tasks", tasks),
        ("writing output", output),
    ]
    return "time: " + ", ".join(f"{share * 100 / run:.0f} % {name}" for name, share in shares)


def _attempts(summary: RunSummary) -> list[str]:
    """Say what was tried again, timed out, held back or left behind, each only if it happened."""
    lines = []
    if summary.retries or summary.timeouts:
        parts = [_number(summary.retries, "retry", "retries")] if summary.retries else []
        parts += [_number(summary.timeouts, "attempt") + " timed out"] if summary.timeouts else []
        lines.append(", ".join(parts))
    if summary.throttled_seconds >= LEAST_SECONDS:
        lines.append(f"workers waited {format_duration(summary.throttled_seconds)} in all for `rate_limit`")
    if summary.hung_input is not None:
        lines.append(f"the input was still waited for at the end: {escape(summary.hung_input)}")
    in_task = summary.abandoned_threads - (summary.hung_input is not None)
    if in_task:
        lines.append(f"{_number(in_task, 'thread')} still hung in the task at the end")
    return lines


def _counts(summary: RunSummary) -> str:
    done_now = summary.items - summary.items_before  # the duration is this process's
    rate = done_now / summary.duration_seconds if summary.duration_seconds > 0 else 0
    parts = [_number(summary.items, "item"), _number(summary.rows, "row")]
    if summary.failed:
        parts.append(f"{summary.failed:,} failed")
    return f"{', '.join(parts)} in {format_duration(summary.duration_seconds)} ({rate:,.0f} items/s)"


def _number(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
