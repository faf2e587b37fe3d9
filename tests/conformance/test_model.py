"""All laws at once: whatever is asked of the engine, a plain loop gives the same answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import runner

from .probes import Tap, eventually, open_outcomes, outcomes_of, runner_threads

TASK_ERRORS: list[type[BaseException]] = [ValueError, StopIteration, SystemExit, KeyboardInterrupt]

quietly = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class InputError(Exception):
    pass


@dataclass(frozen=True)
class Case:
    """One run: its input, its tasks, the shape of the engine."""

    number: int
    size: int
    chunksize: int
    window: int
    ordered: bool
    failing: dict[int, type[BaseException]]
    is_input_broken: bool

    def items(self) -> Any:
        """Yield the items; raise at the end when the input is a broken one."""
        yield from range(self.number)
        if self.is_input_broken:
            raise InputError("the input broke")

    def task(self, item: int) -> int:
        """Fail as the case says, or return the item."""
        if item in self.failing:
            raise self.failing[item](item)
        return item

    def expected(self) -> list[Any]:
        """Return what a plain loop over items and task gives: item or type of error, item by item."""
        results: list[Any] = []
        for item in range(self.number):
            error = self.failing.get(item)
            results.append(
                item if error is None else ("failed", "ValueError" if error is ValueError else "TaskFailed")
            )
        return [*results, ("failed", "InputError")] if self.is_input_broken else results


def seen(result: Any) -> Any:
    """Return a result in the terms of `Case.expected`."""
    return ("failed", type(result).__name__) if isinstance(result, BaseException) else result


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case; small numbers, so that edges of chunks, window and input meet often."""
    number = draw(st.integers(0, 60))
    chunksize = draw(st.integers(1, 12))
    return Case(
        number=number,
        size=draw(st.integers(1, 4)),
        chunksize=chunksize,
        window=draw(st.integers(chunksize, chunksize + 25)),
        ordered=draw(st.booleans()),
        failing=draw(
            st.dictionaries(st.integers(0, max(0, number - 1)), st.sampled_from(TASK_ERRORS), max_size=8)
        ),
        is_input_broken=draw(st.booleans()),
    )


@settings(quietly, max_examples=300)
@given(case=cases(), stop=st.none() | st.integers(0, 70), is_dropped=st.booleans())
def test_imap_gives_what_a_plain_loop_gives(case: Case, stop: int | None, is_dropped: bool) -> None:
    """Results, failures, the input's error and the end; the window at each draw; each item once at most."""
    ran: Counter[int] = Counter()

    def task(item: int) -> int:
        ran[item] += 1
        return case.task(item)

    tap = Tap(case.items())
    results = runner.imap(
        task, tap, size=case.size, chunksize=case.chunksize, window=case.window, ordered=case.ordered
    )
    taken: list[Any] = []
    limit = stop if stop is not None else 10**9
    while len(taken) < limit:
        try:
            result = next(results)
        except StopIteration:
            event("read to the end")
            break
        except BaseException as error:
            result = error
        taken.append(seen(result))
        tap.delivered += 1
    else:
        event("stopped early")
        if not is_dropped:
            results.close(grace=10)
            assert outcomes_of(results) == []
    del results, task

    expected = case.expected()
    if case.ordered:
        assert taken == expected[: len(taken)]
    else:
        assert Counter(taken) <= Counter(expected)
    if stop is None or len(taken) < stop:
        assert Counter(taken) == Counter(expected)
        assert taken[case.number :] == expected[case.number :]
        assert ran == Counter(range(case.number))
    assert max(ran.values(), default=1) == 1
    assert tap.worst <= case.window
    eventually(lambda: not runner_threads(), "no thread is left")


@settings(quietly, max_examples=200)
@given(case=cases(), drain_after=st.integers(0, 60))
def test_a_drained_run_delivers_what_was_started(case: Case, drain_after: int) -> None:
    """In order the unbroken prefix, else every item that was started; `complete` tells no lie."""
    started: list[int] = []

    def task(item: int) -> int:
        started.append(item)
        return case.task(item)

    tap = Tap(case.items())
    running = open_outcomes(
        task, tap, size=case.size, chunksize=case.chunksize, window=case.window, ordered=case.ordered
    )
    delivered: list[Any] = []
    is_broken = False
    try:
        for results in tap.take_lists(running):
            delivered += results
            if len(delivered) >= drain_after:
                break
        running.drain()
        for results in tap.take_lists(running):
            delivered += results
    except InputError:
        is_broken = True

    items = [result if isinstance(result, int) else result[0] for result in delivered]
    if case.ordered:
        first_not_started = next(item for item in count() if item not in started)
        assert items == list(range(first_not_started))
    else:
        assert sorted(items) == sorted(started)
    assert [type(r) is int for r in delivered] == [item not in case.failing for item in items]
    assert running.delivered == len(items)
    assert tap.worst <= case.window
    assert running.abandoned == 0
    if running.complete:
        event("complete")
        assert len(items) == case.number
        assert not case.is_input_broken
    if is_broken:
        event("input broke")
        assert len(items) == case.number
    eventually(lambda: not runner_threads(), "no thread is left")


@settings(quietly, max_examples=100)
@given(first=cases(), second=cases())
def test_a_map_over_a_map_gives_what_two_loops_give(first: Case, second: Case) -> None:
    """Chunks, windows and orders of the two have nothing to do with each other."""
    inner = runner.imap(
        str, range(first.number), size=first.size, chunksize=first.chunksize, window=first.window
    )
    outer = runner.imap(
        int, inner, size=second.size, chunksize=second.chunksize, window=second.window, ordered=second.ordered
    )
    assert sorted(islice(outer, first.number)) == list(range(first.number))
    assert list(outer) == []
    del inner, outer
    eventually(lambda: not runner_threads(), "no thread is left")
