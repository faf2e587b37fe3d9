"""`runner preview`: real items through the real task, and not a byte is written."""

from __future__ import annotations

import json
import re

import pytest

TASKS = """\
import json, sys, time

def odd(n, *, k=1):
    print("printed by the task")
    if n == 2:
        raise ValueError("no good: \\x1b[31m2")
    if n == 3:
        return None
    if n == 4:
        return {"n": {1, 2}}
    return {"n": n * k}

def library(n):
    return json.loads("{")

def computing(n):
    until = time.thread_time() + 0.06
    while time.thread_time() < until:
        sum(range(1000))

def waiting(n):
    time.sleep(0.05)

def tiny(n):
    return n

def same(n):
    return n

def hangs(n):
    if n == 1:
        time.sleep(60)
    return n

class Twice:
    def __init__(self, word):
        self.word = word
    def __call__(self, item):
        row = {}
        for number in range(2):
            row["word"] = f"{self.word}{item}{number}"
            yield row

def secret(n, *, token):
    if n:
        raise ValueError(f"bad token {token}")
    return {"token": token}
"""


@pytest.fixture
def folder(project):
    """A project with tasks that do all kinds of things."""
    project.write("tasks.py", TASKS)
    return project


def snapshot(project):
    """Return every file and folder, what is in it, and when it was changed."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [project.root, *project.root.rglob("*")]
    }


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"output": {"type": "jsonl", "path": "-"}},
        {"output": {"type": "csv", "path": "deep/er/out.csv.gz"}},
        {"output": {"type": "none"}},
        {"failures": {"tolerate": "all", "dead_letter": "dead.jsonl"}},
    ],
    ids=lambda keys: str(next(iter(keys.values()), "")),
)
def test_nothing_is_written(folder, keys):
    """No file, no folder, no bytecode, no log, no lock; and nothing on standard output."""
    folder.job(task="tasks.odd", **keys)
    before = snapshot(folder)
    done = folder.runner("preview", "job.yaml", "-n", "6")
    assert done.code == 1
    assert done.out == ""
    assert "printed by the task" in done.err
    assert snapshot(folder) == before


def test_an_output_that_stands_there_is_not_touched(folder):
    """Nor one that is being made by a run that died."""
    folder.job(task="tasks.odd", failures={"tolerate": "all"})
    assert folder.run().code == 0
    before = snapshot(folder)
    assert folder.runner("preview", "job.yaml").code == 1
    assert snapshot(folder) == before


def test_each_item_is_shown_with_what_comes_of_it(folder):
    """Rows as they would be written, no row, an error with its frames, a row that cannot be written."""
    folder.job(task={"call": "tasks.odd", "with": {"k": 5}})
    said = folder.runner("preview", "job.yaml", "-n", "5").err
    assert '-> {"n":0}' in said
    assert '-> {"n":5}' in said
    assert "-> no row" in said
    assert "RowRefused (encode)" in said
    assert "!! ValueError: no good: \\x1b[31m2" in said
    assert "\x1b" not in said
    assert 'raise ValueError("no good' in said
    assert "runner/engine" not in said
    assert "5 items: 2 failed; nothing written" in said


def test_a_header_comes_with_the_first_row(folder):
    """As in the file."""
    folder.job(task="tasks.odd", output={"type": "csv", "path": "out.csv"})
    said = folder.runner("preview", "job.yaml", "-n", "2").err
    assert said.index("-> n\n") < said.index("-> 0\n") < said.index("-> 1\n")
    assert said.count("-> n\n") == 1


def test_all_rows_of_an_item_are_shown(folder):
    """Of a generator in a class, which is built with its arguments and may use a row again."""
    folder.job(task={"call": "tasks.Twice", "with": {"word": "w"}})
    said = folder.runner("preview", "job.yaml", "--item", "3").err
    assert '-> {"word":"w30"}\n  -> {"word":"w31"}' in said
    assert "building the class takes" in said


def test_one_item_is_chosen_by_its_index(folder):
    """Only that one is done; one that is not there is a wrong usage."""
    folder.job(task="tasks.odd")
    done = folder.runner("preview", "job.yaml", "--item", "5")
    assert done.code == 0
    assert done.err.count("printed by the task") == 1
    assert folder.runner("preview", "job.yaml", "--item", "6").code == 2


def test_standard_input_is_an_input(folder):
    """Lines that are typed or piped."""
    folder.job(task="tasks.tiny", input={"type": "text", "path": "-"})
    done = folder.runner("preview", "job.yaml", stdin=b"one\ntwo\n")
    assert done.code == 0
    assert '-> "one"' in done.err
    assert "2 items, all that there are" in done.err


def test_an_attempt_that_hangs_is_given_up(folder):
    """`timeout` holds, and the items behind it are done."""
    folder.job(task="tasks.hangs", timeout="300ms")
    done = folder.runner("preview", "job.yaml", "-n", "3")
    assert done.code == 1
    assert "runner.AttemptTimeout: no result within" in done.err
    assert "time.sleep(60)" in done.err
    assert "3 items: 1 failed" in done.err


def test_a_failure_is_told_with_what_a_run_would_do(folder):
    """Which rule of `retry` it falls under, or that none is for it."""
    folder.job(task="tasks.odd", retry={"attempts": 4, "errors": ["ArithmeticError"]})
    said = folder.runner("preview", "job.yaml", "--item", "2").err
    assert "would not try again: no rule of `retry`" in said
    folder.job(task="tasks.odd", retry=[{"errors": ["OSError"]}, {"attempts": 4}])
    assert "rule 2 of `retry` has 4 attempts" in folder.runner("preview", "job.yaml", "--item", "2").err


def test_secrets_are_masked(folder):
    """In rows, messages and the lines of a traceback."""
    folder.job(task={"call": "tasks.secret", "with": {"token": "${secret.TOKEN}"}})
    environ = {"TOKEN": "correct-horse-battery"}
    for flags in ([], ["--json"]):
        done = folder.runner("preview", "job.yaml", "-n", "2", *flags, environ=environ)
        assert "correct-horse" not in done.out + done.err
        assert "${secret.TOKEN}" in done.out + done.err


@pytest.mark.parametrize(
    ("task", "kind"), [("computing", "computing"), ("waiting", "waiting"), ("tiny", "tiny")]
)
def test_the_kind_of_a_task_is_seen(folder, task, kind):
    """Computing, waiting and tiny tasks are told apart by what they cost, whatever else the machine does.

    What a virtual machine steals, no clock tells apart from waiting: so it is looked at three times at most.
    """
    folder.job(task=f"tasks.{task}")
    for _ in range(3):
        # A forked process pays for each page that it writes to first: more than a tiny item costs.
        done = folder.runner("preview", "job.yaml", "--json", is_started=True)
        advice = json.loads(done.out)["advice"]
        if advice["kind"] == kind:
            break
    assert advice["kind"] == kind, done.out
    assert advice["size"] == {"computing": 1, "tiny": 1, "waiting": 6}[kind]  # of six items


def test_no_pool_is_advised_for_items_that_fail(folder):
    """What a failure costs says nothing of a result; the way on is told instead."""
    folder.job(task="tasks.library")
    shown = folder.runner("preview", "job.yaml", "-n", "2")
    assert (shown.code, "advice" in shown.err) == (1, False)
    assert "before an item goes well: mend the task" in shown.err
    assert "`--pdb`" in shown.err
    assert "`-n 20`" in shown.err
    report = json.loads(folder.runner("preview", "job.yaml", "--json").out)
    assert not {"cost", "advice"} & set(report)


def test_the_report_of_machines(folder):
    """One JSON object, the only thing on standard output."""
    folder.job(task="tasks.odd")
    done = folder.runner("preview", "job.yaml", "-n", "3", "--json")
    report = json.loads(done.out)
    assert [item["rows"] for item in report["items"]] == [['{"n":0}'], ['{"n":1}'], []]
    assert report["items"][2]["error"]["type"] == "ValueError"
    assert {"size", "chunksize", "kind", "reasons", "items_per_second"} == set(report["advice"])


def test_the_debugger_opens_in_the_frame_of_the_user(folder):
    """Above the frames of a library, with the item at hand."""
    folder.job(task="tasks.library")
    done = folder.runner("preview", "job.yaml", "--pdb", stdin=b"p n\nq\n")
    assert done.code == 1
    assert done.out == ""
    assert re.search(r'tasks\.py\(\d+\)library\(\)\n-> return json\.loads\("{"\)\n\(Pdb\) 0\n', done.err)
    assert done.err.count("!!") == 1


def test_the_debugger_needs_something_to_type_at(folder):
    """Standard input cannot be both the items and the keyboard."""
    folder.job(task="tasks.library", input={"type": "text", "path": "-"})
    done = folder.runner("preview", "job.yaml", "--pdb", stdin=b"one\n")
    assert done.code == 2
    assert "--pdb needs a terminal" in done.err


@pytest.mark.parametrize(
    ("keys", "code", "says"),
    [
        ({"task": "tasks.absent"}, 78, "tasks.absent"),
        ({"pool": {"sizes": 3}}, 78, "sizes"),
        ({"input": {"type": "text", "path": "absent.txt"}}, 4, "absent.txt"),
        ({"task": "tasks.Twice"}, 78, "word"),
        ({"input": {"type": "items", "items": []}}, 0, "the input has no items"),
    ],
    ids=lambda value: str(value),
)
def test_what_cannot_be_previewed_is_told(folder, keys, code, says):
    """With the exit code that a run would have."""
    folder.job(**keys)
    done = folder.runner("preview", "job.yaml")
    assert done.code == code
    assert says in done.err
    assert "Traceback" not in done.err
