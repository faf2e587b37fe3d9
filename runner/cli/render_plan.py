"""A plan as text for a person, and as data for a machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runner.jobfile.origin import SetValue
from runner.jobfile.phrases import in_rate, in_seconds, spell_at
from runner.jobfile.wording import tolerated
from runner.outcome import RunSummary
from runner.paths import near
from runner.plan import Plan
from runner.units import format_size

_LONGEST_ITEM = 2000  # arbitrary; characters of the first item that are shown
_WIDEST = 60  # arbitrary; columns of values before their origins


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the plan for a person: what would happen, the facts, every value with its origin."""
    yield f"{plan.job.name}: {_verdict(plan)}"
    yield ""
    for title, texts in _facts(plan):
        for number, text in enumerate(texts):
            yield f"  {title if number == 0 else '':<13} {text}".rstrip()
    yield ""
    told = [
        (f"{value.path} = {spell_at(value.path, value.value)}", _origin(plan, value)) for value in plan.values
    ]
    width = min(_WIDEST, max(len(text) for text, _ in told))
    for text, origin in told:
        yield f"  {text:<{width}}  # {origin}"


def _verdict(plan: Plan) -> str:
    if plan.status != "ready":
        return f"would be {plan.status}: {plan.message}"
    if plan.checkpoint is None:
        return "would run"
    if plan.checkpoint.state == "published":
        return f"would clear up what run {plan.run_id} left, which has published everything"
    if plan.checkpoint.state == "complete":
        return f"would publish run {plan.run_id}, which has done all its items"
    return f"would go on with the unfinished run {plan.run_id} from item {plan.checkpoint.index:,}"


def _facts(plan: Plan) -> Iterator[tuple[str, list[str]]]:
    job, pool = plan.job, plan.job.pool
    values = {value.path: value.value for value in plan.values}
    yield "job file", [f"{plan.path} (its paths start at {plan.root})"]
    yield "input", [_input(plan)]
    yield "first item", _first(plan)
    yield "task", [job.task.call]
    order = "in the order of the input" if pool.ordered else "as they are finished"
    yield (
        "pool",
        [f"{pool.size} {pool.engine if pool.size != 1 else pool.engine.removesuffix('s')}, rows {order}"],
    )
    yield "memory", [_memory(plan)]
    yield "attempts", [_attempts(plan)]
    if job.rate_limit is not None:
        burst = f", {job.rate_limit.burst:,} at once" if job.rate_limit.burst > 1 else ""
        shortest = (
            f": at least {_about(plan)}{in_seconds(plan.shortest)}" if plan.shortest is not None else ""
        )
        yield "rate limit", [f"{in_rate(job.rate_limit.rate)}{burst}{shortest}"]
    if job.deadline is not None:
        yield "deadline", [f"stopped after {in_seconds(job.deadline)}"]
    if plan.holder is not None:
        yield (
            "at work now",
            [f"{plan.holder} seems to work on this output; a run would end with 75 until then"],
        )
    if plan.status == "ready":
        yield "unfinished", [*plan.said, *_unfinished(plan)]
    yield "output", [_output(plan)]
    may_fail = tolerated(values)
    yield (
        "failures",
        [f"{may_fail} may fail" if may_fail != "none" else "no item may fail", _dead_letters(plan)],
    )


def _about(plan: Plan) -> str:
    return "about " if plan.input.is_estimate else ""


def _input(plan: Plan) -> str:
    facts = plan.input
    path = getattr(plan.job.input, "path", None)
    names = [path] if isinstance(path, str) else path or []
    parts = [facts.kind, *(near(name, plan.root) for name in names)]
    told = [" ".join(parts)]
    if facts.files is not None and facts.files != 1:
        told.append(f"{facts.files:,} files")
    if facts.size is not None:
        told.append(_bytes(facts.size))
    if facts.items is not None:
        told.append(f"{_about(plan)}{facts.items:,} item{'' if facts.items == 1 else 's'}")
    else:
        told.append(f"number of items unknown ({facts.note})")
    return ", ".join(told)


def _first(plan: Plan) -> list[str]:
    first = plan.first
    if first is None:
        return [f"not shown: {plan.no_first}"]
    place = f"item {first.index:,}{f' at {near(first.place, plan.root)}' if first.place else ''}"
    if first.fault:
        return [f"{place} would fail: {first.fault}"]
    texts = [
        json.dumps(first.value, ensure_ascii=False, default=repr),
        *([first.typed] if first.typed else []),
    ]
    return [
        place,
        *(text if len(text) <= _LONGEST_ITEM else f"{text[: _LONGEST_ITEM - 1]}…" for text in texts),
    ]


def _memory(plan: Plan) -> str:
    pool, facts = plan.job.pool, plan.input
    size = format_size(pool.window_bytes)
    bound = f"at most {pool.window:,} items drawn and not yet delivered, and {size} of raw input"
    if facts.item_bytes is None:
        return bound
    items = pool.window if facts.items is None else min(pool.window, facts.items)
    expected = min(items * facts.item_bytes, pool.window_bytes)
    return f"{bound} (about {_bytes(round(expected))} for items like the first ones)"


