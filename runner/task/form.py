"""The form of a task: a function, a generator function, or a class that every worker builds for itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from inspect import Signature

CONTEXT_NAMES = frozenset({"Context", "runner.Context", "runner.item.Context"})
"""How the annotation of a context is written, where only its text is known."""


def call_of(task: Callable[..., object]) -> Callable[..., object]:
    """Return what is called with an item: the function itself, or the `__call__` of a class."""
    return cast("Callable[..., object]", task.__call__) if isinstance(task, type) else task


def is_generator(task: Callable[..., object]) -> bool:
    """Return whether a task yields its rows, as far as its code says; decorators may hide it."""
    return any(map(_is_generator_function, layers(call_of(task))))


def is_async(task: Callable[..., object]) -> bool:
    """Return whether a task is `async def`."""
    import inspect

    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in layers(call_of(task))
    )


def signature_of(function: Callable[..., object]) -> Signature | None:
    """Return how a callable is called; `None` where Python does not know."""
    import inspect

    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # written in C without a signature, or a forged `__signature__`
        return None


def layers(function: object) -> list[object]:
    """Return a callable, what is called for it, and what decorators with `functools.wraps` are around."""
    import inspect

    found: list[object] = []
    while function not in found:
        found.append(function)
        if isinstance(function, partial):
            function = function.func
        elif not inspect.isroutine(function):
            function = type(function).__call__
        else:
            function = getattr(function, "__wrapped__", function)
    return found


def open_task(
    task: Callable[..., object], with_: dict[str, object], context: str | None
) -> tuple[Callable[..., object], Callable[[], object] | None]:
    """Return what a worker calls with each item, and what closes it; called in the worker's own thread.

    A class is built with the arguments of `with:` and entered if it can be (`__enter__`); it is closed by
    `__exit__`, else by `close` where that is a method. What the class raises goes through.

    Args:
        task: The function or class.
        with_: The arguments of `with:`.
        context: Name of the parameter that takes the context. Then a second argument is taken for it.

    Raises:
        TypeError: What `__enter__` returned cannot be called.
    """
    close: Callable[[], object] | None = None
    if isinstance(task, type):
        worker: Any = task(**with_)
        leave = getattr(worker, "__exit__", None)
        if leave is not None and hasattr(worker, "__enter__"):
            worker = worker.__enter__()
            close = partial(leave, None, None, None)
            if not callable(worker):
                close()
                raise TypeError(
                    f"its `__enter__` returned a value of type {type(worker).__name__}, which cannot be "
                    "called with an item; let it return self"
                )
        else:
            close = getattr(worker, "close", None)
            close = close if callable(close) else None  # a share has a `close`, too
        call: Callable[..., object] = worker
    else:
        call = partial(task, **with_) if with_ else task
    if context is None:
        return call, close
    name = context
    return (lambda value, context: call(value, **{name: context})), close


def _is_generator_function(function: object) -> bool:
    import inspect

    return inspect.isgeneratorfunction(function)
