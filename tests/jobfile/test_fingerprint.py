"""Every value that decides about the bytes of the output has a hash of its own, and no two share one."""

from __future__ import annotations

import pytest

from runner.jobfile import Job
from runner.jobfile.fingerprint import changes, fingerprint, flatten
from tests.jobfile.conftest import JOB


@pytest.fixture
def job_with(read):
    """Give a function that makes the shortest job with further lines."""

    def job_with(lines: str, *, task: str = "tasks.f") -> Job:
        text = JOB.replace("task: jobs.airports.nearest_hub", f"task: {task}")
        job, problems = read(f"{text}{lines}")
        assert job is not None, problems
        return job

    return job_with


def changed(before: Job, now: Job) -> list[str]:
    """Return the keys that keep `now` from going on with `before`."""
    return changes(fingerprint(before, limit=None), fingerprint(now, limit=None))


def test_what_is_free_has_no_hash(job_with):
    """The pool, the tolerance and what is for people may change while a run is unfinished."""
    free = "pool: {size: 3, window: 7}\nfailures: {tolerate: 5%}\ndescription: x\nlabels: {a: b}\n"
    assert changed(job_with(""), job_with(free)) == []


def test_each_decisive_key_is_named(job_with):
    """The order of the rows, the output and the arguments may not."""
    now = job_with(
        "pool: {ordered: false}\noutput: {type: jsonl, path: b.jsonl}\n", task="{call: tasks.f, with: {x: 1}}"
    )
    assert changed(job_with(""), now) == ["output.path", "pool.ordered", "task.with", "task.with.x"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param("{a: {b: 1}}", '{"a.b": 1}', id="a dot in a key"),
        pytest.param("{a: .inf}", "{a: null}", id="infinity and nothing"),
        pytest.param("{a: .inf}", "{a: -.inf}", id="two infinities"),
        pytest.param("{a: 1}", "{a: 1.0}", id="a whole number and a float"),
        pytest.param("{a: 1}", "{a: true}", id="one and true"),
        pytest.param("{a: {}}", "{a: []}", id="two kinds of nothing"),
        pytest.param("{a: [1, 2]}", "{a: [2, 1]}", id="the order of a list"),
    ],
)
def test_values_that_differ_never_share_a_hash(job_with, before, now):
    """What Python or JSON would call the same is another argument to the task."""
    call = "{{call: tasks.f, with: {}}}"
    assert changed(job_with("", task=call.format(before)), job_with("", task=call.format(now)))


def test_a_job_is_flat_by_dotted_path(job_with):
    """Defaults are in it, mappings are taken apart, lists and empty mappings are values."""
    flat = flatten(job_with("", task='{call: tasks.f, with: {a: {"b.c": [1]}}}'))
    assert flat['task.with.a."b.c"'] == [1]
    assert flat["failures.tolerate.count"] == 0
    assert flat["labels"] == {}
