"""What a function takes, in one form for what was loaded and for what was only located.

So the same questions can be asked of both (`runner.task.signature`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain

from runner.task.annotations import read_annotations
from runner.task.form import call_of, signature_of
from runner.task.locate import Located


class Kind(Enum):
    """How a parameter takes its argument."""

    POSITIONAL = "positional-only"
    EITHER = "positional or keyword"
    KEYWORD = "keyword-only"
    REST = "*args"
    EXTRA = "**kwargs"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function.

    Attributes:
        name: Its name.
        kind: How it takes its argument.
        annotation: Its annotation as it is written, `None` for none.
        default: Its default as it is written, `None` for none, in which case it is required.
        is_context: Whether it takes the `runner.Context`.
    """

    name: str
    kind: Kind
    annotation: str | None = None
    default: str | None = None
    is_context: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """What is shown and checked of a function. `place` is `file:line`, where it is known."""

    name: str
    parameters: Sequence[Parameter]
    place: str | None

    def note(self) -> str:
        """Return it as a `def` has it, and where it stands."""
        text = f"`{self.name}({_listed(self.parameters)})`"
        return text if self.place is None else f"{text} at {self.place}"


def describe(task: Callable[..., object] | Located) -> Function | None:
    """Return what is called with an item, be it the `__call__` of a class; `None` where that is not known."""
    if isinstance(task, Located):
        return _located(task, task.arguments, task.context_names)
    parameters = _parameters_of_object(call_of(task))
    if parameters is None:
        return None
    annotations = read_annotations(task)
    if annotations is not None:
        parameters = [replace(each, is_context=each.name == annotations.context) for each in parameters]
    if isinstance(task, type):
        return Function(f"{task.__name__}.__call__", parameters[1:], _place_of_object(call_of(task)))
    name = getattr(task, "__name__", None) or type(task).__name__
    return Function(str(name), parameters, _place_of_object(task))


def describe_built(task: Callable[..., object] | Located) -> Function | None:
    """Return how a class is built; `None` for what is no class, or where that is not known."""
    if isinstance(task, Located):
        return _located(task, task.built, ())  # the context is given to calls only
    if not isinstance(task, type):
        return None
    parameters = _parameters_of_object(task)
    if parameters is None:  # whatever it takes
        parameters = [Parameter("kwargs", Kind.EXTRA)]
    return Function(task.__name__, parameters, _place_of_object(task.__init__))  # type: ignore[misc]  # only read


def _located(
    task: Located, arguments: ast.arguments | None, context_names: Collection[str]
) -> Function | None:
    if arguments is None:
        return None
    place = None if task.file is None else f"{task.file}:{task.line}"
    return Function(task.dotted.rpartition(".")[2], _parameters_of_syntax(arguments, context_names), place)


def _parameters_of_syntax(arguments: ast.arguments, context_names: Collection[str]) -> list[Parameter]:
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    kinds = chain(
        (Kind.POSITIONAL for _ in arguments.posonlyargs),
        (Kind.EITHER for _ in arguments.args),
    )
    found = [_from_syntax(*each) for each in zip(plain, kinds, defaults, strict=True)]
    if arguments.vararg is not None:
        found.append(_from_syntax(arguments.vararg, Kind.REST, None))
    found += [
        _from_syntax(each, Kind.KEYWORD, default)
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg is not None:
        found.append(_from_syntax(arguments.kwarg, Kind.EXTRA, None))
    return [
        replace(
            each, is_context=each.annotation is not None and each.annotation.strip("'\"") in context_names
        )
        for each in found
    ]


def _from_syntax(argument: ast.arg, kind: Kind, default: ast.expr | None) -> Parameter:
    return Parameter(
        argument.arg,
        kind,
        None if argument.annotation is None else ast.unparse(argument.annotation),
        None if default is None else ast.unparse(default),
    )


def _parameters_of_object(function: Callable[..., object]) -> list[Parameter] | None:
    import inspect

    kinds = {
        inspect.Parameter.POSITIONAL_ONLY: Kind.POSITIONAL,
        inspect.Parameter.POSITIONAL_OR_KEYWORD: Kind.EITHER,
        inspect.Parameter.KEYWORD_ONLY: Kind.KEYWORD,
        inspect.Parameter.VAR_POSITIONAL: Kind.REST,
        inspect.Parameter.VAR_KEYWORD: Kind.EXTRA,
    }
    found = signature_of(function)
    if found is None:
        return None
    empty = inspect.Parameter.empty
    return [
        Parameter(
            each.name,
            kinds[each.kind],
            None if each.annotation is empty else _annotation(each.annotation),
            None if each.default is empty else shown(each.default),
        )
        for each in found.parameters.values()
    ]


def _annotation(annotation: object) -> str:
    import inspect

    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _place_of_object(function: Callable[..., object]) -> str | None:
    import inspect

    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def _listed(parameters: Sequence[Parameter]) -> str:
    """Return parameters as they stand between the parentheses of a `def`."""
    texts = []
    previous = None
    for each in parameters:
        if previous is Kind.POSITIONAL and each.kind is not Kind.POSITIONAL:
            texts.append("/")
        if each.kind is Kind.KEYWORD and previous not in (Kind.KEYWORD, Kind.REST):
            texts.append("*")
        stars = {Kind.REST: "*", Kind.EXTRA: "**"}.get(each.kind, "")
        text = stars + each.name + (f": {each.annotation}" if each.annotation is not None else "")
        equals = " = " if each.annotation is not None else "="
        texts.append(text + (f"{equals}{each.default}" if each.default is not None else ""))
        previous = each.kind
    if previous is Kind.POSITIONAL:
        texts.append("/")
    return ", ".join(texts)


def shown(value: object) -> str:
    """Return a value for a message, short."""
    try:
        text = repr(value)
    except Exception:  # the `__repr__` of a default is the user's code
        return "…"
    return text if len(text) <= 60 else text[:60] + "…"
