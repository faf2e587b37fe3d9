"""The JSON Schema for editors: complete, never narrower than `runner validate`, strict where it can be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from runner import sinks, sources
from runner.jobfile import Kinds, load_job, read_document
from runner.jobfile.pages import read_pages
from runner.jobfile.schema import job_schema

from .conftest import NOW

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = job_schema(Kinds(sources.KINDS, sinks.KINDS))
VALIDATOR = Draft7Validator(SCHEMA)
FAULTS = sorted((Path(__file__).parent / "faults").rglob("*.yaml"))
JOBS = sorted((REPOSITORY / "jobs").glob("*.yaml"))
SEEN = {
    "unknown-key",
    "misplaced-key",
    "missing-key",
    "wrong-type",
    "out-of-range",
    "not-built-yet",
    "bad-value",
}
"""Codes of faults that a schema can see, in a file that is good YAML."""
NOT_SEEN = {
    "bad-params.yaml": "a mapping below a parameter is seen, but not in a flag",
    "from-a-param.yaml": "the values come from parameters",
    "from-the-environment.yaml": "the values come from the environment",
    "bad-flag.yaml": "it is a flag that is wrong",
    "unknown-param.yaml": "references are not followed",
}


def facts(path: Path) -> tuple[Any, set[str], bool]:
    """Return the data of a file, the codes of its errors, and whether it was good YAML of plain values."""
    document = read_document(path.read_bytes(), path.name)
    loaded = load_job(path, environ={}, now=NOW, strict_env=False)
    is_plain = document.is_readable and not document.problems and isinstance(document.data, dict)
    return document.data, {problem.code for problem in loaded.errors}, is_plain


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each schema of a key, with the path to it."""
    if isinstance(schema, dict):
        for key, value in schema.get("properties", {}).items():
            yield f"{path}.{key}", value
        for key, value in schema.items():
            yield from nodes(value, f"{path}.{key}" if key != "properties" else path)
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from nodes(value, f"{path}[{number}]")


def test_it_is_a_schema():
    """Of the draft that every editor knows."""
    Draft7Validator.check_schema(SCHEMA)


def test_every_key_is_described():
    """What an editor shows under the pointer; kinds are described one by one."""
    keys = [
        (path, schema) for path, schema in nodes(SCHEMA) if ".if." not in path and schema.get("const") is None
    ]
    assert len(keys) > 80
    for path, schema in keys:
        assert schema["description"].endswith("."), path
        assert "`" not in schema["description"], path
    for block in ("input", "output"):
        kind = SCHEMA["properties"][block]["properties"]["type"]
        assert len(kind["enum"]) == len(kind["enumDescriptions"]) == len(SCHEMA["properties"][block]["allOf"])


def test_no_block_takes_unknown_keys():
    """But those whose keys are the user's own."""
    own = {"labels", "params", "secrets", "with"}
    for path, schema in nodes(SCHEMA):
        if "properties" in schema and "allOf" not in schema:
            assert schema["additionalProperties"] is False, path
        elif "additionalProperties" in schema:
            assert path.rpartition(".")[2] in own, path


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.name)
def test_the_example_jobs_are_valid(path):
    """Each of them."""
    assert list(VALIDATOR.iter_errors(read_document(path.read_bytes(), path.name).data)) == []


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_what_is_right_is_never_refused(path):
    """Nor is what only `runner validate` can see."""
    data, errors, is_plain = facts(path)
    if is_plain and not errors:
        assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_a_fault_is_refused_as_far_as_a_schema_can_see_it(path):
    """Keys, types, ranges and choices."""
    data, errors, is_plain = facts(path)
    if is_plain and errors & SEEN and path.name not in NOT_SEEN:
        assert list(VALIDATOR.iter_errors(data)), errors


@pytest.mark.parametrize("code", read_pages())
def test_the_right_examples_are_valid(code):
    """What is explained as right is right in an editor."""
    data = read_document(read_pages()[code].right.job, "").data
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


