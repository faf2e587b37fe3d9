"""`runner plan`: what it says is what `runner run` then does, and nothing is called or written for it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

CALLED = """\
import pathlib

def f(item, **given):
    pathlib.Path(__file__).with_name("was-called").touch()
    return item

def make():
    pathlib.Path(__file__).with_name("was-called").touch()
    yield 1
"""


@pytest.fixture
def plan(project):
    """Give a function that plans a job and returns the JSON; the project's tree must stay as it is."""

    def plan(*flags: str, code: int = 0, job: str = "job.yaml", **options) -> dict:
        before = tree(project.root)
        done = project.runner("plan", job, "--json", *flags, **options)
        assert tree(project.root) == before
        assert done.code == code, done.err
        return json.loads(done.out)

    return plan


def tree(root: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return every path with its mode, inode, time and content."""
    found = {}
    for path in sorted(root.rglob("*")):
        stat = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (stat.st_mode, stat.st_ino, stat.st_mtime_ns, content)
    return found


def make_unfinished(project, **keys) -> None:
    """Leave an unfinished run of `items` 0, 2, 4, 5: the last one breaks the budget."""
    project.job(input={"type": "items", "items": [0, 2, 4, 5]}, task="tasks.odd_ones_fail", **keys)
    assert project.run().code == 1


@pytest.mark.parametrize(
    "source",
    [
        {"type": "text", "path": "lines.txt"},
        {"type": "files", "path": "*.txt"},
        {"type": "python", "call": "called.make"},
        {"type": "text", "path": "-"},
    ],
    ids=lambda source: f"{source['type']} {source.get('path', '')}",
)
def test_nothing_is_called_and_nothing_written(project, plan, source):
    """Neither the task nor what makes the items; not even byte code is left behind."""
    project.write("called.py", CALLED)
    project.write("lines.txt", "a\nb\n")
    project.job(input=source, task="called.f", output={"type": "jsonl", "path": "deep/er/out.jsonl"})
    found = plan(stdin=b"x\n")
    assert found["status"] == "ready"
    assert found["output"]["effect"] == "create"
    text = project.runner("plan", "job.yaml", environ={"PYTHONDONTWRITEBYTECODE": "1"})
    assert text.out.startswith("example: would run\n")
    assert not project.has("was-called")


def test_each_value_says_where_it_was_set(project, plan):
    """A line of the file, a flag, the environment or a default; a value of the environment is not shown."""
    project.write(
        "job.yaml",
        "version: 1\nname: example\nparams: {n: 1, m: 2}\ninput: {type: range, stop: 6}\n"
        "task:\n  call: tasks.same\n  with:\n    n: ${params.n}\n    m: ${params.m}\n    t: ${env.TOKEN}\n"
        "failures: {tolerate: 1%}\npool: {window: 77}\n",
    )
    project.write("tasks.py", "def same(item, *, n, m, t):\n    return item\n")
    flags = ["-p", "n=5", "-j", "3", "--set", "pool.ordered=false", "--set", "retry.attempts=3"]
    found = plan(*flags, environ={"TOKEN": "hunter2-hunter2"})
    values = {value.pop("path"): value for value in found["values"]}
    assert values["task.with.n"] == {"value": 5, "origin": "file", "line": 8, "told": "${params.n}, -p n=5"}
    assert values["task.with.m"] == {"value": 2, "origin": "file", "line": 9, "told": "${params.m}"}
    assert values["task.with.t"] == {
        "value": "${env.TOKEN}",
        "origin": "environment",
        "line": 10,
        "told": None,
    }
    assert values["params.n"]["told"] == "-p n=5"
    assert values["pool.size"] == {"value": 3, "origin": "flag", "line": None, "told": "--set pool.size=3"}
    assert values["pool.ordered"]["origin"] == "flag"
    assert values["retry"]["origin"] == "flag"
    assert values["retry"]["told"] == "--set retry.attempts=3"
    assert values["pool.window"] == {"value": 77, "origin": "file", "line": 12, "told": None}
    assert values["failures.tolerate.percent"] == {"value": 1.0, "origin": "file", "line": 11, "told": None}
    assert values["output.path"] == {
        "value": "out/example.jsonl",
        "origin": "default",
        "line": None,
        "told": None,
    }
    text = project.runner(
        "plan", "job.yaml", environ={"TOKEN": "hunter2-hunter2", "PYTHONDONTWRITEBYTECODE": "1"}
    )
    assert "hunter2" not in json.dumps(found) + text.out + text.err
    assert re.search(r'task\.with\.t = "\$\{env\.TOKEN\}" +# job\.yaml:10, from the environment', text.out)


def test_values_are_shown_as_a_job_file_has_them(project):
    """Durations, sizes and rates in quotes like every other text; set again, they are what they were."""
    project.job(
        timeout="1500ms", rate_limit={"rate": "1500/s"}, commit={"every": "2s"}, output={"type": "none"}
    )
    shown = project.runner("plan", "job.yaml").out
    wanted = {
        "timeout": "1.5s",
        "rate_limit.rate": "1500/s",
        "commit.every": "2s",
        "pool.window_bytes": "256MiB",
    }
    flags = []
    for path, value in wanted.items():
        assert f'  {path} = "{value}" ' in shown
        flags += ["--set", f'{path}="{value}"']
    again = project.runner("plan", "job.yaml", *flags).out
    assert all(f'  {path} = "{value}" ' in again for path, value in wanted.items()), again


def test_no_secret_is_shown(project, plan):
    """Neither where it is set, nor where the input holds it, nor by a module that cannot be imported."""
    environ = {"TOKEN": "hunter2-hunter2"}
    project.write("lines.txt", "the token is hunter2-hunter2\n")
    project.write("tasks.py", "def same(item, *, t):\n    return item\n")
    project.job(
        input={"type": "text", "path": "lines.txt"},
        task={"call": "tasks.same", "with": {"t": "Bearer ${secret.T}"}},
        secrets={"T": {"env": "TOKEN"}},
    )
    found = plan(environ=environ)
    values = {value["path"]: value["value"] for value in found["values"]}
    assert values["task.with.t"] == "Bearer ${secret.T}"
    assert values["secrets.T.env"] == "TOKEN"
    assert found["first_item"]["value"] == "the token is ${secret.T}"
    text = project.runner("plan", "job.yaml", environ={**environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert "the token is ${secret.T}" in text.out
    project.write(
        "tasks.py", "import os\nprint(os.environ['TOKEN'])\nraise ValueError(os.environ['TOKEN'])\n"
    )
    broken = project.runner("plan", "job.yaml", environ=environ)
    assert broken.code == 78
    assert "hunter2" not in text.out + text.err + broken.out + broken.err
    assert plan(code=78)["status"] == "invalid"


def test_a_known_number_of_items_is_exact(project, plan):
    """Of a range, a list, a glob; a limit counts."""
    project.job(input={"type": "range", "stop": 10**24})
    assert plan()["input"]["items"] == 10**24
    project.job(input={"type": "items", "items": ["a", "b"]})
    assert plan()["input"] == {
        "type": "items", "files": None, "bytes": None, "items": 2, "is_estimate": False, "note": "",
    }  # fmt: skip
    assert plan("--limit", "1")["input"]["items"] == 1


def test_a_small_file_is_counted_and_a_large_one_estimated(project, plan):
    """From its first MiB, marked as an estimate and near the truth."""
    project.write("small.csv", "a,b\n1,2\n\n3,4\n")
    project.job(input={"type": "csv", "path": "small.csv"})
    found = plan()
    assert (found["input"]["items"], found["input"]["is_estimate"], found["input"]["bytes"]) == (2, False, 13)
    project.write("large.jsonl", "".join(f'{{"n":{n:06}}}\n' for n in range(300_000)).replace(":0", ":1"))
    project.job(input={"type": "jsonl", "path": "large.jsonl"})
    found = plan()["input"]
    assert found["is_estimate"]
    assert 290_000 < found["items"] < 310_000
    assert plan("--limit", "10")["input"]["items"] == 10
    assert "about 3" in project.runner("plan", "job.yaml").out


def test_what_cannot_be_counted_is_said_to_be_unknown(project, plan):
    """A large compressed file, standard input, a factory: with the reason."""
    import gzip

    project.write("a.txt.gz", gzip.compress(b"x" * 99 + b"\n" * 2_000_000))
    project.job(input={"type": "text", "path": "a.txt.gz"})
    found = plan()["input"]
    assert found["items"] is None
    assert "compressed" in found["note"]
    project.job(input={"type": "text", "path": "-"})
    assert "read only once" in plan()["input"]["note"]


def test_the_first_item_is_as_the_task_gets_it(project, plan):
    """With its place; or why it would fail before the task sees it."""
    project.write("a.csv", "a,b\n1,\u00e4\n")
    project.job(input={"type": "csv", "path": "a.csv"})
    assert plan()["first_item"] == {
        "index": 0,
        "place": "a.csv:2",
        "value": {"a": "1", "b": "\u00e4"},
        "typed": None,
        "fault": None,
    }
    project.write("a.csv", "a,b\n1,2,3\n")
    found = plan()["first_item"]
    assert found["value"] is None
    assert "3 fields" in found["fault"]


def test_the_first_item_of_a_typed_task_is_converted(project, plan):
    """As the run does it; one that does not fit is told with its field, and the rest of the plan stands."""
    project.write(
        "tasks.py",
        "from dataclasses import dataclass\n@dataclass\nclass Row:\n    a: int\n"
        "def same(row: Row):\n    raise SystemExit('called')\n",
    )
    project.write("a.csv", "a\n1\n")
    project.job(input={"type": "csv", "path": "a.csv"})
    found = plan()["first_item"]
    assert (found["value"], found["typed"]) == ({"a": "1"}, "Row(a=1)")
    assert "Row(a=1)" in project.runner("plan", "job.yaml").out
    project.write("a.csv", "a\nx\n")
    found = plan()["first_item"]
    assert found["value"] == {"a": "x"}
    assert found["fault"] == 'a: must be a whole number, got "x"'


@pytest.mark.parametrize("raises", ["ValueError('no')", "SystemExit(3)", "StopIteration"])
def test_a_type_that_raises_costs_the_plan_nothing(project, plan, raises):
    """Neither its checks nor its `repr`."""
    project.write("a.csv", "a\n1\n")
    project.job(input={"type": "csv", "path": "a.csv"})
    for method in ("__post_init__", "__repr__"):
        project.write(
            "tasks.py",
            "from dataclasses import dataclass\n@dataclass(repr=False)\nclass Row:\n    a: int\n"
            f"    def {method}(self):\n        raise {raises}\ndef same(row: Row):\n    return None\n",
        )
        found = plan()
        assert found["status"] == "ready"
        assert found["first_item"]["fault"]


def test_limits_are_worked_out(project, plan):
    """What the rate allows at best, and what retries cost at worst."""
    project.job(
        input={"type": "range", "stop": 1000},
        timeout="10s",
        rate_limit={"rate": "100/min", "burst": 100},
        retry={"attempts": 3, "backoff": {"initial": "1s", "jitter": "none"}},
    )
    limits = plan()["limits"]
    assert limits["attempts"] == 3
    assert limits["delay_seconds"] == 3.0
    assert limits["item_seconds"] == 33.0
    assert limits["shortest_seconds"] == pytest.approx(540.0)


@pytest.mark.parametrize("flags", [(), ("--resume",)], ids=["plain", "--resume"])
def test_an_unfinished_run_is_gone_on_with_as_planned(project, plan, flags):
    """The plan names the run, the item, what is done; the run then says the same."""
    make_unfinished(project)
    found = plan(*flags)
    assert found["unfinished"]["index"] == found["unfinished"]["items"] == 3
    assert found["first_item"]["index"] == 3
    assert found["first_item"]["value"] == 5
    run_id = found["unfinished"]["run_id"]
    verdict = f"example: would go on with the unfinished run {run_id} from item 3\n"
    assert project.runner("plan", "job.yaml", *flags).out.startswith(verdict)
    done = project.run(*flags, "--set", "failures.tolerate=1", "--json")
    assert (done.code, done.report["resumed_from"], done.report["run_id"]) == (0, 3, run_id)


def test_a_refusal_is_that_of_the_run(project, plan):
    """Word for word, with its exit code; the rest of the plan is shown all the same."""
    make_unfinished(project)
    project.job(input={"type": "items", "items": [0, 2, 4, 7]}, task="tasks.odd_ones_fail")
    found = plan(code=3)
    assert found["status"] == "refused"
    assert found["input"]["items"] == 4
    assert "`input.items` changed" in found["message"]
    assert f"error: {found['message']}\n" in project.run().err
    assert plan("--restart")["unfinished"] is None


def test_changed_code_can_be_accepted_in_the_plan_too(project, plan):
    """`--accept code` means the same to both."""
    make_unfinished(project)
    project.write("tasks.py", project.read("tasks.py") + "\n# a comment\n")
    assert "the code in tasks.py changed" in plan(code=3)["message"]
    assert plan("--accept", "code")["unfinished"]["index"] == 3


def test_a_run_that_would_start_over_says_so(project, plan):
    """`unfinished: restart` throws work away: the plan says what the run will say."""
    make_unfinished(project, unfinished="restart")
    found = plan()
    assert found["unfinished"] is None
    (said,) = found["said"]
    assert "starts over" in said
    assert said in project.run().err


@pytest.mark.parametrize(
    ("if_exists", "flags", "code", "effect"),
    [
        ("replace", (), 0, "replace"),
        ("skip", (), 0, "skip"),
        ("fail", (), 3, "refuse"),
        ("replace", ("--limit", "2"), 3, "refuse"),
    ],
)
def test_what_becomes_of_an_existing_output(project, plan, if_exists, flags, code, effect):
    """The same as in the run: replaced, skipped, refused."""
    project.write("out.jsonl", "old\n")
    project.job(output={"type": "jsonl", "path": "out.jsonl", "if_exists": if_exists})
    found = plan(*flags, code=code)
    assert found["output"]["effect"] == effect
    assert found["output"]["bytes"] == 4
    done = project.run(*flags)
    assert done.code == code
    if found["message"]:
        assert found["message"] in done.err
    assert (project.read("out.jsonl") == "old\n") == (effect != "replace")


@pytest.mark.parametrize(
    ("keys", "flags", "code"),
    [
        ({"pool": {"sizes": 3}}, (), 78),
        ({"task": "tasks.nothing_there"}, (), 78),
        ({"output": {"type": "jsonl", "path": "folder"}}, (), 78),
        ({"input": {"type": "csv", "path": "missing.csv"}}, (), 4),
        ({"input": {"type": "csv", "path": "twice.csv"}}, (), 4),
        ({}, ("-p", "x=1"), 78),
        ({}, ("--resume",), 3),
        ({}, ("--config", "missing.yaml"), 2),
    ],
    ids=str,
)
def test_faults_end_with_the_code_of_a_run(project, plan, keys, flags, code):
    """What would stop the run before its first item stops the plan, in the same words."""
    (project.root / "folder").mkdir()
    project.write("twice.csv", "a,a\n1,2\n")
    project.job(**keys)
    found = plan(*flags, code=code)
    assert found["exit_code"] == code
    done = project.run(*flags)
    assert done.code == code
    planned = project.runner("plan", "job.yaml", *flags)
    assert planned.code == code
    if code != 3:
        assert planned.err.splitlines()[0] in done.err


def test_no_job_file_is_wrong_usage(project):
    """As for every command."""
    done = project.runner("plan", "nowhere.yaml")
    assert (done.code, done.out) == (2, "")
    assert "there is no job file nowhere.yaml" in done.err


def test_who_is_at_work_is_named(project):
    """A plan takes no lock, so it disturbs no run."""
    project.job(task="tasks.wait", input={"type": "range", "stop": 1})
    with project.kept_waiting() as running:
        done = project.runner("plan", "job.yaml")
        assert done.code == 0
        assert f"process {running.process.pid}" in done.out
        project.let_go()
        assert running.end().code == 0
    assert "seems to work" not in project.runner("plan", "job.yaml").out


def test_a_module_that_prints_does_not_spoil_the_json(project, plan):
    """Its words go where messages go."""
    project.write("tasks.py", "print('hello')\ndef same(item):\n    return item\n")
    project.job()
    assert plan()["status"] == "ready"


def test_hostile_values_are_escaped(project):
    """Neither an item nor a value commands the terminal; a text too long is cut."""
    project.write("a.txt", f"\x1b[31m{'x' * 5000}\n")
    project.job(input={"type": "text", "path": "a.txt"}, description="\x1b]0;title\x07\u202e")
    out = project.runner("plan", "job.yaml").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert max(map(len, out.splitlines())) < 2200


def test_a_date_is_pinned_by_an_unfinished_run(project, plan):
    """`${run.date}` is the day on which it began, unless a flag says otherwise."""
    output = {"type": "jsonl", "path": "out.jsonl"}
    project.job(
        input={"type": "items", "items": [0, 2, 4, 5]},
        task={"call": "tasks.dated", "with": {"day": "${run.date}"}},
        output=output,
    )
    project.write("tasks.py", "def dated(item, *, day):\n    assert item % 2 == 0\n    return {day: item}\n")
    assert project.run("--date", "2026-01-31").code == 1
    found = plan()
    assert found["unfinished"]["index"] == 3
    assert {value["path"]: value["value"] for value in found["values"]}["task.with.day"] == "2026-01-31"
    assert "`task.with.day` changed" in plan("--date", "2026-02-01", code=3)["message"]


def test_dry_run_points_here(project):
    """Who types what other tools have is told what there is."""
    project.job()
    done = project.run("--dry-run")
    assert done.code == 2
    assert "runner plan" in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take rights from a process so")
def test_an_unreadable_input_is_told_as_by_the_run(project):
    """A permission is no traceback."""
    project.write("a.csv", "a\n1\n").chmod(0)
    project.job(input={"type": "csv", "path": "a.csv"})
    done = project.runner("plan", "job.yaml", is_bound=True)
    assert done.code == 4
    assert "cannot be read" in done.err
