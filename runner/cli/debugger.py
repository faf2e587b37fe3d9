"""Python's debugger at the place where a task failed."""

from __future__ import annotations

import pdb  # the point of `runner preview --pdb`
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

from runner.errors import UsageError
from runner.jobfile import LoadedJob
from runner.raised import trace_of
from runner.sources.streams import reads_stdin


def open_debugger(error: BaseException, loaded: LoadedJob) -> None:
    """Open `pdb` in the innermost frame of the project that raised `error`; return when it is left.

    The frames below it, of a library, are there: `down`.

    Raises:
        UsageError: Standard input is the job's input, and there is no terminal to type at.
    """
    trace = trace_of(error)
    if trace is None:
        return
    debugger = pdb.Pdb(stdin=_keyboard(loaded), stdout=sys.stderr)
    if debugger.stdin is not sys.stdin:
        debugger.use_rawinput = False
    debugger.reset()
    debugger.cmdqueue += ["up"] * _depth_below(trace, loaded.root)
    debugger.interaction(None, trace)


def _keyboard(loaded: LoadedJob) -> IO[str] | None:
    path = getattr(loaded.job and loaded.job.input, "path", None)
    if path is None or not reads_stdin(path, loaded.root):
        return None
    try:
        return Path("/dev/tty").open()  # until the process ends
    except OSError:
        raise UsageError(
            "--pdb needs a terminal to type at, and standard input is the input of the job; save it to a file"
        ) from None


def _depth_below(trace: TracebackType, root: Path) -> int:
    """Return how many frames lie below the innermost one whose file is in the project."""
    depth, found, each = 0, None, trace
    while True:
        if _is_in(each.tb_frame.f_code.co_filename, root):
            found = depth
        if each.tb_next is None:
            break
        each, depth = each.tb_next, depth + 1
    return 0 if found is None else depth - found


def _is_in(file: str, root: Path) -> bool:
    path = Path(file)
    return path.is_relative_to(root) and "site-packages" not in path.parts
