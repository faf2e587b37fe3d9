"""A task whose first attempts go wrong as a test says: `faults:`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from runner.clock import Clock
from runner.item import Context
from runner.task import Task

_TIE_SECONDS = 0.001
"""By which a hang as long as `timeout` is longer, so that the timeout comes first."""


class Injected(NamedTuple):
    """What one attempt does.

    Attributes:
        make_error: Makes the exception that is raised instead of calling the task; `None` to call it.
        hang: Seconds before that.
    """

    make_error: Callable[[], BaseException] | None = None
    hang: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FaultyTask(Task):
    """A task whose n-th attempt does what the n-th fault says first.

    Attributes:
        inner: The task itself.
        faults: By attempt; `None` for one that is left alone, like all behind the last.
        clock: Time.
        timeout: That of the job: what hangs longer is taken over, and never calls the task.
    """

    inner: Task
    faults: tuple[Injected | None, ...]
    clock: Clock
    timeout: float | None

    def open(self) -> tuple[Callable[..., object], Callable[[], object] | None]:
        """Return what a worker calls with an item and a context, and what closes it."""
        call, close = self.inner.open()
        takes_context = self.inner.context is not None

        def attempt(value: object, context: Context) -> object:
            number = context.attempt - 1
            injected = self.faults[number] if number < len(self.faults) else None
            if injected is not None and self._is_over(injected):
                return None  # to nobody: the attempt has been taken over, or the test has ended
            return call(value, context) if takes_context else call(value)

        return attempt, close

    def _is_over(self, injected: Injected) -> bool:
        """Do what a fault says; return whether nobody waits for this attempt any more."""
        is_late = self.timeout is not None and injected.hang >= self.timeout
        if injected.hang:
            seconds = injected.hang + (_TIE_SECONDS if injected.hang == self.timeout else 0.0)
            until = self.clock.monotonic() + seconds
            self.clock.sleep(seconds)
            if is_late or self.clock.monotonic() < until:
                return True
        if injected.make_error is not None:
            raise injected.make_error()
        return False


def make_faulty(
    task: Task, faults: tuple[Injected | None, ...], *, clock: Clock, timeout: float | None
) -> FaultyTask:
    """Return `task` under `faults`."""
    return FaultyTask(
        dotted=task.dotted,
        function=task.function,
        is_many=task.is_many,
        context="context",
        convert=task.convert,
        inner=task,
        faults=faults,
        clock=clock,
        timeout=timeout,
    )


def error_maker(
    kind: type[BaseException], message: str | None, retry_after: float | None
) -> Callable[[], BaseException]:
    """Return what makes an exception, also of a class that wants other arguments than a message."""

    def make() -> BaseException:
        arguments = () if message is None else (message,)
        try:
            error = kind(*arguments)
        except Exception:  # the class's own, of one that wants other arguments
            error = kind.__new__(kind)
            error.args = arguments
        if retry_after is not None:
            error.retry_after = retry_after  # type: ignore[attr-defined]  # as libraries put it there
        return error

    return make
