"""Tasks that hang, wait for hours, or cannot be set up: what it costs, how soon it ends, how it goes on."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import Finished, Project

SOON = 5.0
"""DESIGN 4 says half a second and a second; the rest is for a machine that is busy with other tests."""
HOUR = {"initial": "1h", "max": "1h", "jitter": "none"}

TASKS = """\
    import socket, sys, threading, time
    from pathlib import Path

    HERE = Path(__file__).parent

    def note(word):
        with (HERE / "notes").open("a") as notes:
            notes.write(word + "\\n")

    def hang(how, port=0):
        if how == "sleep":
            time.sleep(3600)
        elif how == "socket":
            socket.create_connection(("127.0.0.1", port)).recv(1)
        elif how == "loop":
            while True:
                pass

    def third_hangs(n, *, how, port=0):
        if n == 3:
            hang(how, port)
        return n

    def all_hang(n):
        (HERE / f"started.{n}").touch()
        if not (HERE / "mended").exists():
            time.sleep(3600)
        return n

    def busy(n):
        (HERE / f"started.{n}").touch()
        if not (HERE / "mended").exists():
            raise ConnectionError(f"busy: {n}")
        return n

    def quick(n):
        (HERE / f"started.{n}").touch()
        return n

    def fifth_is_denied(n):
        note(str(n))
        if n == 5 and not (HERE / "mended").exists():
            raise PermissionError("the password has expired")
        return n

    class Refused(Exception):
        pass

    class Unopened:
        def __init__(self):
            raise Refused("no route to the service")
        def __call__(self, n):
            return n

    class Unclosed:
        def __call__(self, n):
            return n
        def close(self):
            raise ConnectionError("the service has gone")

    class Session:
        def __init__(self):
            note(f"open {threading.get_ident()}")
        def __call__(self, n):
            (HERE / f"started.{n}").touch()
            while n > 3 and not (HERE / "go").exists():
                time.sleep(0.005)
            return n
        def close(self):
            note(f"close {threading.get_ident()}")

    def two_rows_and_a_fault(n):
        yield {"n": n, "row": 1}
        yield {"n": n, "row": 2}
        if n % 3 == 1:
            raise ValueError(f"no third row of {n}")
        yield {"n": n, "row": 3}

    def another_shape(n):
        yield {"n": n, "row": 1}
        yield {"n": n, "row": 2} if n % 3 != 1 else {"n": n, "rows": 2}

    def endless(n):
        while True:
            yield n
