"""Law 5: when the input raises, what was drawn is run and delivered, then comes the error, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .probes import Background, Tap, identity, outcome, outcomes_of

Maker = Callable[..., Any]


class FalsyError(Exception):
    def __len__(self) -> int:
        return 0


ERRORS: dict[str, BaseException] = {
    "os-error": OSError("the input broke"),
    "falsy": FalsyError("the input broke"),
    "keyboard-interrupt": KeyboardInterrupt("the input broke"),
    "system-exit": SystemExit("the input broke"),
    "generator-exit": GeneratorExit("the input broke"),
    "stop-async-iteration": StopAsyncIteration("the input broke"),
}


@pytest.fixture(params=ERRORS)
def error(request: pytest.FixtureRequest) -> BaseException:
    """Return what the input raises."""
    return ERRORS[request.param].with_traceback(None)


class Breaking(Iterator[int]):
    """Yields `number` items, then raises; were it asked again, it would go on yielding."""

    def __init__(self, number: int, error: BaseException) -> None:
        self._number, self._error = number, error
        self._next = 0

    def __next__(self) -> int:
        self._next += 1
        if self._next == self._number + 1:
            raise self._error
        return self._next - 1


@pytest.mark.parametrize("number", [0, 1, 5, 10, 15, 20])
def test_all_that_was_drawn_comes_first_then_the_error_once(
    imap: Maker, chunksize: int | str, ordered: bool, error: BaseException, number: int
) -> None:
    """At once, within a chunk and between two: the items before are delivered, then the error, the end."""
    results = imap(identity, Breaking(number, error), chunksize=chunksize, ordered=ordered)
    taken = [next(results) for _ in range(number)]
    assert (taken if ordered else sorted(taken)) == list(range(number))
    with pytest.raises(type(error), match="the input broke") as caught:
        next(results)
    assert caught.value is error
    assert [next(results, "end") for _ in range(3)] == ["end"] * 3


@pytest.mark.parametrize("window", [10, 13, 25])
def test_the_error_waits_for_a_slow_head(
    imap: Maker, make_task: Maker, chunksize: int | str, ordered: bool, window: int
) -> None:
    """An error that is known long before the first result is still the last thing to arrive."""
    task = make_task(held=(0,))
    tap = Tap(Breaking(9, OSError("the input broke")))
    results = imap(task, tap, size=2, chunksize=chunksize, ordered=ordered, window=window)
    consumer = Background(lambda: [next(results) for _ in range(9)])
    assert tap.ended.wait(10)
    task.let_go()
    assert sorted(consumer.value()) == list(range(9))
    with pytest.raises(OSError, match="the input broke"):
        next(results)


def test_failing_items_and_a_failing_input_are_both_told(
    imap: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Each item's failure is delivered before the error of the input."""

    def odd_fails(item: int) -> int:
        if item % 2:
            raise LookupError(item)
        return item

    broken = OSError("the input broke")
    outcomes = outcomes_of(imap(odd_fails, Breaking(15, broken), chunksize=chunksize, ordered=ordered))
    assert outcomes.pop() is broken
    assert [type(result) for result in outcomes].count(LookupError) == 7
    assert len(outcomes) == 15


@pytest.mark.parametrize("error", [OSError("no input"), KeyboardInterrupt("no input")], ids=repr)
def test_an_input_that_cannot_be_opened_is_an_error_of_the_input(
    imap: Maker, chunksize: int | str, ordered: bool, error: BaseException
) -> None:
    """What `iter()` raises comes from the first `next()`, once."""

    class Closed:
        def __iter__(self) -> Iterator[int]:
            raise error

    results = imap(identity, Closed(), chunksize=chunksize, ordered=ordered)
    assert outcome(results) is error
    assert list(results) == []


def test_an_input_whose_iter_raises_stop_iteration_does_not_look_empty(
    imap: Maker, chunksize: int | str
) -> None:
    """`iter()` that runs into somebody else's `StopIteration` is an error, in a `for` loop as well."""

    class Closed:
        def __iter__(self) -> Iterator[int]:
            return iter([next(iter(()))])

    results = imap(identity, Closed(), chunksize=chunksize)
    with pytest.raises(Exception, match="StopIteration"):
        next(results)


def test_an_input_whose_iter_returns_no_iterator_is_an_error(imap: Maker, chunksize: int | str) -> None:
    """Python's own sentence about it reaches the caller."""

    class Wrong:
        def __iter__(self) -> Any:
            return 3

    with pytest.raises(TypeError, match="non-iterator"):
        next(imap(identity, Wrong(), chunksize=chunksize))


def test_a_generator_that_lets_a_stop_iteration_out_is_an_error(imap: Maker, chunksize: int | str) -> None:
    """PEP 479 makes it a RuntimeError, which is told like any other."""

    def broken() -> Iterator[int]:
        yield 0
        yield next(iter(()))

    results = imap(identity, broken(), chunksize=chunksize)
    assert next(results) == 0
    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        next(results)


def test_a_failing_generator_runs_its_own_clean_up(imap: Maker, chunksize: int | str) -> None:
    """`finally` of the input has run when the error arrives."""
    steps: list[str] = []

    def broken() -> Iterator[int]:
        try:
            yield 0
            raise OSError("the input broke")
        finally:
            steps.append("cleaned up")

    results = imap(identity, broken(), chunksize=chunksize)
    assert next(results) == 0
    with pytest.raises(OSError, match="the input broke"):
        next(results)
    assert steps == ["cleaned up"]


def test_the_first_error_of_an_input_wins_over_that_of_its_close(imap: Maker, chunksize: int | str) -> None:
    """Why the input broke says more than that it cannot be closed either."""

    class Input(Breaking):
        def close(self) -> None:
            raise ValueError("cannot close")

    results = imap(identity, Input(1, OSError("the input broke")), chunksize=chunksize)
    assert next(results) == 0
    with pytest.raises(OSError, match="the input broke"):
        next(results)


def test_a_run_with_a_failed_input_is_not_complete(
    outcomes: Maker, whole_chunksize: int, ordered: bool
) -> None:
    """Everything was delivered, but nobody knows what the input still had."""
    running = outcomes(
        identity, Breaking(15, OSError("the input broke")), chunksize=whole_chunksize, ordered=ordered
    )
    delivered: list[int] = []
    with pytest.raises(OSError, match="the input broke"):
        delivered.extend(result for results in running for result in results)
    assert sorted(delivered) == list(range(15))
    assert running.delivered == 15
    assert not running.complete
    assert next(running, "end") == "end"


def test_a_whole_run_is_complete(outcomes: Maker, whole_chunksize: int, ordered: bool) -> None:
    """Only when the end was seen: not before the last `next()`."""
    running = outcomes(identity, range(15), chunksize=whole_chunksize, ordered=ordered)
    for _ in running:
        assert not running.complete
    assert running.complete
    assert running.delivered == 15
    assert running.abandoned == 0
