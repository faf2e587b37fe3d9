"""The base of every options model: what a job file may say about one thing, and nothing else."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

OR_ONE: dict[str, Any] = {"or_one": True}
"""Extra of a list in a JSON schema: one member may be written without the list."""


class Options(BaseModel):
    """A frozen, strict model: unknown keys are faults, `"5"` is no number, `1` is no boolean.

    A key that is a Python keyword or a method of pydantic gets a trailing underscore in code and
    an alias without it in the job file. The default of a list is `Field(default=[])`, which pydantic
    copies: of `list` as a factory it would read the signature, with Python's tokenizer, at every start.
    """

    SHORT_FORM: ClassVar[dict[str, Any] | None] = None
    """The JSON schema of what may stand instead of the mapping, and its `description` for the documents."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        defer_build=True,
        populate_by_name=False,
        validate_default=False,
    )


class FieldText(NamedTuple):
    """What the text under a field says.

    Attributes:
        meaning: What the key means.
        default: Its default in words, where the value does not show it; `None` where nothing is said.
        example: A value as a job file has it.
    """

    meaning: str
    default: str | None
    example: str | None


def describe(model: type[BaseModel]) -> dict[str, FieldText]:
    """Return the text under each field of a model, by the field's name in code.

    A text has the form "Meaning; by default what. More. Example: `value`", of which all but the
    meaning may be missing. It goes into the documents, the schema and `runner explain`.

    Read from the source when somebody asks: having pydantic read it when the class is made
    (`use_attribute_docstrings`) cost `runner validate` a tenth of its time.
    """
    import ast
    import inspect
    import textwrap

    texts: dict[str, FieldText] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, Options) or owner is Options:
            continue
        try:
            source = inspect.getsource(owner)
        except (OSError, TypeError):  # installed without its source
            continue
        body = ast.parse(textwrap.dedent(source)).body[0].body  # type: ignore[attr-defined]  # a class
        for field, text in pairwise(body):
            is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and is_text:
                texts[field.target.id] = _read_text(text.value.value)  # type: ignore[union-attr]  # a name
    return texts


def _read_text(text: str) -> FieldText:
    meaning, _, example = " ".join(text.split()).partition(" Example: ")
    default = re.search(r"; by default ([^.]*(?:\.\S[^.]*)*)\.", meaning)
    if default is not None:
        meaning = meaning[: default.start()] + meaning[default.end() - 1 :]
    return FieldText(meaning, default[1] if default else None, example.strip("`") or None)
