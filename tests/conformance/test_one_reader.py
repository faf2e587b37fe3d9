"""Law 2: one thread, the reader, touches the input, for the whole run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from .probes import Background, eventually, identity, runner_threads

Maker = Callable[..., Any]


class Watched:
    """An iterable that notes in which thread `iter`, `next` and `close` are called."""

    def __init__(self, items: Any) -> None:
        self._items = iter(items)
        self.calls: list[tuple[str, threading.Thread]] = []

    def _note(self, call: str) -> None:
        self.calls.append((call, threading.current_thread()))

    def __iter__(self) -> Iterator[Any]:
        self._note("iter")
        return _WatchedIterator(self)

    def names(self) -> list[str]:
        """Return the calls, without repetitions."""
        return list(dict.fromkeys(call for call, _ in self.calls))

    def threads(self) -> set[threading.Thread]:
        """Return the threads of all calls."""
        return {thread for _, thread in self.calls}


class _WatchedIterator(Iterator[Any]):
    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def __next__(self) -> Any:
        self._watched._note("next")
        return next(self._watched._items)

    def close(self) -> None:
        self._watched._note("close")


def failing_after(number: int) -> Iterator[int]:
    """Yield `number` items, then raise."""
    yield from range(number)
    raise OSError("the disk is gone")


def test_one_thread_iterates_the_whole_input(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """`iter`, every `next` and `close` come from the reader, never from the caller."""
    watched = Watched(range(3000))
    assert len(list(imap(identity, watched, chunksize=chunksize, ordered=ordered, window=50))) == 3000
    assert watched.names() == ["iter", "next", "close"]
    (thread,) = watched.threads()
    assert thread.name == "runner-reader"


def test_the_same_thread_closes_an_input_that_failed(
    imap: Maker, chunksize: int | str, ordered: bool
) -> None:
    """After an exception of the input, too, its own thread tidies it up."""
    watched = Watched(failing_after(15))
    results = imap(identity, watched, chunksize=chunksize, ordered=ordered, window=10)
    with pytest.raises(OSError, match="disk is gone"):
        list(results)
    assert watched.names() == ["iter", "next", "close"]
    assert len(watched.threads()) == 1


def test_the_same_thread_closes_the_input_after_an_early_stop(
    imap: Maker, chunksize: int | str, ordered: bool
) -> None:
    """Closing the map does not make the closing thread touch the input."""
    watched = Watched(count())
    results = imap(identity, watched, chunksize=chunksize, ordered=ordered, window=10)
    next(results)
    results.close()
    eventually(lambda: "close" in watched.names(), "the input is closed")
    assert len(watched.threads()) == 1


def test_two_maps_have_two_readers(imap: Maker) -> None:
    """Each map reads its own input."""
    first, second = Watched(range(10)), Watched(range(10))
    both = imap(identity, first), imap(identity, second)
    assert [list(results) for results in both] == [list(range(10))] * 2
    assert first.threads().isdisjoint(second.threads())


def test_an_input_that_has_ended_is_not_asked_again(imap: Maker, chunksize: int | str, ordered: bool) -> None:
    """An iterator that would come back to life after its `StopIteration` is left alone."""
    watched = Watched(iter([*range(20), None, *range(20)].pop, None))
    assert sorted(imap(identity, watched, chunksize=chunksize, ordered=ordered)) == list(range(20))
    assert [call for call, _ in watched.calls].count("next") == 21


def test_an_input_is_iterated_once(imap: Maker, chunksize: int | str) -> None:
    """`iter()` is called once, also for an empty input."""
    watched = Watched(())
    assert list(imap(identity, watched, chunksize=chunksize)) == []
    assert [call for call, _ in watched.calls] == ["iter", "next", "close"]


def test_an_input_may_have_only_getitem(imap: Maker, chunksize: int | str) -> None:
    """The old sequence protocol is iterable too."""

    class Sequence:
        def __getitem__(self, index: int) -> int:
            if index >= 25:
                raise IndexError(index)
            return index

    assert list(imap(identity, Sequence(), chunksize=chunksize)) == list(range(25))


class Proxy(Iterator[int]):
    """An iterator over three items whose unknown attributes are somebody else's errors."""

    def __init__(self, lookup: Callable[[str], Any]) -> None:
        self._items, self._lookup = iter(range(3)), lookup

    def __next__(self) -> int:
        return next(self._items)

    def __getattr__(self, name: str) -> Any:
        return self._lookup(name)


def test_an_input_that_cannot_be_asked_for_close_does_not_hang_the_map(
    imap: Maker, chunksize: int | str
) -> None:
    """A `__getattr__` that raises `KeyError` must not cost the end of the input."""
    results = imap(identity, Proxy({}.__getitem__), chunksize=chunksize)
    assert Background(lambda: [next(results) for _ in range(3)]).value() == [0, 1, 2]
    with pytest.raises((StopIteration, KeyError), match=r"close|^$"):
        Background(lambda: next(results)).value()


def test_a_close_that_is_no_method_is_ignored(imap: Maker) -> None:
    """An iterator over prices may well have a number called `close`."""
    assert list(imap(identity, Proxy({"close": 101.5}.__getitem__))) == [0, 1, 2]


def test_an_error_of_close_at_the_end_is_an_error_of_the_input(imap: Maker, chunksize: int | str) -> None:
    """What an input raises while it is tidied up comes after all results, as what it raises midway."""

    class Input(Proxy):
        def close(self) -> None:
            raise OSError("cannot close")

    results = imap(identity, Input({}.__getitem__), chunksize=chunksize)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="cannot close"):
        next(results)
    assert list(results) == []


def test_the_reader_ends_with_the_input(imap: Maker, make_task: Maker, chunksize: int | str) -> None:
    """A thread that has nothing more to read does not wait for the consumer."""
    imap(make_task(held=(0,)), range(30), chunksize=chunksize)
    eventually(lambda: "runner-reader" not in {t.name for t in runner_threads()}, "the reader has ended")
