"""Values as a sentence names them."""

from __future__ import annotations

import json

from runner.jobfile.scalar import clip
from runner.units import format_duration, write_rate

_LONGEST = 120  # arbitrary; a line of a review, and most paths
_SECONDS = {"timeout", "deadline", "commit.every"}
_MOST_ENTRIES = 5  # arbitrary; of a list that changed


def spell(value: object) -> str:
    """Return a value on one line, as JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=repr)


def spell_at(path: str, value: object) -> str:
    """Return the value of a key on one line as JSON, with durations and rates as a job file has them."""
    if path in _SECONDS and isinstance(value, int | float):
        return spell(f"{spell(value).removesuffix('.0')}s")
    if path == "rate_limit.rate" and isinstance(value, float):
        return spell(write_rate(value))
    return spell(value)


def show(value: object) -> str:
    """Return a value as a sentence names it: a number as it is, all else in backquotes, cut where it is long.

    It never holds a backquote itself, so that whatever renders the sentence knows what is a value.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool | int | float):
        return spell(value)
    is_plain = isinstance(value, str) and value and value.isprintable()
    return f"`{_cut(quotable(str(value) if is_plain else spell(value)))}`"


def quotable(text: str) -> str:
    """Return a text without backquotes: one is written as JSON would escape it."""
    return text.replace("`", "\\u0060")


def in_digits(value: object) -> str:
    """Return a number of the job file; a reference as it stands."""
    return f"{value:,}".removesuffix(".0") if isinstance(value, int | float) else show(value)


def in_seconds(seconds: object) -> str:
    """Return a duration of the job file; a reference as it stands."""
    if not isinstance(seconds, int | float):
        return show(seconds)
    return f"{seconds:g} s" if 1 <= seconds < 60 else format_duration(seconds)


def in_rate(rate: object) -> str:
    """Return a rate of the job file in the unit that says it best; a reference as it stands."""
    if not isinstance(rate, int | float):
        return show(rate)
    per = {"s": rate, "min": rate * 60, "h": rate * 3600}
    whole = [
        unit for unit, number in per.items() if number >= 1 and abs(number - round(number)) < 1e-9 * number
    ]
    unit = whole[0] if whole else "s" if rate >= 1 else "h"
    return f"{per[unit]:,.6g}/{unit}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def in_change(before: object, now: object) -> str:
    """Return `NOW: was BEFORE`; of long lists only what came and went."""
    if not (isinstance(before, list) and isinstance(now, list)) or len(spell([before, now])) <= _LONGEST:
        was, is_now = show_apart(before, now)
        return f"{is_now}: was {was}"
    old, new = [spell(entry) for entry in before], [spell(entry) for entry in now]
    before_all, now_all = set(old), set(new)
    added, gone = [e for e in new if e not in before_all], [e for e in old if e not in now_all]
    parts = [f"new: {_some(added)}"] * bool(added) + [f"gone: {_some(gone)}"] * bool(gone)
    told = "; ".join(parts) or "the same ones in another order or number"
    return f"a list of {len(new):,}: was a list of {len(old):,} ({told})"


def show_apart(before: object, now: object) -> tuple[str, str]:
    """Return two values that differ as sentences name them; long ones from shortly before they differ."""
    was, is_now = show(before), show(now)
    if was != is_now:
        return was, is_now
    texts = [value if isinstance(value, str) else spell(value) for value in (before, now)]
    same = next((at for at, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), 0)
    start = max(0, same - _LONGEST // 4)
    first, second = (show(f"…{text[start:]}") for text in texts)
    return first, second


def _some(entries: list[str]) -> str:
    shown = ", ".join(f"`{quotable(clip(entry))}`" for entry in entries[:_MOST_ENTRIES])
    rest = len(entries) - _MOST_ENTRIES
    return f"{shown} and {rest:,} more" if rest > 0 else shown
