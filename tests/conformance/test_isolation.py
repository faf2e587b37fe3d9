"""Law 4: whatever a task raises is the failure of its item and of no other."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from runner import TaskFailed

from .probes import identity, outcome, outcomes_of

Maker = Callable[..., Any]


class FalsyError(Exception):
    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0


class NoisyError(BaseException):
    """Raises whenever it is printed, compared or tested: an exception, of all things."""

    def __str__(self) -> str:
        raise StopIteration("from __str__")

    __repr__ = __bool__ = __len__ = __str__

    def __eq__(self, other: object) -> bool:
        raise StopIteration("from __eq__")

    __hash__ = BaseException.__hash__


class NoisyException(Exception):
    __str__ = __repr__ = NoisyError.__str__  # type: ignore[assignment]


class OwnBaseException(BaseException):
    pass


class StopSubclass(StopIteration):
    pass


RAW: dict[str, Callable[[], BaseException]] = {
    "value-error": lambda: ValueError("no"),
    "runtime-error": lambda: RuntimeError("the task's own"),
    "memory-error": lambda: MemoryError(),
    "recursion-error": lambda: RecursionError("deep"),
    "falsy": FalsyError,
    "unprintable": NoisyException,
    "group": lambda: ExceptionGroup("many", [ValueError(), OSError()]),
    "task-failed": lambda: TaskFailed("of another map"),
}
"""What `next()` raises as it is."""

WRAPPED: dict[str, Callable[[], BaseException]] = {
    "stop-iteration": lambda: StopIteration("a value"),
    "stop-iteration-subclass": StopSubclass,
    "stop-async-iteration": lambda: StopAsyncIteration(),
    "system-exit": lambda: SystemExit(0),
    "keyboard-interrupt": lambda: KeyboardInterrupt(),
    "generator-exit": lambda: GeneratorExit(),
    "base-exception": lambda: OwnBaseException("no"),
    "base-group": lambda: BaseExceptionGroup("many", [KeyboardInterrupt()]),
    "unprintable-base": NoisyError,
}
"""What `next()` raises as the cause of a `TaskFailed`."""

KINDS = RAW | WRAPPED


def failing_at(items: range | set[int], make: Callable[[], BaseException]) -> Callable[[int], int]:
    """Return a task that raises for these items and returns all others."""

    def task(item: int) -> int:
        if item in items:
            raise make()
        return item

    return task


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_item_costs_nobody_else(
    imap: Maker, chunksize: int | str, ordered: bool, kind: str
) -> None:
    """Item 14 of 30 fails in the middle of its chunk; the other 29 results arrive, each once."""
    task = failing_at({14}, KINDS[kind])
    outcomes = outcomes_of(imap(task, range(30), size=3, chunksize=chunksize, ordered=ordered))
    failures = [place for place, result in enumerate(outcomes) if isinstance(result, BaseException)]
    assert len(failures) == 1
    del outcomes[failures[0]]
    assert (outcomes if ordered else sorted(outcomes)) == [*range(14), *range(15, 30)]
    if ordered:
        assert failures == [14]


@pytest.mark.parametrize("make", [KINDS["value-error"], KINDS["system-exit"], KINDS["stop-iteration"]])
@pytest.mark.parametrize(
    "failing",
    [{0}, {9}, {10}, {29}, {0, 9, 10, 19}, {3, 4, 5}, set(range(10, 20)), set(range(30))],
    ids=["first", "last-of-chunk", "first-of-chunk", "last", "edges", "run", "whole-chunk", "all"],
)
def test_a_failure_costs_only_itself_wherever_it_is(
    imap: Maker, chunksize: int | str, ordered: bool, failing: set[int], make: Callable[[], BaseException]
) -> None:
    """At every place in a chunk, and also where everything fails, `next()` goes on to the next item."""
    results = imap(failing_at(failing, make), range(30), size=3, chunksize=chunksize, ordered=ordered)
    outcomes = ["failed" if isinstance(r, BaseException) else r for r in outcomes_of(results)]
    assert outcomes.count("failed") == len(failing)
    good = [result for result in outcomes if result != "failed"]
    assert (good if ordered else sorted(good)) == [item for item in range(30) if item not in failing]
    if ordered:
        assert {place for place, result in enumerate(outcomes) if result == "failed"} == failing


def test_nothing_is_run_twice_because_of_a_failure(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """The rest of a chunk runs after the failure, the items before it are not repeated."""
    ran: list[int] = []

    def task(item: int) -> None:
        ran.append(item)
        if item % 3 == 1:
            raise KeyError(item)

    outcomes_of(imap(task, range(100), size=3, chunksize=chunksize, ordered=ordered))
    assert sorted(ran) == list(range(100))


@pytest.mark.parametrize("kind", RAW)
def test_an_exception_arrives_as_itself(imap: Maker, chunksize: int | str, kind: str) -> None:
    """The very object that the task raised, with its attributes, notes and cause."""
    error = RAW[kind]()
    error.__cause__ = cause = OSError("why")
    error.add_note("a note")
    raised = outcome(imap(failing_at({0}, lambda: error), range(1), chunksize=chunksize))
    assert raised is error
    assert raised.__cause__ is cause
    assert raised.__notes__ == ["a note"]


@pytest.mark.parametrize("kind", WRAPPED)
def test_what_would_end_the_caller_arrives_as_task_failed(
    imap: Maker, chunksize: int | str, kind: str
) -> None:
    """The cause is the very object that the task raised; the message names its type."""
    error = WRAPPED[kind]()
    results = imap(failing_at({0}, lambda: error), range(1), chunksize=chunksize)
    with pytest.raises(TaskFailed, match=type(error).__name__) as caught:
        next(results)
    assert caught.value.__cause__ is error


def test_a_loop_does_not_end_silently_at_a_stop_iteration(
    imap: Maker, chunksize: int | str, ordered: bool
) -> None:
    """`next()` on an empty iterator inside a task must not look like the end of the results."""
    results = imap(lambda item: next(iter(())), range(3), chunksize=chunksize, ordered=ordered)
    with pytest.raises(TaskFailed, match="StopIteration"):
        list(results)


def test_one_exception_object_may_be_raised_by_many_items(
    imap: Maker, chunksize: int | str, ordered: bool
) -> None:
    """A module that raises one ready-made exception fails item by item all the same."""
    error = ValueError("ready-made")
    outcomes = outcomes_of(
        imap(failing_at(range(50), lambda: error), range(50), chunksize=chunksize, ordered=ordered)
    )
    assert outcomes == [error] * 50


def test_thousands_of_failures_in_a_row_are_delivered(
    imap: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Failures are no deeper for being many."""
    task = failing_at(range(5000), KINDS["stop-iteration"])
    outcomes = outcomes_of(imap(task, range(5000), chunksize=chunksize, ordered=ordered))
    assert [type(result) for result in outcomes] == [TaskFailed] * 5000


