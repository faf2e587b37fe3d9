"""Commits in a thread of their own, one at a time: every second or every few MiB, and never for nothing.

The thread that delivers goes on meanwhile: bytes that it writes during a sync are merely synced early. After
a failure nothing is committed any more, and the next `touched` raises it.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from runner.ledger.checkpoint import Checkpoint


class Committer:
    """Calls `commit(freeze())` when it is due.

    Args:
        freeze: Returns a checkpoint of all that was delivered; called with `lock` held.
        commit: Makes it durable.
        every: Seconds from the first uncommitted outcome to its commit.
        size: Bytes that are committed at once when they have come together sooner.

    Attributes:
        lock: Held by the thread that delivers while what `freeze` looks at is changing.
    """

    def __init__(
        self,
        freeze: Callable[[], Checkpoint],
        commit: Callable[[Checkpoint], None],
        *,
        every: float,
        size: int,
    ) -> None:
        self.lock = Lock()
        self._freeze = freeze
        self._commit = commit
        self._every = every
        self._size = size
        self._wake: SimpleQueue[bool] = SimpleQueue()  # True: work; False: end
        self._is_dirty = self._is_hurried = False
        self._committed_size = 0
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="runner-committer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def touched(self, size: int) -> None:
        """Note that something was delivered; `size` is that of all bytes written so far.

        Raises what the last commit raised.
        """
        if self._error is not None:
            raise self._error
        if not self._is_dirty:
            self._is_dirty = True
            self._wake.put(True)
        elif size - self._committed_size >= self._size and not self._is_hurried:
            self._is_hurried = True
            self._wake.put(True)

    def stop(self) -> None:
        """End the thread after the commit that it is at; raises what that raised. May be called again."""
        if self._thread.is_alive():
            self._wake.put(False)
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while self._wake.get():
            try:
                if not self._wake.get(timeout=self._every):
                    return
            except Empty:
                pass
            with self.lock:
                self._is_dirty = self._is_hurried = False
                checkpoint = self._freeze()
                self._committed_size = checkpoint.output_size + checkpoint.dead_size
            try:
                self._commit(checkpoint)
            except BaseException as error:  # told to the thread that delivers, which ends the run
                self._error = error
                return