"""


@pytest.fixture
def hostile(project: Project) -> Project:
    """Give a project with tasks that hang."""
    from textwrap import dedent

    project.write("hostile.py", dedent(TASKS))
    return project


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Give the port of a server that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield server.getsockname()[1]


def assert_clean(done: Finished) -> None:
    """The user gets sentences, no traceback."""
    assert "Traceback" not in done.err


@pytest.mark.parametrize("how", ["sleep", "socket", "loop"])
def test_a_hung_attempt_costs_its_own_item_only(hostile: Project, how: str, silent_port: int) -> None:
    """It is a dead letter after its timeout, the others are rows, and the process does not wait for it."""
    hostile.job(
        task={"call": "hostile.third_hangs", "with": {"how": how, "port": silent_port}},
        input={"type": "range", "stop": 20},
        timeout="500ms",
        failures={"tolerate": 1},
    )
    with hostile.start("--json") as running:
        running.until_says("completed:")
        seconds = time.monotonic()
        done = running.end(within=SOON)
        print(f"{how}: gone {time.monotonic() - seconds:.3f} s after the end line")  # noqa: T201
    assert done.code == 0, done.err
    assert hostile.lines("out.jsonl") == [n for n in range(20) if n != 3]
    (dead,) = hostile.lines("out.failed.jsonl")
    assert dead["item"] == 3
    assert dead["error"] == {
        "stage": "task",
        "type": "runner.AttemptTimeout",
        "message": "no result within 500 ms",
    }
    assert (done.report["timeouts"], done.report["abandoned_threads"]) == (1, 1)
    assert "may still be at work" in done.err
    assert_clean(done)
    (event,) = [event for event in hostile.logged() if event["event"] == "attempt.timed_out"]
    assert "in hang" in event["traceback"]
    assert "runner/engine" not in event["traceback"]


def test_more_hung_threads_than_workers_break_the_run_and_it_goes_on(hostile: Project) -> None:
    """Exit code 4 with what to do about it; what was done stays, and the mended task does the rest."""
    hostile.job(
        task="hostile.all_hang",
        input={"type": "range", "stop": 30},
        pool={"size": 3},
        timeout="200ms",
        failures={"tolerate": "all"},
    )
    done = hostile.run("--json")
    assert done.code == 4
    assert done.report["status"] == "broken"
    assert "more than `pool.size` (3)" in done.err
    assert "the same command goes on" in done.err
    assert done.report["abandoned_threads"] > 3
    assert_clean(done)
    failed = done.report["failed"]
    assert 3 < failed < 30
    hostile.write("mended", "")
    again = hostile.run("--json")
    assert again.code == 0, again.err
    assert again.report["resumed_from"] == failed
    assert hostile.lines("out.jsonl") == list(range(failed, 30))
    assert len(hostile.lines("out.failed.jsonl")) == failed


WAITS = {
    "hangs": {"task": "hostile.all_hang", "timeout": "1h"},
    "has timed out": {"task": "hostile.all_hang", "timeout": "3s", "failures": {"tolerate": "all"}},
    "waits for a retry": {"task": "hostile.busy", "retry": {"attempts": 9, "backoff": HOUR}},
    "waits for the rate limit": {"task": "hostile.quick", "rate_limit": "1/h"},
}


@pytest.mark.parametrize(
    ("what", "number", "code"),
    [
        ("hangs", signal.SIGINT, 130),
        ("has timed out", signal.SIGTERM, 0),
        ("waits for a retry", signal.SIGINT, 130),
        ("waits for a retry", signal.SIGTERM, 143),
        ("waits for the rate limit", signal.SIGINT, 130),
    ],
)
def test_a_signal_ends_every_wait(hostile: Project, what: str, number: signal.Signals, code: int) -> None:
    """At once where nothing is at work, else with the timeout or the second signal; then it goes on."""
    keys = {"pool": {"size": 4}, "input": {"type": "range", "stop": 4}, **WAITS[what]}
    hostile.job(**keys)
    items = ("0",) if "rate" in what else ("0", "1", "2", "3")
    with hostile.kept_waiting("--json", items=items) as running:
        running.signal(number)
        running.until_says(number.name, within=SOON)
        if what == "hangs":
            running.signal(number)
        done = running.end(within=SOON + 3)
    assert_clean(done)
    assert done.code == code
    if code == 0:  # every item has failed, as is tolerated, and none is left
        assert done.report["failed"] == 4
        return
    assert "the same command" in done.err
    hostile.write("mended", "")
    hostile.job(**{**keys, "rate_limit": "100/s"})
    assert hostile.run().code == 0
    assert hostile.lines("out.jsonl") == [0, 1, 2, 3]


def test_the_deadline_ends_the_run_and_the_next_one_goes_on(hostile: Project) -> None:
    """Exit code 1, what was done is committed, and the same command does the rest."""
    hostile.job(
        task="hostile.quick",
        input={"type": "range", "stop": 40},
        deadline="1500ms",
        rate_limit="10/s",
        pool={"size": 2},
    )
    done = hostile.run("--json")
    assert done.code == 1, done.err
    assert done.report["status"] == "failed"
    assert "the deadline of 1.5 s passed" in done.report["message"]
    assert 0 < done.report["items"] < 40
    hostile.job(
        task="hostile.quick",
        input={"type": "range", "stop": 40},
        deadline="1h",
        rate_limit="1000/s",
        pool={"size": 2},
    )
    again = hostile.run("--json")
    assert again.code == 0, again.err
    assert again.report["resumed_from"] == done.report["items"]
    assert hostile.lines("out.jsonl") == list(range(40))


def test_a_rule_that_says_stop_keeps_the_item_for_the_next_run(hostile: Project) -> None:
    """Exit code 1 and the error named; the item is no dead letter, and the same command begins with it."""
    hostile.job(
        task="hostile.fifth_is_denied",
        input={"type": "range", "stop": 20},
        pool={"size": 1},
        failures={"tolerate": "all"},
        retry=[
            {"errors": ["PermissionError"], "attempts": 2, "backoff": {"initial": "10ms"}, "then": "stop"}
        ],
    )
    done = hostile.run("--json")
    assert done.code == 1
    assert "a rule of `retry` says to stop at PermissionError" in done.err
    assert "the password has expired" in done.err
    assert_clean(done)
    calls = hostile.read("notes").split()
    assert calls[:5] == ["0", "1", "2", "3", "4"]
    assert calls.count("5") == 2
    assert done.report["dead_letter"] is None  # a path would promise an item in it
    hostile.write("mended", "")
    hostile.write("notes", "")
    again = hostile.run("--json")
    assert again.code == 0, again.err
    assert again.report["resumed_from"] == 5
    assert hostile.read("notes").split()[0] == "5"
    assert hostile.lines("out.jsonl") == list(range(20))


@pytest.mark.parametrize("timeout", [None, "30s"], ids=["plain", "guarded"])
def test_a_worker_that_cannot_be_set_up_ends_the_run_with_the_cause(
    hostile: Project, timeout: str | None
) -> None:
    """Exit code 4 before any item, also where every failure is tolerated; the log shows the user's frames."""
    hostile.job(
        task="hostile.Unopened",
        failures={"tolerate": "all"},
        retry={"attempts": 5, "backoff": HOUR} if timeout else {"attempts": 1},
        **({"timeout": timeout} if timeout else {}),
    )
    done = hostile.run("--json")
    assert done.code == 4
    assert "`hostile.Unopened` raised hostile.Refused: no route to the service" in done.err
    assert done.report["items"] == 0
    assert_clean(done)
    event = next(event for event in hostile.logged() if event["event"] == "worker.open_failed")
    assert 'raise Refused("no route to the service")' in event["traceback"]
    assert "/runner/" not in event["traceback"]


