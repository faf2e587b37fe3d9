"""The text of a job file with a few words at each line, from a function and an input that were looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from runner.jobfile.emit import flow
from runner.jobfile.plain import literal
from runner.scaffold.function import Argument, Function
from runner.scaffold.guess import Guess

_COLUMN = 35
"""Where comments begin."""
_ALIAS = " How a field takes a column of another name: runner explain missing-column"
_SCALARS = frozenset({"str", "int", "float", "bool"})
_DICTS = re.compile(r"(dict|Mapping|Any|object)\b")


def render_job(function: Function, guess: Guess, *, stem: str, command: str) -> str:
    """Return the text of a job file.

    Args:
        function: What is called.
        guess: What it is called on.
        stem: What output and job are called after, such as the file of the job.
        command: The file of the job, as it is typed.
    """
    lines = [
        "# Made by `runner init`; yours to change. `runner explain` has every key.",
        "#",
        *_aligned(
            [
                (f"#   runner preview {command}", "the first items through the task; writes nothing"),
                (f"#   runner run {command}", "all of them"),
            ]
        ),
        "version: 1",
        f"name: {flow(name_of(stem))}",
    ]
    if function.summary:
        lines.append(f"description: {flow(literal(function.summary))}")
    params = [each for each in function.arguments if each.default is None]
    if params:
        lines += ["", _line("params:", "what -p NAME=VALUE sets for one run")]
        lines += [
            _line(f"  {each.name}: null", f"must be given: -p {each.name}=...{_typed(each)}")
            for each in params
        ]
    return (
        "\n".join([*lines, *_input(guess), *_task(function), *_rest(function, stem), *_tests(guess)]) + "\n"
    )


def doubts(function: Function, guess: Guess) -> list[str]:
    """Return in sentences what does not fit together, as far as it shows without running anything."""
    found = []
    missing = missing_fields(function, guess)
    if missing:
        names = ", ".join(missing)
        near = get_close_matches(missing[0], guess.fields or (), n=1)
        has = f"; is it `{near[0]}`?" if near else f"; it has {', '.join((guess.fields or ())[:12])}"
        other = "" if not (near and function.has_own_type) else _ALIAS
        found.append(
            f"{function.dotted} wants `{names}` of an item, and the input has no such field{has}{other}"
        )
    takes = f"{function.dotted} takes `{function.item}: {function.item_type}`, and an item of this input is"
    if guess.fields is not None and function.item_type in _SCALARS:
        found.append(f"{takes} a dict")
    if guess.kind == "text" and function.item_type is not None and _DICTS.match(function.item_type):
        found.append(f"{takes} a text")
    return found


def missing_fields(function: Function, guess: Guess) -> list[str]:
    """Return the fields that the function wants and the items do not have."""
    if function.wants is None or guess.fields is None:
        return []
    return [name for name in function.wants if name not in guess.fields]


def name_of(stem: str) -> str:
    """Return the name of a job that is called after a file or a function."""
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower().replace("_", "-")).strip("-._")[:100] or "job"


def _input(guess: Guess) -> Iterator[str]:
    yield ""
    yield _line("input:", guess.says)
    yield f"  type: {guess.kind}"
    for key, (value, comment) in guess.options.items():
        yield _line(f"  {key}: {flow(literal(value))}", comment)


def _task(function: Function) -> Iterator[str]:
    given = [f"{each.name}=..." for each in function.arguments]
    shown = ", ".join([function.item or "item", *(given if len(given) < 3 else ["..."])])
    yield ""
    yield _line("task:", f"called once for every item: {function.dotted.rpartition('.')[2]}({shown})")
    yield f"  call: {function.dotted}"
    if function.item is None:
        yield "  # Its signature shows only when it runs. Its keyword arguments, if it has any, go here:"
        yield "  # with: {name: value}"
    elif function.arguments:
        is_empty = not any(each.default is None or each.is_known for each in function.arguments)
        yield _line("  # with:" if is_empty else "  with:", "its keyword arguments")
        for each in function.arguments:
            yield _argument(each)


def _argument(argument: Argument) -> str:
    if argument.default is None:
        return _line(f'    {argument.name}: "${{params.{argument.name}}}"', "from params, above")
    if not argument.is_known:
        said = f"left out, it is {argument.default}{_typed(argument)}"
        return _line(f"    # {argument.name}:", said)
    return _line(f"    {argument.name}: {flow(literal(argument.value))}", f"the default{_typed(argument)}")


def _typed(argument: Argument) -> str:
    return f" ({argument.annotation.strip(chr(39))})" if argument.annotation else ""


def _rest(function: Function, stem: str) -> Iterator[str]:
    yield ""
    yield _line("pool:", "how many at once")
    yield _line("  ordered: true", "rows in the order of the input; false: as they are ready")
    yield _line("  # size: 16", "left out: the CPUs and 4 more; `runner preview` proposes a size")
    yield ""
    yield _line("# retry:", "for tasks that call a service: failed attempts again")
    yield "#   attempts: 3"
    yield "#   errors: [ConnectionError, TimeoutError]"
    yield ""
    yield _line("failures:", "an item that raises is set aside and named; the others go on")
    yield _line("  tolerate: 0", "how many may: a count or 1%; with more, nothing is published")
    yield ""
    if function.rows == "none":
        yield _line("output:", "the function returns nothing: what it does is the point")
        yield "  type: none"
        return
    suffix = "txt" if function.rows == "text" else "jsonl"
    kind = "text" if function.rows == "text" else "jsonl"
    yield _line("output:", "the file appears at the end, whole")
    yield _line(f"  type: {kind}", "a line for each row; jsonl, csv, text or none")
    yield f"  path: {flow(f'out/{_file_stem(stem)}.{suffix}')}"


def _tests(guess: Guess) -> Iterator[str]:
    if guess.fields is not None:
        empty = '""' if guess.kind == "csv" else "..."
        item = "{" + ", ".join(f"{flow(name)}: {empty}" for name in guess.fields[:6]) + "}"
    else:
        item = '"..."'
    yield ""
    yield "# An item, and what must come of it: `runner test` compares, `runner test --update` fills in."
    yield "# tests:"
    yield "#   - name: the first one"
    yield f"#     item: {item}"


def _file_stem(stem: str) -> str:
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "job"


def _line(text: str, comment: str) -> str:
    return f"{text:<{_COLUMN - 2}}  # {_one_line(comment)}" if comment else text


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(text) for text, _ in rows)
    return [f"{text:<{width}}   {comment}" for text, comment in rows]


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
