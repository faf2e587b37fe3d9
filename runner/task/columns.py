"""Columns before there is a row: those that a task's annotations promise, and those that its items need."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typing_extensions

from runner.task.fault import TaskFault, nearest
from runner.task.record import Record, alternatives, bare, is_named_tuple, record_of

_MANY = (list, tuple, Generator, Iterable, Iterator, Sequence)
_MOST_NAMES = 5  # arbitrary: how many columns a message names


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of the rows that a task returns.

    Attributes:
        name: The type that promises them.
        names: The columns, in the order of its fields.
        optional: Those that a row may lack.
    """

    name: str
    names: tuple[str, ...]
    optional: frozenset[str] = frozenset()


def columns_of(result: object) -> Columns | None:
    """Return the columns that an annotated result promises; `None` where it says nothing of them.

    `Row`, `Row | None`, and `list`, `Iterator`, `Iterable` or `Generator` of these. Of several
    types, all must have the same columns.
    """
    found = [_of_one(each) for each in alternatives(result) if each not in (None, type(None))]
    if not found or any(each != found[0] for each in found[1:]):
        return None
    return found[0]


def check_columns(columns: Columns, declared: Sequence[str]) -> TaskFault | None:
    """Return how the columns of `output.columns` differ from those of the rows; `None` where they do not."""
    missing = [name for name in columns.names if name not in declared and name not in columns.optional]
    unknown = [name for name in declared if name not in columns.names]
    if not missing and not unknown:
        return None
    parts = []
    if missing:
        parts.append(f"lacks {_named(missing)}")
    if unknown:
        parts.append(f"has {_named(unknown)} besides")
    close = nearest(unknown[0], [name for name in columns.names if name not in declared]) if unknown else None
    return TaskFault(
        "columns-differ",
        f"`output.columns` {' and '.join(parts)}: no row of type {columns.name} can be written",
        f"did you mean `{close}`?" if close is not None else "leave `columns` out to have all of them",
        (f"{columns.name} has {_named(list(columns.names))}",),
    )


def unknown_columns() -> TaskFault:
    """Return the fault of an unordered output of which nobody says the columns: chance would."""
    return TaskFault(
        "missing-key",
        "`output` needs the key `columns` where `pool.ordered` is false and the task's annotation names none",
        "columns: [...], or a type with fields as what the task returns, or ordered: true",
    )


def check_header(record: Record, names: Sequence[str]) -> list[TaskFault]:
    """Return which fields that an item must have no column stands for, and which columns it must not have.

    Args:
        record: The fields of the item's type.
        names: The columns of the input, or the keys of an item of it.
    """
    if record.is_open:
        return []
    known = {key for field in record.fields for key in field.keys}
    unused = [name for name in names if name not in known]
    faults = []
    for field in record.fields:
        if not field.is_required or not field.keys or any(key in names for key in field.keys):
            continue
        close = nearest(field.keys[0], unused)
        notes = [f"the input has {_named(list(names))}"]
        if close is not None and field.keys == (field.name,):
            alias = f'Annotated[{inspect.formatannotation(bare(field.annotation))}, Field(alias="{close}")]'
            notes.append(f"with pydantic's Field, a column of another name: `{field.name}: {alias}`")
        faults.append(
            TaskFault(
                "missing-column",
                f"the input has no column `{field.keys[0]}`, which {record.name} requires",
                f"the nearest column is `{close}`" if close is not None else None,
                tuple(notes),
            )
        )
    if record.forbids_more and all(field.keys for field in record.fields):
        faults += [
            TaskFault("unknown-column", f"the input has a column `{name}`, which {record.name} does not take")
            for name in unused
        ]
    return faults


def _of_one(kind: Any) -> Columns | None:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) in _MANY and arguments and not is_named_tuple(typing.get_origin(kind)):
        return columns_of(arguments[0])
    if hasattr(kind, "model_fields") and isinstance(kind, type):
        return _of_model(kind)
    record = record_of(kind)
    if record is None:
        return None
    owner: Any = typing.get_origin(kind) or kind
    names = [field.name for field in record.fields]
    optional = frozenset[str]()
    if typing_extensions.is_typeddict(owner):
        optional = frozenset(field.name for field in record.fields if not field.is_required)
    elif not is_named_tuple(owner):  # a dataclass: those that are not part of its constructor are written too
        names = [field.name for field in dataclasses.fields(owner)]
    return Columns(owner.__name__, tuple(names), optional) if names else None


def _of_model(kind: Any) -> Columns | None:
    """Return the keys of `model_dump()`; `None` where code of the user's decides about them."""
    code = kind.__pydantic_decorators__
    config = kind.model_config
    if (
        code.model_serializers
        or config.get("extra") == "allow"
        or getattr(kind, "__pydantic_root_model__", False)
    ):
        return None
    by_alias = config.get("serialize_by_alias", False)
    fields = {**kind.model_fields, **kind.model_computed_fields}
    if any(getattr(field, "exclude_if", None) is not None for field in fields.values()):
        return None
    names = [
        ((by_alias and _alias(field)) or name)
        for name, field in fields.items()
        if not getattr(field, "exclude", False)
    ]
    return Columns(kind.__name__, tuple(names)) if names else None


def _alias(field: Any) -> str | None:
    found = getattr(field, "serialization_alias", None) or getattr(field, "alias", None)
    return found if isinstance(found, str) else None


def _named(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
