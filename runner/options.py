"""The base of every options model: what a job file may say about one thing, and nothing else."""

from __future__ import annotations

from itertools import pairwise

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A frozen, strict model: unknown keys are faults, `"5"` is no number, `1` is no boolean.

    A key that is a Python keyword or a method of pydantic gets a trailing underscore in code and
    an alias without it in the job file.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        defer_build=True,
        populate_by_name=False,
        validate_default=False,
    )


def describe(model: type[BaseModel]) -> dict[str, str]:
    """Return the text under each field of a model, by the field's name in code.

    Read from the source when somebody asks: having pydantic read it when the class is made
    (`use_attribute_docstrings`) cost `runner validate` a tenth of its time.
    """
    import ast
    import inspect
    import textwrap

    texts: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, Options) or owner is Options:
            continue
        try:
            source = inspect.getsource(owner)
        except (OSError, TypeError):  # installed without its source
            continue
        body = ast.parse(textwrap.dedent(source)).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and is_text:
                texts[field.target.id] = inspect.cleandoc(text.value.value)  # type: ignore[union-attr]
    return texts
