"""Modules of one project, forgotten before the next job: `tasks` of another folder is another module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def forget_modules() -> Iterator[None]:
    """Restore `sys.path`, and forget what was imported meanwhile from folders that were put on it.

    What is installed stays: importing numpy a second time would end the process.
    """
    path, known = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        added = [Path(entry) for entry in sys.path if entry not in path]
        sys.path[:] = path
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and any(_is_own(Path(file), root) for root in added):
                del sys.modules[name]


def _is_own(file: Path, root: Path) -> bool:
    return file.is_relative_to(root) and "site-packages" not in file.parts
