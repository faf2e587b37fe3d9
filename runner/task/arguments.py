"""The arguments of `with:`, converted to the annotations of the parameters that take them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from runner.errors import ItemRefused
from runner.raised import said_of
from runner.task.annotations import Annotations
from runner.task.conversion import NotConvertible, make_converter
from runner.task.fault import TaskFault


def convert_arguments(
    annotations: Annotations, with_: Mapping[str, object], *, skip: Collection[str]
) -> tuple[dict[str, object], list[TaskFault]]:
    """Return the arguments as the task gets them, and what is wrong with them.

    They are read like JSON, for YAML gives a value a type as JSON does: a text is no number.

    Args:
        annotations: Those of the task.
        with_: The arguments, resolved.
        skip: The names of arguments that are at fault already.
    """
    converted, faults = dict(with_), list[TaskFault]()
    for name, value in with_.items():
        if name in skip or (value is None and name in annotations.takes_none):
            continue
        try:
            convert = make_converter(annotations.of(name), "yaml")
            converted[name] = value if convert is None else convert(value)
        except NotConvertible as error:
            message = f"`{name}` of `{annotations.name}` is given as it is: {error}"
            faults.append(TaskFault("not-convertible", message, argument=name, is_warning=True))
        except ItemRefused as error:
            faults += [_fault(annotations.name, name, each.path, each.text) for each in error.found]
        except Exception as error:  # a validator of the user's
            faults.append(_fault(annotations.name, name, (), f"cannot be converted: {said_of(error)}"))
    return converted, faults


def _fault(task: str, name: str, path: tuple[str | int, ...], text: str) -> TaskFault:
    where = name + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return TaskFault("argument-type", f"`{where}` of `{task}` {text}", argument=name, path=path)
