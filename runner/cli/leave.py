"""The end of the process: bounded, whatever the user's code has left running.

Python waits at its end for every thread that is no daemon, and then calls what was registered with `atexit`.
Both are the user's code, and deserve the time to write what they have begun; an hour of sleep in a thread
that an import has started does not. So the end may take `GRACE_SECONDS`, is told, and a signal ends it.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

from runner.cli.words import say

GRACE_SECONDS = 5.0
"""For threads and `atexit` functions of the user's; arbitrary."""
SILENT_SECONDS = 0.3
"""Of these, how many pass before a word is said; arbitrary."""


def leave(code: int) -> NoReturn:
    """End the process with `code`, soon and with nothing left in a buffer.

    What the user's code has left is waited for. Where one of our own threads hangs in it, or the reader of
    a stream has gone, the interpreter is not taken down: at its end it could meet the one, and would write
    to the other again and exit with 120.
    """
    hangs = any(each.daemon and each.name.startswith("runner-") for each in threading.enumerate())
    is_written = _flush()
    _bound_the_end(code)
    if is_written and not hangs:
        sys.exit(code)
    # What `Py_FinalizeEx` does about threads, executors and `atexit`, and no more.
    for step in (getattr(threading, "_shutdown", None), getattr(atexit, "_run_exitfuncs", None)):
        try:
            if step is not None:
                step()
        except BaseException:  # the user's code, whose error `atexit` has shown
            pass
    _flush()
    os._exit(code)


def _flush() -> bool:
    """Write what the standard streams hold; return whether that went well."""
    is_written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:  # `None`: it was closed from the start
            pass
        except (OSError, ValueError):  # the reader has gone
            is_written = False
    return is_written


def _bound_the_end(code: int) -> None:
    """See that the process ends with `code` within the grace, or at once at a signal."""

    def end_now(number: int, frame: FrameType | None) -> None:
        os._exit(code)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_now)
    try:
        threading.Thread(target=_end_late, args=(code,), name="leaving", daemon=True).start()
    except RuntimeError:  # no thread can be started: then nothing may be waited for
        if _others():
            os._exit(code)


def _end_late(code: int) -> None:
    time.sleep(SILENT_SECONDS)
    say(f"waiting at most {GRACE_SECONDS:.0f} s for {_what_runs()}; Ctrl-C leaves at once")
    time.sleep(GRACE_SECONDS - SILENT_SECONDS)
    say(f"left behind: {_what_runs()}")
    os._exit(code)


def _what_runs() -> str:
    names = [f"`{each.name}`" for each in _others()]
    if not names:
        return "what the task has registered with `atexit`"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{'a thread' if len(names) == 1 else 'threads'} of the task: {', '.join(names[:3])}{more}"


def _others() -> list[threading.Thread]:
    """Return the threads that Python would wait for."""
    return [each for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
