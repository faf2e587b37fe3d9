"""One attempt: which step an item fails in, and what is said about it."""

from __future__ import annotations

import sys
import weakref

import pytest

from runner.engine.attempt import make_attempt, rescue
from runner.errors import ItemRefused, MalformedRecord, RowRefused
from runner.item import NOWHERE, BrokenRecord, Item
from runner.outcome import Outcome
from runner.raised import MOST_MESSAGE_BYTES, message_of, type_name

ITEM = Item(7, b"raw\n", NOWHERE)


class Steps:
    """The three steps of an attempt, each of which can be told to raise; and a count of failures."""

    def __init__(self, **raising: BaseException) -> None:
        self.raising = raising
        self.failures = 0
        self.calls: list[str] = []

    def step(self, name: str, value: object) -> object:
        """Return the value with the name of the step around it, or raise."""
        self.calls.append(name)
        if name in self.raising:
            raise self.raising[name]
        return f"{name}({value})"

    def fail(self, *about: object) -> None:
        """Count a failure, whatever is told about it."""
        self.failures += 1

    def run(self, item: Item = ITEM, *, call=None, is_written: bool = True, is_converted: bool = False):
        """Attempt an item."""
        attempt = make_attempt(
            lambda item: self.step("decode", item.index),
            call or (lambda value: self.step("task", value)),
            (lambda row: self.step("encode", row)) if is_written else None,
            self.fail,
            convert=(lambda value: self.step("convert", value)) if is_converted else None,
        )
        return Outcome(*attempt(item))


def test_a_good_item_goes_through_all_steps():
    """Decode, call, encode, in this order, and one row."""
    steps = Steps()
    outcome = steps.run()
    assert outcome == (ITEM, "encode(task(decode(7)))", 1, None)
    assert steps.calls == ["decode", "task", "encode"]
    assert steps.failures == 0


def test_an_item_is_converted_between_decoding_and_the_call():
    """And what fails there fails in a step of its own."""
    assert Steps().run(is_converted=True).rows == "encode(task(convert(decode(7))))"
    steps = Steps(convert=ItemRefused("km: is missing"))
    failure = steps.run(is_converted=True).failure
    assert failure[:3] == ("convert", "ItemRefused", "km: is missing")
    assert steps.calls == ["decode", "convert"]
    assert steps.failures == 1


def test_none_is_no_row():
    """Nothing is encoded, and nothing failed."""
    steps = Steps()
    assert steps.run(call=lambda value: None) == (ITEM, None, 0, None)
    assert steps.calls == ["decode"]


@pytest.mark.parametrize("falsy", [0, "", [], {}, False])
def test_only_none_is_no_row(falsy):
    """An empty value is a value."""
    assert Steps().run(call=lambda value: falsy).row_count == 1


def test_without_an_output_rows_are_counted_and_not_kept():
    """What the task returned is dropped at once."""
    steps = Steps()
    assert steps.run(is_written=False) == (ITEM, None, 1, None)
    assert steps.calls == ["decode", "task"]


@pytest.mark.parametrize("stage", ["decode", "task", "encode"])
@pytest.mark.parametrize(
    "kind", [ValueError, SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit, MemoryError]
)
def test_whatever_a_step_raises_is_the_failure_of_that_step(stage, kind):
    """The attempt never raises; the failure names its step and is told at once."""
    steps = Steps(**{stage: kind("no")})
    outcome = steps.run()
    assert (outcome.item, outcome.rows, outcome.row_count) == (ITEM, None, 0)
    assert (outcome.failure.stage, outcome.failure.type) == (stage, kind.__name__)
    assert outcome.failure.message == "no"
    assert outcome.failure.error is steps.raising[stage]
    assert steps.failures == 1
    assert steps.calls[-1] == stage


def test_a_record_that_was_not_cut_is_never_decoded():
    """It fails in the step `read`, with the sentence of its source."""
    steps = Steps()
    outcome = steps.run(Item(3, BrokenRecord(b"head", 10, 1, "the quote is never closed"), NOWHERE))
    assert outcome.failure == ("read", "MalformedRecord", "the quote is never closed", None, False)
    assert steps.calls == []
    assert steps.failures == 1


