"""What the command line changes in a job file: `--set path=value` and `-p name=value`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.jobfile.document import read_value
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath, Problem, nearest
from runner.jobfile.scalar import UnreadableValue, clip, show_value


def apply_overrides(data: Any, overrides: Sequence[tuple[str, str]], places: Places) -> list[Problem]:
    """Set the values of `--set` in `data`, in their order; records each in `places.flags`."""
    problems = []
    for dotted, text in overrides:
        path = _read_path(dotted)
        # Somebody may have written the secret itself instead of where it is.
        flag = f"--set {dotted}={'…' if path[:1] == ('secrets',) else clip(text)}"
        try:
            value = read_value(text)
            if not path:
                raise UnreadableValue(
                    "bad-flag", "the path before `=` must be keys with dots between them", None
                )
            _set(data, path, value)
        except UnreadableValue as error:
            problems.append(_flag_problem(error.code, str(error), flag, places, hint=error.hint))
        else:
            # What was set below this path before is gone with the value that held it.
            for other in [known for known in places.flags if known[: len(path)] == path]:
                del places.flags[other]
            places.flags[path] = flag
    return problems


def read_params(
    declared: Mapping[str, Any], given: Mapping[str, str], places: Places
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values of all parameters, those of `-p` read as the type of their default."""
    values, problems = dict(declared), []
    for name, text in given.items():
        flag = f"-p {name}={clip(text)}"
        if name not in declared:
            message = f"this job has no parameter `{clip(name)}`"
            near = nearest(name, declared)
            takes = f"it takes {', '.join(declared)}" if declared else "it declares no params"
            hint = f"did you mean `{near}`?" if near else takes
            problems.append(_flag_problem("unknown-param", message, flag, places, hint=hint))
            continue
        places.flags[("params", name)] = flag
        try:
            values[name] = _read_param(text, declared[name])
        except UnreadableValue as error:
            values[name] = None
            places.unknown.add(("params", name))
            message = f"`params.{name}` {error}" if error.code == "wrong-type" else str(error)
            problems.append(_flag_problem(error.code, message, flag, places, hint=error.hint))
    return values, problems


def _read_path(dotted: str) -> KeyPath:
    parts = dotted.split(".")
    if not all(part.strip() == part and part for part in parts):
        return ()
    return tuple(
        int(part) if part.isascii() and part.isdigit() and len(part) < 10 else part for part in parts
    )


def _set(data: Any, path: KeyPath, value: Any) -> None:
    """Put `value` at `path`, making mappings on the way where there is nothing."""
    holder = data
    for depth, part in enumerate(path):
        here = ".".join(map(str, path[:depth])) or "the job"
        if isinstance(holder, list):
            if not isinstance(part, int) or part >= len(holder):
                message = f"`{here}` is a list of {len(holder)}: it has no item {part}"
                raise UnreadableValue("bad-flag", message, "count its items from 0")
            key: Any = part
        elif isinstance(holder, dict):
            key = str(part)
        else:
            found = (
                "no mapping" if path[0] == "secrets" else f"{show_value(holder)}, which has no key `{part}`"
            )
            message = f"`{here}` is {found}"
            raise UnreadableValue("bad-flag", message, None)
        if depth == len(path) - 1:
            holder[key] = value
            return
        below = holder.get(key) if isinstance(holder, dict) else holder[key]
        if below is None:
            below = {}
        elif path[: depth + 1] == ("task",) and isinstance(below, str):
            below = {"call": below}  # the short form takes `--set task.with.x=1` too
        holder[key] = below
        holder = below


def _read_param(text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    value = read_value(text)
    if default is None:
        return value
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise UnreadableValue("wrong-type", f"must be true or false, got `{clip(text)}`", None)
    elif isinstance(default, int):
        if not isinstance(value, int) or isinstance(value, bool):
            hint = "its default is a whole number" if isinstance(value, float) else None
            raise UnreadableValue("wrong-type", f"must be a whole number, got `{clip(text)}`", hint)
    elif isinstance(default, float):
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UnreadableValue("wrong-type", f"must be a number, got `{clip(text)}`", None)
        return float(value)
    elif isinstance(default, list) and not isinstance(value, list):
        raise UnreadableValue("wrong-type", f"must be a list, got `{clip(text)}`", "write it as [a, b]")
    return value


def _flag_problem(code: str, message: str, flag: str, places: Places, *, hint: str | None) -> Problem:
    return Problem(code=code, message=f"{message} (from {flag})", file=places.document.file, hint=hint)