BASE = {"version": 1, "name": "a", "input": {"type": "range", "stop": 5}, "task": "a.b"}


@pytest.mark.parametrize(
    "keys",
    [
        {"pool": {"size": "${params.n}", "ordered": "${env.O:-true}", "window_bytes": "${params.b}"}},
        {"pool": {"chunksize": "auto"}},
        {"pool": {"chunksize": "${params.n}"}},
        {"timeout": "${params.t}", "rate_limit": "${params.r}", "durability": "${env.D}"},
        {"rate_limit": {"rate": "1000/min", "burst": "${params.b}"}},
        {"retry": {"attempts": 3}},
        {"retry": [{"attempts": "${params.n}", "errors": ["${params.e}"]}, {}]},
        {"retry": {"errors": "${params.errors}"}},
        {"failures": {"tolerate": 5}},
        {"failures": {"tolerate": "1.5%"}},
        {"failures": {"tolerate": "all"}},
        {"failures": {"tolerate": "${params.t}"}},
        {"failures": {"tolerate": {"count": 5, "percent": 0.5}}},
        {
            "input": {
                "type": "csv",
                "path": ["a", "${params.b}"],
                "columns": "${params.columns}",
                "header": False,
            }
        },
        {"input": {"type": "items", "items": [1, "a", None, {"b": [1]}]}},
        {"input": {"type": "items", "items": "${params.items}"}},
        {"input": {"type": "range", "start": "${params.a}", "stop": 5, "step": -1}},
        {"output": {"type": "jsonl", "path": "-", "if_exists": "${params.x}"}},
        {"task": {"call": "a.b", "with": {"anything": [{"at": "all"}]}}},
        {"task": "bücher.zählen"},
        {"description": None, "timeout": None},
        {"params": {"a": None, "b": [1, {"c": 1}], "c": 1.5}},
    ],
    ids=str,
)
def test_short_forms_and_references_are_taken(keys):
    """Wherever `runner validate` takes them."""
    assert [error.message for error in VALIDATOR.iter_errors({**BASE, **keys})] == []


@pytest.mark.parametrize(
    "keys",
    [
        {"name": "${params.name}"},
        {"task": "${params.task}"},
        {"task": {"call": "${params.task}"}},
        {"input": {"type": "${params.kind}", "path": "a"}},
        {"pool": {"engine": "${params.engine}"}},
        {"pool": {"size": "many"}},
        {"pool": {"size": "8"}},
        {"pool": {"chunksize": "some"}},
        {"pool": {"chunksize": 0}},
        {"timeout": 30},
        {"timeout": "30"},
        {"rate_limit": 50},
        {"rate_limit": {"burst": 5}},
        {"retry": [{"attempts": 0}]},
        {"retry": {"attempt": 3}},
        {"failures": {"tolerate": "most"}},
        {"failures": {"tolerate": -1}},
        {"durability": "weak"},
        {"input": {"type": "csv"}},
        {"input": {"type": "jsonl", "path": "a", "delimiter": ";"}},
        {"input": {"path": "a"}},
        {"output": {"type": "none", "path": "a"}},
        {"labels": {"a": 1}},
        {"params": {"a": {"b": 1}}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_can_be_seen_is_refused(keys):
    """No reference where it must be written out, no other text where a reference may stand."""
    assert list(VALIDATOR.iter_errors({**BASE, **keys}))


@pytest.mark.slow
def test_check_jsonschema_agrees(tmp_path):
    """The tool that others run in CI, on the committed file: good jobs pass, a bad one is told why."""
    schema = REPOSITORY / "docs" / "job.schema.json"
    assert json.loads(schema.read_text("utf-8")) == SCHEMA
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema)]
    good = subprocess.run([*command, *map(str, JOBS)], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stdout
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nname: a\ninput: {type: csvv, path: a}\ntask: a.b\npool: {chunk_size: 5}\n")
    done = subprocess.run([*command, str(bad)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(r"'csvv' is not one of \['csv', 'jsonl'", done.stdout)
    assert "'chunk_size' was unexpected" in done.stdout
