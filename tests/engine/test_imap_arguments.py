"""Wrong arguments of `imap` are told at the call, in one sentence, before a thread is started."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import runner


@pytest.fixture(autouse=True)
def _nothing_is_started() -> Iterator[None]:
    """See that a refused call has started nothing."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 0}, "`size` must be at least 1, got 0"),
        ({"size": -3}, "`size` must be at least 1, got -3"),
        ({"size": 10**6}, "`size` must be at most 1024, got 1000000"),
        ({"chunksize": 0}, "`chunksize` must be at least 1, got 0"),
        ({"window": 0}, "`window` must be at least 1, got 0"),
        ({"window": 9, "chunksize": 10}, "`window` must be at least 10, got 9"),
        ({"engine": "fibers"}, "`engine` must be \"threads\", got 'fibers'"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_named_with_its_limit(options: dict[str, Any], sentence: str) -> None:
    """The name, the bound and what was given."""
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        runner.imap(str, [], **options)


@pytest.mark.parametrize("name", ["size", "chunksize", "window"])
@pytest.mark.parametrize("value", [2.0, "2", True, [2]], ids=repr)
def test_what_is_no_whole_number_is_refused(name: str, value: object) -> None:
    """A float, a text and a truth value are no counts."""
    with pytest.raises(TypeError, match=f"`{name}` must be a whole number, got "):
        runner.imap(str, [], **{name: value})


def test_a_chunksize_that_is_another_word_than_auto_is_refused() -> None:
    """`auto` is the only word."""
    with pytest.raises(TypeError, match="`chunksize` must be a whole number, got 'Auto'"):
        runner.imap(str, [], chunksize="Auto")


def test_a_function_that_cannot_be_called_is_refused() -> None:
    """Not item by item, but at once."""
    with pytest.raises(TypeError, match="`func` must be callable, got int"):
        runner.imap(3, [])


def test_an_input_that_cannot_be_iterated_is_refused() -> None:
    """In the caller's own line, not later in another thread."""
    with pytest.raises(TypeError, match="`iterable` must be iterable, got int"):
        runner.imap(str, 3)


def test_options_have_to_be_named() -> None:
    """`imap(f, items, 4)` could mean a chunksize, as in `multiprocessing`, or a size."""
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3 were given"):
        runner.imap(str, [], 4)
