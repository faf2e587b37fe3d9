"""Values as the text of a job file, for whoever writes into one: what is read back is what was given."""

from __future__ import annotations

import json
import math
import re

from runner.jobfile.document import read_document
from runner.jobfile.scalar import UnreadableValue, read_scalar

# Narrower than YAML: a text is written without quotes only where nobody could take it for anything else.
_PLAIN = re.compile(r"[A-Za-z_/][\w/.@+-]*(?: [\w/.@+()-]+)*", re.ASCII)
_LONGEST_LINE = 100


def flow(value: object) -> str:
    """Return a value of plain data on one line.

    Raises:
        ValueError: YAML cannot say it so that it is read back the same.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {flow(each)}" for key, each in value.items()) + "}"
    raise ValueError(f"a job file cannot hold a value of type {type(value).__name__}")


def entry(key: str, value: object, indent: int) -> str:
    """Return `key: value` for a block mapping at a depth of `indent` spaces; a long one has several lines."""
    line = f"{_text(key)}: {flow(value)}"
    if indent + len(line) <= _LONGEST_LINE or not value or not isinstance(value, dict | list):
        return line
    inner = indent + 2
    if isinstance(value, dict):
        lines = [entry(name, each, inner) for name, each in value.items()]
    else:
        lines = [_list_item(each, inner) for each in value]
    return "\n".join([f"{_text(key)}:", *(" " * inner + each for each in lines)])


def _list_item(value: object, indent: int) -> str:
    line = f"- {flow(value)}"
    if indent + len(line) <= _LONGEST_LINE or not isinstance(value, dict) or not value:
        return line
    inner = indent + 2
    lines = [entry(name, each, inner) for name, each in value.items()]
    return "- " + ("\n" + " " * inner).join(lines)


def is_read_back(text: str, value: object) -> bool:
    """Return whether a text is a document of exactly this value."""
    document = read_document(text, "")
    return not document.problems and _same(document.data, value)


def _same(left: object, right: object) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return "-.inf" if value < 0 else ".inf"
    return repr(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the keys of a mapping must be text, got {type(value).__name__}")
    if _PLAIN.fullmatch(value):
        try:
            if read_scalar(value) == value:
                return value
        except UnreadableValue:
            pass
    text = json.dumps(value, ensure_ascii=False)
    # Line ends of Unicode, and what a text file must not hold, are written as escapes.
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", text)
