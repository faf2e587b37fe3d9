"""Which files the paths of a command line stand for.

A file that is named is a job file, whatever it holds. A glob stands for the files and folders that it
finds, as if the shell had found them. In a folder, at any depth, every `*.yaml` and `*.yml` is taken that
looks like a job file; folders that are hidden, hold installed packages or a virtual environment are passed
over, and links to folders are not followed.

A file looks like a job file if two of `version:`, `input:`, `task:` and `pool:` stand at its left margin (in
braces: anywhere), `input:` or `task:` among them, or if its modeline names `job.schema.json`. So a job file
that lacks a required key, or has misspelt one, is still one, and a workflow of GitHub or a compose file is
none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import UsageError

STDIN = "-"
_SUFFIXES = (".yaml", ".yml")
_GLOB = frozenset("*?[")
_KEY = re.compile(rb"""^(?:\xef\xbb\xbf)?["']?(version|input|task|pool)["']?[ \t]*:""", re.MULTILINE)
_KEY_IN_BRACES = re.compile(rb"""[{,\s]["']?(version|input|task|pool)["']?\s*:""")
_MODELINE = re.compile(rb"^#[^\n]*\bjob\.schema\.json\b", re.MULTILINE)
_MOST_BYTES = 2**20  # as much as a job file may have


@dataclass(slots=True)
class Found:
    """What paths stand for.

    Attributes:
        files: The job files, each once, in the order of the paths; in a folder by name.
        others: How many other YAML files were passed over.
    """

    files: list[str] = field(default_factory=list)
    others: int = 0


def find_job_files(paths: Sequence[str], *, only_jobs: bool = False) -> Found:
    """Return the job files that `paths` stand for.

    Args:
        paths: Files, folders, globs, and `-` for standard input.
        only_jobs: Whether files that are named, too, are passed over where they look like none.

    Raises:
        UsageError: A folder or a glob stands for nothing.
    """
    found = Found()
    for path in paths:
        for name in _expand(path):
            if name == STDIN:
                _take(found, [name])
            elif Path(name).is_dir():
                _take_folder(found, name, may_be_empty=only_jobs or name != path)
            elif only_jobs and Path(name).is_file() and not looks_like_job(Path(name)):
                found.others += 1
            else:
                _take(found, [name])
    return found


def looks_like_job(path: Path) -> bool:
    """Return whether a file met in a folder is a job file, by its first megabyte; nothing is parsed."""
    try:
        if not path.is_file():  # a pipe would wait for a writer, a device may never end
            return False
        with path.open("rb") as file:
            head = file.read(_MOST_BYTES)
    except (OSError, ValueError):
        return False
    pattern = _KEY_IN_BRACES if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else _KEY
    keys = set(pattern.findall(head.replace(b"\r", b"\n")))
    if len(keys) >= 2 and keys & {b"input", b"task"}:
        return True
    return _MODELINE.search(head) is not None


def _take(found: Found, names: Sequence[str]) -> None:
    found.files += [name for name in names if name not in found.files]


def _take_folder(found: Found, folder: str, *, may_be_empty: bool) -> None:
    names = []
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if not _is_passed_over(here / name))
        for name in sorted(files):
            if name.endswith(_SUFFIXES) and not name.startswith("."):
                if looks_like_job(here / name):
                    names.append(str(here / name))
                else:
                    found.others += 1
    if not names and not may_be_empty:
        raise UsageError(f"there is no job file in the folder {folder}")
    _take(found, names)


def _is_passed_over(folder: Path) -> bool:
    return (
        folder.name.startswith(".")
        or folder.name in {"node_modules", "site-packages", "__pycache__"}
        or (folder / "pyvenv.cfg").is_file()
    )


def _expand(path: str) -> list[str]:
    """Return what a glob finds, as the shell would; a file that is called so is itself."""
    if _GLOB.isdisjoint(path) or Path(path).exists():
        return [path]
    from glob import glob  # rarely needed

    names = sorted(glob(path, recursive=True))
    if not names:
        raise UsageError(f"nothing matches {path}")
    return names
