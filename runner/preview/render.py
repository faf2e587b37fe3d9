"""A preview as text for a person, and as one JSON object for a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from runner.errors import ItemFault
from runner.jobfile import LoadedJob
from runner.observers.summary import escape, place
from runner.outcome import Failure
from runner.policies.retry import RetryPolicy
from runner.preview.advice import Advice, Summary, advise, format_span, summarize
from runner.preview.flow import Preview, Sample
from runner.raised import is_a
from runner.sizing import usable_cpus
from runner.task import user_frames

if TYPE_CHECKING:
    from runner.jobfile import Job

MOST_SHOWN = 600
"""Characters of an item, and of each of its rows, that are shown; arbitrary."""
MOST_ROWS = 10
"""Rows of an item that are shown; arbitrary."""


def render_sample(sample: Sample, loaded: LoadedJob, retry: RetryPolicy | None) -> str:
    """Return an item and what came of it, in some lines; secrets are masked, control characters escaped."""
    mask = loaded.secrets.mask
    took = f"  ({format_span(sample.cost.seconds)})" if sample.cost is not None else ""
    lines = [
        f"{escape(place(sample.item, loaded.root))}{took}",
        f"     {escape(mask(sample.value), MOST_SHOWN)}",
    ]
    if sample.failure is not None:
        lines += _failed(sample.failure, mask, retry)
    elif not sample.rows:
        lines.append("  -> no row")
    rows = sample.rows.split("\n")[:-1] if sample.rows.endswith("\n") else sample.rows.split("\n")
    if sample.failure is None and sample.rows:
        lines += [f"  -> {escape(mask(row), MOST_SHOWN)}" for row in rows[:MOST_ROWS]]
        if len(rows) > MOST_ROWS:
            lines.append(f"     and {len(rows) - MOST_ROWS} more lines")
    return "\n".join([*lines, ""])


def _failed(failure: Failure, mask: Any, retry: RetryPolicy | None) -> list[str]:
    kind = f"{failure.type} ({failure.stage})" if failure.stage != "task" else failure.type
    lines = [f"  !! {escape(kind)}: {escape(mask(failure.message), MOST_SHOWN)}"]
    if failure.error is not None and not is_a(failure.error, ItemFault):
        text = user_frames(failure.error, mask)
        frames = [line for line in text.splitlines()[:-1] if line.strip()]
        lines += [f"     {escape(line)}" for line in frames]
    if retry is not None and failure.stage == "task" and failure.error is not None:
        lines.append(f"     {_what_a_run_would_do(failure.error, retry)}")
    return lines


def _what_a_run_would_do(error: BaseException, retry: RetryPolicy) -> str:
    for number, rule in enumerate(retry.rules, 1):
        if rule.is_for(error):
            if rule.attempts > 1:
                return f"a run would try again: rule {number} of `retry` has {rule.attempts} attempts"
            return (
                f"a run would {'stop' if rule.then == 'stop' else 'not try again'}: rule {number} of `retry`"
            )
    return "a run would not try again: no rule of `retry` is for this error"


def render_costs(preview: Preview, samples: Sequence[Sample]) -> str:
    """Return how the items went, what they cost and which pool suits them."""
    if not samples:
        return "the input has no items"
    failed = sum(sample.failure is not None for sample in samples)
    count = f"{len(samples)} item{'s' if len(samples) != 1 else ''}"
    if preview.has_ended:
        count += ", all that there are"
    went = f"{count}: {failed} failed" if failed else f"{count}: no failure"
    costs = _costs(samples)
    if not costs:
        return f"{went}; nothing written\n  {_unadvised(preview, samples)}"
    found = summarize(costs)
    lines = [f"{went}; nothing written", f"  an item takes {_spans(found)}{_times(found)}"]
    if preview.opened_seconds is not None:
        lines.append(
            f"  building the class takes {format_span(preview.opened_seconds)}, once for each worker"
        )
    advice = _advice(preview, found)
    lines += _advised(advice, preview.job)
    return "\n".join(lines)


def as_json(preview: Preview, samples: Sequence[Sample]) -> dict[str, Any]:
    """Return all of it as plain data."""
    mask = preview.loaded.secrets.mask
    report: dict[str, Any] = {"job": preview.job.name, "items": [_item(sample, mask) for sample in samples]}
    costs = _costs(samples)
    if costs:
        found = summarize(costs)
        advice = _advice(preview, found)
        report["cost"] = {
            "seconds": found.seconds,
            "cpu_seconds": found.cpu,
            "held_seconds": found.held if found.is_seen else None,
            "waits": round(found.waits, 4),
        }
        report["advice"] = {
            "size": advice.size,
            "chunksize": advice.chunksize,
            "kind": advice.kind,
            "items_per_second": advice.rate,
            "reasons": list(advice.reasons),
        }
    return report


def _item(sample: Sample, mask: Any) -> dict[str, Any]:
    failure, where = sample.failure, sample.item.where
    return {
        "index": sample.item.index,
        "where": where._asdict(),
        "item": mask(sample.value),
        "rows": mask(sample.rows).splitlines() if failure is None else [],
        "error": None
        if failure is None
        else {"stage": failure.stage, "type": failure.type, "message": mask(failure.message)},
        "seconds": None if sample.cost is None else sample.cost.seconds,
        "cpu_seconds": None if sample.cost is None else sample.cost.cpu,
    }


def _costs(samples: Sequence[Sample]) -> list[Any]:
    """Return what the items cost that went well: a failure comes sooner or later than a result."""
    return [sample.cost for sample in samples if sample.failure is None and sample.cost is not None]


def _unadvised(preview: Preview, samples: Sequence[Sample]) -> str:
    """Say what to do where no item went well."""
    ways = ["mend the task or the input"]
    if any(sample.failure is not None and sample.failure.stage == "task" for sample in samples):
        ways.append("`--pdb` opens a debugger where an item fails")
    if not preview.has_ended:
        ways.append("`-n 20` or `--item INDEX` shows others")
    return f"which pool suits them cannot be said before an item goes well: {'; '.join(ways)}"


def _advice(preview: Preview, found: Summary) -> Advice:
    job = preview.job
    return advise(
        found,
        cpus=usable_cpus(),
        total=preview.total,
        rate_limit=None if job.rate_limit is None else job.rate_limit.rate,
        is_guarded=bool(job.retry or job.timeout or job.rate_limit),
    )


def _spans(found: Summary) -> str:
    text = format_span(found.seconds)
    return text if found.first is None else f"{text} (the first one {format_span(found.first)})"


def _times(found: Summary) -> str:
    waits = round(100 * found.waits)
    parts = [f": it waits {waits} % of the time", f" and computes {format_span(found.cpu)}"]
    if found.is_seen and found.cpu > found.seconds * 0.05:
        share = round(100 * min(1.0, found.held / found.cpu))
        parts.append(f", {share} % of that in Python, one thread at a time")
    return "".join(parts)


def _advised(advice: Advice, job: Job) -> list[str]:
    is_so = job.pool.size == advice.size and job.pool.chunk == advice.chunksize
    lines = [
        f"advice: pool: {{size: {advice.size}, chunksize: {advice.chunksize}}}"
        + (" (as it is)" if is_so else "")
    ]
    lines += [f"  {reason}" for reason in advice.reasons]
    # Of a tiny item most of what was measured is the measuring.
    about = "more than" if advice.kind == "tiny" else "about"
    lines.append(f"  {about} {_rate(advice.rate)} can be hoped for")
    return lines


def _rate(rate: float) -> str:
    if rate >= 1:
        return f"{float(f'{rate:.2g}'):,.0f} items a second"
    return f"{float(f'{rate * 60:.2g}'):g} items a minute"
