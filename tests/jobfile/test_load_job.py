"""From a path and the flags of a command line to a job."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.jobfile import LoadedJob, find_root, load_job

NOW = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)
JOB = """\
version: 1
name: count
input: {type: range, stop: 10}
task: jobs.count.double
"""


def load(path: Path, **changes: object) -> LoadedJob:
    """Load a job with an empty environment."""
    return load_job(path, environ={}, now=NOW, **changes)


@pytest.fixture
def job_path(tmp_path: Path) -> Path:
    """Return the path of a small job."""
    path = tmp_path / "jobs" / "count.yaml"
    path.parent.mkdir()
    path.write_text(JOB, encoding="utf-8")
    return path


def test_a_file_is_loaded_with_the_kinds_that_are_built_in(job_path):
    """No fault, and everything that a run or a report of faults needs."""
    loaded = load(job_path)
    assert loaded.problems == ()
    assert loaded.errors == ()
    assert loaded.job.name == "count"
    assert loaded.text == JOB
    assert loaded.path == job_path
    assert loaded.root == job_path.parent


def test_problems_carry_the_path_as_it_was_given(job_path, monkeypatch):
    """So that a click in a terminal opens the file."""
    job_path.write_text(JOB + "pool: {size: 0}\n", encoding="utf-8")
    monkeypatch.chdir(job_path.parent)
    loaded = load(Path("count.yaml"))
    assert [problem.file for problem in loaded.errors] == ["count.yaml"]
    assert loaded.job is None


@pytest.mark.parametrize("mark", ["pyproject.toml", "config.yaml"])
def test_the_root_is_the_nearest_marked_folder(mark, job_path, tmp_path):
    """At or above the job file."""
    (tmp_path / mark).touch()
    assert find_root(job_path) == tmp_path
    (job_path.parent / mark).touch()
    assert find_root(job_path) == job_path.parent


def test_without_a_mark_the_root_is_the_folder_of_the_file(job_path, monkeypatch):
    """Whatever the current folder is, and however the path is written."""
    monkeypatch.chdir(job_path.parent)
    assert find_root(Path("count.yaml")) == job_path.parent
    assert find_root(Path("../jobs/count.yaml")) == job_path.parent


def test_a_folder_called_like_a_mark_is_none(job_path, tmp_path):
    """A mark is a file; settings that are none are refused, not passed over."""
    (tmp_path / "pyproject.toml").mkdir()
    assert find_root(job_path) == job_path.parent
    (tmp_path / "config.yaml").mkdir()
    assert find_root(job_path) == tmp_path


def test_a_missing_file_names_its_neighbour(job_path):
    """The most likely reason is a slip of the finger."""
    with pytest.raises(UsageError, match=r"no job file .*cuont\.yaml; did you mean .*count\.yaml\?"):
        load(job_path.with_name("cuont.yaml"))


def test_a_missing_folder_is_told_without_a_guess(tmp_path):
    """There is nothing to guess from."""
    with pytest.raises(UsageError, match=r"no job file .*x\.yaml$"):
        load(tmp_path / "nowhere" / "x.yaml")


def test_a_folder_is_no_job_file(job_path):
    """The message names a file that is one."""
    with pytest.raises(
        UsageError, match=r"is a folder, not a job file; name a file in it, such as .*count\.yaml"
    ):
        load(job_path.parent)


def test_a_path_below_a_file_is_told(job_path):
    """The system's reason is passed on."""
    with pytest.raises(UsageError, match="cannot read the job file"):
        load(job_path / "below.yaml")


