"""Changes of behaviour in words and numbers: a sentence for each key that needs one of its own.

It says what is now and then what was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from runner.jobfile.behaviour import DEFAULT
from runner.jobfile.model import dead_letter_beside
from runner.jobfile.phrases import (
    in_change,
    in_digits,
    in_rate,
    in_seconds,
    quotable,
    show,
    show_apart,
    spell,
)
from runner.jobfile.worst_case import worst_case
from runner.policies.backoff import Backoff
from runner.policies.retry import RetryOptions

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence for one key, or for several that say one thing together.

    Attributes:
        keys: What it tells.
        sentence: Says it, given the values of the old and the new side; `None` where the values differ and
            the behaviour does not.
    """

    keys: tuple[str, ...]
    sentence: Callable[[Values, Values], str | None]

    def claim(self, differing: Collection[str], before: Values, now: Values) -> tuple[str, ...]:
        """Return those of the differing keys that this rule tells, the one that matters first."""
        return tuple(key for key in self.keys if key in differing)


@dataclass(frozen=True, slots=True)
class KindRule(Rule):
    """A sentence for another kind of input or output: its own options come and go with it."""

    def claim(self, differing: Collection[str], before: Values, now: Values) -> tuple[str, ...]:
        """Return the type, the path and the options that only one of the kinds has."""
        kind, path = self.keys
        if kind not in differing:
            return ()
        block = kind.removesuffix("type")
        own = [key for key in differing if key.startswith(block) and (key in before) != (key in now)]
        return tuple(dict.fromkeys(key for key in (kind, path, *own) if key in differing))


def plain_sentence(key: str, before: Values, now: Values) -> str:
    """Return a sentence for a value of which no more is known than that it differs."""
    name = f"`{quotable(key)}`"
    if key.startswith("params."):
        return _param(f"`-p {quotable(key.removeprefix('params.'))}`", key, before, now)
    if key not in now:
        return f"{name} is no longer set: was {show(before[key])}"
    if key not in before:
        return f"{name} is {show(now[key])}: was not set"
    return f"{name} is {in_change(before[key], now[key])}"


def _param(flag: str, key: str, before: Values, now: Values) -> str:
    """Return a sentence for a parameter: how it is set, and its default; null is none."""
    if key not in now:
        return f"{flag} is no longer taken: was {show(before[key])} by default"
    was = "no parameter" if key not in before else "none" if before[key] is None else show(before[key])
    if now[key] is None:
        return (
            f"{flag} must be given: the default was {was}"
            if key in before
            else f"{flag} must be given: was {was}"
        )
    return f"{flag} is {show(now[key])} by default: was {was}"


def dead_letter_of(values: Values) -> str:
    """Return where failed items are written, the default spelled out."""
    own, output = values.get("failures.dead_letter"), values.get("output.path")
    if own is not None:
        return str(PurePath(own))
    if output is None or output == "-":
        return f"{values['name']}.failed.jsonl in the folder of the runner's state"
    return str(dead_letter_beside(PurePath(output)))


def tolerated(values: Values) -> str:
    """Return how many items may fail."""
    if "failures.tolerate" in values:
        return f"{show(values['failures.tolerate'])} of items"
    count, percent = (values[f"failures.tolerate.{key}"] for key in ("count", "percent"))
    if count == 0:
        return _NONE  # whatever the percentage: what is passed first ends the run
    items = f"{in_digits(count)} item{'' if count == 1 else 's'}"
    share = f"{in_digits(percent)} % of items"
    if percent is None:
        return "any number of items" if count is None else f"up to {items}"
    return f"up to {share}" if count is None else f"up to {items}, and up to {share},"


def _words(key: str, texts: Mapping[object, tuple[str, str]]) -> Rule:
    """Return a rule for a key with few values: for each, how it is said of now and how of before."""

    def say(before: Values, now: Values) -> str:
        is_now = texts[now[key]][0] if now[key] in texts else f"`{key}` is {show(now[key])}"
        return f"{is_now}: was {texts[before[key]][1] if before[key] in texts else show(before[key])}"

    return Rule((key,), say)


