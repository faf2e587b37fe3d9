"""A process with everything imported, which forks a child for each run: a real process without its start-up.

It is single-threaded, so a fork is safe; the child has the command line, the threads and the files of a real
`runner run`, and is killed as one. Orders are JSON lines on standard input, reports go to standard output.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import runner

PROTOCOL = ("disk", "staged_file", "publication")
"""The modules of the protocol on the disk, each behind those that it imports."""


def import_everything() -> None:
    """Import what a run imports, so that no child has to."""
    for module in pkgutil.walk_packages(runner.__path__, "runner."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    import msgspec.json
    import orjson
    import structlog

    assert all((msgspec.json, orjson, structlog))


def prepare(order: dict[str, Any]) -> None:
    """In the child: put on what the order asks for."""
    import runner.cli.execute as execute
    from tests.durability import disks

    if order.get("limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
    if order.get("memory"):
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + order["memory"], taken + order["memory"]))
    if order.get("now"):
        from datetime import datetime
        from itertools import cycle

        moments = cycle(
            map(datetime.fromisoformat, [order["now"]] if isinstance(order["now"], str) else order["now"])
        )
        execute.SystemClock.now = lambda self: next(moments)  # type: ignore[method-assign]
    if order.get("code"):
        put_code(order["code"])
    if order.get("interrupts"):
        disks.interrupt_every_thread()
    disk = order.get("disk")
    if disk is not None:
        kind = disk.pop("kind")
        if kind == "stuttering":
            disks.stuttering()
        else:
            execute.Files = getattr(disks, kind)(**disk)  # type: ignore[misc]
    if order.get("lock_step"):
        disks.kill_at_lock_step(order["lock_step"])


def put_code(changed: dict[str, str]) -> None:
    """Let other texts be modules of the protocol, by name, as if they stood in their files."""
    import types

    import runner.destination as destination

    for name in PROTOCOL:  # all of them, for the later ones import from the earlier
        path = Path(__file__).parents[2] / "runner/ledger" / f"{name}.py"
        module = types.ModuleType(f"runner.ledger.{name}")
        sys.modules[module.__name__] = module
        source = changed.get(name) or path.read_text("utf-8")
        exec(compile(source, f"{name}.py (changed)", "exec"), module.__dict__)
    destination.Publication = module.Publication  # type: ignore[attr-defined]


def run(order: dict[str, Any]) -> int:
    """In the child: run the command line in its folder and return the exit code."""
    from runner.cli.main import commands

    root = order["root"]
    os.chdir(root)
    os.environ.update(order.get("environ", {}))
    out = os.open("stdout.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    errors = os.open("stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    source = os.open(order.get("stdin", os.devnull), os.O_RDONLY)
    for descriptor, number in ((source, 0), (out, 1), (errors, 2)):
        os.dup2(descriptor, number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    prepare(order)
    try:
        code = commands.main(args=["run", *order["words"]], prog_name="runner", standalone_mode=False)
    except BaseException as error:
        import traceback

        traceback.print_exc()
        return getattr(error, "exit_code", 99)
    finally:
        with suppress(AttributeError, OSError, ValueError):  # a task may have closed or replaced them
            sys.stdout.flush()
            sys.stderr.flush()
    return int(code or 0)


def child(order: dict[str, Any]) -> None:
    """Fork, and in the child run and end."""
    code = 98
    try:
        code = run(order)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def serve() -> None:
    """Answer orders until standard input ends."""
    import_everything()
    for line in sys.stdin:
        order = json.loads(line)
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            child(order)
        status, usage = wait(pid, order, start)
        report = {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": time.monotonic() - start,
            "memory": usage.ru_maxrss * 1024,
        }
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


def wait(pid: int, order: dict[str, Any], start: float) -> tuple[int, resource.struct_rusage]:
    """Wait for the child; send it the signals of the order at their time, or when a file has appeared."""
    handle = os.pidfd_open(pid)
    try:
        for after, number in order.get("signals", []):
            if not ended(handle, start + after - time.monotonic()):
                os.kill(pid, number)
        if "kill_when" in order:
            path, lines = order["kill_when"]
            while not ended(handle, 0.002) and count_lines(path) < lines:
                pass
            if not ended(handle, 0):
                os.kill(pid, order.get("kill_with", signal.SIGKILL))
        if not ended(handle, start + order.get("patience", 60) - time.monotonic()):
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(handle)
    return os.wait4(pid, 0)[1:]


def count_lines(path: str) -> int:
    """Return the line ends in a file that need not be there yet."""
    try:
        return Path(path).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def ended(handle: int, seconds: float) -> bool:
    """Return whether the process has ended within so many seconds."""
    return bool(select.select([handle], [], [], max(0.0, seconds))[0])


if __name__ == "__main__":
    serve()