def test_a_for_loop_may_be_entered_again_after_a_failure(imap: Maker, chunksize: int | str) -> None:
    """The iterator survives the exception that it raises."""
    results = imap(failing_at({3, 4}, KINDS["value-error"]), range(8), chunksize=chunksize)
    taken, failures = [], 0
    while len(taken) + failures < 8:
        try:
            taken += [next(results)]
        except ValueError:
            failures += 1
    assert (taken, failures) == ([0, 1, 2, 5, 6, 7], 2)
    assert next(results, "end") == "end"


# --- what the traceback says ----------------------------------------------------------------------


def deep_task(item: int) -> int:
    """Raise two frames down."""
    return deeper(item)


def deeper(item: int) -> int:
    """Raise."""
    return 1 // item


def frames_of(error: BaseException) -> list[tuple[str, str]]:
    """Return file name and function of each frame of the traceback."""
    return [(f.filename, f.name) for f in traceback.extract_tb(error.__traceback__)]


def test_the_traceback_ends_in_the_task(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """The frames of the task are there, down to the line that raised."""
    raised = outcome(imap(deep_task, [0], chunksize=chunksize, ordered=ordered))
    assert frames_of(raised)[-2:] == [(__file__, "deep_task"), (__file__, "deeper")]


def test_the_traceback_shows_no_worker(imap: Maker, chunksize: int | str) -> None:
    """No frame of the pool stands between the caller's `next()` and the task."""
    raised = outcome(imap(deep_task, [0], chunksize=chunksize))
    assert not [name for name, _ in frames_of(raised) if name.endswith(("threads.py", "window.py"))]


def test_the_cause_of_a_task_failed_has_the_frames_of_the_task(imap: Maker, chunksize: int | str) -> None:
    """A wrapped exception does not lose its place."""

    def leave(item: int) -> None:
        raise SystemExit(item)

    raised = outcome(imap(leave, [0], chunksize=chunksize))
    assert frames_of(raised.__cause__) == [(__file__, "leave")]


def test_a_builtin_as_task_fails_without_a_frame_of_its_own(imap: Maker, chunksize: int | str) -> None:
    """A task in C has no frame; the error arrives all the same."""
    with pytest.raises(ValueError, match="invalid literal"):
        next(imap(int, ["x"], chunksize=chunksize))


def test_an_error_of_one_item_has_nothing_to_do_with_the_one_before(
    imap: Maker, chunksize: int | str
) -> None:
    """In a worker one failure is over when the next one happens: no `During handling of ...`."""
    results = imap(deep_task, [0] * 20, size=1, chunksize=chunksize)
    assert [raised.__context__ for raised in outcomes_of(results)] == [None] * 20


def test_a_task_that_takes_no_argument_fails_by_item(imap: Maker, chunksize: int | str) -> None:
    """A wrong signature is what each item fails with."""
    outcomes = outcomes_of(imap(lambda: None, range(12), chunksize=chunksize))
    assert [type(raised) for raised in outcomes] == [TypeError] * 12


def test_failures_are_values_below_imap(outcomes: Maker, whole_chunksize: int, ordered: bool) -> None:
    """What `rescue` makes of an exception stands in the list at the item's place."""
    running = outcomes(deep_task, [1, 0, 1], chunksize=whole_chunksize, ordered=ordered)
    results = [result for batch in running for result in batch]
    assert sorted(map(str, results)) == ["(0, <class 'ZeroDivisionError'>)", "1", "1"]
    assert running.complete


def test_identity_of_results_among_failures(imap: Maker, chunksize: int | str) -> None:
    """A result that is an exception is a result, also next to a failure of the same type."""
    values = [ValueError("returned"), ValueError("returned too")]
    results = imap(identity, values, chunksize=chunksize)
    assert list(results) == values
