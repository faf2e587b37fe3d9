"""A process that has everything imported and forks a child for each command line: start-up is paid once.

A child is a process of its own, with its own number, folder, environment and descriptors. It is killed as
any other, and ends as any other: it leaves this module at the last line, where the interpreter shuts down.
Before its command line begins, what a start of the interpreter makes is made anew: environment, arguments,
the path of imports, `__main__`, the standard streams, the signal handlers. What a start takes from the
environment once and for all (encodings, flags, the seed of hashes) is as it was at the start of this
process; `tests.forked` starts a real interpreter where that would not do.

This process has one thread, so that a fork is safe, and ends when the one that started it closes its end of
the control socket. On that, each run is asked for with four descriptors: a socket for what is said about
the run, and the three standard streams. The former brings the order, one line of JSON, and takes the number
of the child and, at its end, its exit code and its memory.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

STREAMS = ("stdin", "stdout", "stderr")


def import_everything() -> None:
    """Import what a command line imports, build what its models would build at first use."""
    import pydantic

    import runner

    for module in pkgutil.walk_packages(runner.__path__, "runner."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in (
        "csv",
        "decimal",
        "gzip",
        "hashlib",
        "random",
        "ctypes",
        "msgspec.json",
        "orjson",
        "structlog",
    ):
        importlib.import_module(name)
    for model in subclasses(pydantic.BaseModel):
        model.model_rebuild()


def subclasses(kind: type) -> Iterator[Any]:
    """Yield the classes of `runner` below one."""
    for found in kind.__subclasses__():
        if found.__module__.startswith("runner."):
            yield found
        yield from subclasses(found)


def borrowed_streams() -> list[tuple[dict[str, Any], str, str]]:
    """Return where modules hold the standard streams under names of their own (`from sys import stdout`)."""
    return [
        (module.__dict__, name, stream)
        for module in list(sys.modules.values())
        for name, value in list(getattr(module, "__dict__", {}).items())
        for stream in STREAMS
        if value is not None and value is getattr(sys, stream)
    ]


class Server:
    """The loop that forks."""

    def __init__(self, control: int) -> None:
        self._control = control
        self._children: dict[int, int] = {}
        """The socket on which the end of a child is told, by the number of the child."""
        self._path = sys.path[1:]  # without the folder that `-m` puts first
        self._borrowed = borrowed_streams()
        self._woken, waker = os.pipe()
        for end in (self._woken, waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal it goes to the whole group
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(waker)
        gc.collect()
        gc.freeze()  # or the collections of each child, at its end above all, would copy every page

    def serve(self) -> dict[str, Any] | None:
        """Fork until nobody is left who could ask for it; in a child, return its order."""
        control = socket.socket(fileno=self._control)
        tell(self._control, {"modules": sorted({name.partition(".")[0] for name in sys.modules} - {"tests"})})
        while True:
            ready, _, _ = select.select([control, self._woken], [], [])
            if self._woken in ready:
                with suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._tell_ends()
            if control in ready:
                said, descriptors, _, _ = socket.recv_fds(control, 1, 4)
                if not said:
                    return None
                order = self._fork(*descriptors)
                if order is not None:
                    control.detach()
                    return order

    def _fork(self, report: int, *streams: int) -> dict[str, Any] | None:
        with open(report, "rb", closefd=False) as lines:
            order = json.loads(lines.readline())
        if order["before"]:
            importlib.import_module(order["before"][0].partition(":")[0])  # here, to be had in every child
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        child = os.fork()
        if child == 0:
            for number, descriptor in enumerate(streams):
                os.dup2(descriptor, number)
            signal.set_wakeup_fd(-1)
            os.closerange(3, max(1024, *streams))
            self._renew(order)
            assert isinstance(order, dict)
            return order
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for descriptor in streams:
            os.close(descriptor)
        self._children[child] = report
        tell(report, {"pid": child})
        return None

    def _tell_ends(self) -> None:
        for child in list(self._children):
            found, status, usage = os.wait4(child, os.WNOHANG)
            if found:
                report = self._children.pop(child)
                tell(report, {"code": os.waitstatus_to_exitcode(status), "memory": usage.ru_maxrss * 1024})
                os.close(report)

    def _renew(self, order: dict[str, Any]) -> None:
        """Make anew, in the child, what a start of the interpreter makes."""
        os.chdir(order["cwd"])
        os.umask(order["umask"])
        os.environ.clear()
        os.environ.update(order["environ"])
        time.tzset()
        sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
        sys.argv = ["-m", *order["words"]]
        sys.orig_argv = [sys.executable, "-m", "runner", *order["words"]]
        sys.path[:] = [os.getcwd(), *self._path]
        tempfile.tempdir = None
        for number, stream in enumerate(STREAMS):
            opened = standard_stream(number, getattr(sys, stream))
            setattr(sys, stream, opened)
            setattr(sys, f"__{stream}__", opened)
        for names, name, stream in self._borrowed:
            if names is not sys.__dict__:
                names[name] = getattr(sys, stream)
        importlib.invalidate_caches()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)  # pdb of Python 3.13 imports readline, which takes it
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def tell(report: int, what: dict[str, Any]) -> None:
    """Say something about a run; whoever asked for it need not listen any more."""
    with suppress(BrokenPipeError):
        os.write(report, json.dumps(what).encode() + b"\n")


def standard_stream(number: int, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """Open a standard stream as `create_stdio` of CPython's `pylifecycle.c` does."""
    buffer = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115
    buffer.raw.name = like.name
    stream = io.TextIOWrapper(
        buffer,  # type: ignore[arg-type]
        like.encoding,
        like.errors,
        newline="\n",
        line_buffering=number == 2 or buffer.raw.isatty(),
    )
    stream.mode = "w" if number else "r"
    return stream


def main() -> None:
    """Serve; and in a child, run the command line as `python -m runner` does."""
    import_everything()
    order = Server(int(sys.argv[1])).serve()
    if order is None:
        return
    if order["before"]:
        where, argument = order["before"]
        module, _, name = where.partition(":")
        getattr(importlib.import_module(module), name)(argument)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    runpy.run_module("runner", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
