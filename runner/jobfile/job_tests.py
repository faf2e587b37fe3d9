"""`tests:` in a job file: items, and what must come of each, without any input or output.

Everything in it is taken literally: no references, so that an item may hold `${...}`, and a test says the
same whatever the environment.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from runner.options import Options
from runner.policies.retry import MOST_ATTEMPTS, ErrorName
from runner.units import Duration

Stage = Literal["convert", "task", "encode"]


class InjectedFault(Options):
    """What one attempt does before the task is called, or instead; `ok` is one that is left alone."""

    SHORT_FORM: ClassVar[dict[str, Any]] = {"type": "string", "pattern": "^ok$", "description": "`ok`"}

    raise_: ErrorName | None = Field(default=None, alias="raise")
    """The exception that is raised instead of calling the task, built-in or by its dotted path; by default
    none. Example: `ConnectionError`"""
    message: str | None = None
    """Its message; by default none. Example: `connection reset`"""
    retry_after: Duration | None = None
    """Its attribute `retry_after`: how long a service asks to be left alone; by default none.
    Example: `30s`"""
    hang: Duration | None = None
    """How long the attempt takes before it raises or calls the task, in which no real time passes; by
    default it takes none. Example: `5m`"""

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, data: Any) -> Any:
        return {"hang": "0s"} if isinstance(data, str) and data == "ok" else data

    @model_validator(mode="after")
    def _does_something(self) -> InjectedFault:
        if self.raise_ is None and (self.message is not None or self.retry_after is not None):
            raise ValueError("must say with `raise` which exception has the message or `retry_after`")
        if self.raise_ is None and self.hang is None:
            raise ValueError("must have `raise` or `hang`; write `ok` for an attempt that is left alone")
        return self


class ExpectedError(Options):
    """Why an item must fail; `error: ValueError` is short for `error: {type: ValueError}`."""

    SHORT_FORM: ClassVar[dict[str, Any]] = {"type": "string", "description": "the name of an exception"}

    type: ErrorName | None = None
    """The exception, as dead letters name it; derived classes count; by default any. Example: `ValueError`"""
    message: str | None = None
    """A part of its message; by default any. Example: `could not convert`"""
    stage: Stage | None = None
    """In which step: `convert` to the type of the parameter, the `task` itself, `encode` for the output; by
    default any. Example: `convert`"""

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, data: Any) -> Any:
        return {"type": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _says_something(self) -> ExpectedError:
        if self.type is None and self.message is None and self.stage is None:
            raise ValueError("must have one of the keys type, message and stage")
        return self


class JobTest(Options):
    """An item, and what must come of it."""

    name: Annotated[str, Field(min_length=1)]
    """What the test is about. Example: `a price`"""
    item: object
    """The item, before it is converted to the type of the task's parameter. Example: `{name: tea}`"""
    params: dict[str, object] = Field(default_factory=dict)
    """Parameters of the job that are different in this test; by default none. Example: `{text: b.txt}`"""
    with_: dict[str, object] = Field(default_factory=dict, alias="with")
    """Arguments of the task that are different in this test; by default none. Example: `{rate: 2}`"""
    faults: list[InjectedFault] = Field(default=[], max_length=MOST_ATTEMPTS)
    """What happens to the first attempts; `ok` is one that is left alone; by default nothing.
    Example: `[{raise: ConnectionError}, {hang: 5m}]`"""
    row: object = None
    """The one row that must come of it; by default not looked at. Example: `{name: tea, euro: 3.86}`"""
    rows: list[object] | None = None
    """The rows that must come of it, an empty list for none; by default not looked at. Example: `[]`"""
    error: ExpectedError | None = None
    """Why it must fail; by default not looked at. Example: `ValueError`"""
    attempts: int | None = Field(default=None, ge=1, le=MOST_ATTEMPTS)
    """How many attempts must be made; by default not looked at. Example: `3`"""

    @model_validator(mode="after")
    def _expects_one_thing(self) -> JobTest:
        given = [key for key in ("row", "rows", "error") if key in self.model_fields_set]
        if len(given) > 1:
            raise ValueError(f"must have only one of the keys {' and '.join(given)}")
        for key in given:
            if getattr(self, key) is None:
                raise ValueError(f"must say what `{key}` is: rows: [] where no row must come")
        return self

    @property
    def expects(self) -> Literal["row", "rows", "error"] | None:
        """The key that says what must come of the item; `None` where none does yet."""
        keys: tuple[Literal["row", "rows", "error"], ...] = ("row", "rows", "error")
        return next((key for key in keys if key in self.model_fields_set), None)

    @property
    def expected_rows(self) -> list[object]:
        """The rows that must come of the item."""
        return [self.row] if self.expects == "row" else self.rows or []
