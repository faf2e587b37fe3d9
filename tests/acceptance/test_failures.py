"""Items that fail: the budget and its exit codes, the dead letters, and what stands afterwards."""

from __future__ import annotations

import json

import pytest

ALL_FAIL = 40


@pytest.mark.parametrize(
    ("tolerate", "code"),
    [
        (0, 1),
        (ALL_FAIL - 1, 1),
        (ALL_FAIL, 0),
        ("99%", 1),
        ("100%", 0),
        ("all", 0),
        ({"count": ALL_FAIL, "percent": 50}, 1),
    ],
    ids=str,
)
def test_a_task_that_always_raises_ends_as_the_budget_says(project, tolerate, code):
    """Over the budget: exit 1 and the old output stands. Within it: exit 0 and a new, empty output."""
    project.write("out.jsonl", "old\n")
    project.job(
        task="tasks.broken", input={"type": "range", "stop": ALL_FAIL}, failures={"tolerate": tolerate}
    )
    done = project.run()
    assert done.code == code
    assert "ValueError" in done.err
    assert "no good: 0" in done.err
    assert "Traceback" not in done.err
    if code == 0:
        assert project.read("out.jsonl") == ""
        assert len(project.lines("out.failed.jsonl")) == ALL_FAIL
        assert "out.failed.jsonl" in done.err
        return
    assert project.read("out.jsonl") == "old\n"
    assert not project.has("out.failed.jsonl")
    assert "not published" in done.err


def test_a_failed_run_says_where_its_dead_letters_lie(project):
    """On exit 1 the summary names the unpublished dead letters, which hold the failures within the budget."""
    project.job(task="tasks.odd_ones_fail", failures={"tolerate": 1})
    done = project.run("--json")
    assert done.code == 1
    dead = done.report["dead_letter"]
    assert dead in done.err
    assert [line["item"] for line in project.lines(dead)] == [1]
    assert (done.report["status"], done.report["failed"]) == ("failed", 2)


def test_the_verdict_counts_the_items_that_it_was_reached_at(project):
    """Also where they came in one list: three of three, not of none."""
    project.job(task="tasks.broken", failures={"tolerate": 2}, pool={"size": 1})
    done = project.run("--json")
    assert done.report["message"] == "3 of 3 items failed, tolerated are 2"


def test_the_failure_that_stops_a_run_is_shown_whatever_happened_before_it(project):
    """An item that breaks the budget out of order, in a later chunk, is named all the same."""
    project.write(
        "late.py",
        """
from pathlib import Path
from time import sleep
def it(n):
    if n == 10:
        Path("failed").touch()
        raise ValueError("the culprit")
    while not Path("failed").exists():
        sleep(0.005)
    sleep(0.1)  # until the stop has been asked for, in the middle of this chunk
    return n
""",
    )
    project.job(task="late.it", input={"type": "range", "stop": 20}, pool={"size": 2, "chunksize": 10})
    done = project.run()
    assert done.code == 1
    assert "the culprit" in done.err


def test_a_dead_letter_has_its_keys_and_the_same_bytes_each_time(project):
    """Nothing in the line depends on the run: no time, no run id, no order of the workers."""
    project.job(
        task="tasks.odd_ones_fail",
        input={"type": "range", "stop": 50},
        pool={"size": 8},
        failures={"tolerate": "all"},
    )
    found = []
    for _ in range(2):
        assert project.run().code == 0
        found.append(((project.root / "out.jsonl").read_bytes(), project.read("out.failed.jsonl")))
    assert found[0] == found[1]
    line = project.lines("out.failed.jsonl")[0]
    assert line == {
        "index": 1,
        "where": {"file": None, "line": None, "offset": None},
        "item": 1,
        "error": {"stage": "task", "type": "ValueError", "message": "odd: 1"},
        "output_offset": 2,
    }
    assert list(line) == ["index", "where", "item", "error", "output_offset"]


def test_an_unordered_dead_letter_has_no_output_offset(project):
    """Where rows have no fixed place, the key is there and says nothing."""
    project.job(task="tasks.odd_ones_fail", pool={"ordered": False}, failures={"tolerate": "all"})
    assert project.run().code == 0
    assert {line["output_offset"] for line in project.lines("out.failed.jsonl")} == {None}


