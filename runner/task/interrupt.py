"""A Ctrl-C while the user's code is imported, told from a KeyboardInterrupt that this code raises itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """Somebody has sent SIGINT."""


@contextmanager
def interrupts() -> Iterator[type[KeyboardInterrupt]]:
    """Give the class of exception that means a Ctrl-C in this block.

    It is `KeyboardInterrupt` itself where the two cannot be told apart: in a thread, which gets no signals,
    and where somebody else handles them.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield KeyboardInterrupt
        return

    def handle(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    signal.signal(signal.SIGINT, handle)
    try:
        yield Interrupted
    finally:
        if signal.getsignal(signal.SIGINT) is handle:  # the module may have set its own
            signal.signal(signal.SIGINT, signal.default_int_handler)
