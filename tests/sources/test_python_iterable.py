"""`type: python`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import InputBroken
from runner.item import NOWHERE
from runner.sources import PythonOptions


def bind(factory: Callable[..., Iterable[object]], **with_: Any) -> Any:
    """Return the source of a job whose `call` was loaded as `factory`."""
    return PythonOptions.model_validate({"type": "python", "call": "jobs.rows", "with": with_}).bind(factory)


def test_items_are_the_very_objects_that_are_yielded() -> None:
    """`with` reaches the factory, which is called when the iteration begins and not before."""
    calls = []
    rows = [object(), [1]]

    def factory(*, count: int) -> list[object]:
        calls.append(count)
        return rows

    source = bind(factory, count=2)
    items = source.items()
    assert calls == []
    first, second = items
    assert calls == [2]
    assert source.decode(first) is rows[0]
    assert source.decode(second) is rows[1]
    assert (second.index, second.where, source.total, source.weigh(second)) == (1, NOWHERE, None, 0)


def test_the_iterable_is_drawn_from_lazily() -> None:
    """One value at a time, as the engine asks."""
    drawn = []

    def factory() -> Iterator[int]:
        for number in range(10):
            drawn.append(number)
            yield number

    items = bind(factory).items()
    next(items)
    next(items)
    assert drawn == [0, 1]


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), StopAsyncIteration("x")]
)
def test_whatever_the_iterable_raises_is_an_input_error(error: BaseException) -> None:
    """After the values before it, with the error as the cause."""

    def factory() -> Iterator[int]:
        yield 1
        raise error

    items = bind(factory).items()
    assert next(items).raw == 1
    with pytest.raises(
        InputBroken, match=f"^jobs.rows stopped after 1 items with {type(error).__name__}"
    ) as caught:
        next(items)
    assert caught.value.__cause__ is error


def test_a_call_that_fails_is_an_input_error() -> None:
    """So is one that returns nothing to iterate."""
    with pytest.raises(
        InputBroken, match=r"^jobs.rows stopped after 0 items with TypeError: .*unexpected keyword"
    ):
        next(bind(lambda: [], nonsense=1).items())
    with pytest.raises(InputBroken, match=r"'NoneType' object is not iterable"):
        next(bind(lambda: None).items())  # type: ignore[arg-type,return-value]


def test_an_error_that_cannot_say_itself_is_named_by_its_type() -> None:
    """Hostile exceptions hide nothing."""

    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def factory() -> list[int]:
        raise MuteError

    with pytest.raises(
        InputBroken,
        match=r"stopped after 0 items with MuteError: \(its message could not be read: RuntimeError\); ",
    ):
        next(bind(factory).items())


def test_closing_the_items_closes_the_generator() -> None:
    """Its `finally` runs in the thread that closes, at once."""
    closed = []

    def factory() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    items = bind(factory).items()
    next(items)
    items.close()
    assert closed == [True]


def test_a_generator_that_fails_while_closing_is_an_input_error() -> None:
    """Not an error of whoever closes it."""

    def factory() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise ValueError("stuck")

    items = bind(factory).items()
    next(items)
    with pytest.raises(InputBroken, match=r"stopped after .* with ValueError: stuck"):
        items.close()


def test_opening_without_binding_is_a_bug_of_ours() -> None:
    """Importing is the work of another room."""
    options = PythonOptions.model_validate({"type": "python", "call": "jobs.rows"})
    with pytest.raises(AssertionError, match=r"jobs.rows is not loaded; use bind"):
        options.open(Path("/"))
