"""Whether a task can be called with an item and the arguments of `with:`, before any item is.

The same questions are asked of a function that was loaded and of one that was only located
(`runner.task.parameters`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from runner.task.fault import TaskFault, nearest
from runner.task.locate import Located
from runner.task.parameters import Function, Kind, Parameter, describe, describe_built, shown


def check_call(task: Callable[..., object] | Located, with_: Mapping[str, object]) -> list[TaskFault]:
    """Return what is wrong with calling `task(item, **with_)`; nothing where that cannot be told.

    Args:
        task: A loaded function, or what `locate` says of one.
        with_: The keyword arguments, resolved.
    """
    function = describe(task)
    if function is None:
        return []
    built = describe_built(task)
    if built is not None:
        # A class: `with:` builds it, and only the item and the context are given to its `__call__`.
        faults = [*_check_given(built, None, with_), *_check_missing(built, None, with_)]
        return [*_check_item(function, {}), *faults]
    return _check_item(function, with_)


def _check_item(function: Function, with_: Mapping[str, object]) -> list[TaskFault]:
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


def _check_given(function: Function, item: Parameter | None, with_: Mapping[str, object]) -> list[TaskFault]:
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
    function: Function, item: Parameter | None, with_: Mapping[str, object]
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


def _check_type(function: Function, parameter: Parameter, value: object) -> list[TaskFault]:
    allowed = _alternatives(parameter)
    if allowed is None or any(_fits(value, name) for name in allowed):
        return []
    found = "null" if value is None else f"{shown(value)} ({type(value).__name__})"
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
