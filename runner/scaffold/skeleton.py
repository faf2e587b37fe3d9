"""The source of a first task for data that nobody has written a function for: it returns each item as it is.

A table gives it a type with a field for each column; one whose name is none in Python is taken by an alias.
"""

from __future__ import annotations

import json
import keyword
import re

from runner.scaffold.guess import Guess

FILE, FUNCTION = "tasks.py", "tasks.work"
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


def render_task(guess: Guess, data: str) -> str:
    """Return the source of a module with the function `work`, for the items of the input `data`."""
    if guess.kind == "csv" and guess.fields:
        return _for_a_table(guess.fields, data)
    kind, item = ("str", "line") if guess.kind == "text" else ("object", "item")
    return f'''"""What is done with each item of {_shown(data)}. Change it into what you want to do."""


def work({item}: {kind}) -> {kind}:
    """What is returned is a row of the output; `None` would be no row."""
    return {item}
'''


def _for_a_table(columns: tuple[str, ...], data: str) -> str:
    fields = _named(columns)
    has_aliases = any(name != column for name, column in fields.items())
    types = [f"    {name}: {_type(name, column)}" for name, column in fields.items()]
    row = [f"        {json.dumps(name)}: row.{name}," for name in fields]
    imports = ["from dataclasses import dataclass"]
    imports += ["from typing import Annotated", "", "from pydantic import Field"] if has_aliases else []
    alias = " An alias is a column whose name is none in Python." if has_aliases else ""
    lines = [
        f'"""What is done with each row of {_shown(data)}. Change it into what you want to do."""',
        "",
        *imports,
        "",
        "",
        "@dataclass",
        "class Row:",
        f'    """The columns. Leave out what you do not need.{alias}',
        "",
        "    A CSV holds text; with int, float or date in the place of str, it is checked and converted.",
        '    """',
        "",
        *types,
        "",
        "",
        "def work(row: Row) -> dict[str, object]:",
        '    """What is returned is a row of the output; `None` would be no row."""',
        "    return {",
        *row,
        "    }",
    ]
    return "\n".join(lines) + "\n"


def _named(columns: tuple[str, ...]) -> dict[str, str]:
    """Return columns by the names of their fields, which are all different."""
    fields: dict[str, str] = {}
    taken = {column for column in columns if _is_name(column)}
    for number, column in enumerate(columns, 1):
        name = column
        if not _is_name(column):
            plain = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_").lower()
            name = plain if _is_name(plain) else f"column_{number}"
            while name in taken:
                name += "_"
            taken.add(name)
        fields[name] = column
    return fields


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and not keyword.iskeyword(text)


def _type(name: str, column: str) -> str:
    text = json.dumps(column, ensure_ascii=not column.isprintable())
    return "str" if name == column else f"Annotated[str, Field(alias={text})]"


def _shown(data: str) -> str:
    return re.sub(r'["\\\\\x00-\x1f]', "?", data)