def _arrow(key: str, template: str, word: Callable[[Any], str], default: tuple[str, str] = ("", "")) -> Rule:
    """Return a rule for a limit: `template` says where `8 -> 64` goes; `default` says the machine's own."""

    def say(before: Values, now: Values) -> str:
        was, is_now = before[key], now[key]
        if is_now == DEFAULT:
            return f"{default[0]}: was {word(was)}"
        if was == DEFAULT:
            return f"{template.format(word(is_now))}: was {default[1]}"
        return template.format(f"{word(was)} -> {word(is_now)}")

    return Rule((key,), say)


def _size(value: object) -> str:
    return show(value) if "$" in str(value) else str(value)


def _kind(block: str, does: str) -> KindRule:
    def place(values: Values) -> str:
        path = values.get(f"{block}.path")
        return f"{values[f'{block}.type']}{f' {show(path)}' if path is not None else ''}"

    keys = (f"{block}.type", f"{block}.path")
    return KindRule(keys, lambda before, now: f"{does} {place(now)}: was {place(before)}")


def _output_path(before: Values, now: Values) -> str:
    paths = before["output.path"], now["output.path"]
    is_beside = before["failures.dead_letter"] is None and now["failures.dead_letter"] is None
    too = ", dead letters beside it" if is_beside and "-" not in paths else ""
    shown = zip(paths, show_apart(*paths), strict=True)
    was, is_now = ("standard output" if path == "-" else text for path, text in shown)
    return f"rows go to {is_now}{too}: was {was}"


def _range(before: Values, now: Values) -> str:
    return f"items are {_numbers(now)}: was {_numbers(before)}"


def _numbers(values: Values) -> str:
    start, stop, step = (values[f"input.{key}"] for key in ("start", "stop", "step"))
    called = f"range({start}, {stop}, {step})"
    if not all(isinstance(number, int) for number in (start, stop, step)):
        return called
    return f"{max(0, -((start - stop) // step)):,} numbers, {called}"


def _dead_letters(before: Values, now: Values) -> str:
    return f"dead letters go to {in_change(dead_letter_of(before), dead_letter_of(now))}"


def _tolerance(before: Values, now: Values) -> str | None:
    was, is_now = tolerated(before), tolerated(now)
    if was == is_now:
        return None
    if is_now == _NONE:
        return f"no item may fail any more: was {was}"
    return f"{is_now} may now fail: was {was}"


def _rate(before: Values, now: Values) -> str:
    was, is_now = _started(before), _started(now)
    return f"attempts start {is_now}: was {was}"


def _started(values: Values) -> str:
    rate = values.get("rate_limit.rate", values.get("rate_limit"))
    if rate is None:
        return "without a limit"
    burst = values.get("rate_limit.burst", 1)
    return f"at most {in_rate(rate)}{f', {in_digits(burst)} at once after a pause' * (burst != 1)}"


def _retries(before: Values, now: Values) -> str:
    was, is_now = _tries(before), _tries(now)
    return (
        f"{is_now}: was {was}" if was != is_now else f"`retry` is {in_change(before['retry'], now['retry'])}"
    )


def _tries(values: Values) -> str:
    """Return the rules in words, and what they and the timeout cost at most."""
    rules, timeout = values["retry"], values["timeout"]
    if not isinstance(rules, list):
        return f"attempts as {show(rules)} says"
    if not rules:
        return "1 attempt at an item"
    rest = len(rules) - _MOST_RULES
    told = "; ".join(_rule_in_words(rule) for rule in rules[:_MOST_RULES])
    told += f"; {rest:,} more" if rest > 0 else ""
    if "${" in spell([rules, timeout]):
        return f"attempts at an item: {told}"
    cost = worst_case([_options(rule) for rule in rules], timeout)
    if cost.attempts == 1:
        return f"1 attempt at an item ({told})"
    time = f"{in_seconds(cost.delay)} of delays" if cost.seconds is None else in_seconds(cost.seconds)
    return f"up to {cost.attempts:,} attempts and {time} for an item ({told})"


def _options(rule: Mapping[str, Any]) -> RetryOptions:
    """Return a rule from its values, which were validated when the job was read."""
    return RetryOptions.model_construct(**{**rule, "backoff": Backoff.model_construct(**rule["backoff"])})


