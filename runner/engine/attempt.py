"""One attempt at one item: decode, convert, call, encode. What goes wrong in a step is the item's failure.

The steps run in a worker thread, so that the thread that writes has only bytes to append. There are two
forms: `make_attempt` for a plain function without policies, where each look at an option would cost more than
calling a small task does; and `make_full_attempt` for everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from types import GeneratorType
from typing import Any

from runner.errors import MalformedRecord
from runner.item import BrokenRecord, Context, Current, Item
from runner.outcome import Failure, Outcome
from runner.raised import drop_first_frame, message_of, type_name


def make_attempt(
    decode: Callable[[Item], object],
    call: Callable[[Any], object],
    encode: Callable[[object], object] | None,
    failed: Callable[[Item, Failure], None],
    current: Current | None = None,
    quick: Callable[[Any], object] | None = None,
    convert: Callable[[Any], object] | None = None,
) -> Callable[[Item], Outcome]:
    """Return the function that runs one item and never raises.

    Args:
        decode: Item to the task's argument; see `runner.sources.base.Source`.
        call: The task. `None` from it means no row.
        encode: Row to bytes or a snapshot; `None` where rows are not written, only counted.
        failed: Told of every failure as soon as it is seen, in the worker's thread.
        current: Told how to find the item that a thread is at.
        quick: Does what `decode` does from `item.raw` alone, or raises anything; then `decode` is
            asked to say why. Saves a Python call for every item.
        convert: Turns what was decoded into what the task takes; `None` where it takes it as it is.
    """

    def attempt(item: Item) -> Outcome:
        stage = "decode"
        try:
            if type(item[1]) is BrokenRecord:
                failure = Failure("read", "MalformedRecord", item[1].reason, None)
                failed(item, failure)
                return Outcome(item, None, 0, failure)
            value = decode(item) if quick is None else quick(item[1])
            if convert is not None:
                stage = "convert"
                value = convert(value)
            stage = "task"
            result = call(value)
            if result is None:
                return Outcome(item, None, 0, None)
            if encode is None:
                return Outcome(item, None, 1, None)
            stage = "encode"
            # A plain tuple: outcomes are unpacked, not read by name, and the named one costs four times as
            # much to make, for every item.
            return (item, encode(result), 1, None)  # type: ignore[return-value]  # see above
        except BaseException as error:  # user code, and SystemExit is a failure too
            if stage == "decode" and quick is not None:
                error = _explained(decode, item, error)
            outcome = rescue(item, error, stage=stage)
            assert outcome.failure is not None
            failed(item, outcome.failure)
            return outcome

    if current is not None:
        current.attempt = attempt.__code__
    return attempt


def make_full_attempt(
    decode: Callable[[Item], object],
    call: Callable[..., object],
    encode: Callable[[object], object] | None,
    *,
    failed: Callable[[Item, Failure], None] | None = None,
    current: Current | None = None,
    quick: Callable[[Any], object] | None = None,
    convert: Callable[[Any], object] | None = None,
    context: Callable[[int, int], Context] | None = None,
    is_many: bool = False,
    settles: bool = False,
) -> Callable[..., Outcome | None]:
    """Return the function that runs one item and never raises, for every form of task.

    It takes the item, the number of the attempt, and `begin`, which is called right before the task, and
    whose `False` means that the run stops: then there is no outcome, and `None` is returned.

    Args:
        decode: Item to the task's argument; see `runner.sources.base.Source`.
        call: The task, which also takes a `Context` where `context` is given.
        encode: Row to bytes or a snapshot; `None` where rows are not written, only counted.
        failed: Told of every failure as soon as it is seen, in the worker's thread; `None` where whoever
            runs the attempt decides whether it counts.
        current: Told how to find the item that a thread is at.
        quick: As for `make_attempt`.
        convert: As for `make_attempt`.
        context: Makes the context from the item's index and the number of the attempt.
        is_many: Whether the task is a generator, each of whose items is a row. All rows of an item are
            written, or none.
        settles: Whether `encode` returns snapshots, which are kept apart in a list, and no bytes.
    """

    def attempt(item: Item, number: int = 1, begin: Callable[[], bool] | None = None) -> Outcome | None:
        stage = "decode"
        try:
            if type(item[1]) is BrokenRecord:
                raise MalformedRecord(item[1].reason)
            value = decode(item) if quick is None else quick(item[1])
            if convert is not None:
                stage = "convert"
                value = convert(value)
            if begin is not None and not begin():
                return None
            stage = "task"
            result = call(value) if context is None else call(value, context(item[0], number))
            if is_many and type(result) is GeneratorType:
                pieces: list[Any] = []
                try:
                    for row in result:
                        if row is not None:
                            # At once: the task may use the same row again for the next one.
                            stage = "encode"
                            pieces.append(row if encode is None else encode(row))
                            stage = "task"
                finally:
                    result.close()
                data = None if encode is None or not pieces else pieces if settles else b"".join(pieces)
                return Outcome(item, data, len(pieces), None)
            if result is None:
                return Outcome(item, None, 0, None)
            if encode is None:
                return Outcome(item, None, 1, None)
            stage = "encode"
            rows = encode(result)
            return Outcome(item, [rows] if settles and is_many else rows, 1, None)
        except BaseException as error:  # the same
            if stage == "decode":
                if type(item[1]) is BrokenRecord:
                    stage = "read"
                elif quick is not None:
                    error = _explained(decode, item, error)
            outcome = rescue(item, error, stage=stage)
            if failed is not None and outcome.failure is not None:
                failed(item, outcome.failure)
            return outcome

    if current is not None:
        current.attempt = attempt.__code__
    return attempt


def _explained(decode: Callable[[Item], object], item: Item, error: BaseException) -> BaseException:
    try:
        decode(item)
    except BaseException as explained:  # it says what is wrong with the record
        return explained
    return error


def rescue(item: Item, error: BaseException, *, stage: str = "task") -> Outcome:
    """Return the outcome of an item whose attempt raised `error` in `stage`."""
    drop_first_frame(error)  # ours says nothing to the user and holds the item and its value
    return Outcome(item, None, 0, Failure(stage, type_name(error), message_of(error), error))
