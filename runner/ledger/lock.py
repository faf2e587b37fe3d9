"""One run per output: an advisory lock beside it that dies with its holder.

The lock is `flock`, not the file: a file that is left behind by `kill -9` locks nothing. Never broken by
age or process number. Its holder removes the file at the end, so whoever gets the lock checks that
the file it holds is still the one that stands there, and tries again otherwise (two runs could each
hold a lock on a file of their own).
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from runner.errors import Locked, OutputBroken
from runner.files import describe


class Lock:
    """The right to work on one output. Held until `release`, or until the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, *, run_id: str, target: str) -> None:
        """Take the lock, or say at once who has it.

        Raises:
            Locked: Another run has it; the message names its process, host and run id.
            OutputBroken: The lock file cannot be made.
        """
        while self._fd is None:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise OutputBroken(
                    describe(error, self.path, "create the lock file"), path=self.path
                ) from error
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_current(fd):
                    self._fd = fd
                    break
            except BlockingIOError:
                raise Locked(
                    f"another run works on {target}: {_holder(fd)}; try again when it is done"
                ) from None
            except OSError as error:  # a file system without locks
                raise OutputBroken(describe(error, self.path, "lock"), path=self.path) from error
            finally:
                if self._fd is None:
                    os.close(fd)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "run_id": run_id}
        with suppress(OSError):  # information only: a full disk does not keep anybody out
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(holder).encode(), 0)

    def release(self) -> None:
        """Remove the lock file and let go. Releasing again does nothing."""
        if self._fd is None:
            return
        # Removed before it is let go: whoever waits then holds a file without a name, and sees it.
        # A file that cannot be removed locks nothing.
        fd, self._fd = self._fd, None
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            os.close(fd)

    def _is_current(self, fd: int) -> bool:
        try:
            there = self.path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        mine = os.fstat(fd)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def seeming_holder(path: Path) -> str | None:
    """Return who seems to hold a lock, in a few words; `None` where nobody does, or this process itself.

    A guess, for a hint: from what the holder has written, where that process of this host is alive. To
    know it, one would have to take the lock, and that could turn a run away.
    """
    try:
        with path.open("rb") as file:
            holder = json.loads(file.read(4096))
        pid, told = int(holder["pid"]), f"process {int(holder['pid'])}, run {holder['run_id']}"
        if holder["host"] != socket.gethostname() or pid == os.getpid() or _is_zombie(pid):
            return None
        os.kill(pid, 0)
    except PermissionError:  # alive, and another user's
        return told
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return told


def _is_zombie(pid: int) -> bool:
    """Return whether the process has ended and nobody has asked how: as in a container that reaps none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):  # none there, or no Linux
        return False


def _holder(fd: int) -> str:
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        return f"process {int(holder['pid'])} on {holder['host']}, run {holder['run_id']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process could not be read"
