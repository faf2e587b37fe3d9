"""Jobs that work: what comes out, for every kind of output, order and chunksize."""

from __future__ import annotations

import gzip
import json
import os

import pytest


def test_rows_of_json_lines_become_rows_of_json_lines(project):
    """A good run ends 0, names its output and leaves rows, an empty dead-letter file and nothing else."""
    rows = [{"name": "Å", "n": 2**70}, {"name": "b\u2028", "n": None}]
    project.write("data.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    project.job(input={"type": "jsonl", "path": "data.jsonl"})
    done = project.run()
    assert (done.code, done.out) == (0, "")
    assert "completed: 2 items, 2 rows" in done.err
    assert "out.jsonl" in done.err
    assert project.lines("out.jsonl") == rows
    assert project.read("out.failed.jsonl") == ""
    assert sorted(path.name for path in project.root.iterdir()) == [
        ".runner",
        "__pycache__",
        "data.jsonl",
        "job.yaml",
        "out.failed.jsonl",
        "out.jsonl",
        "tasks.py",
    ]


def test_rows_of_csv_become_rows_of_csv(project):
    """Columns are those of the first row; commas, quotes and line ends come out as they went in."""
    text = 'id,text\r\n1,"a, ""b"""\r\n2,"two\nlines"\r\n'
    project.write("data.csv", text)
    project.job(input={"type": "csv", "path": "data.csv"}, output={"type": "csv", "path": "out.csv"})
    assert project.run().code == 0
    assert project.read("out.csv").replace("\r\n", "\n") == text.replace("\r\n", "\n")


def test_a_job_without_output_runs_for_its_effect(project):
    """`output: none` writes no rows, and its dead letters stand in the state."""
    project.write("touch.py", "from pathlib import Path\ndef it(n): Path(f'made.{n}').touch()\n")
    project.job(task="touch.it", output={"type": "none"})
    done = project.run()
    assert done.code == 0
    assert all(project.has(f"made.{n}") for n in range(6))
    assert list(project.root.glob("out*")) == []
    assert project.has(".runner/jobs/example/example.failed.jsonl")


def test_none_from_a_task_is_no_row(project):
    """An item may have no row: it is counted as succeeded and nothing is written."""
    project.job(task="tasks.nothing")
    done = project.run("--json")
    assert done.code == 0
    assert project.read("out.jsonl") == ""
    assert (done.report["items"], done.report["succeeded"], done.report["rows"]) == (6, 6, 0)


@pytest.mark.parametrize("chunksize", [10, "auto"])
def test_an_ordered_output_has_the_order_of_the_input(project, chunksize):
    """Tasks that finish in any order leave rows in input order, at any chunksize."""
    project.job(
        input={"type": "range", "stop": 300}, task="tasks.racing", pool={"size": 8, "chunksize": chunksize}
    )
    assert project.run().code == 0
    assert project.lines("out.jsonl") == list(range(300))


@pytest.mark.parametrize("chunksize", [10])
def test_an_unordered_output_has_the_same_rows(project, chunksize):
    """Unordered rows are the same multiset."""
    pool = {"size": 8, "chunksize": chunksize, "ordered": False}
    project.job(input={"type": "range", "stop": 300}, task="tasks.racing", pool=pool)
    assert project.run().code == 0
    assert sorted(project.lines("out.jsonl")) == list(range(300))


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_empty_input_is_a_run_without_items(project, kind):
    """No items is no fault: exit 0 and an empty output."""
    project.write("data", "")
    project.job(input={"type": kind, "path": "data"})
    done = project.run()
    assert done.code == 0
    assert "completed" in done.err
    assert project.read("out.jsonl") == ""
    assert project.read("out.failed.jsonl") == ""


def test_standard_input_is_an_input(project):
    """`-` reads what is piped in."""
    project.job(input={"type": "jsonl", "path": "-"})
    done = project.run(stdin=b'{"a": 1}\n{"a": 2}\n')
    assert done.code == 0
    assert project.lines("out.jsonl") == [{"a": 1}, {"a": 2}]


def test_an_output_on_standard_output_holds_rows_and_nothing_else(project):
    """With `-` the rows go to standard output and every message to standard error."""
    project.job(task="tasks.double", output={"type": "jsonl", "path": "-"})
    done = project.run()
    assert done.code == 0
    assert [json.loads(line)["double"] for line in done.out.splitlines()] == [0, 2, 4, 6, 8, 10]
    assert "completed" in done.err


def test_a_compressed_output_has_the_same_bytes_each_time(project):
    """`.gz` is readable by gzip and holds no time and no name: two runs are byte for byte the same."""
    project.job(input={"type": "range", "stop": 2000}, output={"type": "jsonl", "path": "out.jsonl.gz"})
    found = []
    for _ in range(2):
        assert project.run().code == 0
        found.append((project.root / "out.jsonl.gz").read_bytes())
    assert found[0] == found[1]
    assert gzip.decompress(found[0]).decode().split() == [str(n) for n in range(2000)]
    assert project.has("out.jsonl.gz.failed.jsonl")


def test_a_link_as_output_stays_a_link(project):
    """The file that the link points at is replaced, in its own folder, and not the link."""
    project.write("store/real.jsonl", "old\n")
    (project.root / "out.jsonl").symlink_to("store/real.jsonl")
    project.job()
    assert project.run().code == 0
    assert (project.root / "out.jsonl").is_symlink()
    assert project.read("store/real.jsonl").split() == ["0", "1", "2", "3", "4", "5"]


def test_the_output_has_the_mode_that_the_umask_says(project):
    """Others may read a published file as far as a plain `open` would have let them."""
    project.job()
    before = os.umask(0o027)
    try:
        assert project.run().code == 0
    finally:
        os.umask(before)
    assert (project.root / "out.jsonl").stat().st_mode & 0o777 == 0o640
    assert (project.root / "out.failed.jsonl").stat().st_mode & 0o777 == 0o640


def test_missing_folders_of_outputs_are_created(project):
    """Neither the output nor the dead letters need their folders made first."""
    project.job(output={"type": "jsonl", "path": "a/b/out.jsonl"}, failures={"dead_letter": "c/d/dead.jsonl"})
    assert project.run().code == 0
    assert project.has("a/b/out.jsonl")
    assert project.has("c/d/dead.jsonl")
    assert [path.name for path in (project.root / "c/d").iterdir()] == ["dead.jsonl"]


def test_everything_starts_at_the_project_of_the_job_file(project, tmp_path):
    """From another folder, paths, imports, settings and state are those of the job file's project."""
    project.write("pyproject.toml", "")
    project.write("data.jsonl", "1\n")
    project.job("jobs/deep/job.yaml", input={"type": "jsonl", "path": "data.jsonl"})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = project.run(job="../project/jobs/deep/job.yaml", cwd=elsewhere)
    assert done.code == 0, done.err
    assert project.read("out.jsonl") == "1\n"
    assert project.has(".runner/runs")
    assert list(elsewhere.iterdir()) == []


def test_a_parameter_is_read_as_the_type_of_its_default(project):
    """`-p` gives a number where the default is one, and text where the default is text."""
    project.write("with_.py", "def it(n, *, number, text, flag):\n    return [number, text, flag]\n")
    project.job(
        params={"number": 1, "text": "a", "flag": False},
        task={"call": "with_.it", "with": {k: f"${{params.{k}}}" for k in ("number", "text", "flag")}},
        input={"type": "range", "stop": 1},
    )
    assert project.run("-p", "number=25", "-p", "text=25", "-p", "flag=true").code == 0
    assert project.lines("out.jsonl") == [[25, "25", True]]


@pytest.mark.parametrize(
    ("flags", "phrase"),
    [
        (["-p", "raduis=5"], "did you mean `radius`?"),
        (["-p", "radius=wide"], "radius"),
        (["--set", "pool.sise=5"], "did you mean `size`?"),
        (["--set", "pool.size=many"], "pool.size"),
    ],
)
def test_a_wrong_parameter_or_key_is_named_and_nothing_runs(project, flags, phrase):
    """What the command line sets is checked as the job file is: exit 78 and the nearest name."""
    project.job(params={"radius": 1000})
    done = project.run(*flags)
    assert done.code == 78
    assert phrase in done.err
    assert "Traceback" not in done.err
    assert not project.has("out.jsonl")


@pytest.mark.parametrize("flags", [["-j", "3"], ["--set", "pool.size=3"]])
def test_the_command_line_sets_the_size_of_the_pool(project, flags):
    """`-j 3` and `--set pool.size=3` are the same."""
    project.job()
    assert project.run(*flags).code == 0
    (started,) = [event for event in project.logged() if event["event"] == "run.started"]
    assert started["size"] == 3


def test_limit_takes_the_first_items_only(project):
    """`--limit 2` runs two items, and `--json` counts two."""
    project.job()
    done = project.run("--limit", "2", "--json")
    assert done.code == 0
    assert project.lines("out.jsonl") == [0, 1]
    assert done.report["items"] == 2


def test_a_quiet_run_says_nothing(project):
    """`-q` keeps a run that went well silent."""
    project.job()
    done = project.run("-q")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_quiet_run_still_says_what_went_wrong(project):
    """`-q` does not hide a failed run."""
    project.job(task="tasks.broken")
    done = project.run("-q")
    assert done.code == 1
    assert "no good: 0" in done.err
