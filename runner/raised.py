"""What can be known of an exception that the user's code raised, whatever its class does to whoever asks.

An exception is code of the user's: its text, every attribute of it, and with a metaclass the name of its
class may be computed, and may raise. Nothing here raises. What Python itself keeps (class, name, bases,
traceback, cause, context, notes) is read past the class, with the descriptors of `type` and `BaseException`;
what only the class can say (its text, and what `traceback` shows besides) is asked for within a guard, and
done without where that goes wrong. `isinstance` is not used: it asks `__class__`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from runner.errors import ItemFault

if TYPE_CHECKING:
    from traceback import FrameSummary, TracebackException

MOST_MESSAGE_BYTES = 4096
MOST_CHAINED = 200
"""Exceptions of a chain that are shown where it is told without the help of their classes; arbitrary."""

_MODULE, _QUALNAME, _NAME, _MRO = (
    type.__dict__[name] for name in ("__module__", "__qualname__", "__name__", "__mro__")
)
_TRACE, _CAUSE, _CONTEXT, _SUPPRESSED, _OWN = (
    BaseException.__dict__[name]
    for name in ("__traceback__", "__cause__", "__context__", "__suppress_context__", "__dict__")
)
_PARTS = BaseExceptionGroup.__dict__["exceptions"]

E = TypeVar("E", bound=BaseException)


def is_a(error: BaseException | None, *kinds: type[E]) -> TypeGuard[E]:
    """Return whether an exception is of one of these classes, as an `except` clause finds it."""
    return error is not None and any(base is kind for base in bases_of(type(error)) for kind in kinds)


def bases_of(kind: type) -> tuple[type, ...]:
    """Return a class and all its bases, in their order."""
    bases: tuple[type, ...] = _MRO.__get__(kind)
    return bases


def full_name(kind: type) -> str:
    """Return a class as a job file names it: `ValueError`, `jobs.airports.Busy`."""
    module = _MODULE.__get__(kind)
    plain = type(module) is str and module != "builtins"
    return f"{_printable(module)}.{inner_name(kind)}" if plain else inner_name(kind)


def inner_name(kind: type) -> str:
    """Return the name of a class within its module: `Busy`, or `Api.Busy` for one in another class."""
    return _printable(_QUALNAME.__get__(kind))


def short_name(kind: type) -> str:
    """Return the last word of the name of a class."""
    return _printable(_NAME.__get__(kind))


def type_name(error: BaseException) -> str:
    """Return the exception's class as a person would write it: `ValueError`, `jobs.airports.Busy`."""
    kind = type(error)
    return inner_name(kind) if is_a(error, ItemFault) else full_name(kind)


def message_of(error: BaseException, mask: Callable[[str], str] = str) -> str:
    """Return the text of `error`, never empty and at most 4 KiB; also when its `__str__` raises.

    `mask` takes secrets out of it before it is cut.
    """
    return _cut(mask(_text_of(error)) or f"({short_name(type(error))} without a message)")


def said_of(error: BaseException) -> str:
    """Return the class and the first line of the text of `error`: `ValueError: no good`."""
    first = next(iter(_cut(_text_of(error)).splitlines()), "")
    return f"{short_name(type(error))}: {first}".removesuffix(": ")


def trace_of(error: BaseException) -> TracebackType | None:
    """Return the traceback."""
    trace: TracebackType | None = _TRACE.__get__(error)
    return trace


def drop_first_frame(error: BaseException) -> None:
    """Take from the traceback the frame that caught the exception."""
    trace = trace_of(error)
    if trace is not None:
        _TRACE.__set__(error, trace.tb_next)


