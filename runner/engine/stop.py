"""Asking a run to stop, from a signal handler, a worker or the budget: one place that remembers why."""

from __future__ import annotations

from typing import Any

from runner.engine.window import Outcomes

GRACE_SECONDS = 25.0
"""For running items after a request: less than the 30 s that Kubernetes gives a container."""


class Stop:
    """A request to stop, made before or while a map runs. Every method may be called from anywhere.

    Attributes:
        reason: Why the run was asked to stop first; `None` while nobody has.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._grace: float | None = None
        self._outcomes: Outcomes[Any] | None = None

    def attach(self, outcomes: Outcomes[Any]) -> None:
        """Let requests act on `outcomes`, those made before included."""
        self._outcomes = outcomes
        if self.reason is not None:
            outcomes.drain(grace=self._grace)

    def request(self, reason: str, *, grace: float | None = None) -> None:
        """Draw nothing more, start nothing more, let what runs finish within `grace` seconds.

        Asking again can only shorten the grace.
        """
        if self.reason is None:
            self.reason = reason
        if grace is not None:
            self._grace = grace if self._grace is None else min(grace, self._grace)
        if self._outcomes is not None:
            self._outcomes.drain(grace=grace)
