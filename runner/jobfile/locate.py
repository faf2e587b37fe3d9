"""From an error of pydantic to the value of the file that it is about.

A location of pydantic is no path of the file: it holds the names of union branches and validators.
It is walked with the model beside the data, so a branch that is called like a key is not mistaken for it.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from runner.jobfile.problem import KeyPath


@dataclass(frozen=True, slots=True)
class Fault:
    """An error of pydantic and what it is about.

    Attributes:
        error: The error.
        path: The path of the value in the file; of a missing key, its path if it were there.
        value: The value, or `None` where it is missing.
        annotation: The type that was wanted, without `Annotated`; the model that was for a key.
        union: Where the path entered a union, whose branches each report errors of their own.
    """

    error: ErrorDetails
    path: KeyPath
    value: Any
    annotation: Any
    union: KeyPath | None


def locate(error: ErrorDetails, model: type[BaseModel], prefix: KeyPath, data: Any) -> Fault:
    """Return what an error is about; `prefix` is the path of `data`, which was validated by `model`."""
    path, union = list(prefix), None
    annotation: Any = model
    holder: Any = model
    for part in error["loc"]:
        annotation = _bare(annotation)
        if _is_union(annotation):
            union = tuple(path) if union is None else union
            annotation = next((member for member in get_args(annotation) if _is_branch(member, part)), Any)
        elif is_model(annotation):
            if not isinstance(data, dict):
                break  # a short form, which the model made a mapping of
            holder = annotation
            path.append(part)
            annotation, data = _field_type(annotation, str(part)), data.get(part)
        elif isinstance(data, dict) and isinstance(part, int) and get_origin(annotation) is list:
            annotation = get_args(annotation)[0]  # a list of one, written without the list
        elif isinstance(data, dict) and part in data:
            arguments = get_args(annotation)
            path.append(part)
            annotation, data = arguments[1] if len(arguments) > 1 else Any, data[part]
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            arguments = get_args(annotation)
            path.append(part)
            annotation, data = arguments[0] if arguments else Any, data[part]
    key = error.get("ctx", {}).get("key")
    if isinstance(key, str):
        path.append(key)
    about_key = error["type"] in {"missing", "extra_forbidden"}
    return Fault(error, tuple(path), data, holder if about_key else _bare(annotation), union)


def _bare(annotation: Any) -> Any:
    """Return a type without `Annotated` and without `| None`, neither of which shows in a location."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif _is_union(annotation, least=1):
            members = tuple(member for member in get_args(annotation) if member is not types.NoneType)
            if len(members) > 1:
                return Union[members]  # noqa: UP007  # built at run time
            annotation = members[0]
        else:
            return annotation


def _is_union(annotation: Any, *, least: int = 2) -> bool:
    if get_origin(annotation) not in (Union, types.UnionType):
        return False
    return sum(member is not types.NoneType for member in get_args(annotation)) >= least


def is_model(annotation: Any) -> bool:
    """Return whether a type is a model, whose keys are known."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_branch(member: Any, part: int | str) -> bool:
    """Return whether pydantic calls a member of a union `part`."""
    bare = _bare(member)
    name = getattr(get_origin(bare) or bare, "__name__", str(bare))
    return str(part) == name or str(part).lower().startswith(f"{name.lower()}[")


def _field_type(model: type[BaseModel], key: str) -> Any:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            return field.annotation
    return Any