def quickly(quick, decode):
    """Attempt an item whose value is had quickly, or else explained by `decode`."""
    attempt = make_attempt(decode, lambda value: [value], lambda row: row, lambda *about: None, quick=quick)
    return Outcome(*attempt(ITEM))


def test_a_quick_decoder_gives_the_value():
    """`decode` is not asked where there is nothing to explain."""
    outcome = quickly(lambda raw: raw.strip(), lambda item: pytest.fail("was asked"))
    assert outcome.rows == [b"raw"]


def test_what_a_quick_decoder_refuses_is_explained_by_the_slow_one():
    """The failure is the sentence of `decode`, in the step `decode`."""

    def quick(raw):
        raise ValueError("no place, no reason")

    def decode(item):
        raise MalformedRecord("column 3 is no number")

    failure = quickly(quick, decode).failure
    assert failure[:3] == ("decode", "MalformedRecord", "column 3 is no number")


def test_the_traceback_begins_in_the_users_code():
    """No frame of ours, which would also keep the item alive."""

    def call(value):
        raise ValueError(value)

    traceback = Steps().run(call=call).failure.error.__traceback__
    assert traceback.tb_frame.f_code is call.__code__


def test_an_item_is_not_kept_by_its_failure():
    """When the outcome is gone, the value that the task was given is gone."""

    class Value:
        pass

    value = Value()
    there = weakref.ref(value)
    attempt = make_attempt(lambda item: item.raw, lambda value: 1 / 0, None, lambda *about: None)
    outcome = attempt(Item(0, value, NOWHERE))
    del value
    failure = outcome.failure
    failure.error.__traceback__ = None
    del outcome
    assert there() is None


def test_an_exception_that_was_never_raised_can_be_rescued():
    """There is no traceback to cut then."""
    outcome = rescue(ITEM, ValueError("x"))
    assert (outcome.failure.stage, outcome.failure.message) == ("task", "x")


class Busy(Exception):
    """An exception of the user's."""


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError(), "ValueError"),
        (Busy(), f"{Busy.__module__}.Busy"),
        (RowRefused(), "RowRefused"),
        (MalformedRecord(), "MalformedRecord"),
    ],
)
def test_a_type_is_named_as_one_would_write_it(error, name):
    """With its module, except for builtins and ours."""
    assert type_name(error) == name


@pytest.mark.parametrize("stage", ["decode", "task", "encode"])
def test_an_exception_whose_text_cannot_be_read_is_a_failure_like_any_other(stage):
    """`__str__` is the user's code: not even SystemExit in it ends the worker."""

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise SystemExit("from __str__")

    outcome = Steps(**{stage: Unspeakable()}).run()
    assert "could not be read" in outcome.failure.message
    assert "SystemExit" in outcome.failure.message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError(), "(ValueError without a message)"),
        (KeyError("a"), "'a'"),
        (ValueError("\ud800"), "\\ud800"),
        (ValueError("é\x1b[31m"), "é\x1b[31m"),
    ],
)
def test_a_message_is_never_empty_and_always_utf8(error, message):
    """What cannot be written as UTF-8 is spelled out; escaping for terminals is done where it is shown."""
    assert message_of(error) == message
    assert message_of(error).encode()


@pytest.mark.parametrize("text", ["x" * 10**6, "€" * 2000, "\U0001f600" * 5000])
def test_a_long_message_is_cut_within_its_bound(text):
    """4 KiB, never within a character, and the length that there was is told."""
    message = message_of(ValueError(text))
    assert message.endswith(f"… ({len(text.encode()):,} bytes in all)")
    assert len(message.partition("…")[0].encode()) <= MOST_MESSAGE_BYTES
    assert text.startswith(message.partition("…")[0])


def test_a_message_of_exactly_the_bound_is_whole():
    """4,096 bytes pass, one more does not."""
    assert message_of(ValueError("x" * MOST_MESSAGE_BYTES)) == "x" * MOST_MESSAGE_BYTES
    assert "bytes in all" in message_of(ValueError("x" * (MOST_MESSAGE_BYTES + 1)))


def test_a_recursion_that_is_too_deep_is_a_failure():
    """The worker's stack is not the item's: the next one goes on."""

    def deep(value):
        return deep(value)

    limit = sys.getrecursionlimit()
    outcome = Steps().run(call=deep)
    assert outcome.failure.type == "RecursionError"
    assert sys.getrecursionlimit() == limit
