"""Which code a run is made of: the files of the project's modules that are imported, each with its hash."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

_NOT_OURS = frozenset(("site-packages", "dist-packages"))
"""Folders of installed packages: a virtual environment often stands in the project."""


def hash_code(root: Path, *functions: Callable[..., object]) -> dict[str, str]:
    """Return a hash for each of `code_files`."""
    return {name: _hash(path) for name, path in sorted(code_files(root, *functions).items())}


def code_files(root: Path, *functions: Callable[..., object]) -> dict[str, Path]:
    """Return each file of code, by its path from the project root.

    That is every module below `root` that is imported by now, so it is to be called when the functions are
    and nothing has run; and the modules of the functions, wherever they are (by their name then). What a
    function imports only when it is called is not seen, nor what is read as data.
    """
    files = dict(_modules_below(root))
    for function in functions:
        module = _module_of(function)
        file = getattr(module, "__file__", None)
        if module is not None and file is not None and Path(file) not in files.values():
            files[module.__name__] = Path(file)
    return files


def _modules_below(root: Path) -> Iterator[tuple[str, Path]]:
    prefix = os.path.join(root, "")  # compared with hundreds of texts
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.startswith(prefix):
            continue
        if (
            name == "__main__" or name.partition(".")[0] == "runner"
        ):  # ours, where the project is runner itself
            continue
        path = Path(file)
        below = path.relative_to(root)
        if _NOT_OURS.isdisjoint(below.parts):
            yield below.as_posix(), path


def _module_of(function: Callable[..., object]) -> ModuleType | None:
    import inspect

    while isinstance(function, partial):
        function = function.func
    return sys.modules.get(getattr(inspect.unwrap(function), "__module__", None) or "")


def _hash(path: Path) -> str:
    """Return a hash of the file; empty where it cannot be read (a module in a zip archive)."""
    try:
        return blake2b(path.read_bytes(), digest_size=12).hexdigest()
    except OSError:
        return ""
