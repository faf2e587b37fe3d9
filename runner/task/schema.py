"""The signature is the schema: all that the annotations of a task say, ready for use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.item import ValueKind
from runner.task.annotations import Annotations, read_annotations
from runner.task.fault import TaskFault

if TYPE_CHECKING:
    from runner.task.columns import Columns
    from runner.task.record import Record


@dataclass(frozen=True, slots=True)
class Schema:
    """What is known of a task's types.

    Attributes:
        with_: The arguments, converted.
        convert: Turns a decoded value into what the task takes; `None` where nothing is to be done.
            Raises `ItemRefused`, or what a validator of the user's raises.
        item: The fields of the item, `None` where it is not a type with fields.
        result: The columns of the rows, `None` where the annotation does not say.
        context: The parameter that takes the `runner.Context`, `None` where there is none.
        faults: What is wrong, warnings among them.
    """

    with_: Mapping[str, object]
    convert: Callable[[object], object] | None = None
    item: Record | None = None
    result: Columns | None = None
    context: str | None = None
    faults: tuple[TaskFault, ...] = ()


def read_schema(
    task: Callable[..., object],
    with_: Mapping[str, object],
    *,
    values: ValueKind,
    skip: Collection[str] = (),
) -> Schema:
    """Return what the annotations of a loaded task say of its item, its arguments and its rows.

    Args:
        task: A function, a class, or anything else that can be called.
        with_: The arguments of `with:`, resolved.
        values: What the items are made of.
        skip: The names of arguments that are at fault already.
    """
    annotations = read_annotations(task)
    if annotations is None:
        return Schema(with_)
    if _says_nothing(annotations):
        return Schema(
            with_, context=annotations.context
        )  # pydantic's way of building a type is not even imported
    from runner.task.arguments import convert_arguments
    from runner.task.columns import columns_of
    from runner.task.record import record_of

    converted, faults = convert_arguments(annotations, with_, skip=skip)
    convert, more = _converter(annotations, values)
    more += _unresolved(annotations, with_)
    try:
        item, result = record_of(annotations.item), columns_of(annotations.result)
    except Exception:  # a name in the annotation of a field is not there: `convert` has told of it
        item = result = None
    return Schema(converted, convert, item, result, annotations.context, (*faults, *more))


def _says_nothing(annotations: Annotations) -> bool:
    from typing import Any

    said = [annotations.item, annotations.result, annotations.extra, *annotations.arguments.values()]
    return not annotations.unresolved and all(each in (Any, object, dict, None) for each in said)


def _converter(
    annotations: Annotations, values: ValueKind
) -> tuple[Callable[[object], object] | None, list[TaskFault]]:
    from runner.task.conversion import NotConvertible, make_converter

    try:
        return make_converter(annotations.item, values), []
    except NotConvertible as error:
        if values == "object" and isinstance(annotations.item, type):
            return None, []  # objects of a class of the user's own, made by code of the user's
        message = f"the items of `{annotations.name}` are passed as they are read: {error}"
        return None, [TaskFault("not-convertible", message, is_warning=True)]


def _unresolved(annotations: Annotations, with_: Mapping[str, object]) -> list[TaskFault]:
    faults = []
    for each in annotations.unresolved:
        is_item = each.parameter == annotations.item_name
        if not is_item and each.parameter not in with_:
            continue
        what = "items are passed as they are read" if is_item else f"`{each.parameter}` is given as it is"
        faults.append(
            TaskFault(
                "not-convertible",
                f"the annotation `{each.text}` of `{each.parameter}` cannot be resolved ({each.reason}), "
                f"so {what}",
                "import the name where the task runs, not only under TYPE_CHECKING",
                argument=None if is_item else each.parameter,
                is_warning=True,
            )
        )
    return faults