def test_a_worker_that_cannot_be_closed_is_a_warning(hostile: Project) -> None:
    """All items are done by then: exit code 0, and the log has the traceback."""
    hostile.job(task="hostile.Unclosed")
    done = hostile.run()
    assert done.code == 0, done.err
    assert "warning: a worker could not be closed" in done.err
    assert "the service has gone" in done.err
    assert_clean(done)
    assert hostile.lines("out.jsonl") == list(range(6))
    assert any(event["event"] == "worker.close_failed" for event in hostile.logged())


@pytest.mark.parametrize("timeout", [None, "30s"], ids=["plain", "guarded"])
def test_workers_are_closed_after_ctrl_c(hostile: Project, timeout: str | None) -> None:
    """Each one that was opened, in its own thread."""
    hostile.job(
        task="hostile.Session",
        input={"type": "range", "stop": 50},
        pool={"size": 3},
        **({"timeout": timeout} if timeout else {}),
    )
    with hostile.kept_waiting(items=("4", "5", "6")) as running:
        running.signal(signal.SIGINT)
        running.until_says("SIGINT")
        hostile.let_go()
        done = running.end()
    assert done.code == 130
    steps: dict[str, list[str]] = {}
    for line in hostile.read("notes").splitlines():
        what, thread = line.split()
        steps.setdefault(thread, []).append(what)
    assert list(steps.values()) == [["open", "close"]] * 3


@pytest.mark.parametrize(
    ("kind", "timeout"), [("jsonl", "30s"), ("csv", None), ("csv", "30s"), ("csv with columns", None)]
)
def test_a_generator_that_fails_has_no_row(hostile: Project, kind: str, timeout: str | None) -> None:
    """All rows of an item are written, or none."""
    columns = {"columns": ["n", "row"]} if "columns" in kind else {}
    hostile.job(
        task="hostile.two_rows_and_a_fault",
        input={"type": "range", "stop": 9},
        output={"type": kind.split()[0], "path": "rows", **columns},
        failures={"tolerate": 3},
        **({"timeout": timeout} if timeout else {}),
    )
    done = hostile.run("--json")
    assert done.code == 0, done.err
    assert (done.report["failed"], done.report["rows"]) == (3, 18)
    good = [(n, row) for n in range(9) if n % 3 != 1 for row in (1, 2, 3)]
    if kind == "jsonl":
        assert [(row["n"], row["row"]) for row in hostile.lines("rows")] == good
    else:
        assert hostile.read("rows").split() == ["n,row", *(f"{n},{row}" for n, row in good)]


def test_a_row_that_does_not_fit_takes_the_others_of_its_item_along(hostile: Project) -> None:
    """Also where the columns are those of the first row, and are looked at when rows are put in order."""
    hostile.job(
        task="hostile.another_shape",
        input={"type": "range", "stop": 9},
        output={"type": "csv", "path": "rows"},
        failures={"tolerate": 3},
    )
    done = hostile.run("--json")
    assert done.code == 0, done.err
    assert done.report["failed"] == 3
    assert hostile.read("rows").split()[1:] == [
        f"{n},{row}" for n in range(9) if n % 3 != 1 for row in (1, 2)
    ]
    for dead in hostile.lines("rows.failed.jsonl"):
        assert dead["error"]["stage"] == "encode"


def test_a_generator_without_an_end_is_a_timeout(hostile: Project) -> None:
    """It has no row, and the process does not wait for it."""
    hostile.job(
        task="hostile.endless",
        input={"type": "items", "items": [1]},
        timeout="300ms",
        failures={"tolerate": 1},
    )
    done = hostile.run("--json")
    assert done.code == 0, done.err
    assert (done.report["rows"], done.report["timeouts"]) == (0, 1)
    assert hostile.read("out.jsonl") == ""


def test_the_log_of_a_hung_run_is_whole(hostile: Project) -> None:
    """Every line is JSON and the last one is the end, whatever hangs while the process leaves."""
    hostile.job(task="hostile.all_hang", timeout="200ms", failures={"tolerate": "all"}, pool={"size": 6})
    assert hostile.run().code == 0
    events = [event["event"] for event in hostile.logged()]
    assert (events[0], events[-1]) == ("run.started", "run.finished")
    assert events.count("attempt.timed_out") == 6
