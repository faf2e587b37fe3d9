"""Whether what came of an item is what its test says, and if not, why not, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from runner.clock import Clock
from runner.config import Config
from runner.errors import ItemFault, RowRefused
from runner.job_tests.compare import differences, shown
from runner.job_tests.prepare import Preparation, Prepared, TestBroken
from runner.job_tests.run import Got, run_test
from runner.job_tests.written import Writer
from runner.jobfile.job_tests import ExpectedError, JobTest
from runner.outcome import Failure
from runner.policies.retry import RetryPolicy
from runner.raised import bases_of, full_name, inner_name, is_a, short_name
from runner.task import user_frames

Status = Literal["passed", "failed", "unfilled", "broken"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one test went.

    Attributes:
        test: The test.
        number: Its place in `tests`.
        line: Its line in the file.
        status: `passed`, `failed`, `unfilled` (it does not say what must come of its item), or `broken` (it
            could not be run).
        said: What is not as it should be, in sentences; without secrets.
        got: What came of the item; `None` where it was not run.
        has_secrets: Whether its rows hold a secret, so that they can be put nowhere.
        seconds: Real time it took.
    """

    test: JobTest
    number: int
    line: int
    status: Status
    said: tuple[str, ...]
    got: Got | None
    has_secrets: bool
    seconds: float


def judge_tests(
    preparation: Preparation, config: Config, clock: Clock, *, only: str = ""
) -> Iterator[Verdict]:
    """Run the tests whose name contains `only`, and yield how each went."""
    loaded = preparation.loaded
    assert loaded.job is not None
    for number, test in enumerate(loaded.job.tests):
        if only.casefold() not in test.name.casefold():
            continue
        line = loaded.document.value_span(("tests", number, "name")).line
        began, got, has_secrets = clock.monotonic(), None, False
        status: Status = "broken"
        try:
            prepared = preparation.prepare(test, config)
            got = run_test(test, prepared, config)
            mask = prepared.loaded.secrets.mask
            masked = Got([_masked(row, mask) for row in got.rows], got.failure, got.starts)
            has_secrets, got = masked.rows != got.rows, masked
            said = tuple(mask(sentence) for sentence in _judge(test, got, prepared))
            status = (
                "unfilled"
                if test.expects is None and test.attempts is None
                else "failed"
                if said
                else "passed"
            )
        except TestBroken as error:
            said = tuple(str(error).split("\n"))
        yield Verdict(test, number, line, status, said, got, has_secrets, clock.monotonic() - began)


def explain_retry(failure: Failure, retry: RetryPolicy | None) -> str:
    """Say why an item was not tried (again) as often as somebody expected."""
    if failure.stage != "task" or failure.error is None:
        return f"only what the task raises is tried again, and this failed in `{failure.stage}`"
    if retry is None:
        return "the job has no `retry`: one attempt for every item"
    for number, rule in enumerate(retry.rules, 1):
        if rule.is_for(failure.error):
            return f"rule {number} of `retry` is for {failure.type}: {rule.attempts} attempts in all"
    named = ", ".join(short_name(error) for rule in retry.rules for error in rule.errors)
    return f"no rule of `retry` is for {failure.type}; there are rules for {named}"


def _judge(test: JobTest, got: Got, prepared: Prepared) -> Iterator[str]:
    is_told = False
    if test.expects is None and test.attempts is None:
        yield f"the test does not say what must come of its item; {_told(got)} came (--update fills it in)"
        return
    if test.error is not None:
        yield from _judge_error(test.error, got, prepared)
    elif test.expects is not None and got.failure is not None:
        is_told = True
        yield f"expected {_told_rows(test.expected_rows)}, got {_told(got)}"
        yield from _frames(got.failure, prepared)
        made = f"{len(got.starts)} attempt{'s' if len(got.starts) != 1 else ''} made{_times(got.starts)}"
        yield f"  {made}: {explain_retry(got.failure, prepared.retry)}"
    elif test.expects is not None:
        yield from _judge_rows(test, got, prepared)
    if test.attempts is not None and test.attempts != len(got.starts):
        yield f"`attempts`: expected {test.attempts}, got {len(got.starts)}{_times(got.starts)}"
        if got.failure is not None and not is_told:
            yield f"  {explain_retry(got.failure, prepared.retry)}"


def _judge_rows(test: JobTest, got: Got, prepared: Prepared) -> Iterator[str]:
    try:
        expected = Writer(prepared.job.output, prepared.task.columns).expect(test.expected_rows)
    except RowRefused as error:
        yield f"`{test.expects}` cannot be written to this output: {error}"
        return
    if test.expects == "rows":
        yield from differences(expected, got.rows, ("rows",))
    elif len(got.rows) == 1:
        yield from differences(expected[0], got.rows[0], ("row",))
    else:
        yield f"expected {_told_rows(test.expected_rows)}, got {_told(got)}"


def _judge_error(expected: ExpectedError, got: Got, prepared: Prepared) -> Iterator[str]:
    failure = got.failure
    if failure is None:
        wanted = expected.type or "a failure"
        yield f"expected {wanted}, got {_told(got)}"
        return
    said = []
    if expected.type is not None and expected.type not in _names_of(failure):
        said.append(f"`error.type`: expected {expected.type}, got {failure.type}: {shown(failure.message)}")
    if expected.message is not None and expected.message not in failure.message:
        said.append(
            f"`error.message`: expected {shown(expected.message)} in it, got {shown(failure.message)}"
        )
    if expected.stage is not None and expected.stage != failure.stage:
        said.append(f"`error.stage`: expected {expected.stage}, got {failure.stage}")
    yield from said
    if said:
        yield from _frames(failure, prepared)


def _names_of(failure: Failure) -> set[str]:
    """Return the names of a failure: its own, and those of the classes it is derived from."""
    names = {failure.type}
    for kind in bases_of(type(failure.error)) if failure.error is not None else ():
        names |= {inner_name(kind), full_name(kind)}
    return names


def _frames(failure: Failure, prepared: Prepared) -> Iterator[str]:
    """Yield the traceback of a failure that came out of the project, not of one that the test put there."""
    if failure.error is None or is_a(failure.error, ItemFault):
        return
    text = user_frames(failure.error, prepared.loaded.secrets.mask)
    if f'File "{prepared.loaded.root}' in text:
        yield from (f"  {line}" for line in text.splitlines()[1:-1] if line.strip())


def _told(got: Got) -> str:
    if got.failure is not None:
        stage = "" if got.failure.stage == "task" else f" ({got.failure.stage})"
        return f"{got.failure.type}{stage}: {shown(got.failure.message)}"
    return _told_rows(got.rows)


def _told_rows(rows: list[object]) -> str:
    if len(rows) == 1:
        return f"the row {shown(rows[0])}"
    return f"{len(rows)} rows: {shown(rows)}" if rows else "no row"


def _times(starts: list[float]) -> str:
    return (
        f" (at {', '.join(f'{start - starts[0]:.3g} s' for start in starts[:10])})" if len(starts) > 1 else ""
    )


def _masked(value: object, mask: Any) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [_masked(each, mask) for each in value]
    if isinstance(value, dict):
        return {mask(key): _masked(each, mask) for key, each in value.items()}
    return value
