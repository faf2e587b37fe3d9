"""Whatever is made of a job file, `runner validate` says what is wrong and where, in every format."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.config import Config
from runner.errors import JobInvalid
from runner.jobfile import CODES, load_job, render_concise, render_text, to_json
from runner.jobfile.annotations import render_github
from runner.jobfile.problem import Problem, split_lines
from runner.jobfile.sarif import to_sarif
from runner.lint import Review, review_jobs

NOW = datetime(2026, 1, 31, tzinfo=UTC)
TASKS = "def work(row, *, radius_km: int = 5, mark: str = '!'): return row\ndef days(): return [1]\n"
JOB: dict[str, Any] = {
    "version": 1,
    "name": "nearest-hub",
    "description": "every ${params.mark} $params.day",
    "owner": "data",
    "labels": {"team": "geo"},
    "timezone": "Europe/Berlin",
    "params": {"mark": "x", "n": 5, "day": None, "names": ["a", "b"]},
    "input": {"type": "csv", "path": ["data/*.csv", "${params.mark}.csv"], "delimiter": ";", "header": True},
    "task": {"call": "tasks.work", "with": {"radius_km": "${params.n}", "mark": "${env.NOT_SET:-y}"}},
    "pool": {"size": 8, "chunksize": "auto", "ordered": True, "window": 1024, "window_bytes": "64MiB"},
    "timeout": "30s",
    "deadline": "2h",
    "rate_limit": {"rate": "50/s", "burst": 10},
    "retry": [{"attempts": 3, "errors": ["TimeoutError", "tasks.Busy"], "backoff": {"initial": "1s"}}, {}],
    "failures": {"tolerate": {"count": 5, "percent": 1.5}, "dead_letter": "out/bad.jsonl"},
    "output": {"type": "jsonl", "path": "out/${run.date}.jsonl", "if_exists": "skip"},
    "commit": {"every": "0s", "bytes": "1KiB"},
    "durability": "process",
    "unfinished": "refuse",
}
WORDS = [
    "csv", "jsonl", "range", "python", "none", "all", "1%", "auto", "-", "*", "../../etc", "os.system",
    "tasks.work", "30s", "0s", "-5s", "9" * 400 + "s", "50/s", "0/s", "1e9/h", "Exception", "BaseException",
    "TimeoutError", "${params.mark}", "${params.names}", "${params.nope}", "${env.NOT_SET}", "${secret.x}",
    "${", "$${x}", "{{ params.n }}", "9" * 310 + "d", "0." + "0" * 310 + "1/s",
    "# runner: ignore[x] y", "", " ", "null", "\x00", "\ud800", "\u202e", "🛫", "a\nb", "::error::x",
]  # fmt: skip
KEYS = [
    "type",
    "path",
    "size",
    "call",
    "with",
    "stop",
    "items",
    "errors",
    "rate",
    "count",
    "colour",
    "on",
    "<<",
    "1",
    "",
]


def values() -> st.SearchStrategy[Any]:
    """Draw what may stand for a value: scalars of every type, near misses, lists and mappings of these."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-3, 3)
        | st.sampled_from([10**30, 2**63, -1, 1e308, 0.5, 1e-300])
        | st.sampled_from(WORDS)
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        max_leaves=5,
    )


