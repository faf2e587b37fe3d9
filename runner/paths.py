"""How a path is called for a person: so that it can be typed, or clicked, from the folder they are in.

Records (the log, dead letters, reports for machines) name a path from the project root instead, wherever the
command was typed: see `runner.destination.shorten`.
"""

from __future__ import annotations

from pathlib import Path

_TREE = Path(__file__).resolve().parents[1]
STDIO = "-"


def near(path: str | Path, root: str | Path = "") -> str:
    """Return a path, which may start at `root`, from the current folder if it is below it, else in full.

    `-`, for standard input and output, stays what it is.
    """
    if path == STDIO:
        return STDIO
    whole = Path(root, path)
    try:
        return str(whole.relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere; or the current folder has gone
        return str(whole)


def document(page: str) -> str | None:
    """Return `docs/PAGE#TITLE` where the documents lie, as it can be opened here; `None` if they do not.

    They lie beside the package in a source tree, and are no part of what is installed.
    """
    name, sign, title = page.partition("#")
    path = _TREE / name
    return f"{near(path)}{sign}{title}" if path.is_file() else None
