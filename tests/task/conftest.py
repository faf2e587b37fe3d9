from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Give a function that writes modules of a project and returns its root; undo every import."""
    path, modules = list(sys.path), set(sys.modules)

    def write(**files: str) -> Path:
        for name, text in files.items():
            file = tmp_path / (name.replace("__", "/") + ".py").replace("/init.", "/__init__.")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text), encoding="utf-8")
        return tmp_path

    yield write
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(
            getattr(sys.modules[name], "__file__", None) or list(getattr(sys.modules[name], "__path__", ()))
        ):
            del sys.modules[name]
