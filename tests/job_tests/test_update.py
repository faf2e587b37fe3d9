"""What came of items, put into a job file: those keys change, and no other byte."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import ndiff
from textwrap import dedent

import pytest

from runner.clock import SystemClock
from runner.config import load_config
from runner.job_tests.judge import judge_tests
from runner.job_tests.prepare import Preparation
from runner.job_tests.update import UpdateFailed, rewrite, update_text
from runner.jobfile import read_document

HEAD = """\
# the job
version: 1
name: example
input: {type: range, stop: 3}   # numbers
task: updated_tasks.work
tests:
"""
TASKS = """
def work(n):
    if isinstance(n, list):
        return {"long": ["x" * 60, "y" * 60], "n": 1}
    if n == 0:
        raise ValueError("no: zero")
    if n == 9:
        return {"said": "tricky: # {}", "null": None}
    return None if n < 0 else {"n": n}
"""


@pytest.fixture
def update(tmp_path):
    """Give a function that runs the tests of a text and returns the updated one, which then passes."""
    (tmp_path / "updated_tasks.py").write_text(TASKS)
    path = tmp_path / "job.yaml"
    config = load_config(tmp_path, operator=None, environ={})

    def verdicts():
        return list(judge_tests(Preparation(path, datetime.now(UTC)), config, SystemClock()))

    def update(text: str) -> str:
        path.write_bytes(text.encode())
        document = read_document(path.read_bytes(), "job.yaml")
        new = update_text(document, verdicts())
        path.write_bytes(new.encode())
        assert [verdict.status for verdict in verdicts()] == ["passed"] * text.count("name:", len(HEAD) - 1)
        return new

    return update


def changed(before: str, after: str) -> list[str]:
    """Return the lines that were taken away and added."""
    return [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize(
    ("tests", "change"),
    [
        ("  - name: a\n    item: 1\n", ["+     row: {n: 1}"]),
        ("  - name: a   # why\n    item: 1   # one\n\n# end\n", ["+     row: {n: 1}"]),
        ("  - {name: a, item: 1}\n", ["-   - {name: a, item: 1}", "+   - {name: a, item: 1, row: {n: 1}}"]),
        (
            "  - name: a\n    row: {n: 2}   # about\n    item: 1\n",
            ["-     row: {n: 2}   # about", "+     row: {n: 1}   # about"],
        ),
        (
            "  - name: a\n    item: 1\n    row:\n      n: 5\n    # behind\n",
            ["-     row:", "-       n: 5", "+     row: {n: 1}"],
        ),
        (
            "  - name: a\n    item: 0\n    row: {n: 0}\n",
            ["-     row: {n: 0}", '+     error: {type: ValueError, message: "no: zero"}'],
        ),
        (
            "  - name: a\n    item: 1\n    error: {type: ValueError}\n    attempts: 4\n",
            [
                "-     error: {type: ValueError}",
                "-     attempts: 4",
                "+     row: {n: 1}",
                "+     attempts: 1",
            ],
        ),
        ("  - name: a\n    item: -1\n", ["+     rows: []"]),
        ("  - name: a\n    item: 9", ['+     row: {said: "tricky: # {}", "null": null}']),
        ("- name: a\n  item: 1\n- name: b\n  item: 2\n", ["+   row: {n: 1}", "+   row: {n: 2}"]),
        (
            "  - name: a\n    item: 0\n    error:\n      message: 'no'\n      type: TypeError\n",
            [
                "-     error:",
                "-       message: 'no'",
                "-       type: TypeError",
                "+     error: {type: ValueError, message: no}",
            ],
        ),
    ],
)
def test_only_what_must_change_is_changed(update, tests, change):
    """Comments, order, quotes and blank lines stand; what is filled in passes."""
    found = changed(HEAD + tests, update(HEAD + tests))
    assert sorted(line for line in found if tests.endswith("\n") or "item: 9" not in line) == sorted(change)


def test_a_long_row_gets_a_line_for_each_part(update):
    """Under its key, indented as the test is."""
    new = update(f"{HEAD}  - name: a\n    item: []\n")
    assert "    row:\n      long:\n        - xxxx" in new


def test_the_line_ends_of_the_file_are_kept(update):
    """Also those of Windows."""
    text = f"{HEAD}  - name: a\n    item: []\n  - name: b\n    item: 1\n".replace("\n", "\r\n")
    new = update(text)
    assert new.count("\n") == new.count("\r\n")


def test_a_test_that_passes_is_left_alone(update):
    """However it is written."""
    text = dedent(f"""\
        {HEAD}  - name: a
            item:   1
            row: {{ "n" :  1.0 }}
        """)
    text = f'{HEAD}  - name: a\n    item:   1\n    row: {{ "n" :  1.0 }}\n'
    assert update(text) == text


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(tmp_path):
    """Somebody may type while the tests run."""
    path = tmp_path / "job.yaml"
    path.write_text("new\n")
    with pytest.raises(UpdateFailed, match="changed meanwhile"):
        rewrite(path, b"old\n", "x\n")
    assert path.read_text() == "new\n"


def test_a_rewritten_file_keeps_its_mode_its_mark_and_its_link(tmp_path):
    """It is the same file to everybody else."""
    path, link = tmp_path / "job.yaml", tmp_path / "link.yaml"
    path.write_bytes(b"\xef\xbb\xbfold\n")
    path.chmod(0o640)
    link.symlink_to(path)
    rewrite(link, path.read_bytes(), "new\n")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"\xef\xbb\xbfnew\n", 0o640)
    assert link.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["job.yaml", "link.yaml"]
