"""Whether a task can be called with an item and the arguments of `with:`, before any item is.

The same questions are asked of a function that was loaded and of one that was only located, so
both are brought into one form first: a list of `Parameter`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain

from runner.task.annotations import read_annotations
from runner.task.fault import TaskFault, nearest
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
class _Function:
    """What is shown and checked of a function. `place` is `file:line`, where it is known."""

    name: str
    parameters: Sequence[Parameter]
    place: str | None

    def note(self) -> str:
        text = f"`{self.name}({_listed(self.parameters)})`"
        return text if self.place is None else f"{text} at {self.place}"


def check_call(task: Callable[..., object] | Located, with_: Mapping[str, object]) -> list[TaskFault]:
    """Return what is wrong with calling `task(item, **with_)`; nothing where that cannot be told.

    Args:
        task: A loaded function, or what `locate` says of one.
        with_: The keyword arguments, resolved.
    """
    function = _described(task)
    if function is None:
        return []
    built = _built(task)
    if built is not None:
        # A class: `with:` builds it, and only the item and the context are given to its `__call__`.
        faults = [*_check_given(built, None, with_), *_check_missing(built, None, with_)]
        return [*_check_item(function, {}), *faults]
    return _check_item(function, with_)


def _check_item(function: _Function, with_: Mapping[str, object]) -> list[TaskFault]:
    item = next((each for each in function.parameters if each.kind is not Kind.KEYWORD), None)
    if item is not None and item.is_context:
        message = f"`{function.name}` takes the context where the item is given"
        hint = f"put the item first: `def {function.name}(item, {item.name}: {item.annotation})`"
        return [TaskFault("no-item-parameter", message, hint, (function.note(),))]
    if item is None or item.kind is Kind.EXTRA:
        return [
            TaskFault(
                "no-item-parameter",
                f"`{function.name}` has no parameter for the item",
                "the item is the first positional argument: `def f(item)`",
                (function.note(),),
            )
        ]
    return [*_check_given(function, item, with_), *_check_missing(function, item, with_)]


def _check_given(function: _Function, item: Parameter | None, with_: Mapping[str, object]) -> list[TaskFault]:
    by_name = {each.name: each for each in function.parameters if each.kind in (Kind.EITHER, Kind.KEYWORD)}
    usable = [name for name, each in by_name.items() if each is not item]
    takes_any = any(each.kind is Kind.EXTRA for each in function.parameters)
    faults = []
    for name, value in with_.items():
        parameter = by_name.get(name)
        if parameter is not None and parameter is item:
            message = f"`{name}` is the parameter of `{function.name}` that takes the item"
        elif parameter is not None and parameter.is_context:
            message = f"`{name}` of `{function.name}` is the context, which the runner gives"
        elif parameter is not None:
            faults.extend(_check_type(function, parameter, value))
            continue
        elif takes_any:
            continue
        elif any(each.name == name and each.kind is Kind.POSITIONAL for each in function.parameters):
            message = f"`{name}` of `{function.name}` is positional-only and cannot be given by name"
        else:
            message = f"`{function.name}` has no parameter `{name}`"
        close = nearest(name, usable)
        hint = f"did you mean `{close}`?" if close is not None and close != name else None
        faults.append(TaskFault("unknown-argument", message, hint, (function.note(),), name))
    return faults


def _check_missing(
    function: _Function, item: Parameter | None, with_: Mapping[str, object]
) -> list[TaskFault]:
    faults = []
    for parameter in function.parameters:
        if parameter is item or parameter.default is not None or parameter.kind in (Kind.REST, Kind.EXTRA):
            continue
        if item is not None and parameter.is_context and parameter.kind is not Kind.POSITIONAL:
            continue
        if parameter.kind is Kind.POSITIONAL:
            message = (
                f"`{function.name}` needs `{parameter.name}`, which is positional-only and cannot be given"
            )
            hint = f"make `{parameter.name}` a keyword argument, or give it a default"
        elif parameter.name not in with_:
            message = f"`{function.name}` needs `{parameter.name}`, and `with` does not give it"
            hint = f"add `{parameter.name}` to `with`, or give it a default"
        else:
            continue
        faults.append(TaskFault("missing-argument", message, hint, (function.note(),), parameter.name))
    return faults


# What YAML can say, by the annotation that takes it. `True` is an int to Python and hardly to the
# author of a job file.
_SCALARS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "None": (type(None),),
}
_OPTIONAL = re.compile(r"(?:typing\.|t\.)?Optional\[(\w+)\]")


def _check_type(function: _Function, parameter: Parameter, value: object) -> list[TaskFault]:
    allowed = _alternatives(parameter)
    if allowed is None or any(_fits(value, name) for name in allowed):
        return []
    found = "null" if value is None else f"{_shown(value)} ({type(value).__name__})"
    return [
        TaskFault(
            "argument-type",
            f"`{parameter.name}` of `{function.name}` must be {parameter.annotation}, got {found}",
            notes=(function.note(),),
            argument=parameter.name,
        )
    ]


def _alternatives(parameter: Parameter) -> list[str] | None:
    """Return the scalar types that a parameter takes, or `None` where it may take others."""
    if parameter.annotation is None:
        return None
    text = parameter.annotation.strip("'\"")
    optional = _OPTIONAL.fullmatch(text)
    names = [optional[1], "None"] if optional else [part.strip() for part in text.split("|")]
    if parameter.default == "None":
        names.append("None")
    return names if all(name in _SCALARS for name in names) else None


def _fits(value: object, name: str) -> bool:
    return isinstance(value, _SCALARS[name]) and (name == "bool" or not isinstance(value, bool))


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # the `__repr__` of a default is the user's code
        return "…"
    return text if len(text) <= 60 else text[:60] + "…"


def _described(task: Callable[..., object] | Located) -> _Function | None:
    if isinstance(task, Located):
        if task.arguments is None:
            return None
        place = None if task.file is None else f"{task.file}:{task.line}"
        return _Function(
            task.dotted.rpartition(".")[2], _parameters_of_syntax(task.arguments, task.context_names), place
        )
    parameters = _parameters_of_object(call_of(task))
    if parameters is None:
        return None
    annotations = read_annotations(task)
    if annotations is not None:
        parameters = [replace(each, is_context=each.name == annotations.context) for each in parameters]
    if isinstance(task, type):
        return _Function(f"{task.__name__}.__call__", parameters[1:], _place_of_object(call_of(task)))
    name = getattr(task, "__name__", None) or type(task).__name__
    return _Function(str(name), parameters, _place_of_object(task))


def _built(task: Callable[..., object] | Located) -> _Function | None:
    """Return how a class is built; `None` for what is no class, or where that is not known."""
    if isinstance(task, Located):
        if task.built is None:
            return None
        place = None if task.file is None else f"{task.file}:{task.line}"
        return _Function(task.dotted.rpartition(".")[2], _parameters_of_syntax(task.built), place)
    if not isinstance(task, type):
        return None
    parameters = _parameters_of_object(task)
    if parameters is None:  # whatever it takes
        parameters = [Parameter("kwargs", Kind.EXTRA)]
    return _Function(task.__name__, parameters, _place_of_object(task.__init__))  # type: ignore[misc]  # only read


def _parameters_of_syntax(arguments: ast.arguments, context_names: Collection[str] = ()) -> list[Parameter]:
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
            None if each.default is empty else _shown(each.default),
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
