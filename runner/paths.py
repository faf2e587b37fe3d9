"""How a path is called for a person: so that it can be typed, or clicked, from the folder they are in.

Records (the log, dead letters, reports for machines) name a path from the project root instead, wherever the
command was typed: see `runner.destination.shorten`.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from runner.errors import UsageError

_TREE = Path(__file__).resolve().parents[1]
STDIO = "-"


def near(path: str | Path, root: str | Path = "") -> str:
    """Return a path, which may start at `root`, from the current folder if it is below it, else in full.

    `-`, for standard input and output, stays what it is.
    """
    if path == STDIO:
        return STDIO
    whole, here = Path(root, path), current_folder()
    return str(whole.relative_to(here)) if here is not None and whole.is_relative_to(here) else str(whole)


def typed(path: str | Path) -> str:
    """Return a path as one word of a command line; one that is not UTF-8 as bash and zsh take its bytes."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        data = os.fsencode(text)
        return (
            "$'" + "".join(chr(c) if 32 <= c < 127 and c not in b"\\'" else f"\\x{c:02x}" for c in data) + "'"
        )
    return shlex.quote(text)


def current_folder() -> Path | None:
    """Return the current folder, `None` where it has been removed: then absolute paths still work."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def check_current_folder() -> None:
    """Raise UsageError where paths that are not absolute start nowhere."""
    if current_folder() is None:
        raise UsageError("the current folder has been removed; cd to one that exists, or give absolute paths")


def document(page: str) -> str | None:
    """Return `docs/PAGE#TITLE` where the documents lie, as it can be opened here; `None` if they do not.

    They lie beside the package in a source tree, and are no part of what is installed.
    """
    name, sign, title = page.partition("#")
    path = _TREE / name
    return f"{near(path)}{sign}{title}" if path.is_file() else None
