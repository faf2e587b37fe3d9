"""What a task's signature says about types: of the item, of the arguments of `with:`, of the rows.

Annotations that are written as text (all of them under `from __future__ import annotations`) are resolved one
by one, where the function was written: a name that exists only for a type checker spoils no more than the
annotation it stands in.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.item import Context
from runner.raised import message_of, short_name
from runner.task.form import CONTEXT_NAMES, call_of, layers, signature_of


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An annotation that cannot be resolved.

    Attributes:
        parameter: The name of its parameter, `return` for the result.
        text: The annotation as it is written.
        reason: Why not, as the end of a sentence.
    """

    parameter: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """The resolved annotations of a task. `Any` stands where nothing is said, or nothing can be known.

    Attributes:
        name: What the task is called in messages.
        item_name: The parameter that takes the item; empty where there is none to be seen.
        item: What the item is to be.
        arguments: What the keyword arguments are to be, by name.
        extra: What arguments of other names are to be (`**kwargs`).
        takes_none: The names of arguments whose default is `None`.
        context: The parameter that takes the `runner.Context`; `None` where there is none.
        result: What a call returns.
        unresolved: What could not be resolved.
    """

    name: str
    item_name: str
    item: object
    arguments: Mapping[str, object]
    extra: object
    takes_none: frozenset[str]
    result: object
    context: str | None = None
    unresolved: tuple[Unresolved, ...] = ()

    def of(self, argument: str) -> object:
        """Return what an argument of `with:` is to be."""
        return self.arguments.get(argument, self.extra)


def read_annotations(task: Callable[..., object]) -> Annotations | None:
    """Return the annotations of a task, `None` where it has no signature (some of those written in C).

    Of a class, the arguments are those for building it; the item and the result are those of calling
    what was built.
    """
    import inspect

    call = call_of(task)
    called = signature_of(call)
    if called is None:
        return None
    built = called
    if isinstance(task, type):
        called = called.replace(parameters=list(called.parameters.values())[1:])
        built = signature_of(task) or inspect.Signature()  # whatever it takes
    names = _namespace(call)
    read = _Reader(names)
    context = next((p.name for p in called.parameters.values() if _is_context(p.annotation, names)), None)
    kinds = inspect.Parameter
    first = next(
        (p for p in called.parameters.values() if p.kind not in (kinds.KEYWORD_ONLY, kinds.VAR_KEYWORD)), None
    )
    item = Any if first is None else read(first)
    read_built = read if built is called else _Reader(_namespace(task))
    arguments, extra = {}, Any
    for each in built.parameters.values():
        if called is built and (each is first or each.name == context):
            continue
        if each.kind is kinds.VAR_KEYWORD:
            # `**kwargs: Unpack[Options]` speaks of all of them together.
            extra = read_built(each) if "Unpack" not in str(each.annotation) else Any
        elif each.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY):
            arguments[each.name] = read_built(each)
    unresolved = tuple(dict.fromkeys([*read.unresolved, *read_built.unresolved]))
    name = getattr(task, "__name__", None) or type(task).__name__
    result = read.resolve("return", called.return_annotation)  # that it cannot be known is no fault
    return Annotations(
        name=str(name),
        item_name="" if first is None else first.name,
        item=item,
        arguments=arguments,
        extra=extra,
        takes_none=frozenset(each.name for each in built.parameters.values() if each.default is None),
        result=result,
        context=context,
        unresolved=unresolved,
    )


class _Reader:
    """Resolves annotations in one namespace, and keeps those that it cannot."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self.unresolved: list[Unresolved] = []

    def __call__(self, parameter: Any) -> Any:
        return self.resolve(parameter.name, parameter.annotation)

    def resolve(self, name: str, annotation: object) -> Any:
        """Return an annotation with its texts resolved, `Any` for none."""
        import inspect

        if annotation is inspect.Parameter.empty:
            return Any
        try:
            return _resolved(annotation, self._namespace)
        except Exception as error:  # a text may be any expression of the user's
            text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
            self.unresolved.append(Unresolved(name, text, f"{short_name(type(error))}: {message_of(error)}"))
            return Any


def _resolved(annotation: object, namespace: dict[str, Any]) -> Any:
    """Return an annotation with the texts in it evaluated: code of the user's module, which may raise."""

    def holder() -> None: ...

    holder.__annotations__ = {"it": annotation}
    return typing.get_type_hints(holder, globalns=namespace, include_extras=True)["it"]


def _is_context(annotation: object, namespace: dict[str, Any]) -> bool:
    """Return whether an annotation is ours; a text that cannot be resolved is where it reads as ours does."""
    if not isinstance(annotation, str):
        return annotation is Context
    try:
        return _resolved(annotation, namespace) is Context
    except Exception:  # such as a name that is imported for type checkers only
        return annotation.strip("'\"") in CONTEXT_NAMES


def _namespace(task: Callable[..., object]) -> dict[str, Any]:
    """Return the global names where the annotations of `task` were written."""
    if isinstance(task, type):
        module = sys.modules.get(task.__module__)
        return dict(vars(module)) if module is not None else {}
    return getattr(layers(task)[-1], "__globals__", {})
