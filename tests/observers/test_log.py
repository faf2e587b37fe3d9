"""The log: lines of JSON whatever is logged, and failures in moderation."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from dataclasses import dataclass

import pytest
import structlog

from runner.item import NOWHERE, Current, Item
from runner.masking import Secrets
from runner.observers.log import FIRST_FAILURES, MOST_TEXT, FailureLog, RunLog, forget_old_runs, task_logs


@pytest.fixture
def log(tmp_path):
    """Give a log that is closed at the end."""
    log = RunLog(tmp_path / "runs/r/log.jsonl", run_id="r", job="hubs")
    yield log
    log.close()


def lines(log: RunLog) -> list[dict]:
    """Return what was logged."""
    text = log.path.read_text("utf-8") if log.path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def test_an_event_is_a_line_with_the_common_keys(log):
    """At once, without waiting for the end."""
    log.event("run.started", total=3)
    (line,) = lines(log)
    assert {key: line[key] for key in ("event", "level", "run_id", "job", "total")} == {
        "event": "run.started",
        "level": "info",
        "run_id": "r",
        "job": "hubs",
        "total": 3,
    }
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        "\x1b[31m",
        2**70,
        float("nan"),
        {1: 2},
        {1, 2},
        b"\xff",
        object(),
        Exception("x"),
        [[]],
        None,
    ],
    ids=["surrogate", "escape", "big", "nan", "dict", "set", "bytes", "object", "exception", "list", "none"],
)
def test_whatever_is_logged_is_one_line_of_json(log, value):
    """A log line must never end a run."""
    log.event("item.failed", value=value, nested={"deep": [value]})
    assert log.path.read_bytes().count(b"\n") == 1
    assert lines(log)[0]["event"]


def test_a_value_that_holds_itself_or_cannot_be_shown_is_logged(log):
    """Cycles and broken `__repr__` belong to the user, the line to us."""

    class Unspeakable:
        def __repr__(self) -> str:
            raise ValueError("from __repr__")

    cycle: list = []
    cycle.append(cycle)
    log.event("a", value=cycle)
    log.event("b", value=Unspeakable())
    log.event("c", value=[Unspeakable(), "\ud800"])
    assert len(lines(log)) == 3


def test_levels_below_the_one_that_is_set_are_left_out(tmp_path):
    """With `warning`, events of information are not written."""
    log = RunLog(tmp_path / "log", run_id="r", job="j", level="warning")
    log.event("a")
    log.event("b", "error")
    log.close()
    assert [line["event"] for line in lines(log)] == ["b"]


def test_a_log_that_cannot_be_opened_is_an_error_to_tell_and_no_exception(tmp_path):
    """Events go nowhere then."""
    (tmp_path / "file").write_text("")
    log = RunLog(tmp_path / "file/log.jsonl", run_id="r", job="j")
    log.event("run.started")
    log.close()
    assert "could not be written" in log.error


def test_a_log_after_its_end_takes_nothing_and_says_nothing(log):
    """A hung task may still log when the run is over."""
    log.close()
    log.event("late")
    log.close()
    assert log.error is None
    assert lines(log) == []


def test_lines_of_many_threads_are_whole(log):
    """No line within another."""

    def work(n: int) -> None:
        for _ in range(50):
            log.event("tick", text=str(n) * 1000)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(log)) == 200
    assert {len(set(line["text"])) for line in lines(log)} == {1}


def log_failures(log: RunLog, times: list[float], kind=("task", "ValueError")) -> FailureLog:
    """Log a failure of a kind at each of these times."""
    failures = FailureLog(log)
    for index, now in enumerate(times):
        wants = failures.wants_more(kind, now)
        before = len(lines(log))
        failures.failed(kind, now, index=index)
        assert (len(lines(log)) > before) is wants
    return failures


def test_the_first_failures_of_a_kind_are_logged_then_one_a_second(log):
    """With the number of those that were left out."""
    log_failures(log, [0.0] * 100 + [0.5, 1.0, 1.1, 2.0, 9.0])
    found = lines(log)
    assert [line["index"] for line in found] == [*range(FIRST_FAILURES), 101, 103, 104]
    assert [line.get("not_logged") for line in found[FIRST_FAILURES:]] == [81, 1, None]


def test_each_kind_has_its_own_beginning(log):
    """A rare failure is not drowned by a frequent one."""
    failures = log_failures(log, [0.0] * 50)
    failures.failed(("task", "KeyError"), 0.0, index=50)
    assert lines(log)[-1]["index"] == 50


def test_old_runs_are_forgotten_by_name(tmp_path):
    """The last ones stay; files and links are not touched."""
    for n in range(8):
        (tmp_path / f"2026010{n}").mkdir()
        (tmp_path / f"2026010{n}" / "log.jsonl").write_text("")
    (tmp_path / "0-file").write_text("")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "0-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").rename(tmp_path / "20269999")
    forget_old_runs(tmp_path, keep=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "0-file",
        "0-link",
        "20260106",
        "20260107",
        "20269999",
    ]


def test_the_log_of_a_run_at_work_is_not_forgotten(tmp_path):
    """However long it runs, or however old the name is that it goes on under."""
    old = RunLog(tmp_path / "20260101/log.jsonl", run_id="20260101", job="hubs")
    old.event("run.started")
    for day in range(2, 9):
        (tmp_path / f"2026010{day}").mkdir()
    forget_old_runs(tmp_path, keep=3)
    old.event("run.finished")
    assert len(lines(old)) == 2
    old.close()
    forget_old_runs(tmp_path, keep=3)
    assert not (tmp_path / "20260101").exists()


def test_forgetting_where_nothing_was_is_quiet(tmp_path):
    """A first run has no old ones."""
    forget_old_runs(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_what_the_task_logs_and_warns_and_prints_is_taken(log, capsys, monkeypatch):
    """`logging`, `warnings` and structlog become events with the item; prints go to standard error."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own raise for a wrong format
    current = Current()

    def attempt(item):
        logging.getLogger("mine").info("got %d", 3)
        logging.getLogger("mine").debug("not at this level")
        logging.getLogger("mine").error("%d", "wrong format")
        structlog.get_logger().warning("from structlog", size=3)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("careful", stacklevel=1)
        print("printed")  # noqa: T201

    current.attempt = attempt.__code__
    with task_logs(log, current):
        attempt(Item(7, b"", NOWHERE))
    found = lines(log)
    assert {line["event"] for line in found} == {"task.log"}
    assert {line["index"] for line in found} == {7}
    assert found[0]["message"] == "got 3"
    assert (found[0]["logger"], found[0]["level"]) == ("mine", "info")
    assert "could not be formatted" in found[1]["message"]
    assert found[2]["message"] == "from structlog"
    assert found[2]["data"]["size"] == 3
    assert "careful" in found[3]["message"]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "printed\n")