def test_a_path_that_no_system_takes_is_told(tmp_path):
    """Also one with a zero byte."""
    with pytest.raises(UsageError, match="cannot read the job file"):
        load(tmp_path / "a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_told(job_path):
    """The system's reason is passed on."""
    job_path.chmod(0)
    with pytest.raises(UsageError, match="Permission denied"):
        load(job_path)


@pytest.mark.parametrize(
    ("default", "given", "value"),
    [
        ("1000", "500", 500),
        ("0.5", "2", 2.0),
        ("true", "false", False),
        ("text", "500", "500"),
        ("text", "", ""),
        ("null", "500", 500),
        ("null", "text", "text"),
        ("[a]", "[1, b]", [1, "b"]),
        ("[]", "[]", []),
    ],
)
def test_a_parameter_is_read_as_the_type_of_its_default(default, given, value, read, job_text):
    """And one without a default as what it looks like."""
    job, problems = read(f"{job_text}params: {{x: {default}}}\n", params={"x": given})
    assert not problems
    assert job.params == {"x": value}
    assert type(job.params["x"]) is type(value)


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("pool.size", "32", lambda job: job.pool.size == 32),
        ("owner", "me: and you", lambda job: job.owner == "me: and you"),
        ("labels", "{a: b}", lambda job: job.labels == {"a": "b"}),
        (
            "task.with.n",
            "5",
            lambda job: (job.task.call, job.task.with_) == ("jobs.airports.nearest_hub", {"n": 5}),
        ),
        ("input.path", "${params.file}", lambda job: job.input.path == "a.csv"),
        ("task.call", "jobs.other.f", lambda job: job.task.call == "jobs.other.f"),
        ("params.file", "b.csv", lambda job: job.params["file"] == "b.csv"),
    ],
)
def test_an_override_is_set_before_anything_is_validated(path, text, found, read, job_text):
    """Into the file's data, so that references and short forms work as they do in the file."""
    job, problems = read(f"{job_text}params: {{file: a.csv}}\n", overrides=[(path, text)])
    assert not problems
    assert found(job)


def test_a_later_override_wins(read, job_text):
    """As on any command line, also over what it contains."""
    overrides = [("pool.size", "x"), ("pool", "{size: 3}"), ("pool.window", "2000"), ("pool.size", "4")]
    job, problems = read(job_text, overrides=overrides)
    assert not problems
    assert (job.pool.size, job.pool.window) == (4, 2000)


def test_an_override_mends_a_fault_of_the_file(read, job_text):
    """What is not used any more cannot be wrong."""
    job, problems = read(f"{job_text}pool: {{size: 0}}\n", overrides=[("pool.size", "2")])
    assert not problems
    assert job.pool.size == 2


def test_an_item_of_a_list_can_be_set_but_not_added(read, job_text):
    """A position that is not there is more likely a slip than a wish."""
    text = job_text.replace("path: airports.csv", "path: [a, b]").replace("type: csv", "type: jsonl")
    assert read(text, overrides=[("input.path.1", "c")])[0].input.path == ["a", "c"]
    _, problems = read(text, overrides=[("input.path.2", "c")])
    assert [problem.code for problem in problems] == ["bad-flag"]


def test_very_many_faults_are_counted_and_not_shown(read, job_text):
    """A hundred are enough for one look; a last word says how many are left."""
    labels = "".join(f"  key_{n}: {n}\n" for n in range(150))
    _, problems = read(f"{job_text}labels:\n{labels}")
    assert len(problems) == 101
    assert (problems[-1].code, problems[-1].line) == ("too-many-faults", 106)
    assert problems[-1].message.startswith("50 more")


def test_the_run_date_is_that_of_the_jobs_time_zone(tmp_path: Path) -> None:
    """At noon UTC it is already tomorrow in Auckland; `run.date` says what the calendar there says."""
    path = tmp_path / "job.yaml"
    path.write_text(
        "version: 1\nname: dated\ntimezone: Pacific/Auckland\ninput: {type: range, stop: 1}\n"
        'task: jobs.a.b\noutput: {type: jsonl, path: "out/${run.date}.jsonl"}\n'
    )
    job = load_job(path, environ={}, now=NOW).job
    assert job is not None
    assert job.output.model_dump()["path"] == "out/2026-02-01.jsonl"


def test_a_flag_changes_one_key_of_the_default_output(tmp_path: Path) -> None:
    """`--set output.path` alone is enough where the job file says nothing of its output."""
    path = tmp_path / "job.yaml"
    path.write_text("version: 1\nname: plain\ninput: {type: range, stop: 1}\ntask: jobs.a.b\n")
    job = load_job(path, environ={}, now=NOW, overrides=[("output.path", "-")]).job
    assert job is not None
    assert job.output.model_dump() == {"type": "jsonl", "path": "-", "if_exists": "replace"}
