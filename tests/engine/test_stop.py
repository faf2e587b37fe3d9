"""Asking a run to stop: who asked first, and how much time is left."""

from __future__ import annotations

from runner.engine.stop import Stop


class Drained:
    """A map that only notes how it was drained."""

    def __init__(self) -> None:
        self.graces: list[float | None] = []

    def drain(self, *, grace: float | None = None) -> None:
        """Note the grace."""
        self.graces.append(grace)


def test_nothing_is_stopped_without_a_request():
    """Attaching alone drains nothing."""
    stop, outcomes = Stop(), Drained()
    stop.attach(outcomes)
    assert stop.reason is None
    assert outcomes.graces == []


def test_the_first_reason_stays():
    """What is told at the end is why it began to end."""
    stop = Stop()
    stop.request("failures")
    stop.request("SIGINT", grace=25.0)
    assert stop.reason == "failures"


def test_a_request_before_the_map_is_there_acts_when_it_comes():
    """A signal between start and first item is not lost, and the shortest grace holds."""
    stop, outcomes = Stop(), Drained()
    stop.request("SIGTERM", grace=25.0)
    stop.request("SIGTERM", grace=0.0)
    stop.request("SIGTERM", grace=25.0)
    stop.attach(outcomes)
    assert outcomes.graces == [0.0]


def test_a_grace_of_zero_before_the_map_is_no_grace_at_all():
    """Zero is a number of seconds, not the lack of one."""
    stop, outcomes = Stop(), Drained()
    stop.request("SIGINT", grace=0.0)
    stop.attach(outcomes)
    assert outcomes.graces == [0.0]


def test_every_request_reaches_the_map():
    """Without a grace, what runs may take as long as it takes."""
    stop, outcomes = Stop(), Drained()
    stop.attach(outcomes)
    stop.request("failures")
    stop.request("SIGINT", grace=25.0)
    stop.request("SIGINT", grace=0.0)
    assert outcomes.graces == [None, 25.0, 0.0]