def show(error: BaseException, wants: Callable[[FrameSummary], bool] = lambda frame: True) -> str:
    """Return what Python prints of an exception that nobody caught: its traceback, causes included.

    Where the exception makes that impossible, it is what Python would print of a plain one with the same
    traceback, class and text.

    Args:
        error: The exception.
        wants: Which frames are shown.
    """
    for stand_in in (lambda error: error, _plain):
        try:
            return _printable(_show(stand_in(error), wants))
        except BaseException:  # user code, as above; the next one has less of it
            continue
    return f"{type_name(error)}: {message_of(error)}"  # the loader of a module may raise, too


def _show(error: BaseException, wants: Callable[[FrameSummary], bool]) -> str:
    from traceback import TracebackException

    # `max_group_*` and repeated frames are cut by Python itself; a `__str__` that raises is caught.
    shown = TracebackException(type(error), error, trace_of(error))
    waiting: list[TracebackException | None] = [shown]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.stack[:] = [frame for frame in each.stack if wants(frame)]
        waiting += [each.__cause__, each.__context__, *(each.exceptions or ())]
    return "".join(shown.format()).rstrip()


class _Plain(Exception):
    """Stands for an exception that cannot be shown; a class of its own has the name of the other's."""

    text: str

    def __str__(self) -> str:
        return self.text


class _PlainGroup(_Plain, BaseExceptionGroup[BaseException]):
    """Stands for a group; `exceptions` is set once those are made that it holds."""

    exceptions: tuple[BaseException, ...] = ()


def _plain(error: BaseException) -> BaseException:
    """Return a copy of an exception, and of those behind it, of which nothing is the user's code."""
    made: dict[int, tuple[BaseException, BaseException]] = {}
    waiting = [error]
    while waiting and len(made) < MOST_CHAINED:
        each = waiting.pop(0)
        if id(each) not in made:
            made[id(each)] = (each, _copy(each))
            behind = (_CAUSE.__get__(each), _CONTEXT.__get__(each), *_parts_of(each))
            waiting += [other for other in behind if other is not None]
    for each, copy in made.values():
        copy.__cause__ = _copied(_CAUSE.__get__(each), made)
        copy.__context__ = _copied(_CONTEXT.__get__(each), made)
        copy.__suppress_context__ = _SUPPRESSED.__get__(each)
        if isinstance(copy, _PlainGroup):
            copy.exceptions = tuple(made[id(part)][1] for part in _parts_of(each) if id(part) in made)
    return made[id(error)][1]


def _copied(
    error: BaseException | None, made: dict[int, tuple[BaseException, BaseException]]
) -> BaseException | None:
    return None if error is None or id(error) not in made else made[id(error)][1]


def _copy(error: BaseException) -> BaseException:
    is_group = is_a(error, BaseExceptionGroup)
    kind: Any = type("Plain", (_PlainGroup if is_group else _Plain,), {})
    module, _, name = full_name(type(error)).rpartition(".")
    kind.__module__, kind.__qualname__ = module or "builtins", name
    copy: _Plain = kind("", [ValueError()]) if is_group else kind()
    copy.text = message_of(error)
    notes = dict.get(_OWN.__get__(error), "__notes__")
    for note in list.__iter__(notes) if type(notes) is list else ():
        if type(note) is str:
            copy.add_note(_printable(note))
    return copy.with_traceback(trace_of(error))


def _parts_of(error: BaseException) -> Iterable[BaseException]:
    return _PARTS.__get__(error) if is_a(error, BaseExceptionGroup) else ()


def _text_of(error: BaseException) -> str:
    try:
        return str.__str__(str(error))  # what `__str__` returns may be of a class with methods of its own
    except BaseException as broken:  # user code again, and nothing it does may end the worker
        return f"(its message could not be read: {short_name(type(broken))})"


def _cut(text: str) -> str:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= MOST_MESSAGE_BYTES:
        return data.decode("utf-8")
    return data[:MOST_MESSAGE_BYTES].decode("utf-8", "ignore") + f"… ({len(data):,} bytes in all)"


def _printable(text: str) -> str:
    """Return a text with the halves of surrogate pairs spelled out: nothing could write them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
