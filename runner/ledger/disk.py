"""Steps on the disk as the protocol needs them: durable where that is asked for, explained when they fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b, file_digest, sha256
from pathlib import Path
from typing import Any

from runner.errors import OutputBroken
from runner.files import Files, describe

TAIL_BYTES = 64 * 2**10
"""Of each file are hashed at a commit, to know at a resumption that nobody touched it; arbitrary."""


class Disk:
    """Where the files of one run lie. Unless it says otherwise, a method raises plain `OSError`: see `doing`.

    Args:
        files: Does every step.
        durable: Whether what is synced must survive a power loss, not only a kill.

    Attributes:
        files: The same.
    """

    def __init__(self, files: Files, *, durable: bool) -> None:
        self.files = files
        self._durable = durable

    @contextmanager
    def doing(self, what: str, path: Path) -> Iterator[None]:
        """Raise OutputBroken, with a sentence, where a step fails."""
        try:
            yield
        except OSError as error:
            raise OutputBroken(describe(error, path, what), path=path) from error

    def sync(self, fd: int) -> None:
        """Return when the content of the file is on the disk."""
        if self._durable:
            self.files.sync(fd)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in the folder are on the disk."""
        if self._durable:
            self.files.sync_folder(path)

    def sync_no_more(self) -> None:
        """After a sync that failed there is no other one: it would call a success what was lost."""
        self._durable = False

    def make_folders(self, path: Path) -> None:
        """Create the folder and its parents where they are missing. Raises OutputBroken."""
        with self.doing("create the folder", path):
            self.files.make_folders(path, durable=self._durable)

    def put(self, path: Path, data: bytes, *, temporary: Path) -> None:
        """Write a small file whole: to a temporary name, synced, then renamed. Raises OutputBroken."""
        with self.doing("write", temporary):
            self.files.remove(temporary)
            fd = self.files.create(temporary)
            try:
                self.files.append(fd, data)
                self.sync(fd)
            finally:
                self.files.close(fd)
            self.files.rename(temporary, path)

    def read(self, path: Path) -> bytes | None:
        """Return the content of a small file, `None` where there is none. Raises OutputBroken."""
        with self.doing("read", path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def facts(self, path: Path) -> dict[str, Any] | None:
        """Return `{path, size, sha256}` of a file, `None` where there is none. Raises OutputBroken."""
        with self.doing("read", path):
            try:
                with path.open("rb") as file:
                    digest = file_digest(file, sha256).hexdigest()
                    return {"path": str(path), "size": file.tell(), "sha256": digest}
            except FileNotFoundError:
                return None

    def tail(self, fd: int, size: int) -> str:
        """Return the hash of the last bytes before `size`."""
        start = max(0, size - TAIL_BYTES)
        return blake2b(self.files.read_at(fd, start, size - start), digest_size=12).hexdigest()

    def is_work_folder(self, path: Path) -> bool:
        """Return whether the folder is there. Raises OutputBroken where it is not one of ours."""
        with self.doing("look at", path):
            try:
                found = path.stat(follow_symlinks=False)
            except FileNotFoundError:
                return False
        if path.is_symlink() or not path.is_dir() or found.st_uid != os.geteuid():
            raise OutputBroken(
                f"{path} is in the way: the work folder of this run belongs there, and this is no folder "
                "of this user; remove it",
                path=path,
            )
        return True
