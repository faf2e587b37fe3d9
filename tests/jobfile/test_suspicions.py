"""Warnings: what is suspicious is in the corpus of `faults/`; here is what must not be warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.jobfile import load_job
from runner.jobfile.suspicions import suspect, unused_params
from runner.jobfile.targets import reads

from .conftest import NOW

BASE = {
    "version": "version: 1",
    "name": "name: quiet",
    "input": "input: {type: csv, path: data/in.csv}",
    "task": "task: tasks.work",
}


def codes(tmp_path: Path, text: str) -> list[str]:
    """Return the codes of the warnings of a job that is made of `text` and what is missing in it."""
    keys = {line.partition(":")[0] for line in text.splitlines()}
    rest = "\n".join(line for key, line in BASE.items() if key not in keys)
    path = tmp_path / "job.yaml"
    path.write_text(f"{rest}\n{text}\n")
    loaded = load_job(path, environ={}, now=NOW, strict_env=False)
    assert loaded.job is not None, loaded.problems
    found = suspect(loaded.job, loaded.document, loaded.root, loaded.unknown)
    return [problem.code for problem in [*found, *unused_params(loaded.job, loaded.document)]]


@pytest.mark.parametrize(
    "text",
    [
        "failures: {tolerate: 99%}",
        "failures: {tolerate: {count: 5, percent: 100}}",
        "input: {type: range, stop: 1}",
        "input: {type: items, items: [null]}",
        "input: {type: range, stop: 100}\npool: {size: 8, chunksize: 10}",
        "input: {type: range, stop: 3}\npool: {size: 32}",
        "input: {type: range, stop: 30}\npool: {chunksize: 30}",
        "output: {type: csv, path: data/out.csv}",
        "input: {type: csv, path: data/*.csv}\noutput: {type: csv, path: data/deep/out.csv}",
        "input: {type: csv, path: data/*.csv}\noutput: {type: csv, path: data/.out.csv}\n"
        "failures: {dead_letter: out/x.jsonl}",
        'params: {day: null}\ninput: {type: csv, path: "data/${params.day}.csv"}\n'
        'output: {type: csv, path: "data/${params.day}.csv"}',
        'input: {type: csv, path: "-"}\noutput: {type: csv, path: "-"}',
        "input: {type: csv, path: out/a.csv}\noutput: {type: csv, path: out/a.csv, if_exists: skip}",
        'params: {n: 1}\ntask: {call: a.b, with: {n: "${params.n}"}}',
        'params: {n: 1}\ninput: {type: csv, path: ["x${params.n}y"]}',
        'task: {call: a.b, with: {url: "${env.TOKEN_URL:-http://x}", key: "${env.SORT_KEY:-id}"}}',
        'task: {call: a.b, with: {price: "$5", jinja: "{{ name }}", make: "$(HOME)", shell: "$HOME"}}',
        "retry: {attempts: 2}",
        "retry: {attempts: 1, then: stop}",
        "retry: [{errors: [ValueError]}, {attempts: 3}]",
        "retry: [{errors: [ConnectionError], attempts: 3}, {errors: [OSError], attempts: 2}]",
        "retry: [{attempts: 3}, {errors: [KeyboardInterrupt], attempts: 2}]",
        "timeout: 5s\nretry: {attempts: 2, errors: [ConnectionError]}",
        "timeout: 5s\nretry: {attempts: 2, errors: [httpx.TimeoutException, TimeoutError]}",
        "timeout: 5s\nretry: {attempts: 2, errors: [httpx.TimeoutException, OSError]}",
        "retry: {attempts: 2, errors: [httpx.TimeoutException]}",
        "timeout: 5s\nretry: {attempts: 2, errors: [runner.AttemptTimeout]}",
        "timeout: 5s\ndeadline: 1h\nretry: {attempts: 10}",
        "timeout: 10s\nrate_limit: 2/s\npool: {size: 32}",
        "timeout: 1s\nrate_limit: 1/s",
        "rate_limit: 1/s\npool: {size: 32}",
        "timeout: 1s\nrate_limit: {rate: 1/s, burst: 100}\npool: {size: 32}",
    ],
)
def test_what_is_meant_is_not_warned_of(tmp_path, text):
    """A warning that is wrong teaches people to read none."""
    assert codes(tmp_path, text) == []


@pytest.mark.parametrize(
    ("pattern", "path", "does"),
    [
        ("/a/b.csv", "/a/b.csv", True),
        ("/a/*.csv", "/a/b.csv", True),
        ("/a/*.csv", "/a/b/c.csv", False),
        ("/a/**/*.csv", "/a/c.csv", True),
        ("/a/**/*.csv", "/a/b/c/d.csv", True),
        ("/a/**", "/a/b/c.csv", False),
        ("/a/[bc].csv", "/a/b.csv", True),
        ("/a/*", "/a/.hidden", False),
        ("/a/.*", "/a/.hidden", True),
        ("/a/b.csv", "/a/c.csv", False),
        ("/" + "**/" * 200 + "*.csv", "/" + "a/" * 200 + "b.txt", False),
    ],
)
def test_a_glob_takes_what_the_run_would_find(pattern, path, does):
    """Told from the names alone, in a moment whatever the pattern."""
    assert reads(pattern, path) is does
