"""What single values of a job file must be: texts, numbers and names with rules of their own.

Each is a type with its check and its JSON Schema. A check says exactly what the problem will say (`fault`).
"""

from __future__ import annotations

import keyword
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from runner.jobfile.scalar import show_value
from runner.units import Duration

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LONGEST_NAME = 100  # leaves room for what is put around it in a file name


def fault(code: str, message: str, *, hint: str | None = None, key: str | None = None) -> PydanticCustomError:
    """Return an error that a validator raises to say exactly what a problem will say.

    Args:
        code: The problem's code.
        message: The sentence after the path, beginning with `must be` or the like.
        hint: What to write instead.
        key: The key below the validated value that is at fault, where it is not the value itself.
    """
    context = {"message": message, "hint": hint, "key": key}
    return PydanticCustomError(code, "{message}", context)


def _check_version(value: object) -> object:
    if type(value) is int and value == 1:
        return value
    hint = "write 1" if value in ("1", "1.0", 1.0) else None
    raise fault("bad-value", f"must be 1, the only version there is, got {show_value(value)}", hint=hint)


def _check_name(value: str) -> str:
    if len(value) > _LONGEST_NAME:
        raise fault("bad-value", f"must have at most {_LONGEST_NAME} characters, got {len(value)}")
    if not NAME.fullmatch(value):
        better = re.sub(r"[^a-z0-9._-]+", "-", value.lower()).strip("-._")
        rule = "must be lower-case letters, digits, `.`, `_` and `-`, beginning with a letter or digit"
        hint = f"write `{better}`" if better and len(better) < _LONGEST_NAME else None
        raise fault("bad-value", f"{rule}, got {show_value(value)}", hint=hint)
    return value


def _check_timezone(value: str) -> str:
    if value == "UTC":
        return value
    import zoneinfo  # reads files; most jobs never need it

    try:
        zoneinfo.ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        from runner.jobfile.problem import nearest

        near = nearest(value, sorted(zoneinfo.available_timezones()))
        hint = f"did you mean `{near}`?" if near else "write `UTC` or a name such as `Europe/Berlin`"
        raise fault("bad-value", f"must be an IANA time zone, got {show_value(value)}", hint=hint) from None
    return value


def _check_param(value: object) -> object:
    if isinstance(value, dict):
        raise fault("wrong-type", "must be text, a number, true, false, null or a list, got a mapping")
    return value


def _check_call(value: str) -> str:
    parts = value.split(".")
    if len(parts) > 1 and all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        return value
    dotted = value.replace(".py:", ".").replace(":", ".").removesuffix("()")
    hint = (
        f"write `{dotted}`"
        if dotted != value and "." in dotted and " " not in dotted
        else "such as `package.module.function`"
    )
    raise fault(
        "bad-value", f"must be a dotted path to a function or class, got {show_value(value)}", hint=hint
    )


def _check_chunksize(value: object) -> object:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    code = "out-of-range" if is_number else "bad-value" if isinstance(value, str) else "wrong-type"
    raise fault(code, f"must be a whole number of at least 1, or auto, got {show_value(value)}")


def _check_variable(value: str) -> str:
    if SECRET_NAME.fullmatch(value):
        return value
    # Perhaps the secret itself, so it is not shown.
    raise fault("bad-value", "must be the name of an environment variable")


Name = Annotated[
    str,
    AfterValidator(_check_name),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{NAME.pattern}$",
            "maxLength": _LONGEST_NAME,
            "description": "lower-case letters, digits, `.`, `_`, `-`; begins with a letter or digit; "
            f"at most {_LONGEST_NAME} characters",
        }
    ),
]
Timezone = Annotated[
    str,
    AfterValidator(_check_timezone),
    WithJsonSchema({"type": "string", "description": "a name of the IANA list"}),
]
DOTTED_PATH = {
    "type": "string",
    "pattern": r"^[^\s.:()/${}-]+(\.[^\s.:()/${}-]+)+$",
    "description": "a dotted path",
}
DottedPath = Annotated[str, AfterValidator(_check_call), WithJsonSchema(DOTTED_PATH)]
Param = Annotated[
    object,
    AfterValidator(_check_param),
    WithJsonSchema(
        {
            "type": ["string", "number", "boolean", "array", "null"],
            "description": "text, numbers, `true`, `false`, lists or `null`",
        }
    ),
]
Chunksize = Annotated[
    int | Literal["auto"],
    BeforeValidator(_check_chunksize),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}),
]
Variable = Annotated[str, AfterValidator(_check_variable)]
Version = Annotated[int, BeforeValidator(_check_version), WithJsonSchema({"const": 1})]
Seconds = Annotated[Duration, Field(gt=0)]
