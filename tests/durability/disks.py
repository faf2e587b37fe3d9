"""Disks that misbehave on purpose: `Files` that kills, fails or records at a chosen operation.

They run in a forked process (`trouble.py`), put in the place of `runner.files.Files`. The operations are
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
from contextlib import suppress
from itertools import count
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
    lock, numbers = threading.Lock(), count(1)

    def stepped(name: str) -> Callable[..., Any]:
        real = getattr(Files, name)

        def step(self: Files, *arguments: Any, **options: Any) -> Any:
            with lock:
                number = next(numbers)
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


def killing_before(operation: str, notes: str) -> type[Files]:
    """Return a disk on which the process dies before the first step of this name."""

    def around(number: int, name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        if _spelled(name, arguments) == operation and (name != "remove" or arguments[0].exists()):
            Notes(notes).add(died_before=operation)
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


def stuck(at: int) -> type[Files]:
    """Return a disk whose syncs take for ever from step `at` on."""

    def around(number: int, name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        if number >= at and name == "sync":
            threading.Event().wait()
        return do()

    return numbered(around)


def interrupt_every_thread() -> None:
    """Send every thread of this process a signal, again and again: system calls end with EINTR."""

    def disturb() -> None:
        while True:
            for thread in threading.enumerate():
                if thread.ident is not None and thread is not threading.current_thread():
                    with suppress(ProcessLookupError):
                        signal.pthread_kill(thread.ident, signal.SIGUSR1)
            threading.Event().wait(0.0005)

    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    signal.siginterrupt(signal.SIGUSR1, True)
    threading.Thread(target=disturb, daemon=True).start()


def recording(notes: str, root: str) -> type[Files]:
    """Return a disk that notes each step when it is done: what a power loss may undo is all in the notes.

    A file is known by its inode, as the disk knows it; a name is given from the root.
    """
    book = Notes(notes)
    lock = threading.RLock()  # `make_folders` syncs: a step within a step
    seen: dict[tuple[int, int], int] = {}
    numbers = count(1)

    def file(fd: int, *, is_new: bool = False) -> int:
        found = os.fstat(fd)
        key = (found.st_dev, found.st_ino)
        if is_new or key not in seen:  # an inode number is used again
            seen[key] = next(numbers)
        return seen[key]

    def short(path: Path) -> str:
        return os.path.relpath(path, root)

    def note(name: str, arguments: tuple[Any, ...], done: Any) -> None:
        what, second = arguments[0], arguments[1] if len(arguments) > 1 else None
        if name == "append":
            book.add(step=name, file=file(what), data=base64.b64encode(bytes(second)).decode())
        elif name == "truncate":
            book.add(step=name, file=file(what), size=second)
        elif name == "sync":
            book.add(step=name, file=file(what))
        elif name in ("create", "reopen"):
            book.add(step=name, path=short(what), file=file(done, is_new=name == "create"))
        elif name in ("rename", "link"):
            book.add(step=name, path=short(what), to=short(second))
        elif name in ("make_private_folder", "remove_folder", "sync_folder", "remove"):
            book.add(step=name, path=short(what))

    def around(number: int, name: str, arguments: tuple[Any, ...], do: Callable[[], Any]) -> Any:
        with lock:  # so that the order of the notes is that of the steps
            if name == "make_folders":
                missing = [path for path in (arguments[0], *arguments[0].parents) if not path.is_dir()]
                for path in reversed(missing):
                    book.add(step="make_private_folder", path=short(path))
            is_idle = name == "remove" and not arguments[0].exists()
            done = do()
            if not is_idle:
                note(name, arguments, done)
            return done

    return numbered(around)


def careless(*, cuts: bool = True) -> type[Files]:
    """Return a disk that syncs nothing, which is quick; without `cuts`, one that cuts nothing off either."""
    steps: dict[str, Any] = {"sync": lambda self, fd: None, "sync_folder": lambda self, path: None}
    if not cuts:
        steps["truncate"] = lambda self, fd, size: None
    return type("Careless", (Files,), steps)


def kill_at_lock_step(number: int) -> None:
    """Let this process die before step `number` of the lock."""
    import types

    import runner.ledger.lock as lock

    numbers = count(1)

    def counted(module: object) -> types.SimpleNamespace:
        def wrap(real: Callable[..., object]) -> Callable[..., object]:
            def step(*arguments: object, **options: object) -> object:
                if next(numbers) == number:
                    die()
                return real(*arguments, **options)

            return step

        names = {name: getattr(module, name) for name in dir(module)}
        for name in ("open", "close", "flock", "fstat", "ftruncate", "pwrite", "unlink"):
            if name in names:
                names[name] = wrap(names[name])
        return types.SimpleNamespace(**names)

    lock.os, lock.fcntl = counted(os), counted(lock.fcntl)  # type: ignore[assignment]


def _spelled(name: str, arguments: tuple[Any, ...]) -> str:
    what = next((argument.name for argument in arguments if isinstance(argument, Path)), "")
    if not what and arguments and isinstance(arguments[0], int):
        try:
            what = Path(f"/proc/self/fd/{arguments[0]}").readlink().name
        except OSError:
            what = ""
    return f"{name} {what}".strip()