def holders(node: Any) -> list[Any]:
    """Return every mapping and list of a structure."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    below = [found for each in inner for found in holders(each)]
    return [node, *below] if isinstance(node, dict | list) else below


@st.composite
def changed_jobs(draw: st.DrawFn) -> Any:
    """Draw a job to which up to five things have happened: removed, renamed, moved, replaced, doubled."""
    job = deepcopy(JOB)
    for _ in range(draw(st.integers(1, 5))):
        holder = draw(st.sampled_from(holders(job)))
        if not holder:
            continue
        at = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        match draw(st.sampled_from(["remove", "rename", "move", "replace", "replace"])):
            case "remove":
                del holder[at]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from([*KEYS, f"{at}s", at.upper(), at[1:]]))] = holder.pop(at)
            case "move":
                target = draw(st.sampled_from([each for each in holders(job) if isinstance(each, dict)]))
                target[str(at)] = deepcopy(holder[at])
            case _:
                holder[at] = draw(values())
    return job


def written(job: Any, *, as_json: bool) -> bytes:
    """Return a structure as a file, in the one form or the other."""
    if as_json:
        return json.dumps(job, indent=1).encode("utf-8", "surrogatepass")
    text = yaml.safe_dump(job, allow_unicode=True, sort_keys=False)
    return text.encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a task, which would leave a trace if it were imported."""
    folder = tmp_path_factory.mktemp("project")
    trace = "from pathlib import Path\nPath(__file__).with_name('imported').touch()\n"
    (folder / "tasks.py").write_text(trace + TASKS)
    (folder / "config.yaml").write_text("{}\n")
    return folder


def config_of(root: Path) -> Config:
    """Return settings that allow everything."""
    return Config(allow=(), log_level="info", state=root / ".runner")


def review(source: bytes, folder: Path) -> Review:
    """Return what is found in a file, and assert that everything can be shown and stands in the file."""
    loaded = load_job(folder / "job.yaml", environ={}, now=NOW, strict_env=False, source=source)
    found = review_jobs([loaded], config_of)
    lines = split_lines(loaded.text)
    assert loaded.job is not None or found.problems
    for problem in found.problems:
        assert problem.code in CODES
        assert_in_file(problem, lines)
    shown = render_text(found.problems, {problem.file: loaded.text for problem in found.problems})
    annotations = render_github(found.problems)
    assert all(character == "\n" or ord(character) >= 32 for character in shown + annotations)
    assert annotations.count("\n") == render_concise(found.problems).count("\n") == len(found.problems)
    (shown + annotations + render_concise(found.problems)).encode()
    for data in (to_json(found.problems), to_sarif(found.problems, found.ignored)):
        json.dumps(data, ensure_ascii=False).encode()
    assert not (folder / "imported").exists()
    return found


def assert_in_file(problem: Problem, lines: list[str]) -> None:
    """Assert that a problem has a place, and that the file has it too."""
    assert problem.line is not None
    assert 1 <= problem.line <= len(lines)
    assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    assert (problem.line, problem.column) <= (problem.end_line, problem.end_column)


def test_the_job_that_is_changed_has_no_error(project):
    """So that what is found is what the changes did."""
    (project / "tasks.py").write_text((project / "tasks.py").read_text() + "class Busy(Exception): pass\n")
    found = review(written(JOB, as_json=False), project)
    assert [problem for problem in found.problems if problem.severity == "error"] == []


