"""Whatever a job file holds, it is told what is wrong: no traceback, no place outside of the file."""

from __future__ import annotations

import json
import random
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.jobfile import CODES, Document, read_document, render_concise, render_text, to_json
from runner.jobfile.problem import split_lines

JOB = """\
# yaml-language-server: $schema=./job.schema.json
version: 1
name: nearest-hub
description: "For every airport, the nearest 🛫 large hub"
owner: data-platform
labels: {team: geo, 日本: "x"}
params:
  radius_km: 1000
  since: null
  names: [ann, bob]
input:
  type: csv
  path: data/${params.radius_km}/${env.DAY:-today}.csv
  delimiter: ";"
task:
  call: jobs.airports.nearest_hub
  with: {radius_km: "${params.radius_km}", date: "${run.date}", literal: "$${x}"}
pool:
  size: 16
  chunksize: auto
  ordered: true
  window: 1024
  window_bytes: 256MiB
failures:
  tolerate: 1%
  dead_letter: >
    out/hubs.failed
    .jsonl
output:
  type: jsonl
  path: out/hubs.jsonl
unfinished: resume
"""
TOKENS = [
    "null", "true", "yes", "007", "1e999", "-", "- ", ": ", ":", "[", "]", "{", "}", '"', "'", "|", ">",
    "&a", "*a", "!t", "!!binary", "<<", "?", "? ", "${", "${params.x}", "${env.NOPE}", "$${", "\t", "\n",
    "\r", "\x00", "\x85", "\u2028", "\ufeff", "---", "...", "%YAML 1.2", "#", "@", "`", "9" * 5000,
    "0x" + "f" * 5000, "-1", "0", "", "~", ".inf", ".nan", "12:30", "\\", "\x1b[2J", "\ud800", "🛫", "type",
    "pool", "size", "${params.since}",
]  # fmt: skip


@st.composite
def broken_jobs(draw: st.DrawFn) -> bytes:
    """Draw a job file to which one to six things have happened."""
    text = JOB
    for _ in range(draw(st.integers(1, 6))):
        lines = text.split("\n")
        number = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 5)):
            case 0:
                del lines[number]
            case 1:
                lines.insert(draw(st.integers(0, len(lines))), lines[number])
            case 2:
                lines[number] = " " * draw(st.integers(0, 6)) + lines[number].strip()
            case 3:
                words = re.split(r"(\W+)", lines[number])
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(TOKENS))
                lines[number] = "".join(words)
            case 4:
                at = draw(st.integers(0, len(lines[number])))
                lines[number] = lines[number][:at] + draw(st.sampled_from(TOKENS)) + lines[number][at:]
            case 5:
                at = draw(st.integers(0, len(lines[number])))
                lines[number] = lines[number][:at] + draw(st.text(max_size=5)) + lines[number][at:]
        text = "\n".join(lines)
    raw = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.binary(max_size=4)) + raw[at + draw(st.integers(0, 3)) :]
    return raw


def assert_is_told(document: Document, job: object, problems) -> None:
    """Assert that there is a job or a reason, and that everything can be shown."""
    lines = split_lines(document.text)
    assert job is not None or problems
    for problem in problems:
        assert problem.code in CODES
        if "(from -p since=x)" in problem.message:
            continue
        assert problem.line is not None
        assert 1 <= problem.line <= max(1, len(lines))
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert (problem.end_line, problem.end_column) >= (problem.line, problem.column)
    shown = render_text(problems, {document.file: document.text})
    assert all(character == "\n" or ord(character) >= 32 for character in shown)
    assert render_concise(problems).count("\n") == len(problems)
    shown.encode()
    json.dumps(to_json(problems), ensure_ascii=False).encode()


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=broken_jobs(), strict_env=st.booleans())
def test_a_mutated_job_file_is_never_a_traceback(source, strict_env, read):
    """Deleted, doubled, indented and garbled lines give a job or faults with a place in the file."""
    document = read_document(source, "job.yaml")
    job, problems = read(
        document, params={"since": "x"} if "since:" in document.text else {}, strict_env=strict_env
    )
    assert_is_told(document, job, problems)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_and_any_text_are_told_what_they_are(source, read):
    """What was never meant to be a job file is told so."""
    document = read_document(source, "job.yaml")
    job, problems = read(document)
    assert job is None
    assert_is_told(document, job, problems)