def _rule_in_words(rule: Mapping[str, Any]) -> str:
    backoff, errors = rule["backoff"], rule["errors"]
    named = ", ".join(map(str, errors)) if isinstance(errors, list) else show(errors)
    first, most = in_seconds(backoff["initial"]), in_seconds(backoff["max"])
    delays = f"{first} x {in_digits(backoff['factor'])} up to {most}"
    stops = ", then the run stops" if rule["then"] == "stop" else ""
    return f"{in_digits(rule['attempts'])} on {named}, delays {delays}, jitter {backoff['jitter']}{stops}"


def _limit(key: str, unlimited: str, limited: str) -> Rule:
    def say(before: Values, now: Values) -> str:
        was = "any time" if before[key] is None else in_seconds(before[key])
        is_now = unlimited if now[key] is None else f"{limited} {in_seconds(now[key])}"
        return f"{is_now}: was {was}"

    return Rule((key,), say)


def _moved(does: str, key: str, before: Values, now: Values) -> str:
    return f"{does} {in_change(before[key], now[key])}"


def _text(key: str) -> Rule:
    def say(before: Values, now: Values) -> str:
        if now[key] is None:
            return f"has no {key} any more: was {show(before[key])}"
        return f"{key} is {in_change(before[key], now[key])}"

    return Rule((key,), say)


_NONE = "none"
_MOST_RULES = 5  # arbitrary; of a retry, in words

RULES: tuple[Rule, ...] = (
    _kind("output", "rows are written as"),
    Rule(("output.path",), _output_path),
    _words(
        "output.if_exists",
        {
            "replace": ("an output that exists is replaced at the end", "replaced at the end"),
            "fail": ("an output that exists stops the run before it begins", "a reason to stop"),
            "skip": ("an output that exists lets the run be skipped", "a reason to skip the run"),
        },
    ),
    _kind("input", "items come from"),
    Rule(("input.path",), lambda before, now: _moved("items come from", "input.path", before, now)),
    Rule(("input.start", "input.stop", "input.step"), _range),
    Rule(("task.call",), lambda before, now: _moved("each item goes to", "task.call", before, now)),
    _words(
        "pool.ordered",
        {
            True: ("rows come in the order of the input", "in the order of the input"),
            False: ("rows come as they are finished, in any order", "in any order"),
        },
    ),
    Rule(("failures.tolerate", "failures.tolerate.count", "failures.tolerate.percent"), _tolerance),
    Rule(("failures.dead_letter",), _dead_letters),
    _limit("timeout", "an attempt may take any time", "an attempt fails after"),
    _limit("deadline", "a run may take any time", "a run is stopped after"),
    Rule(("name",), lambda before, now: _moved("the job is called", "name", before, now)),
    _words(
        "unfinished",
        {
            "resume": ("an unfinished run is gone on with", "gone on with"),
            "restart": ("an unfinished run is thrown away and started over", "thrown away"),
            "refuse": ("an unfinished run is left alone, and a new one refused", "left alone"),
        },
    ),
    _words(
        "durability",
        {
            "power": ("committed work survives a power loss", "a power loss"),
            "process": ("committed work survives a kill, but no power loss", "a kill only"),
        },
    ),
    _arrow(
        "pool.size",
        "at most {} calls at once",
        in_digits,
        (
            "as many calls at once as the machine has CPUs and 4 more, at most 32",
            "the CPUs of the machine and 4",
        ),
    ),
    Rule(("rate_limit", "rate_limit.rate", "rate_limit.burst"), _rate),
    Rule(("retry",), _retries),
    _arrow(
        "pool.window",
        "at most {} items drawn and not yet delivered",
        in_digits,
        (
            "4 x size x chunksize items drawn and not yet delivered, or 1,024",
            "4 x size x chunksize, or 1,024",
        ),
    ),
    _arrow("pool.window_bytes", "at most {} of input held in memory", _size),
    _arrow("pool.chunksize", "{} items handed to a worker at a time", in_digits),
    _arrow("commit.every", "a kill costs the work of at most {}", in_seconds),
    _arrow("commit.bytes", "work is also committed after {} of output", _size),
    _text("description"),
    _text("owner"),
)
"""In the order in which they claim keys: a rule for a whole kind before those for its options."""