def test_dead_letters_are_an_input(project):
    """What was set aside can be run again on its own."""
    project.job(task="tasks.odd_ones_fail", failures={"tolerate": "all"})
    assert project.run().code == 0
    project.job(
        "again.yaml",
        input={"type": "dead_letter", "path": "out.failed.jsonl"},
        output={"type": "jsonl", "path": "again.jsonl"},
    )
    done = project.run(job="again.yaml")
    assert done.code == 0, done.err
    assert project.lines("again.jsonl") == [1, 3, 5]


@pytest.mark.parametrize("chunksize", [1, 3])
def test_whatever_a_task_raises_is_the_failure_of_its_item_alone(project, chunksize):
    """SystemExit, KeyboardInterrupt, StopIteration and their like end one item, no worker and no run."""
    project.write(
        "nasty.py",
        """
KINDS = [SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit]
KINDS += [BaseException, MemoryError, RecursionError]
class Unspeakable(Exception):
    def __str__(self):
        raise SystemExit("from __str__")
def it(n):
    if n == 8:
        raise Unspeakable
    if n % 2:
        raise KINDS[n % len(KINDS)](3)
    return n
""",
    )
    project.job(
        task="nasty.it",
        input={"type": "range", "stop": 14},
        pool={"size": 2, "chunksize": chunksize},
        failures={"tolerate": "all"},
    )
    done = project.run("--json")
    assert done.code == 0, done.err
    assert project.lines("out.jsonl") == [0, 2, 4, 6, 10, 12]
    failed = {line["index"]: line["error"]["type"] for line in project.lines("out.failed.jsonl")}
    assert sorted(failed) == [1, 3, 5, 7, 8, 9, 11, 13]
    assert failed[7] == "SystemExit"
    assert failed[8] == "nasty.Unspeakable"
    assert (done.report["items"], done.report["failed"]) == (14, 8)


def test_a_row_that_cannot_be_written_fails_its_item_with_the_field(project):
    """A value that the output cannot say unchanged is the failure `encode` of that item."""
    project.write("odd.py", "def it(n):\n    return {'ok': n, 'price': float('nan') if n == 2 else n}\n")
    project.job(task="odd.it", failures={"tolerate": 1})
    assert project.run().code == 0
    (failed,) = project.lines("out.failed.jsonl")
    assert failed["error"]["stage"] == "encode"
    assert "price" in failed["error"]["message"]
    assert failed["item"] == 2
    assert len(project.lines("out.jsonl")) == 5


HOSTILE = r"""
import sys
BAD = "\x1b[2J\x1b]0;owned\x07\rhidden\n\x9b31m\u202e" + chr(0xD800)
class Kind(Exception):
    pass
Kind.__qualname__ = Kind.__name__ = "Kind\x1b[31m"
def it(n):
    if n == 0:
        raise ValueError(BAD)
    if n == 1:
        raise ValueError(BAD + "x" * 1_000_000)
    if n == 2:
        raise Kind(BAD)
    if n == 3:
        raise ExceptionGroup(BAD, [ValueError(BAD)])
    return n
"""


def test_hostile_text_of_an_exception_reaches_neither_terminal_nor_log_raw(project):
    """Escape sequences, lone surrogates and a megabyte of text are shown, logged and set aside harmlessly."""
    project.write("hostile.py", HOSTILE)
    project.job(task="hostile.it", failures={"tolerate": "all"})
    done = project.run("--json")
    assert done.code == 0, done.err[-3000:]
    assert not [c for c in done.err + done.out.rstrip("\n") if not c.isprintable() and c != "\n"]
    assert "\nhidden" not in done.err
    assert len(done.err) < 10_000
    assert [event["event"] for event in project.logged()].count("item.failed") == 4
    (path,) = project.root.glob(".runner/runs/*/log.jsonl")
    assert path.stat().st_size < 200_000
    assert b"\x1b" not in path.read_bytes()
    failed = project.lines("out.failed.jsonl")
    assert len(failed) == 4
    assert all(len(json.dumps(line)) < 40_000 for line in failed)


def test_hostile_text_of_the_job_file_reaches_the_terminal_escaped(project):
    """A path may hold an escape sequence; what is said about it may not."""
    name = "da\x1b[31mta.jsonl"
    project.write(name, "1\n")
    project.job(input={"type": "jsonl", "path": name}, output={"type": "jsonl", "path": "o\x1b[32mut.jsonl"})
    done = project.run()
    assert done.code == 0, done.err
    assert project.has("o\x1b[32mut.jsonl")
    assert "\x1b" not in done.err
