"""The only place that writes, syncs, renames or removes, so that a test can break or record every step.

All methods raise plain `OSError`; who calls them knows what the path means and says so
(`describe` makes the sentence). Paths are never followed through a link at their last part where a
file is created.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


class Files:
    """File operations on the real disk."""

    def __init__(self) -> None:
        # Read once, before there are threads: the only portable way to read it is to set it.
        self._umask = os.umask(0o077)
        os.umask(self._umask)

    def make_folders(self, path: Path, *, durable: bool = True) -> None:
        """Create `path` and its parents where they are missing; their names are on the disk then."""
        missing = []
        while not path.is_dir():
            missing.append(path)
            if path.parent == path:
                break
            path = path.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            if durable:
                self.sync_folder(folder.parent)

    def make_private_folder(self, path: Path) -> None:
        """Create `path` for this user alone (0700); raise FileExistsError when something is there."""
        path.mkdir(mode=0o700)

    def create(self, path: Path) -> int:
        """Create the file (0600), which must not exist, and return a descriptor that appends to it."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def reopen(self, path: Path) -> int:
        """Open the existing file and return a descriptor that appends to it."""
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file off after `size` bytes."""
        os.ftruncate(fd, size)

    def size(self, fd: int) -> int:
        """Return the size of the file in bytes."""
        return os.fstat(fd).st_size

    def read_at(self, fd: int, offset: int, length: int) -> bytes:
        """Return up to `length` bytes of the file from `offset` on."""
        parts = []
        while length > 0 and (part := os.pread(fd, length, offset)):
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def append(self, fd: int, data: bytes) -> None:
        """Write all of `data`, however many calls that takes: a short write is real at a size limit."""
        written = os.write(fd, data)
        if written < len(data):
            rest = memoryview(data)
            while written < len(data):
                written += os.write(fd, rest[written:])

    def sync(self, fd: int) -> None:
        """Return when the content of the file, and the size that it needs, is on the disk."""
        getattr(os, "fdatasync", os.fsync)(fd)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in the folder are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def share(self, fd: int) -> None:
        """Give the file the mode that a plain `open` would have given it."""
        os.fchmod(fd, 0o666 & ~self._umask)

    def copy_mode(self, fd: int, path: Path) -> None:
        """Give the file the mode of another."""
        os.fchmod(fd, path.stat().st_mode & 0o7777)

    def close(self, fd: int) -> None:
        """Close the descriptor."""
        os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Put `source` in the place of `target`, in one step."""
        os.replace(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Give `source` the name `target` too; raise FileExistsError where that name is taken."""
        os.link(source, target)

    def remove(self, path: Path) -> None:
        """Remove the file; nothing happens where there is none."""
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove the empty folder."""
        path.rmdir()


def describe(error: OSError, path: Path | str, doing: str) -> str:
    """Return a sentence: what could not be done with which path, why, and what helps."""
    reason = error.strerror or str(error)
    text = f"could not {doing} {path}: {reason}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{text} ({_free(path)}); free some space, then run the same command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{text}; this user needs the right to write there"
    if error.errno == errno.EFBIG:
        return f"{text}; the limit on file sizes (ulimit -f) is lower than the output"
    return text


def _free(path: Path | str) -> str:
    folder = Path(path)
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    try:
        stat = os.statvfs(folder)
    except OSError:
        return "the free space could not be read"
    return f"{stat.f_bavail * stat.f_frsize:,} bytes are free"
