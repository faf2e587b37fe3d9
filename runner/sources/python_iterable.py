"""`type: python`: whatever a Python iterable yields.

The options only name it: importing the user's code is the work of `runner.task`, so what was
imported is bound before the source is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from runner.errors import InputBroken, Refused
from runner.item import Item, Where
from runner.raised import said_of
from runner.sources.base import Position, Sameness, SourceOptions


class PythonOptions(SourceOptions):
    """The values that a Python function's iterable yields."""

    type: Literal["python"]
    """The kind of input. Example: `python`"""
    call: str
    """Dotted path of a function (or class) that returns an iterable. Example: `tasks.days`"""
    with_: dict[str, object] = Field(default_factory=dict, alias="with")
    """Keyword arguments for the call; by default none. Example: `{count: 7}`"""

    def open(self, root: Path) -> PythonSource:
        """Never to be called: `call` must be imported first, and `bind` takes what was imported."""
        raise AssertionError(f"{self.call} is not loaded; use bind(factory) to open this source")

    def bind(
        self, factory: Callable[..., Iterable[object]], with_: Mapping[str, object] | None = None
    ) -> PythonSource:
        """Return the source over what `factory`, loaded from `call`, yields; it is not called yet.

        Args:
            factory: The function.
            with_: Its keyword arguments, secrets revealed; by default those of the job file.
        """
        return PythonSource(factory, self.call, dict(self.with_ if with_ is None else with_))


@dataclass
class PythonSource:
    """The values of an iterable.

    Attributes:
        factory: Called once, in the thread that iterates `items`.
        name: What messages call it.
        with_: Keyword arguments for the call.
        total: Unknown, even where the iterable has a length: calling it is part of reading.
    """

    factory: Callable[..., Iterable[object]]
    name: str = "the iterable"
    with_: Mapping[str, object] = field(default_factory=dict, repr=False)
    total: int | None = None

    @property
    def quick_decode(self) -> Callable[[Any], object] | None:
        """None: one call of a C function is not enough."""
        return None

    @property
    def files(self) -> tuple[()]:
        """None is read here."""
        return ()

    @property
    def is_repeatable(self) -> bool:
        """Yes: whether the items are the same again is checked while they are passed over."""
        return True

    def identity(self, sizes: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """Return nothing: the items themselves are compared."""
        return []

    def check_read(self, path: str, position: Position) -> Sameness:
        """Return `same`: no file is read here."""
        return "same"

    def position_after(self, item: Item) -> Position:
        """Return `{chain}`: a checksum over all items up to this one."""
        assert isinstance(item.where, _Chained)
        return {"chain": item.where.chain}

    def items(self, index: int = 0, position: Position | None = None) -> Generator[Item]:
        """Yield the values; what can be closed (a generator, a file) is closed at the end.

        Raises:
            Refused: The values before `index` are not those that they were.
            InputBroken: The call, the iterable or its closing raised anything at all, which is
                its cause.
        """
        with self._faults_named(0):
            values = iter(self.factory(**self.with_))
        from zlib import crc32  # only where there is a run

        number = chain = 0
        try:
            for number in count():
                if number == index and position is not None and position["chain"] != chain:
                    raise Refused(_changed(self.name, index))
                try:
                    value = next(values)
                except StopIteration:
                    if number < index:
                        raise Refused(_changed(self.name, index)) from None
                    return
                except GeneratorExit:
                    raise
                except BaseException as error:  # the user's code may call sys.exit(), too
                    raise self._broken(error, number) from error
                chain = crc32(_spelled(value), chain)
                if number >= index:
                    where = _Chained(None, None, None)
                    where.chain = chain
                    yield Item(number, value, where)
        finally:
            close = getattr(values, "close", None)
            if close is not None:
                with self._faults_named(number):
                    close()

    def decode(self, item: Item) -> object:
        """Return the very object; a task that changes it changes what the iterable may still hold."""
        return item.raw

    def weigh(self, item: Item) -> int:
        """Return 0, for the size of an object is unknown."""
        return 0

    @contextmanager
    def _faults_named(self, index: int) -> Iterator[None]:
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException as error:  # as above
            raise self._broken(error, index) from error

    def _broken(self, error: BaseException, index: int) -> InputBroken:
        return InputBroken(
            f"{self.name} stopped after {index} items with {said_of(error)}; the log has its traceback"
        )


class _Chained(Where):
    """No place, and the checksum over all items up to this one."""

    chain: int


def _spelled(value: object) -> bytes:
    try:
        return repr(value).encode("utf-8", "backslashreplace")
    except Exception:  # the item's own code; then only its class can be compared
        return type(value).__qualname__.encode()


def _changed(name: str, index: int) -> str:
    return (
        f"the first {index:,} items of {name} are not what they were when this run began (as their repr "
        "shows them), so going on would mix two inputs; start over with --restart"
    )