def test_everything_is_as_before_when_the_run_is_over(log):
    """Handlers, levels, structlog and standard output are given back, also after an exception."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers), sys.stdout, structlog.is_configured())
    with pytest.raises(ValueError, match="inside"), task_logs(log, Current()):
        raise ValueError("inside")
    assert (root.level, list(root.handlers), sys.stdout, structlog.is_configured()) == before


def test_secrets_are_masked_in_data_of_every_form(tmp_path):
    """Keys, fields of dataclasses, numbers, what is cut; the rest of the line stays."""
    log = RunLog(tmp_path / "log", run_id="r", job="j", secrets=Secrets({"T": "12345678"}))
    log.event(
        "task.log",
        message=log.shorten("x" * (MOST_TEXT - 4) + "12345678"),
        data={"12345678": Session("12345678"), "pin": 12345678, "size": 5, "other": log},
        index=12345678,
    )
    log.event("task.log", data={"token": "12345678", "too large": 2**70})
    log.close()
    first, second = (json.loads(line) for line in (tmp_path / "log").read_text().splitlines())
    marker = "${secret.T}"
    assert first["message"] == "x" * (MOST_TEXT - 4) + marker[:4]
    assert first["data"] == {marker: {"token": marker}, "pin": marker, "size": 5, "other": repr(log)}
    assert first["index"] == 12345678
    assert "12345678" not in json.dumps(second)


@dataclass
class Session:
    """What a library may log of itself."""

    token: str
