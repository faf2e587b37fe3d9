"""Disks that misbehave on purpose: `Files` that kills, fails or records at a chosen operation.

They run in a child of the zygote (`zygote.py`), put in the place of `runner.files.Files`. The operations are
numbered from 1 in the order in which they are begun, over all threads.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.files import Files

STEPS = (
    "make_folders",
    "make_private_folder",
    "create",
    "reopen",
    "truncate",
    "append",
    "sync",
    "sync_folder",
    "share",
    "close",
    "rename",
    "link",
    "remove",
    "remove_folder",
)
"""Every method of `Files` that changes the disk or makes it durable."""


def numbered(around: Callable[[int, str, tuple[Any, ...], Callable[[], Any]], Any]) -> type[Files]:
    """Return a class of `Files` whose steps are done by `around(number, name, arguments, do)`."""
    lock, count = threading.Lock(), [0]

    def stepped(name: str) -> Callable[..., Any]:
        real = getattr(Files, name)

        def step(self: Files, *arguments: Any, **options: Any) -> Any:
            with lock:
                count[0] += 1
                number = count[0]
            return around(number, name, arguments, lambda: real(self, *arguments, **options))

        return step

    return type("Numbered", (Files,), {name: stepped(name) for name in STEPS})


def die() -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


class Notes:
    """A file of one line for each step, which outlives the process that writes it."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, **note: Any) -> None:
        """Write one note."""
        os.write(self._fd, json.dumps(note).encode() + b"\n")


def killing(at: int, notes: str) -> type[Files]:
    """Return a disk on which the process dies before step `at`."""
    book = Notes(notes)

    def around(number: int, name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        if number == at:
            book.add(died_before=_spelled(name, arguments))
            die()
        return do()

    return numbered(around)


def failing(at: int, notes: str, *, number_of_error: int, persists: bool) -> type[Files]:
    """Return a disk whose step `at` fails, and every one after it where that `persists`.

    A full disk lets one read, rename, remove and close; it lets nothing grow, so there it is the first
    step from `at` on that makes something grow.
    """
    book = Notes(notes)
    failures = [0]
    only = {"append", "create", "make_folders", "make_private_folder", "sync", "sync_folder"}

    def around(number: int, name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        if (
            number >= at
            and (persists or not failures[0])
            and (number_of_error != errno.ENOSPC or name in only)
        ):
            failures[0] += 1
            book.add(failed=_spelled(name, arguments), number=number)
            path = next((argument for argument in arguments if isinstance(argument, Path)), None)
            if name == "append":  # half of it arrives all the same
                fd, data = arguments
                os.write(fd, bytes(data)[: len(data) // 2])
            raise OSError(number_of_error, os.strerror(number_of_error), path and str(path))
        if name == "sync":
            book.add(synced=True, number=number)
        return do()

    return numbered(around)


def refusing(text: str) -> type[Files]:
    """Return a disk that takes no bytes with this text in them, though all others."""

    def around(number: int, name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        if name == "append" and text.encode() in bytes(arguments[1]):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return do()

    return numbered(around)


def stuttering() -> None:
    """Let `os.write` write one byte, a third, or be interrupted, in turn, for files that are worked on."""
    real, turn = os.write, [0]

    def write(fd: int, data: Any) -> int:
        if fd <= 2 or len(data) < 2:
            return real(fd, data)
        turn[0] += 1
        if turn[0] % 3 == 0:
            return real(fd, bytes(data))
        return real(fd, bytes(data)[: 1 if turn[0] % 3 == 1 else max(1, len(data) // 3)])

    os.write = write  # type: ignore[assignment]


def recording(notes: str, root: str) -> type[Files]:
    """Return a disk that notes each step when it is done: what a power loss may undo is all in the notes.

    A file is known by its inode, as the disk knows it; a name is given from the root.
    """
    book = Notes(notes)
    lock = threading.Lock()
    seen: dict[tuple[int, int], int] = {}

    def file(fd: int) -> int:
        found = os.fstat(fd)
        return seen.setdefault((found.st_dev, found.st_ino), len(seen))

    def short(path: Path) -> str:
        return os.path.relpath(path, root)

    def around(number: int, name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        with lock:  # so that the order of the notes is that of the steps
            if name in ("sync", "sync_folder", "make_folders"):
                pass
            if name == "close":
                return do()
            if name == "make_folders":
                return do()
            if name == "remove":
                was = arguments[0].exists()
                do()
                if was:
                    book.add(step=name, path=short(arguments[0]))
                return None
            before = None
            if name == "create":
                fd = do()
                key = (os.fstat(fd).st_dev, os.fstat(fd).st_ino)
                seen.pop(key, None)  # an inode number is used again
                seen[key] = before = _next(seen)
                book.add(step=name, path=short(arguments[0]), file=before)
                return fd
            done = do()
            if name == "append":
                data = base64.b64encode(bytes(arguments[1])).decode()
                book.add(step=name, file=file(arguments[0]), data=data)
            elif name == "truncate":
                book.add(step=name, file=file(arguments[0]), size=arguments[1])
            elif name == "sync":
                book.add(step=name, file=file(arguments[0]))
            elif name == "reopen":
                book.add(step=name, path=short(arguments[0]), file=file(done))
            elif name in ("rename", "link"):
                book.add(step=name, path=short(arguments[0]), to=short(arguments[1]))
            elif name in ("make_private_folder", "remove_folder", "sync_folder"):
                book.add(step=name, path=short(arguments[0]))
            return done

    return numbered(around)


_numbers = iter(range(1, 1 << 30))


def _next(seen: dict[tuple[int, int], int]) -> int:
    return 1_000_000 + next(_numbers)


def _spelled(name: str, arguments: tuple[Any, ...]) -> str:
    what = next((argument.name for argument in arguments if isinstance(argument, Path)), "")
    if not what and arguments and isinstance(arguments[0], int):
        try:
            what = Path(f"/proc/self/fd/{arguments[0]}").readlink().name
        except OSError:
            what = ""
    return f"{name} {what}".strip()
