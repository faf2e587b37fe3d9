"""The command line in a real process, mostly without its start-up.

`start` and `run` are for `runner` what `subprocess.Popen` and `subprocess.run` are for any program. The
process is forked by `tests.fork_server`; each process of pytest has one of these, from its first use on.
What only a start of the interpreter can show is given one: an environment that the interpreter itself
reads, and a folder where a file has the name of a module that the server has imported long since. Where a
test is about the start itself (what is imported, closed descriptors), it says `is_started`. That both ways
are the same is held by `tests/acceptance/test_real_start.py`.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parents[1]
START_ENVIRON = {"PYTHONPATH": str(REPOSITORY), "LANG": "C.UTF-8"}
"""What a start of the interpreter reads in the environment; in another one, it is started."""
_READ_AT_START = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "GLIBC_")
_READ_LATER = {"PYTHONDONTWRITEBYTECODE"}
_MADE_FOR_START = {"sitecustomize", "usercustomize"}
_PATIENCE_SECONDS = 60.0


class Process:
    """A forked process, with the part of the interface of `subprocess.Popen` that tests need.

    Attributes:
        pid: Its number.
        returncode: Its exit code, negative for the signal that ended it; `None` while no end was seen.
        memory: The most bytes of memory that it had, those that it shares with the server included.
        stdin: Our end of its standard input, where that is a pipe.
        stdout: Likewise.
        stderr: Likewise.
    """

    def __init__(
        self, words: Sequence[str | bytes], report: socket.socket, *streams: IO[bytes] | None
    ) -> None:
        self.args = words
        self.stdin, self.stdout, self.stderr = streams
        self.returncode: int | None = None
        self.memory = 0
        self._report = report
        self._lines = report.makefile("rb")
        self.pid: int = self._hear()["pid"]

    def poll(self) -> int | None:
        """Return its exit code, `None` while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code. Raises `TimeoutExpired`."""
        if self.returncode is None:
            self._report.settimeout(None)
            with selectors.DefaultSelector() as selector:
                selector.register(self._report, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
            end = self._hear()
            self.returncode, self.memory = end["code"], end["memory"]
            self._lines.close()
            self._report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send it SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def communicate(
        self, data: bytes = b"", timeout: float | None = None
    ) -> tuple[bytes | None, bytes | None]:
        """Write to it, read what it writes until it ends, close the pipes. Raises `TimeoutExpired`."""
        end = None if timeout is None else time.monotonic() + timeout
        pipes = {"stdin": self.stdin, "stdout": self.stdout, "stderr": self.stderr}
        got: dict[str, list[bytes]] = {name: [] for name in ("stdout", "stderr") if pipes[name] is not None}
        rest = memoryview(data)
        with selectors.DefaultSelector() as selector:
            for name, pipe in pipes.items():
                if pipe is not None and not pipe.closed:
                    event = selectors.EVENT_WRITE if name == "stdin" else selectors.EVENT_READ
                    selector.register(pipe, event, name)
            while selector.get_map():
                ready = selector.select(None if end is None else max(0.0, end - time.monotonic()))
                if not ready and end is not None and time.monotonic() >= end:
                    raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
                for key, _ in ready:
                    if key.data == "stdin":
                        rest = _write(key.fd, rest)
                        is_over = not rest
                    else:
                        got[key.data].append(os.read(key.fd, 65536))
                        is_over = not got[key.data][-1]
                    if is_over:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        out, err = (b"".join(got[name]) if name in got else None for name in ("stdout", "stderr"))
        return out, err

    def _hear(self) -> dict[str, Any]:
        line = self._lines.readline()
        assert line, "the server that forks has ended"
        heard = json.loads(line)
        assert isinstance(heard, dict)
        return heard


def _write(pipe: int, data: memoryview) -> memoryview:
    """Write some of the data and return the rest, nothing where nobody reads it."""
    try:
        return data[os.write(pipe, data[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return data[:0]


class _Server:
    """The process that forks, and our end of the socket on which it is asked to."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                cwd=REPOSITORY,
                env={**START_ENVIRON, "PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        with self._control.makefile("rb") as lines:
            self.modules = frozenset(json.loads(lines.readline())["modules"])

    def fork(self, order: dict[str, Any], streams: Sequence[int]) -> socket.socket:
        """Have a process forked; return the socket on which its number and its end will be told."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"."], [theirs.fileno(), *streams])
        ours.sendall(json.dumps(order).encode() + b"\n")
        return ours

    def close(self) -> None:
        """Let it end."""
        self._control.close()
        self._process.wait()


_servers: list[_Server] = []
"""At most one; made at first use."""


def _server() -> _Server:
    if not _servers:
        _servers.append(_Server())
    return _servers[0]


def close() -> None:
    """End the server, if there is one."""
    while _servers:
        _servers.pop().close()


def needs_start(cwd: Path, environ: Mapping[str, str]) -> bool:
    """Return whether the interpreter itself would see a difference to the one that forks."""
    read = {
        name: value
        for name, value in environ.items()
        if name.startswith(_READ_AT_START) and name not in _READ_LATER
    }
    found = {name.partition(".")[0] for name in os.listdir(cwd)}
    return read != START_ENVIRON or not found.isdisjoint(_server().modules | _MADE_FOR_START)


def start(
    *words: str | bytes,
    cwd: Path,
    environ: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    is_started: bool = False,
    prepare: Callable[[], None] | None = None,
    before: tuple[str, Any] | None = None,
) -> Process | subprocess.Popen[bytes]:
    """Start the command line as `python -m runner` with those words.

    Args:
        words: The command line.
        cwd: Its folder.
        environ: Its environment, all of it.
        stdin: A descriptor, or `PIPE` or `DEVNULL` of `subprocess`.
        stdout: Likewise, or a file, or `None` for our own.
        stderr: Likewise.
        is_started: Whether a real interpreter is started for it, whatever the environment.
        prepare: What a started one does before it becomes the interpreter.
        before: What a forked one calls before the command line begins: a function as `module:name`, and its
            argument, as JSON has it.
    """
    if is_started or needs_start(cwd, environ):
        assert before is None, "an interpreter that is started calls nothing before its command line"
        command = [sys.executable, "-m", "runner", *words]
        streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        return subprocess.Popen(command, cwd=cwd, env=dict(environ), preexec_fn=prepare, **streams)  # type: ignore[call-overload,no-any-return]
    assert prepare is None, "a forked process is not prepared: say `is_started`"
    umask = os.umask(0o077)
    os.umask(umask)
    order = {
        "words": [os.fsdecode(word) for word in words],
        "cwd": str(cwd),
        "environ": dict(environ),
        "umask": umask,
        "before": before,
    }
    ends = [_end(0, stdin), _end(1, stdout), _end(2, stderr)]
    try:
        report = _server().fork(order, [end.theirs for end in ends])
    finally:
        for end in ends:
            if end.is_passed_on:
                os.close(end.theirs)
    return Process(words, report, *(end.ours for end in ends))


@dataclass(frozen=True)
class _End:
    """A standard stream of a process.

    Attributes:
        theirs: The descriptor that the process gets a copy of.
        ours: The other end, where it is a pipe.
        is_passed_on: Whether it was opened for the process alone, and is closed here once it has its copy.
    """

    theirs: int
    ours: IO[bytes] | None = None
    is_passed_on: bool = True


def _end(number: int, stream: int | IO[bytes] | None) -> _End:
    if stream is None:
        return _End(number, is_passed_on=False)
    if stream == subprocess.DEVNULL:
        return _End(os.open(os.devnull, os.O_RDWR))
    if stream == subprocess.PIPE:
        reader, writer = os.pipe()
        return _End(reader, open(writer, "wb")) if number == 0 else _End(writer, open(reader, "rb"))  # noqa: PTH123
    return _End(stream if isinstance(stream, int) else stream.fileno(), is_passed_on=False)


def run(
    *words: str | bytes,
    cwd: Path,
    environ: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float = _PATIENCE_SECONDS,
    **options: Any,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line to its end, which is to come within so many seconds."""
    process = start(
        *words,
        cwd=cwd,
        environ=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
    try:
        out, err = process.communicate(stdin, timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(list(words), process.wait(), out, err)
