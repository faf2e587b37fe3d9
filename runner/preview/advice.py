"""From what items cost to the pool that suits them: a size, a chunksize, and the reason in figures.

The model has three bounds on items a second: `size / seconds` (each worker does one item after the other),
`1 / held` (what holds the interpreter's lock is done by one thread at a time, and so is the runner's own
work for an item), and `CPUs / computing`. The size is where the first bound meets the lower of the others;
more workers gain nothing. benchmarks/advice.py compares what is advised with its alternatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from statistics import fmean, median

from runner.preview.meter import LATE_SECONDS, LEAST_LOOKS, Cost
from runner.units import format_duration

HANDING_SECONDS = 2e-6
"""What the runner itself computes for an item at chunksize 1 (benchmarks/advice.py, tiny), rounded."""
CHUNK_SECONDS = 0.5e-3
"""How long a chunk shall take: long beside handing it over, short for whoever waits behind it."""
MOST_CHUNKED = 100
"""Beyond it, nothing is gained (benchmarks/advice.py, tiny)."""
CAREFUL_SIZE = 64
"""Arbitrary: the most that is advised unasked, because somebody serves what the workers wait for."""
LEAST_OTHER = 2e-3
"""Seconds of other threads in an item that count: with less, they are those of the runner."""
HEADROOM = 1.25
"""Workers do not wait in step: with exactly as many as the mean needs, some time is lost."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean of some attempts.

    Attributes:
        seconds: An item.
        first: The first item, where it took much longer than the others, which are then the mean.
        cpu: What an item computed, wherever.
        held: What it computed with the interpreter's lock held.
        is_seen: Whether `held` was measured; else all that its thread computed counts as held.
        waits: The share of its time in which it computed nothing, 0 to 1.
    """

    seconds: float
    first: float | None
    cpu: float
    held: float
    is_seen: bool
    waits: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What `pool` should be.

    Attributes:
        size: Workers.
        chunksize: Items handed to a worker at a time.
        kind: `waiting`, `computing`, `mixed` or `tiny`.
        reasons: Why, in sentences.
        rate: Items a second that can be hoped for.
    """

    size: int
    chunksize: int
    kind: str
    reasons: tuple[str, ...]
    rate: float


def summarize(costs: Sequence[Cost]) -> Summary:
    """Return the mean of at least one cost, without a first one that stands out."""
    first, rest = costs[0], list(costs[1:])
    stands_out = bool(rest) and first.seconds > 3 * median(each.seconds for each in rest)
    counted = rest if stands_out else list(costs)
    seconds, own = fmean(each.seconds for each in counted), fmean(each.cpu for each in counted)
    others = fmean(each.other_cpu for each in counted)
    looks, held = sum(each.looks for each in counted), sum(each.held for each in counted)
    # A look that falls into the last millisecond of a stretch of computing does not come late.
    visible = 1 - LATE_SECONDS / own if own else 0.0
    is_seen = visible >= 0.5 and looks * own / seconds >= LEAST_LOOKS
    return Summary(
        seconds,
        first.seconds if stands_out else None,
        own + (others if others > max(0.1 * seconds, LEAST_OTHER) else 0.0),
        min(own, seconds * held / looks / visible) if is_seen else own,
        is_seen,
        max(0.0, 1 - own / seconds) if seconds else 0.0,
    )


def advise(
    found: Summary,
    *,
    cpus: int,
    total: int | None = None,
    rate_limit: float | None = None,
    is_guarded: bool = False,
) -> Advice:
    """Return the pool for items that cost what was found.

    Args:
        found: The mean of some items.
        cpus: That this process may use.
        total: Items of the job, where that is known.
        rate_limit: Attempts a second that the job allows itself.
        is_guarded: Whether attempts are under policies, which hand items over one by one.
    """
    reasons: list[str] = []
    alone = found.held + HANDING_SECONDS
    bound = max(alone, found.cpu / cpus)
    seconds = found.seconds + HANDING_SECONDS
    ideal = seconds / bound
    size, kind = _size(found, ideal, cpus, reasons)
    if rate_limit is not None and (needed := ceil(rate_limit * found.seconds * HEADROOM)) < size:
        size = max(1, needed)
        reasons.append(f"more would only wait for `rate_limit`: {rate_limit:g} a second")
    if total is not None and max(1, total) < size:
        size = max(1, total)
        reasons.append(f"there are {total} items")
    chunksize = 1
    if found.seconds < 10 * HANDING_SECONDS:
        chunksize = _chunksize(found, total, size, is_guarded, reasons)
    rate = min(size / seconds, 1 / bound, rate_limit or inf)
    return Advice(size, chunksize, kind, tuple(reasons), rate)


def _size(found: Summary, ideal: float, cpus: int, reasons: list[str]) -> tuple[int, str]:
    cpu, wait = format_span(found.cpu), format_span(found.seconds * found.waits)
    if found.seconds < 20 * HANDING_SECONDS:
        reasons.append(
            f"an item takes {format_span(found.seconds)}, little more than handing it over: "
            "several threads would mostly wait for each other"
        )
        return 1, "tiny"
    if found.waits < 0.1 and ideal < 1.5:
        how = "" if found.is_seen else " (these items were too short to see it)"
        reasons.append(
            f"an item computes {cpu} and waits for nothing: Python code runs in one thread at a time{how}, "
            "so more threads would only take turns"
        )
        return 1, "computing"
    size = max(1, ceil(ideal * HEADROOM) if found.waits >= 0.1 else ceil(ideal - 0.2))
    if found.waits < 0.5:
        some = f", {format_span(found.held)} of it" if found.held > found.cpu / 20 else " and none of it"
        reasons.append(
            f"an item computes {cpu}{some} in Python code, one thread at a time: "
            f"the rest can be done at once, on {cpus} CPUs"
        )
        kind = "computing" if found.waits < 0.1 else "mixed"
    else:
        reasons.append(f"an item computes {cpu} and waits {wait}, in which other items can be done")
        kind = "waiting"
    if size > CAREFUL_SIZE:
        reasons.append(
            f"there is time for {size:,} at once; {CAREFUL_SIZE} is a careful beginning, "
            "for somebody must serve them all"
        )
        size = CAREFUL_SIZE
    return size, kind


def _chunksize(found: Summary, total: int | None, size: int, is_guarded: bool, reasons: list[str]) -> int:
    if is_guarded:
        reasons.append("under `retry`, `timeout` or `rate_limit` items are handed over one by one")
        return 1
    wanted = min(MOST_CHUNKED, ceil(CHUNK_SECONDS / max(found.seconds, 1e-7)))
    if total is not None:
        wanted = max(1, min(wanted, total // (4 * size)))
    if wanted > 1:
        reasons.append(f"{wanted} items at a time are handed over nearly for the price of one")
    return wanted


def format_span(seconds: float) -> str:
    """Return a time with as many digits as mean something: `3.1 ms`, `12 µs`, `1.2 s`."""
    if seconds >= 60:
        return format_duration(float(round(seconds)))
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            value = seconds / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return "less than 1 µs" if seconds else "no time"
