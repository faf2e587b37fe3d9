"""The fields of a type: of a pydantic model, a dataclass, a TypedDict or a named tuple."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typing_extensions

_UNIONS = (typing.Union, types.UnionType)
_WRAPPERS = (
    *(getattr(typing, name) for name in ("Required", "NotRequired", "ReadOnly") if hasattr(typing, name)),
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a type.

    Attributes:
        name: Its name in Python.
        keys: Under which an item may bring it, the preferred one first; empty where that is a matter
            of code, or of a path into the item.
        annotation: What it is to be.
        is_required: Whether an item must bring it.
        is_plain: Whether its value meets nothing but its annotation: no code of the user's comes first.
    """

    name: str
    keys: tuple[str, ...]
    annotation: object
    is_required: bool
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Record:
    """A type with fields.

    Attributes:
        name: Its name.
        fields: Its fields, in their order.
        forbids_more: Whether an item with another key is refused.
        is_open: Whether code of the user's sees the item first, so that its keys may be any.
    """

    name: str
    fields: tuple[Field, ...]
    forbids_more: bool = False
    is_open: bool = False


def bare(annotation: object) -> Any:
    """Return an annotation without `Annotated`, `NewType`, type aliases and the marks of a TypedDict."""
    while True:
        if hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing_extensions.TypeAliasType):
            annotation = annotation.__value__
        elif typing.get_origin(annotation) in (typing.Annotated, *_WRAPPERS):
            annotation = typing.get_args(annotation)[0]
        else:
            return annotation


def alternatives(annotation: object) -> list[Any]:
    """Return what a value may be: the members of a union, unions in it included, else the one type."""
    plain = bare(annotation)
    if typing.get_origin(plain) not in _UNIONS:
        return [plain]
    return [found for member in typing.get_args(plain) for found in alternatives(member)]


def takes_none(annotation: object) -> bool:
    """Return whether `None` is one of the values that an annotation names."""
    return any(
        each is None
        or each is type(None)
        or (typing.get_origin(each) is typing.Literal and None in typing.get_args(each))
        for each in alternatives(annotation)
    )


def comes_first(metadata: Iterable[object]) -> bool:
    """Return whether code among the metadata of an annotation sees a value before its type does."""
    from pydantic import AfterValidator

    return any(
        hasattr(each, "__get_pydantic_core_schema__") and not isinstance(each, AfterValidator)
        for each in metadata
    )


def is_unknown(annotation: object) -> bool:
    """Return whether an annotation says nothing: `Any`, `object`, a type variable."""
    return annotation in (Any, object) or isinstance(annotation, typing.TypeVar)


def record_of(annotation: object) -> Record | None:
    """Return the fields of the one record type among the alternatives, `None` where it is none or several."""
    found = [each for each in alternatives(annotation) if each not in (None, type(None))]
    return _record(found[0]) if len(found) == 1 else None


def is_named_tuple(kind: object) -> bool:
    """Return whether a type is a named tuple."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def hints_of(kind: type) -> dict[str, Any]:
    """Return the resolved annotations of a class, those of its bases included."""
    return typing_extensions.get_type_hints(kind, include_extras=True)


def _record(annotation: object) -> Record | None:
    kind = typing.get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return None
    if hasattr(kind, "__pydantic_fields__"):
        return _of_pydantic(kind)
    if not (dataclasses.is_dataclass(kind) or is_named_tuple(kind) or typing_extensions.is_typeddict(kind)):
        return None
    hints = hints_of(kind)
    if typing_extensions.is_typeddict(kind):
        required = {name: _is_required(kind, name, hint) for name, hint in hints.items()}
        names: Iterable[str] = hints
        defaults: dict[str, Any] = {}
    elif is_named_tuple(kind):
        names, defaults = kind._fields, kind._field_defaults  # type: ignore[attr-defined]  # a named tuple's
        required = {name: name not in defaults for name in names}
    else:
        fields = [field for field in dataclasses.fields(kind) if field.init]
        names = [field.name for field in fields]
        defaults = {field.name: field.default for field in fields}
        missing = dataclasses.MISSING
        required = {f.name: f.default is missing and f.default_factory is missing for f in fields}
    made = [_field(name, hints.get(name, Any), defaults.get(name), required[name]) for name in names]
    config = getattr(kind, "__pydantic_config__", {})
    # A named tuple is called with its fields, and a call takes no others.
    forbids = config.get("extra") == "forbid" or is_named_tuple(kind)
    return Record(kind.__name__, tuple(made), forbids)


def _is_required(kind: Any, name: str, hint: object) -> bool:
    # `__required_keys__` is wrong on 3.11 where the marks are inside text annotations.
    while typing.get_origin(hint) in (typing.Annotated, *_WRAPPERS):
        if typing.get_origin(hint) in (typing.Required, typing.NotRequired):
            return typing.get_origin(hint) is typing.Required
        hint = typing.get_args(hint)[0]
    return name in kind.__required_keys__


def _field(name: str, hint: object, default: object, is_required: bool) -> Field:
    from pydantic.fields import FieldInfo

    while typing.get_origin(hint) in _WRAPPERS:
        hint = typing.get_args(hint)[0]
    annotation: Any = hint  # pydantic asks for a type, and takes every annotation
    info = FieldInfo.from_annotation(annotation)
    if isinstance(default, FieldInfo):
        info = FieldInfo.from_annotated_attribute(annotation, default)
        is_required = info.is_required()
    return Field(name, _keys(name, info, by_name=False), hint, is_required, not comes_first(info.metadata))


def _of_pydantic(kind: Any) -> Record:
    """Return the fields of a model or of a pydantic dataclass, which know all about themselves."""
    config = getattr(kind, "model_config", None) or getattr(kind, "__pydantic_config__", None) or {}
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
    code = getattr(kind, "__pydantic_decorators__", None)
    checked: set[str] = set()
    is_open = False
    if code is not None:
        early = [each.info for each in code.field_validators.values() if each.info.mode != "after"]
        checked = {name for info in early for name in info.fields}
        is_open = any(each.info.mode != "after" for each in code.model_validators.values())
    fields = tuple(
        Field(
            name,
            _keys(name, info, by_name=by_name),
            info.annotation,
            info.is_required(),
            not (comes_first(info.metadata) or is_open or {name, "*"} & checked),
        )
        for name, info in kind.__pydantic_fields__.items()
        if getattr(info, "init", None) is not False
    )
    return Record(kind.__name__, fields, config.get("extra") == "forbid", is_open)


def _keys(name: str, info: Any, *, by_name: bool) -> tuple[str, ...]:
    alias = info.validation_alias
    if alias is None:
        return (name,)
    choices = [alias] if isinstance(alias, str) else getattr(alias, "choices", [])
    if not choices or not all(isinstance(each, str) for each in choices):
        return ()
    return (*choices, name) if by_name else tuple(choices)
