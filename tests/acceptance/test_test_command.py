"""`runner test`: items through the task under the job's policies, and no input or output is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

TASKS = """\
import runner
from dataclasses import dataclass
from datetime import date

class Busy(Exception):
    def __init__(self, code, reason):
        super().__init__(code, reason)

def price(row, *, rate=2):
    print("printed by the task")
    if row["n"] == "none":
        return None
    return {"name": row["name"], "euro": int(row["n"]) * rate}

def many(item):
    row = {}
    for number in range(item):
        row["n"] = number
        yield row

@dataclass
class Row:
    name: str
    day: date

def typed(row: Row) -> Row:
    return row

def odd(item):
    return {1, 2}

def note(item, context: runner.Context):
    return {"attempt": context.attempt, "k": context.params["k"]}

def tell(item, *, token):
    print("the token is", token)
    return {"token": token}

def real(item):
    import time
    time.sleep(3600)
"""


@pytest.fixture
def folder(project):
    """A project with tasks that do all kinds of things, and an input that is not there."""
    project.write("tasks.py", TASKS)
    return project


def verdicts_of(folder, tests, *flags, job=None, **options):
    """Write a job with tests, run them and return the verdicts as JSON would tell them."""
    keys = {"task": "tasks.price", "input": {"type": "jsonl", "path": "absent/in.jsonl"}, **(job or {})}
    folder.job(tests=tests, **keys)
    done = folder.runner("test", "job.yaml", "--format", "json", *flags, **options)
    return done, json.loads(done.out or "[]")


TEA = {"name": "tea", "item": {"name": "tea", "n": "2"}, "row": {"name": "tea", "euro": 4}}


def test_nothing_is_read_or_written(folder):
    """The input need not be there, the output folder is not made; what the task prints is no result."""
    output = {"type": "jsonl", "path": "deep/out.jsonl"}
    done, (verdict,) = verdicts_of(folder, [TEA], job={"output": output})
    assert (done.code, verdict["status"]) == (0, "passed")
    assert "printed by the task" in done.err
    assert not folder.has("deep")
    assert not folder.has(".runner")


@pytest.mark.parametrize(
    ("test", "job", "status"),
    [
        ({"item": {"name": "a", "n": "1"}, "row": {"name": "a", "euro": 2}}, {}, "passed"),
        ({"item": {"name": "a", "n": "1"}, "row": {"name": "a", "euro": 3}}, {}, "failed"),
        (
            {"item": {"name": "a", "n": "1"}, "with": {"rate": 5}, "row": {"name": "a", "euro": 5}},
            {},
            "passed",
        ),
        ({"item": {"name": "a", "n": "none"}, "rows": []}, {}, "passed"),
        ({"item": {"name": "a", "n": "none"}, "row": {}}, {}, "failed"),
        ({"item": {"name": "a", "n": "x"}, "error": "ValueError"}, {}, "passed"),
        ({"item": {"name": "a", "n": "x"}, "error": "Exception"}, {}, "passed"),
        ({"item": {"name": "a", "n": "x"}, "error": {"message": "invalid literal"}}, {}, "passed"),
        ({"item": {"name": "a", "n": "x"}, "error": {"message": "something else"}}, {}, "failed"),
        ({"item": {"name": "a", "n": "x"}, "error": {"type": "KeyError"}}, {}, "failed"),
        ({"item": {"name": "a", "n": "x"}, "row": {"name": "a", "euro": 2}}, {}, "failed"),
        ({"item": {"name": "a", "n": "1"}, "error": "ValueError"}, {}, "failed"),
        ({"item": {"name": "a", "n": "1"}}, {}, "unfilled"),
        ({"item": {"name": "a", "n": "1"}, "with": {"rat": 5}, "rows": []}, {}, "broken"),
        ({"item": 3, "rows": [{"n": 0}, {"n": 1}, {"n": 2}]}, {"task": "tasks.many"}, "passed"),
        ({"item": 2, "rows": [{"n": 1}, {"n": 0}]}, {"task": "tasks.many"}, "failed"),
        (
            {"item": {"name": "a", "day": "2026-01-31"}, "row": {"name": "a", "day": "2026-01-31"}},
            {"task": "tasks.typed"},
            "passed",
        ),
        (
            {"item": {"name": "a", "day": "x"}, "error": {"type": "ItemRefused", "stage": "convert"}},
            {"task": "tasks.typed"},
            "passed",
        ),
        ({"item": 1, "error": {"type": "RowRefused", "stage": "encode"}}, {"task": "tasks.odd"}, "passed"),
        ({"item": 1, "row": "{1, 2}"}, {"task": "tasks.odd", "output": {"type": "none"}}, "passed"),
        (
            {"item": {"name": "a", "n": "1"}, "row": {"name": "a", "euro": 2}},
            {"output": {"type": "csv", "path": "out.csv", "delimiter": ";"}},
            "passed",
        ),
        (
            {"item": 1, "params": {"k": 7}, "row": {"attempt": 1, "k": 7}},
            {"task": "tasks.note", "params": {"k": 1}},
            "passed",
        ),
        (
            {"item": "x", "with": {"token": "${any}"}, "row": {"token": "${any}"}},
            {"task": {"call": "tasks.tell", "with": {"token": "${secret.NOT_SET}"}}},
            "passed",
        ),
        (
            {"item": "x", "row": {"token": "y"}},
            {"task": {"call": "tasks.tell", "with": {"token": "${secret.NOT_SET}"}}},
            "broken",
        ),
    ],
)
def test_what_comes_is_compared_with_what_must_come(folder, test, job, status):
    """Rows as the output has them, errors by type, message and stage, under arguments of the test."""
    done, (verdict,) = verdicts_of(folder, [{"name": "a", **test}], job=job)
    assert verdict["status"] == status, verdict
    assert done.code == (0 if status == "passed" else 1)
    assert bool(verdict["said"]) == (status != "passed")


RETRY = {"attempts": 3, "errors": ["ConnectionError"], "backoff": {"initial": "10m", "max": "1h"}}


@pytest.mark.parametrize(
    ("faults", "more", "attempts", "error"),
    [
        ([], {}, 1, None),
        ([{"raise": "ConnectionError"}], {}, 2, None),
        (["ok", {"raise": "ConnectionError"}], {}, 1, None),
        ([{"raise": "ConnectionResetError", "message": "reset"}] * 2, {}, 3, None),
        ([{"raise": "ConnectionError"}] * 3, {}, 3, "ConnectionError"),
        ([{"raise": "tasks.Busy", "message": "busy", "retry_after": "9h"}], {}, 1, "tasks.Busy"),
        ([{"hang": "20s"}], {"timeout": "30s"}, 1, None),
        ([{"hang": "30s"}], {"timeout": "30s"}, 1, "runner.AttemptTimeout"),
        ([{"hang": "5m"}], {"timeout": "30s"}, 1, "runner.AttemptTimeout"),
        (
            [{"hang": "5m"}],
            {"timeout": "30s", "retry": {"attempts": 2, "errors": ["TimeoutError"]}},
            2,
            None,
        ),
        ([{"hang": "5s", "raise": "ConnectionError"}], {"rate_limit": "1/min"}, 2, None),
    ],
)
def test_the_failure_policy_is_that_of_a_run(folder, faults, more, attempts, error):
    """As many attempts as the rules say, hours of waiting in no time."""
    test = {**TEA, "faults": faults}
    _, (verdict,) = verdicts_of(folder, [test], job={"retry": RETRY, **more})
    assert verdict["attempts"] == attempts, verdict
    assert (verdict["error"] or {}).get("type") == error
    assert verdict["seconds"] < 30


def test_a_wrong_retry_policy_is_told(folder):
    """How many attempts were expected and made, and which rule there is instead."""
    test = {**TEA, "faults": [{"raise": "TimeoutError"}], "attempts": 2}
    _, (verdict,) = verdicts_of(folder, [test], job={"retry": RETRY})
    said = "\n".join(verdict["said"])
    assert "expected the row {name: tea, euro: 4}, got TimeoutError" in said
    assert "no rule of `retry` is for TimeoutError; there are rules for ConnectionError" in said
    assert "`attempts`: expected 2, got 1" in said


def test_an_update_fills_in_what_came(folder):
    """The first test costs a command; the next run passes."""
    folder.write("job.yaml", "version: 1\nname: e\ninput: {type: range, stop: 1}\ntask: tasks.many\n")
    text = folder.read("job.yaml") + "tests:\n  - name: two   # rows\n    item: 2\n"
    folder.write("job.yaml", text)
    done = folder.runner("test", "job.yaml", "--update")
    assert done.code == 0, done.err
    assert "+    rows: [{n: 0}, {n: 1}]\n" in done.out
    assert done.out.splitlines()[-1].startswith("1 updated in ")
    assert folder.read("job.yaml") == f"{text}    rows: [{{n: 0}}, {{n: 1}}]\n"
    again = folder.runner("test", "job.yaml")
    assert (again.code, again.out.splitlines()[-1].startswith("1 passed in ")) == (0, True)


def test_where_there_is_no_test_it_says_how_to_write_one(folder):
    """What it says, put into the file, is a test that `--update` fills in."""
    text = "version: 1\nname: e\ninput: {type: range, stop: 1}\ntask: tasks.many\n"
    folder.write("job.yaml", text)
    said = folder.runner("test", "job.yaml").out
    assert said.startswith("no tests in job.yaml. ")
    lines = said.partition("\n\n")[2].partition("\n\n")[0].splitlines()
    test = "\n".join(line.removeprefix("  ") for line in lines).replace("item: ...", "item: 2")
    folder.write("job.yaml", f"{text}{test}\n")
    assert "1 updated" in folder.runner("test", "job.yaml", "--update").out
    assert folder.runner("test", "job.yaml", "-k", "second").out == "no test has `second` in its name\n"


def test_an_update_never_writes_a_secret(folder):
    """The file is left alone, and the verdict shows the reference."""
    job = {"task": {"call": "tasks.tell", "with": {"token": "${secret.TOKEN}"}}}
    environ = {"TOKEN": "correct-horse-battery"}
    done, _ = verdicts_of(folder, [{"name": "a", "item": 1}], "--update", job=job, environ=environ)
    assert done.code == 1
    assert "holds a secret" in done.err
    assert "correct-horse" not in done.out + done.err + folder.read("job.yaml")


def test_tests_do_not_change_the_job(folder):
    """A run that was interrupted goes on after a test was added."""
    folder.write("tasks.py", "def same(item):\n    if item == 4: raise ValueError('x')\n    return item\n")
    folder.job()
    assert folder.run().code == 1
    folder.job(tests=[{"name": "a", "item": 1, "row": 1}])
    folder.write("tasks.py", "def same(item):\n    return item\n")
    done = folder.run("--accept", "code")
    assert done.code == 0, done.err
    assert "going on with the unfinished run" in done.err


@pytest.mark.parametrize(
    ("test", "job", "says"),
    [
        ({"itm": 1}, {}, "did you mean `item`"),
        ({}, {}, "needs the key `item`"),
        ({"item": 1, "row": 1, "rows": [1]}, {}, "only one of the keys row and rows"),
        ({"item": 1, "row": None}, {}, "rows: []"),
        ({"item": 1, "faults": [{"hang": "soon"}]}, {}, "hang"),
        ({"item": 1, "faults": [{"message": "x"}]}, {}, "raise"),
        ({"item": 1, "params": {"k": 1}}, {}, "no parameter `k`"),
        ({"item": 1, "attempts": 0}, {}, "at least 1"),
        (
            {"item": {"a": 4.20}, "rows": []},
            {"input": {"type": "csv", "path": "a.csv"}},
            "`tests[0].item.a` must be text, as every value of a csv input is",
        ),
    ],
)
def test_a_faulty_test_is_shown_at_its_place(folder, test, job, says):
    """Like every other fault of a job file: by `validate`, and before anything is run."""
    folder.job(tests=[{"name": "a", **test}], **{"task": "tasks.many", **job})
    for command, code in (("validate", 1), ("test", 78)):
        done = folder.runner(command, "job.yaml")
        assert done.code == code
        assert says in done.out + done.err
        assert "--> job.yaml:" in done.out + done.err


def test_a_name_is_given_once(folder):
    """So that a report names one test."""
    folder.job(tests=[TEA, TEA], task="tasks.price")
    assert "must be a name of its own" in folder.runner("validate", "job.yaml").out


def test_jobs_of_several_projects_have_their_own_modules(folder):
    """Both are called `tasks`."""
    for name, row in (("one", 1), ("two", 2)):
        folder.write(f"{name}/config.yaml", "")
        folder.write(f"{name}/tasks.py", f"def f(item): return {row}\n")
        job = "version: 1\nname: j\ninput: {type: range, stop: 1}\ntask: tasks.f\n"
        job += f"tests: [{{name: a, item: 0, row: {row}}}]\n"
        folder.write(f"{name}/job.yaml", job)
    done = folder.runner("test", "one", "two")
    assert (done.code, "2 passed" in done.out) == (0, True), done.out + done.err


def test_the_report_for_ci(folder):
    """JUnit's XML with each test, its line and what is wrong; a faulty job file is an error."""
    folder.job(task="tasks.price", tests=[TEA, {**TEA, "name": "bad \x07 one", "row": {"name": "\x00"}}])
    folder.job("faulty.yaml", tasks="x")
    done = folder.runner("test", "job.yaml", "faulty.yaml", "--format", "junit")
    assert done.code == 78
    one, two = ElementTree.fromstring(done.out)
    assert [case.get("name") for case in one] == ["tea", "bad \ufffd one"]
    assert "`row.name`: expected" in one[1][0].text
    assert two[0][0].tag == "error"


def test_tests_are_chosen_by_name(folder):
    """With a part of it."""
    _, verdicts = verdicts_of(folder, [TEA, {**TEA, "name": "coffee"}], "-k", "COF")
    assert [verdict["name"] for verdict in verdicts] == ["coffee"]


def test_a_test_that_waits_for_something_real_is_left_behind(folder):
    """It is broken, and says why; the others run."""
    code = (
        "import sys; from runner.job_tests import run; run.LONGEST_SECONDS = 0.5;"
        "from runner.cli.main import main; sys.argv = ['runner', 'test', 'job.yaml']; main()"
    )
    folder.job(task="tasks.real", tests=[{"name": "a", "item": 1, "rows": []}])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder.root,
        env=folder.environ,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert b"not over those of the task" in done.stdout
