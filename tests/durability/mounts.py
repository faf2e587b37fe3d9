"""File systems of a test's own: a small one in memory, and an ext4 in a file whose power can be cut."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _call(*words: str | Path) -> bool:
    return subprocess.run(list(map(str, words)), capture_output=True, check=False).returncode == 0


def needs_mounts(*programs: str) -> None:
    """Skip the test where nothing can be mounted: it takes root and a machine of one's own."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mount", "umount", *programs))):
        pytest.skip("mounting takes root")


@contextmanager
def mounted(folder: Path, *words: str | Path) -> Iterator[Path]:
    """Mount something at `folder` by these words of mount(8), and let go of it in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _call("mount", *words, folder):
        pytest.skip(f"mount {' '.join(map(str, words))} is not allowed here")
    try:
        yield folder
    finally:
        assert _call("umount", folder) or _call("umount", "--lazy", folder)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system in memory that holds so much and no more."""
    needs_mounts()
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        yield folder


def change_disk(folder: Path, options: str) -> None:
    """Give a mounted file system other options: `size=1m`, `ro`."""
    assert _call("mount", "-o", f"remount,{options}", folder)


class Disk:
    """An ext4 file system in a file: what is in the file would be left if the power failed now.

    What the file system has not yet written is in the kernel's memory and not in the file.
    """

    def __init__(self, image: Path) -> None:
        needs_mounts("mkfs.ext4")
        self.image = image
        with image.open("wb") as file:
            file.truncate(12 * 2**20)
        if not _call("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image):
            pytest.skip("mkfs.ext4 does not work here")

    def mounted_at(self, folder: Path) -> object:
        """Mount it."""
        return mounted(folder, "-o", "loop", self.image)

    def cut(self) -> bytes | None:
        """Return what would be left if the power failed now; `None` when it changed while it was read."""
        data = self.image.read_bytes()
        return data if data == self.image.read_bytes() else None
