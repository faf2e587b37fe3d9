"""What goes wrong for a run: it is put on in its process before the command line begins (`Lab.run`)."""

from __future__ import annotations

import os
import resource
import sys
import types
from contextlib import suppress
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any, NoReturn

import runner.cli.main as main
import runner.cli.order as ordered
import runner.destination as destination
from runner.clock import SystemClock
from tests.durability import disks

PROTOCOL = ("disk", "staged_file", "publication")
"""The modules of the protocol on the disk, each behind those that it imports."""


def put_on(order: dict[str, Any]) -> None:
    """Make the process, the clock, the code or the disk what the order asks for.

    And let the process end without taking down the interpreter: no file depends on that, and here it would be
    a third of a run.
    """
    main.leave = leave_at_once
    if order.get("limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], order["limit"]))
    if order.get("memory"):
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + order["memory"], taken + order["memory"]))
    if order.get("now"):
        moments = cycle(
            map(datetime.fromisoformat, [order["now"]] if isinstance(order["now"], str) else order["now"])
        )
        SystemClock.now = lambda self: next(moments)  # type: ignore[method-assign]
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
            ordered.Files = getattr(disks, kind)(**disk)  # type: ignore[misc]
    if order.get("lock_step"):
        disks.kill_at_lock_step(order["lock_step"])


def leave_at_once(code: int) -> NoReturn:
    """Leave as `runner.cli.main.leave` does where a thread is still in user code."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(code)


def put_code(changed: dict[str, str]) -> None:
    """Let other texts be modules of the protocol, by name, as if they stood in their files."""
    for name in PROTOCOL:  # all of them, for the later ones import from the earlier
        path = Path(__file__).parents[2] / "runner/ledger" / f"{name}.py"
        module = types.ModuleType(f"runner.ledger.{name}")
        sys.modules[module.__name__] = module
        source = changed.get(name) or path.read_text("utf-8")
        exec(compile(source, f"{name}.py (changed)", "exec"), module.__dict__)
    destination.Publication = module.Publication  # type: ignore[attr-defined]