def _attempts(plan: Plan) -> str:
    worst, timeout = plan.worst, plan.job.timeout
    each = f", each fails after {in_seconds(timeout)}" if timeout is not None else ", of any length"
    if worst.attempts == 1:
        return f"1 at an item{each.replace(', each', ', which')}"
    time = (
        f"{in_seconds(worst.delay)} of delays"
        if worst.seconds is None
        else f"{in_seconds(worst.seconds)} in all"
    )
    return f"up to {worst.attempts:,} at an item{each}; at worst {time}"


def _unfinished(plan: Plan) -> list[str]:
    checkpoint = plan.checkpoint
    if checkpoint is None:
        return [] if plan.said else ["none to go on with"]
    failed = f", {checkpoint.failed:,} of them failed" if checkpoint.failed else ""
    return [f"run {plan.run_id}: {checkpoint.items:,} items are done{failed}"]


def _output(plan: Plan) -> str:
    output = plan.output
    path = near(output.path or "", plan.root)
    size = f" ({_bytes(output.size)})" if output.size is not None else ""
    return {
        "none": "none: what the task returns is counted and dropped",
        "write": "standard output, row by row",
        "create": f"{path}, created at the end",
        "replace": f"{path} exists{size} and is replaced at the end",
        "skip": f"{path} exists{size}, so nothing runs",
        "refuse": f"{path} exists{size} and may not be replaced",
    }[output.effect]


def _dead_letters(plan: Plan) -> str:
    exists = " (exists and is replaced at the end)" if plan.output.has_dead_letter else ""
    return f"dead letters go to {near(plan.output.dead_letter, plan.root)}{exists}"


def _origin(plan: Plan, value: SetValue) -> str:
    place = f"{plan.path}:{value.line}" if value.line is not None else ""
    told = f"{value.origin}{f' {value.told}' if value.told else ''}"
    if value.origin == "file":
        return f"{place}{f' {value.told}' if value.told else ''}"
    return f"{place}, from the environment" if value.origin == "environment" else told.removeprefix("flag ")


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{size:,} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def failure_json(summary: RunSummary) -> dict[str, Any]:
    """Return what there is to say where there is no plan."""
    return {
        "job": summary.job,
        "status": summary.status,
        "exit_code": int(summary.exit_code),
        "message": summary.message,
    }


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan for a machine: numbers, bytes and seconds, `null` for what is unknown."""
    pool, output = plan.job.pool, plan.output
    return {
        "job": plan.job.name,
        "status": plan.status,
        "exit_code": int(plan.exit_code),
        "message": plan.message,
        "path": str(plan.path),
        "root": str(plan.root),
        **_input_json(plan),
        "task": plan.job.task.call,
        "pool": {
            "engine": pool.engine,
            "size": pool.size,
            "ordered": pool.ordered,
            "window": pool.window,
            "window_bytes": pool.window_bytes,
        },
        "limits": _limits_json(plan),
        "unfinished": _unfinished_json(plan),
        "said": list(plan.said),
        "holder": plan.holder,
        "output": {
            "path": output.path,
            "effect": output.effect,
            "bytes": output.size,
            "dead_letter": output.dead_letter,
            "has_dead_letter": output.has_dead_letter,
        },
        "values": [
            {
                "path": value.path,
                "value": value.value,
                "origin": value.origin,
                "line": value.line,
                "told": value.told or None,
            }
            for value in plan.values
        ],
    }


def _input_json(plan: Plan) -> dict[str, Any]:
    facts, first = plan.input, plan.first
    return {
        "input": {
            "type": facts.kind,
            "files": facts.files,
            "bytes": facts.size,
            "items": facts.items,
            "is_estimate": facts.is_estimate,
            "note": facts.note,
        },
        "first_item": None
        if first is None
        else {
            "index": first.index,
            "place": first.place,
            "value": first.value,
            "typed": first.typed or None,
            "fault": first.fault or None,
        },
    }


def _limits_json(plan: Plan) -> dict[str, Any]:
    rate = plan.job.rate_limit
    return {
        "attempts": plan.worst.attempts,
        "delay_seconds": plan.worst.delay,
        "item_seconds": plan.worst.seconds,
        "timeout_seconds": plan.job.timeout,
        "deadline_seconds": plan.job.deadline,
        "rate_per_second": rate.rate if rate is not None else None,
        "shortest_seconds": plan.shortest,
    }


def _unfinished_json(plan: Plan) -> dict[str, Any] | None:
    checkpoint = plan.checkpoint
    if checkpoint is None:
        return None
    return {
        "run_id": plan.run_id,
        "index": checkpoint.index,
        "items": checkpoint.items,
        "failed": checkpoint.failed,
        "state": checkpoint.state,
    }
