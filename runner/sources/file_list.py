"""`type: files`: an item per file that a glob finds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from runner.errors import InputBroken
from runner.item import BrokenRecord, Item, Where
from runner.sources.base import Position, Sameness, SourceOptions
from runner.sources.streams import check_patterns, find_names, patterns


class FilesOptions(SourceOptions):
    """Files; an item says `path`, `name`, `size` and `mtime`, and the task opens the file itself."""

    type: Literal["files"]
    """The kind of input. Example: `files`"""
    path: str | list[str]
    """Glob (`scans/*.tif`, `scans/**/*.tif`) or list of globs, from the project root. Folders are left out,
    links are followed, and the items come in bytewise order of their path. Example: `scans/*.tif`"""
    allow_empty: bool = False
    """Whether a glob may find nothing; without it the run stops before it begins. Example: `true`"""

    @field_validator("path")
    @classmethod
    def _names_something(cls, path: str | list[str]) -> str | list[str]:
        return check_patterns(path)

    def open(self, root: Path) -> FilesSource:
        """Return the source over what the globs find below `root` now."""
        names: dict[str, None] = {}
        for pattern in patterns(self.path):
            found = [name for name in find_names(pattern, root) if (root / name).is_file()]
            if not found and not self.allow_empty:
                raise InputBroken(
                    f"no file matches the input path {pattern} (looked from {root}); correct the pattern, "
                    "or say allow_empty: true where that is no fault",
                    path=root / pattern,
                )
            names.update(dict.fromkeys(found))
        return FilesSource(root, sorted(names, key=os.fsencode))


class FilesSource:
    """Files by name; size and time are looked up when a file's turn comes. `total` is their number."""

    def __init__(self, root: Path, names: list[str]) -> None:
        self.root = root
        self.names = names
        self.total: int | None = len(names)

    @property
    def quick_decode(self) -> Callable[[Any], object] | None:
        """None: one call of a C function is not enough."""
        return None

    @property
    def files(self) -> Iterator[Path]:
        """The files whose names are the items: the task may read them."""
        return (self.root / name for name in self.names)

    @property
    def is_repeatable(self) -> bool:
        """Always, as long as the same files are found."""
        return True

    def identity(self, sizes: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """Return the names, as one hash: what is in the files is the task's affair."""
        names = "\0".join(self.names).encode("utf-8", "surrogateescape")
        return [{"path": "files", "head": blake2b(names, digest_size=12).hexdigest()}]

    def check_read(self, path: str, position: Position) -> Sameness:
        """Return `same`: no file is read here."""
        return "same"

    def position_after(self, item: Item) -> Position:
        """Return nothing: the index says it all."""
        return {}

    def items(self, index: int = 0, position: Position | None = None) -> Iterator[Item]:
        """Yield the files; one that has gone since is a broken record."""
        for number, name in enumerate(self.names[index:], start=index):
            yield Item(number, self._describe(name), Where(name, None, None))

    def decode(self, item: Item) -> dict[str, str | int]:
        """Return `{path, name, size, mtime}`."""
        return dict(item.raw)

    def weigh(self, item: Item) -> int:
        """Return 0, for nothing of the file is read."""
        return 0

    def _describe(self, name: str) -> dict[str, str | int] | BrokenRecord:
        path = self.root / name
        try:
            found = path.stat()
            mtime = _in_words(found.st_mtime_ns)
        except (OSError, OverflowError, ValueError) as error:
            return BrokenRecord(
                b"", 0, 0, f"the file {name} was found and cannot be looked at any more: {error}"
            )
        return {"path": name, "name": path.name, "size": found.st_size, "mtime": mtime}


def _in_words(nanoseconds: int) -> str:
    # From whole numbers, for a float does not hold the microseconds of today exactly.
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