@settings(deadline=None, max_examples=150)
@given(source=broken_jobs())
def test_both_parsers_find_the_same_faults_in_a_readable_file(source):
    """What libyaml reads means the same to the pure parser, which is used where libyaml is not built in."""
    fast = read_document(source, "job.yaml")
    slow = read_document(source, "job.yaml", parser=yaml.SafeLoader)
    if fast.is_readable and slow.is_readable:
        assert repr(slow.data) == repr(fast.data)
        assert [(found.code, found.line, found.message) for found in slow.problems] == [
            (found.code, found.line, found.message) for found in fast.problems
        ]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(alphabet="abc.0-[] ", max_size=8)
    | st.sampled_from(["pool.size", "task.with.x", "input", "params.since"]),
    value=st.text(max_size=12) | st.sampled_from(TOKENS),
)
def test_no_flag_is_a_traceback(path, value, read):
    """Whatever stands on a command line is a value or a fault that names the flag."""
    job, problems = read(JOB, overrides=[(path, value)], params={"since": value, "radius_km": value})
    assert job is not None or problems
    render_text(problems, {"job.yaml": JOB}).encode()


MANY = 20_000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 2**20, id="brackets"),
        pytest.param("- " * 2**19, id="dashes"),
        pytest.param("? " * 2**19, id="question marks"),
        pytest.param("{a: " * 2**18, id="braces"),
        pytest.param("a: " + "x" * (2**20 - 3), id="one long text"),
        pytest.param("a" * (2**20 - 3) + ": 1", id="one long key"),
        pytest.param("".join(f"key{n}: 1\n" for n in range(MANY)), id="unknown keys"),
        pytest.param("labels:\n" + "".join(f"  key{n}: 1\n" for n in range(MANY)), id="wrong values"),
        pytest.param("a: 1\n" * MANY, id="doubled keys"),
        pytest.param("- 007\n" * MANY, id="ambiguous numbers"),
        pytest.param(
            "owner: " + "".join(f"${{params.x{n}}}" for n in range(MANY)), id="references in one text"
        ),
        pytest.param("labels:\n" + "".join(f"  k{n}: ${{env.X{n}}}\n" for n in range(MANY)), id="references"),
        pytest.param("owner: " + "${" * MANY, id="open references"),
        pytest.param(
            "params: {" + "".join(f"x{n}: 1, " for n in range(MANY)) + "}\nowner: ${params.y}", id="params"
        ),
        pytest.param("a: &a [x, x]\n" + "".join(f"k{n}: [*a, *a, *a]\n" for n in range(MANY)), id="aliases"),
        pytest.param("a: !" + "t" * 10_000 + " 1", id="a long tag"),
        pytest.param("\n" * 2**20, id="blank lines"),
        pytest.param("#" * 2**20, id="a comment"),
        pytest.param('owner: "' + "\\n" * 2**18, id="an open quote"),
    ],
)
def test_a_file_made_to_hurt_is_read_in_seconds(text, read):
    """Neither depth nor number nor length of anything makes reading a megabyte quadratic."""
    document = read_document(text, "job.yaml")
    job, problems = read(document)
    assert job is None
    assert 1 <= len(problems) <= 101
    assert len(render_text(problems, {document.file: document.text})) < 200_000


def test_shuffled_lines_are_never_a_traceback(read):
    """A thousand files with their lines in any order: a fault each, or a job."""
    random.seed(7)
    lines = JOB.splitlines()
    for _ in range(300):
        shuffled = "\n".join(random.sample(lines, k=random.randint(1, len(lines))))
        document = read_document(shuffled, "job.yaml")
        job, problems = read(document)
        assert_is_told(document, job, problems)
