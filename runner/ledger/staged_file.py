"""A file on its way: written beside its final path, cut at a resumption, shown by one rename."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import Refused
from runner.ledger.disk import Disk


@dataclass(slots=True)
class StagedFile:
    """One file of a run. All methods raise OutputBroken when a step fails.

    Attributes:
        name: What a checkpoint calls it.
        final: Where it goes.
        path: Where it is until then.
        disk: Does every step.
        fd: Appends to it; -1 while it is not open.
        size: Bytes in it.
    """

    name: str
    final: Path
    path: Path
    disk: Disk
    fd: int = -1
    size: int = 0

    def create(self) -> None:
        """Make it, empty and synced (A5)."""
        with self.disk.doing("create", self.path):
            self.fd, self.size = self.disk.files.create(self.path), 0
            self.disk.sync(self.fd)

    def reopen(self, size: int, tail: str) -> None:
        """Open it, and compare its tail with what was committed (R4). Raises Refused where it has changed."""
        files = self.disk.files
        with self.disk.doing("open", self.path):
            try:
                self.fd = files.reopen(self.path)
            except FileNotFoundError:
                raise Refused(self._damaged("is gone")) from None
            if files.size(self.fd) < size:
                raise Refused(self._damaged("is shorter than what was committed"))
            if size and self.disk.tail(self.fd, size) != tail:  # the first checkpoint has no tails
                raise Refused(self._damaged("was changed"))

    def cut(self, size: int) -> None:
        """Cut it off behind what is committed (R4)."""
        with self.disk.doing("cut", self.path):
            self.disk.files.truncate(self.fd, size)
            self.size = size

    def append(self, data: bytes) -> None:
        """Write behind what is there."""
        with self.disk.doing("write", self.path):
            self.disk.files.append(self.fd, data)
        self.size += len(data)

    def commit(self, size: int) -> str:
        """Sync it (C2, C3), and return the hash of its tail up to `size`."""
        with self.disk.doing("sync", self.path):
            self.disk.sync(self.fd)
            return self.disk.tail(self.fd, size)

    def finish(self) -> tuple[Path, dict[str, Any]]:
        """Make what will be shown, as anybody may read it; return where it is, and its facts once shown."""
        made = self._compress() if self.final.suffix == ".gz" else self.path
        if made is self.path:
            with self.disk.doing("write", made):
                if self.fd < 0:
                    self.fd = self.disk.files.reopen(made)
                self.disk.files.share(self.fd)
                self.disk.sync(self.fd)
        return made, {**(self.disk.facts(made) or {}), "path": str(self.final)}

    def show(self, made: Path, *, replace: bool) -> None:
        """Put what `finish` has made at the final path (F3, F4).

        Raises Refused where something has appeared there and may not be replaced.
        """
        files = self.disk.files
        with self.disk.doing("put the finished file in place at", self.final):
            if replace:
                files.rename(made, self.final)
                return
            try:
                files.link(made, self.final)
            except FileExistsError:
                if not _is_same_content(made, self.final):  # it is the same when we died right here
                    raise Refused(
                        f"{self.final} has appeared while the run worked, and it may not be replaced; "
                        f"the finished output is kept in {made}: move the other away and run again"
                    ) from None
            files.remove(made)

    def is_shown(self) -> bool:
        """Return whether an earlier process has shown it: it is not here any more."""
        return self.fd < 0 and not self.path.exists()

    def expect_shown(self, size: int, tail: str, *, work: Path) -> None:
        """Look whether what stands at the final path is this file.

        Raises Refused where it is not, and says to remove `work`, where the checkpoint is.
        """
        files = self.disk.files
        with self.disk.doing("look at", self.final):
            try:
                fd = files.reopen(self.final)
            except FileNotFoundError:
                raise Refused(self._damaged("is gone")) from None
            try:
                if files.size(fd) != size or self.disk.tail(fd, size) != tail:
                    raise Refused(f"{self.final} was changed since the run put it there; remove {work}")
            finally:
                files.close(fd)

    def close(self) -> None:
        """Close it, where it is open."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            with self.disk.doing("close", self.path):
                self.disk.files.close(fd)

    def _compress(self) -> Path:
        """Make its gzip form, with a fixed header: no name, no time (RFC 1952)."""
        files = self.disk.files
        packed = self.path.with_name(f"{self.path.name}.gz")
        with self.disk.doing("compress", self.path):
            files.remove(packed)
            fd = files.create(packed)
            try:
                packer = zlib.compressobj(6, zlib.DEFLATED, 31)
                with self.path.open("rb") as plain:
                    while block := plain.read(1 << 20):
                        files.append(fd, packer.compress(block))
                files.append(fd, packer.flush())
                files.share(fd)
                self.disk.sync(fd)
            finally:
                files.close(fd)
        return packed

    def _damaged(self, what: str) -> str:
        return (
            f"{self.path}, the work of an unfinished run, {what}, so the run cannot go on; "
            "start over with --restart"
        )


def _is_same_content(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(1 << 20):
            if block != right.read(len(block)):
                return False
    return True
