"""One attempt in its full form: generators, contexts, types, and the question right before the task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runner.engine.attempt import make_full_attempt
from runner.errors import MalformedRecord, RowRefused
from runner.item import NOWHERE, BrokenRecord, Context, Item
from runner.outcome import Failure, Outcome

ITEM = Item(7, 3, NOWHERE)


def encode(row: object) -> bytes:
    """Return a line of JSON, or refuse what is no row."""
    if row == "bad":
        raise RowRefused("no such row")
    return json.dumps(row).encode() + b"\n"


def attempt(call: Any, item: Item = ITEM, **options: Any) -> Outcome:
    """Attempt an item once."""
    options.setdefault("encode", encode)
    outcome = make_full_attempt(options.pop("decode", lambda item: item.raw), call, **options)(item)
    assert outcome is not None
    return Outcome(*outcome)


def counting(number: int) -> Iterator[object]:
    """Yield one row again and again, changed each time."""
    row = {"n": 0}
    for each in range(number):
        row["n"] = each
        yield row
        yield None


def test_rows_of_a_generator_are_taken_as_they_come() -> None:
    """It may use one row for all of them; `None` is no row."""
    outcome = attempt(counting, is_many=True)
    assert (outcome.rows, outcome.row_count) == (b'{"n": 0}\n{"n": 1}\n{"n": 2}\n', 3)


def test_rows_that_are_settled_later_stay_apart() -> None:
    """A list for the encoder's second step."""
    outcome = attempt(counting, is_many=True, settles=True)
    assert outcome.rows == [b'{"n": 0}\n', b'{"n": 1}\n', b'{"n": 2}\n']


def test_rows_that_nobody_writes_are_counted() -> None:
    """An output of type none."""
    outcome = attempt(counting, is_many=True, encode=None)
    assert (outcome.rows, outcome.row_count) == (None, 3)


@pytest.mark.parametrize(("raw", "stage"), [("raise", "task"), ("bad", "encode")])
def test_a_generator_that_fails_has_no_rows(raw: str, stage: str) -> None:
    """All or none; the step is that of the row at fault, and the generator is closed."""
    events = []

    def rows(word: str) -> Iterator[object]:
        try:
            yield 1
            if word == "raise":
                raise ValueError(word)
            yield word
            yield 3
        finally:
            events.append("closed")

    outcome = attempt(rows, Item(0, raw, NOWHERE), is_many=True)
    assert (outcome.rows, outcome.row_count) == (None, 0)
    assert outcome.failure is not None
    assert outcome.failure.stage == stage
    assert events == ["closed"]


def test_an_empty_generator_is_an_item_without_rows() -> None:
    """No bytes at all."""
    outcome = attempt(counting, Item(0, 0, NOWHERE), is_many=True)
    assert outcome == (Item(0, 0, NOWHERE), None, 0, None)


def test_a_wrapper_around_a_generator_may_return_one_row() -> None:
    """What a decorator makes of it is what counts."""
    assert attempt(lambda n: n, is_many=True).rows == b"3\n"
    assert attempt(lambda n: n, is_many=True, settles=True).rows == [b"3\n"]
    assert attempt(lambda n: None, is_many=True).row_count == 0


@pytest.mark.parametrize(
    ("options", "stage", "kind"),
    [
        ({"decode": lambda item: 1 / 0}, "decode", "ZeroDivisionError"),
        ({"convert": lambda value: 1 / 0}, "convert", "ZeroDivisionError"),
    ],
)
def test_a_failure_carries_its_step(options: dict[str, Any], stage: str, kind: str) -> None:
    """The task is not called."""
    told: list[Failure] = []
    outcome = attempt(pytest.fail, failed=lambda item, failure: told.append(failure), **options)
    assert outcome.failure is not None
    assert (outcome.failure.stage, outcome.failure.type) == (stage, kind)
    assert told == [outcome.failure]


def test_a_broken_record_is_not_read() -> None:
    """Its reason is the message."""
    outcome = attempt(pytest.fail, Item(0, BrokenRecord(b"", 3, 1, "too long"), NOWHERE))
    assert outcome.failure is not None
    assert outcome.failure[:3] == ("read", "MalformedRecord", "too long")


def test_decode_says_why_the_quick_way_failed() -> None:
    """In the words of the source."""

    def decode(item: Item) -> object:
        raise MalformedRecord("not a number")

    outcome = attempt(pytest.fail, decode=decode, quick=lambda raw: 1 / 0)
    assert outcome.failure is not None
    assert outcome.failure[:3] == ("decode", "MalformedRecord", "not a number")


def test_the_context_is_of_item_and_attempt() -> None:
    """And is made for each attempt."""
    run = make_full_attempt(
        lambda item: item.raw,
        lambda value, context: [value, context.index, context.attempt],
        encode,
        context=lambda index, number: Context(index, number, "run"),
    )
    assert [run(ITEM, number)[1] for number in (1, 2)] == [b"[3, 7, 1]\n", b"[3, 7, 2]\n"]  # type: ignore[index]


def test_begin_comes_right_before_the_task() -> None:
    """After the item was converted; where it says no, there is no outcome."""
    steps: list[str] = []

    def note(step: str, value: Any) -> Any:
        steps.append(step)
        return value

    run = make_full_attempt(
        lambda item: note("decode", item.raw),
        lambda value: note("task", value),
        lambda row: note("encode", b""),
        convert=lambda value: note("convert", value),
    )
    assert run(ITEM, 1, lambda: note("begin", True)) is not None
    assert steps == ["decode", "convert", "begin", "task", "encode"]
    assert run(ITEM, 1, lambda: False) is None
    assert steps.count("task") == 1
