"""The job: its defaults, its ranges, and the forms that its keys take."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from runner import sizing
from runner.jobfile import Job, PoolOptions, Tolerance
from runner.options import Options, describe


def test_four_keys_make_a_job(read, job_text, monkeypatch):
    """Everything else has a default."""
    monkeypatch.setattr(sizing, "usable_cpus", lambda: 2)
    job, problems = read(job_text)
    assert not problems
    assert job.task.call == "jobs.airports.nearest_hub"
    assert job.task.with_ == {}
    assert (job.pool.engine, job.pool.size, job.pool.chunksize, job.pool.ordered) == ("threads", 6, 1, True)
    assert (job.pool.window, job.pool.window_bytes) == (1024, 256 * 2**20)
    assert job.failures.tolerate == Tolerance(count=0)
    assert job.failures.dead_letter is None
    assert (job.timezone, job.unfinished) == ("UTC", "resume")
    assert job.output.type == "jsonl"
    assert job.output.path == "out/nearest-hub.jsonl"
    assert job.input.delimiter == ","


@pytest.mark.parametrize(("cpus", "size"), [(1, 5), (8, 12), (128, 32)])
def test_the_default_size_is_cpythons_rule(cpus, size, monkeypatch):
    """Usable CPUs and four more, at most 32."""
    monkeypatch.setattr(sizing, "usable_cpus", lambda: cpus)
    assert PoolOptions().size == size


@pytest.mark.parametrize(
    ("size", "chunksize", "window"), [(4, 1, 1024), (300, 1, 1200), (16, 100, 6400), (16, "auto", 1024)]
)
def test_the_default_window_follows_size_and_chunksize(size, chunksize, window):
    """Four chunks for each worker, at least 1024 items; `auto` begins with one."""
    assert PoolOptions(size=size, chunksize=chunksize).window == window


@pytest.mark.parametrize(
    ("form", "count", "percent"),
    [
        ("5", 5, None),
        ("0", 0, None),
        ("1%", None, 1.0),
        ("0.5%", None, 0.5),
        ("all", None, None),
        ("{count: 200, percent: 1}", 200, 1.0),
        ("{percent: 0.25}", None, 0.25),
        ("{count: 3}", 3, None),
    ],
)
def test_every_form_of_tolerance_is_one_value(form, count, percent, read, job_text):
    """A count, a percentage, both, or all."""
    job, problems = read(f"{job_text}failures: {{tolerate: {form}}}\n")
    assert not problems
    assert (job.failures.tolerate.count, job.failures.tolerate.percent) == (count, percent)


@pytest.mark.parametrize(
    "form",
    ["-1", "101%", "1.5", "some", "{}", "{count: null}", "{percent: .nan}", "{count: true}", "true", "'5'"],
)
def test_what_is_no_tolerance_is_one_fault(form, read, job_text):
    """Also an empty mapping, which would otherwise tolerate everything."""
    job, problems = read(f"{job_text}failures: {{tolerate: {form}}}\n")
    assert job is None
    assert len(problems) == 1


@pytest.mark.parametrize("name", ["a", "0", "nightly-hubs_2.v1", "a" * 100])
def test_a_name_of_plain_characters_is_taken(name, read, job_text):
    """Lower-case letters, digits, dots, underscores and dashes."""
    job, _ = read(job_text.replace("nearest-hub", f'"{name}"', 1))
    assert job.name == name


@pytest.mark.parametrize("name", ["", "A", "-a", ".a", "a/b", "ä", "a b", "a\\n", "a" * 101, "${params.x}"])
def test_any_other_name_is_refused(name, read, job_text):
    """A name becomes part of file names."""
    job, problems = read(job_text.replace("nearest-hub", f'"{name}"', 1))
    assert job is None
    assert [problem.path for problem in problems] == ["name"]


@pytest.mark.parametrize("version", ["0", "2", "1.0", "'1'", "true", "null"])
def test_only_version_1_is_read(version, read, job_text):
    """It is the whole number 1 and nothing that is equal to it."""
    _, problems = read(job_text.replace("version: 1", f"version: {version}"))
    assert [(problem.code, problem.line) for problem in problems] == [("bad-value", 1)]


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_iana_time_zones_are_taken(timezone, read, job_text):
    """As the machine knows them."""
    assert read(f"{job_text}timezone: {timezone}\n")[0].timezone == timezone


@pytest.mark.parametrize(
    "timezone", ["America", "../../etc/passwd", "/etc/localtime", "Nowhere", '"\\0"', '""']
)
def test_what_is_no_time_zone_is_a_fault(timezone, read, job_text):
    """Names are looked up in a folder of files; none of them gets out of it or breaks the look-up."""
    _, problems = read(f"{job_text}timezone: {timezone}\n")
    assert [problem.code for problem in problems] == ["bad-value"]


@pytest.mark.parametrize(
    "call", ["f", "a..b", ".a.b", "a.b.", "a:b", "a.b()", "a.class", "a.1b", "a b.c", "a-b.c"]
)
def test_what_is_no_dotted_path_is_no_task(call, read, job_text):
    """A task is named by plain identifiers."""
    _, problems = read(job_text.replace("jobs.airports.nearest_hub", f'"{call}"'))
    assert [(problem.code, problem.path) for problem in problems] == [("bad-value", "task")]


def test_a_job_cannot_be_changed(read, job_text):
    """What was validated is what runs."""
    job, _ = read(job_text)
    with pytest.raises(ValidationError, match="frozen"):
        job.name = "other"


def test_every_key_is_described():
    """The descriptions become the help of editors and of `runner explain`."""
    waiting, seen = [Job], []
    while waiting:
        model = waiting.pop()
        seen.append(model)
        for name, field in model.model_fields.items():
            assert describe(model).get(name), f"{model.__name__}.{name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, Options):
                waiting.append(field.annotation)
    assert len(seen) > 5


def test_reading_job_files_loads_nothing_heavy():
    """`validate` stays quick: what only a run needs is not imported."""
    code = "import sys, runner.jobfile; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "runner.jobfile" in loaded
    assert not loaded & {"structlog", "click", "rich", "msgspec", "orjson", "asyncio", "runner.engine"}


def test_no_default_of_a_job_is_made_by_reading_a_signature_with_the_tokenizer():
    """Pydantic does so for `list` as a factory; three of them took a twenty-fifth of `runner validate`."""
    code = """
import tokenize

def refuse(*_):
    raise SystemExit("the tokenizer is needed")

tokenize._tokenize = refuse
from runner.jobfile import Job
Job.model_rebuild()
print(Job.__pydantic_complete__)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("True\n", "")
