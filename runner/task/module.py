"""Modules that are found and not run: by Python's own rules, folder by folder, without importing.

`importlib.util.find_spec("a.b")` imports `a`, so each part is looked for in the folders of the one
before it. Finders are made afresh and not taken from `sys.path_importer_cache`: a listing that was
cached before a file was written would say that the file is not there.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    ExtensionFileLoader,
    FileFinder,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path

from runner.task.fault import TaskFault

_LOADERS: list[tuple[type, list[str]]] = [
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
]


class FoundModule:
    """A module that was found and not run: its file, the folders of its submodules, its syntax."""

    def __init__(self, name: str, spec: ModuleSpec) -> None:
        self.name = name
        self.folders = list(spec.submodule_search_locations or ())
        self.file = Path(spec.origin) if spec.has_location and spec.origin else None
        self.tree: ast.Module | None = None

    def read(self) -> TaskFault | None:
        """Parse the source, where there is one; return why that is not possible."""
        if self.file is None or self.file.suffix not in SOURCE_SUFFIXES or not self.file.is_file():
            return None  # a namespace, compiled, or in a zip archive
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about escapes in strings: Python's to say when it runs
                self.tree = ast.parse(self.file.read_bytes(), str(self.file))
        except SyntaxError as error:
            place = f"{self.file}:{error.lineno}" if error.lineno else str(self.file)
            line = (error.text or "").strip()
            return TaskFault(
                "syntax-error",
                f"`{self.name}` is no valid Python: {error.msg}",
                notes=(f"{place}: {line}" if line else place,),
            )
        except (OSError, ValueError, RecursionError, MemoryError) as error:
            return TaskFault(
                "syntax-error", f"`{self.name}` cannot be read: {error}", notes=(str(self.file),)
            )
        return None

    def submodules(self) -> list[str]:
        """Return the names of the modules in the folders of a package."""
        return sorted(set(names_in(self.folders)))


def find(name: str, folders: Iterable[str]) -> ModuleSpec | None:
    """Return the spec of a module by the rules of Python's path finder, without its caches."""
    portions: list[str] = []
    for folder in folders:
        if Path(folder).is_file():  # a zip archive
            spec = PathFinder.find_spec(name, [folder])
        else:
            spec = FileFinder(folder, *_LOADERS).find_spec(name)
        if spec is None:
            continue
        if spec.loader is not None:
            return spec
        portions.extend(spec.submodule_search_locations or ())
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def find_top(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    """Return the spec of a top-level module, also of one that only a finder of its own knows."""
    found = find(name, folders)
    if found is not None:
        return found
    # Editable installs bring finders of their own, which know packages outside all folders.
    for finder in sys.meta_path:
        if finder in (BuiltinImporter, FrozenImporter, PathFinder) or not hasattr(finder, "find_spec"):
            continue
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None


def names_in(folders: Iterable[str]) -> Iterator[str]:
    """Yield the names of modules and packages in some folders."""
    for folder in folders:
        try:
            entries = list(Path(folder).iterdir())
        except OSError:
            continue
        for entry in entries:
            name = entry.name.partition(".")[0]
            if name.isidentifier() and not name.startswith("_") and _could_be_module(entry):
                yield name


def _could_be_module(entry: Path) -> bool:
    return entry.suffix in (*SOURCE_SUFFIXES, *BYTECODE_SUFFIXES, ".so") or (
        "." not in entry.name and entry.is_dir()
    )
