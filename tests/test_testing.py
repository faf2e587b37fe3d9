"""What `runner.testing` gives to users for tests of their own tasks."""

from __future__ import annotations

import pytest

from runner import AttemptTimeout, Context
from runner.errors import UsageError, WorkerBroken
from runner.sinks.base import Encoder
from runner.sources.base import Source
from runner.task import TaskRejected
from runner.testing import FakeSource, MemorySink, VirtualClock, run_task


class Busy(Exception):
    """What a service says that has no time."""

    retry_after = 90


def test_a_task_is_tried_again_at_the_times_that_the_policy_says() -> None:
    """An hour of backoff takes no time, and the times are exact."""

    def fetch(name: str, context: Context) -> str:
        if name == "b" and context.attempt < 4:
            raise ConnectionError
        return name.upper()

    backoff = {"initial": "10s", "factor": 3.0, "max": "1h", "jitter": "none"}
    run = run_task(
        fetch, ["a", "b"], retry={"attempts": 4, "errors": ["ConnectionError"], "backoff": backoff}
    )
    assert run.rows == ["A", "B"]
    assert [item.attempts for item in run.items] == [[0.0], [0.0, 10.0, 40.0, 130.0]]
    assert run.seconds == 130.0
    assert run.observer.retries == [(1, 1, 10.0), (1, 2, 30.0), (1, 3, 90.0)]
    assert run.failed == []


def test_exceptions_may_be_given_as_themselves() -> None:
    """A test has them at hand; what they ask for is waited for."""
    clock = VirtualClock()

    def fetch(name: str) -> str:
        if clock.monotonic() < 90:
            raise Busy
        return name

    run = run_task(fetch, ["a"], retry={"attempts": 2, "errors": [Busy]}, clock=clock)
    assert (run.rows, run.items[0].attempts) == (["a"], [0.0, 90.0])


def test_a_task_that_hangs_in_virtual_time_is_timed_out() -> None:
    """Its failure is ours, and nothing waits for it in the end."""
    clock = VirtualClock()
    run = run_task(
        lambda n: clock.sleep(3600 if n == 1 else 1), [0, 1, 2], timeout="30s", clock=clock, size=1
    )
    assert [item.failure is None for item in run.items] == [True, False, True]
    assert isinstance(run.failed[0].failure and run.failed[0].failure.error, AttemptTimeout)
    assert run.seconds == 32.0


def test_the_rate_limit_spaces_attempts() -> None:
    """One every fifth of a second."""
    run = run_task(lambda n: n, range(5), rate_limit="5/s")
    starts = sorted(at for item in run.items for at in item.attempts)
    assert starts == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])


def test_classes_and_generators_are_tasks() -> None:
    """Rows of an item are kept together, and with a failing one there are none."""

    class Repeat:
        def __init__(self, times: int) -> None:
            self.times = times

        def __call__(self, text: str):
            for number in range(self.times):
                if text == "bad" and number:
                    raise ValueError
                yield text

    run = run_task(Repeat, ["x", "bad", "y"], with_={"times": 2})
    assert [item.rows for item in run.items] == [["x", "x"], [], ["y", "y"]]


def test_a_rule_that_stops_ends_the_run() -> None:
    """What was done before it is there."""

    def task(number: int) -> int:
        if number == 3:
            raise PermissionError
        return number

    run = run_task(task, range(1000), retry={"errors": ["PermissionError"], "then": "stop"}, size=1)
    assert run.is_stopped
    assert run.rows[:3] == [0, 1, 2]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"retry": {"attempts": 0}}, "`retry.attempts`"),
        ({"retry": {"errors": ["Bussy"]}}, "no built-in exception `Bussy`"),
        ({"rate_limit": "50"}, "`rate_limit.rate`"),
    ],
)
def test_a_policy_that_a_job_could_not_have_is_refused(policy: dict[str, object], words: str) -> None:
    """By the same rules, with the key at fault."""
    with pytest.raises(UsageError, match=words):
        run_task(lambda n: n, [1], **policy)  # type: ignore[arg-type]


def test_a_task_that_cannot_be_called_is_refused() -> None:
    """Before anything runs."""
    with pytest.raises(TaskRejected, match="needs `km`"):
        run_task(lambda item, *, km: item, [1])


def test_a_class_that_cannot_be_built_says_why() -> None:
    """Its own exception is the cause."""

    class Broken:
        def __init__(self) -> None:
            raise OSError("no route")

        def __call__(self, item: int) -> None: ...

    with pytest.raises(WorkerBroken) as caught:
        run_task(Broken, [1])
    assert isinstance(caught.value.__cause__, OSError)


def test_the_fakes_keep_to_the_contracts() -> None:
    """A source yields what it was given and says what is broken; a sink keeps the rows."""
    source: Source = FakeSource([5, 6, 7], broken={1: "torn"})
    items = list(source.items())
    assert [source.decode(items[0]), items[1].raw.reason, source.decode(items[2])] == [5, "torn", 7]
    assert [item.index for item in source.items(2)] == [2]
    sink = MemorySink()
    encoder: Encoder = sink
    state = encoder.state()
    encoder.settle(encoder.encode({"a": 1}))
    assert sink.rows == [{"a": 1}]
    encoder.restore(state)
    assert sink.rows == []
