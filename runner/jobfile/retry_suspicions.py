"""What is suspicious in `timeout`, `deadline`, `rate_limit` and `retry`, and between them."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence

from runner.jobfile.model import Job
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath, Problem, in_words
from runner.jobfile.scalar import clip
from runner.policies.backoff import Backoff
from runner.policies.retry import RetryOptions
from runner.units import format_duration

# What a `runner.AttemptTimeout` is an instance of, under all the names that Python has for these classes.
_TAKES_TIMEOUTS = frozenset(
    {
        "BaseException",
        "Exception",
        "OSError",
        "IOError",
        "EnvironmentError",
        "TimeoutError",
        "runner.AttemptTimeout",
        "runner.errors.AttemptTimeout",
        "socket.error",
        "socket.timeout",
        "asyncio.TimeoutError",
        "asyncio.exceptions.TimeoutError",
        "concurrent.futures.TimeoutError",
    }
)
_OURS = frozenset({"runner.AttemptTimeout", "runner.errors.AttemptTimeout"})
_WAITED = {"none": 1.0, "equal": 0.75, "full": 0.5}
"""How much of a delay is waited for on average."""


def suspect_retries(job: Job, places: Places) -> Iterator[Problem]:
    """Yield a warning for each thing that is legal and most likely not meant."""
    rules = list(zip(places.of_members("retry", len(job.retry)), job.retry, strict=True))
    yield from _retries_nothing(rules, places)
    yield from _unreachable(rules, places)
    yield from _timeouts(job, rules, places)
    yield from _deadline(job, rules, places)
    yield from _rate_limit(job, places)


Rules = Sequence[tuple[KeyPath, RetryOptions]]


def _retries_nothing(rules: Rules, places: Places) -> Iterator[Problem]:
    if rules and all(rule.attempts == 1 and rule.then == "fail" for _, rule in rules):
        message = "`retry` makes no attempt again: `attempts` is 1, the first one included"
        hint = "attempts: 3 makes two more, or remove retry"
        path = rules[0][0]
        yield _warning(places, "retry-does-nothing", message, ("retry",), hint, is_key=len(path) == 1)


def _unreachable(rules: Rules, places: Places) -> Iterator[Problem]:
    for number, (path, rule) in enumerate(rules):
        before = [name for _, earlier in rules[:number] for name in earlier.errors]
        if before and all(any(_is_kind_of(name, other) for other in before) for name in rule.errors):
            names = in_words([f"`{clip(name)}`" for name in rule.errors[:3]], last="and")
            message = f"this rule is never reached: a rule above takes {names} already"
            hint = "the first rule that fits decides: put the special ones first"
            yield _warning(places, "unreachable-rule", message, (*path, "errors"), hint)


def _timeouts(job: Job, rules: Rules, places: Places) -> Iterator[Problem]:
    names = [(path, at, name) for path, rule in rules for at, name in enumerate(rule.errors)]
    if job.timeout is None:
        for path, at, name in names:
            if name in _OURS:
                message = f"`{name}` is raised by `timeout` alone, and this job has none"
                yield _warning(
                    places, "no-timeout-to-retry", message, (*path, "errors", at), "add timeout: 30s"
                )
        return
    if any(name in _TAKES_TIMEOUTS for _, _, name in names):
        return
    for path, at, name in names:
        if "timeout" in name.rpartition(".")[2].lower():
            message = f"an attempt that `timeout` ends raises TimeoutError, which is no `{clip(name)}`"
            hint = "add TimeoutError to the list"
            yield _warning(places, "timeout-not-retried", message, (*path, "errors", at), hint)


def _deadline(job: Job, rules: Rules, places: Places) -> Iterator[Problem]:
    if job.deadline is None:
        return
    deadline = format_duration(job.deadline)
    if job.timeout is not None and job.timeout >= job.deadline:
        message = (
            f"`timeout` ({format_duration(job.timeout)}) is not below the `deadline` of the run ({deadline})"
        )
        yield _warning(places, "deadline-too-short", message, ("timeout",), None)
    for path, rule in rules:
        waits = _waits(rule.backoff, rule.attempts)
        if waits > job.deadline:
            message = (
                f"one item may wait {format_duration(waits)} on average for its {rule.attempts} attempts, "
                f"longer than the `deadline` of the run ({deadline})"
            )
            key = "attempts" if rule.attempts > 2 else "backoff"
            yield _warning(places, "deadline-too-short", message, (*path, key), None)


def _waits(backoff: Backoff, attempts: int) -> float:
    """Return the seconds between the first and the last attempt, on average and without their own time."""
    return sum(map(backoff.full_delay, range(1, attempts))) * _WAITED[backoff.jitter]


def _rate_limit(job: Job, places: Places) -> Iterator[Problem]:
    """Little's law: what starts in the time of the longest attempt is all that can run at once."""
    limit, timeout = job.rate_limit, job.timeout
    if limit is None or timeout is None or "size" not in places.document.data.get("pool", {}):
        return
    most = limit.rate * timeout + limit.burst
    if most < job.pool.size / 2:
        message = (
            f"`pool.size` is {job.pool.size}, and with this `rate_limit` and `timeout` no more than "
            f"{int(most)} attempt{'s' if int(most) != 1 else ''} can run at once"
        )
        hint = "lower the size, or raise the rate"
        yield _warning(places, "rate-limit-idles-pool", message, ("pool", "size"), hint)


def _is_kind_of(name: str, other: str) -> bool:
    """Return whether the one exception is surely the other or derived from it, by name."""
    if name == other:
        return True
    mine, theirs = getattr(builtins, name, None), getattr(builtins, other, None)
    if isinstance(mine, type) and isinstance(theirs, type):
        return issubclass(mine, theirs)
    # What a dotted path names is nearly always an Exception, and surely a BaseException.
    return other == "BaseException" or (other == "Exception" and "." in name)


def _warning(
    places: Places, code: str, message: str, path: KeyPath, hint: str | None, *, is_key: bool = False
) -> Problem:
    return places.problem(code, message, path, is_key=is_key, severity="warning", hint=hint)
