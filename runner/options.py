"""The base of every options model: what a job file may say about one thing, and nothing else."""

from __future__ import annotations

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
        use_attribute_docstrings=True,
    )