@settings(deadline=4000, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(job=changed_jobs(), as_json=st.booleans())
def test_a_changed_job_is_told_what_is_wrong_and_where(job, as_json, project):
    """Keys removed, renamed, moved, doubled, values of every type: no traceback, every fault has a place."""
    review(written(job, as_json=as_json), project)


@settings(deadline=4000, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_changed_anywhere_are_told_what_is_wrong_and_where(data, project):
    """Bytes replaced, removed and put in, up to ten times."""
    source = bytearray(written(JOB, as_json=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 10))):
        at = data.draw(st.integers(0, len(source)))
        size = data.draw(st.integers(0, 5))
        source[at : at + size] = data.draw(
            st.binary(max_size=4)
            | st.sampled_from([b"\n", b" ", b":", b"- ", b"{", b"]", b"'", b"#", b"${", b"\t"])
        )
    review(bytes(source), project)


@settings(deadline=4000, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    comments=st.lists(
        st.sampled_from(
            [
                "# runner: ignore[tolerates-all] why",
                "# runner: ignore[",
                "# runner: ignore[]]] x",
                "#runner:ignore",
                "# runner: ignore[unknown-key] a",
                "# runner: ignore[a,b,,c] d",
                "  # runner: ignore[no-items] e",
                "",
            ]
        ),
        max_size=8,
    ),
    at=st.integers(0, 60),
)
def test_comments_anywhere_are_read_or_told(comments, at, project):
    """Between any two lines, and at the end of any."""
    lines = written(JOB, as_json=False).decode().splitlines()
    at = min(at, len(lines) - 1)
    lines[at] += "  " + "".join(comments[:1])
    review("\n".join([*lines[:at], *comments, *lines[at:]]).encode(), project)


def test_settings_with_faults_do_not_hide_those_of_a_job(tmp_path):
    """They are told once, and the task is not looked at, because what is allowed is not known."""
    fault = Problem(code="unknown-key", message="x", file="config.yaml", line=1, column=1)
    jobs = [
        load_job(
            tmp_path / f"{name}.yaml", environ={}, now=NOW, source=b"version: 1\nname: a\ntask: no.such\n"
        )
        for name in ("a", "b")
    ]

    def broken(root: Path) -> Config:
        raise JobInvalid([fault])

    found = review_jobs(jobs, broken)
    assert [problem.code for problem in found.problems] == ["unknown-key", "missing-key", "missing-key"]


def test_a_task_that_may_read_the_parameters_itself_uses_them(tmp_path):
    """Nothing is said of an unused parameter where a `Context` or an unknown signature may use it."""
    (tmp_path / "tasks.py").write_text(
        "import functools\nfrom runner import Context as C\n"
        "def plain(row): return row\n"
        "def own(row, context: 'runner.Context' = None): return row\n"
        "def renamed(row, context: C): return row\n"
        "def other(row, where: ContextOfMine = None): return row\n"
        "@functools.cache\ndef hidden(row): return row\n"
    )
    for name, codes in (
        ("plain", ["unused-param"]),
        ("own", []),
        ("renamed", []),
        ("other", ["unused-param"]),
        ("hidden", []),
        ("absent", ["attribute-missing"]),
    ):
        text = f"version: 1\nname: a\nparams: {{x: 1}}\ninput: {{type: range, stop: 1}}\ntask: tasks.{name}\n"
        loaded = load_job(tmp_path / "job.yaml", environ={}, now=NOW, source=text.encode())
        assert [problem.code for problem in review_jobs([loaded], config_of).problems] == codes


def test_importing_leaves_nothing_behind(tmp_path):
    """Two projects have a `tasks` each, and the next one to be imported is that of the next project."""
    import sys

    before = list(sys.path), set(sys.modules)
    jobs = []
    for name, function in (("one", "first"), ("two", "second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tasks_of_it.py").write_text(f"def {function}(row): return row\n")
        text = f"version: 1\nname: {name}\ninput: {{type: range, stop: 1}}\ntask: tasks_of_it.{function}\n"
        jobs.append(load_job(tmp_path / name / "job.yaml", environ={}, now=NOW, source=text.encode()))
    assert review_jobs(jobs, config_of, imports=True).problems == []
    assert sys.path == before[0]
    assert not {name for name in set(sys.modules) - before[1] if re.match("tasks_of_it", name)}


@pytest.mark.parametrize("environ", [{}, {"API_TOKEN": "not-a-real-token"}], ids=["unset", "set"])
def test_a_task_that_wants_a_secret_is_checked_without_it_where_it_is_not_there(tmp_path, environ):
    """What can be seen without importing is seen all the same."""
    (tmp_path / "tasks.py").write_text("def keep(row, *, token: str): return row\n")
    text = (
        "version: 1\nname: a\ninput: {type: range, stop: 1}\n"
        'task: {call: tasks.keep, with: {token: "${secret.API_TOKEN}", more: 1}}\n'
    )
    loaded = load_job(tmp_path / "job.yaml", environ=environ, now=NOW, strict_env=False, source=text.encode())
    found = review_jobs([loaded], config_of, imports=True)
    assert [problem.code for problem in found.problems if problem.code != "unset-secret"] == [
        "unknown-argument"
    ]
