"""Comments that keep a warning quiet: which line they count for, and what of those that do nothing."""

from __future__ import annotations

import time

import pytest

from runner.jobfile import Problem, read_document
from runner.jobfile.ignores import take_ignores

JOB = "a: 1\nb: 2\nc:\n  - 3\n"


def warn(line: int, code: str = "no-items", severity: str = "warning") -> Problem:
    """Return a problem on a line."""
    return Problem(
        code=code,
        message="",
        file="job.yaml",
        severity=severity,
        line=line,
        column=1,
        end_line=line,
        end_column=2,
    )


def left(text: str, *problems: Problem) -> list[tuple[str, int]]:
    """Return code and line of what is left of some problems."""
    return [(each.code, each.line) for each in take_ignores(read_document(text, "job.yaml"), problems)[0]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1  # runner: ignore[no-items] why\nb: 2\n", 1),
        ("# runner: ignore[no-items] why\na: 1\nb: 2\n", 2),
        ("# runner: ignore[no-items] why\n\n# more\n  # and more\na: 1\n", 5),
        ("#runner:ignore[no-items] why\na: 1\n", 2),
        ("# runner: ignore[tolerates-all , no-items]   why, and where\r\na: 1\r\n", 2),
        ("a:\n  # runner: ignore[no-items] why\n  - 1\n", 3),
        ("\ufeff# runner: ignore[no-items] why\na: 1\n", 2),
    ],
)
def test_a_comment_counts_for_its_own_line_or_alone_for_the_next(text, line):
    """Blank lines and other comments between it and what it is about do not matter."""
    assert ("no-items", line) not in left(text, warn(line))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1  # runner: ignore[no-items] why\nb: 2\n", 2),
        ("# runner: ignore[no-items] why\na: 1\nb: 2\n", 3),
        ("a: 1\n# runner: ignore[no-items] why\n", 1),
        ("a: '# runner: ignore[no-items] why'\n", 1),
        ("a: |\n  # runner: ignore[no-items] why\n", 2),
        ("a: 1 # the runner: ignore[no-items] why\n", 1),
        ("a: 1#runner: ignore[no-items] why\n", 1),
    ],
)
def test_other_lines_and_texts_are_not_touched(text, line):
    """Nor is a text that speaks of such a comment."""
    assert ("no-items", line) in left(text, warn(line))


def test_an_error_is_never_ignored():
    """It keeps the job from running, whatever is said about it."""
    text = "a: 1  # runner: ignore[no-items] why\n"
    assert left(text, warn(1, severity="error")) == [("no-items", 1)]


def test_an_ignored_warning_is_kept_with_its_reason():
    """For those who keep findings, and for whoever counts."""
    document = read_document("a: 1  # runner: ignore[no-items] it is a template \n", "job.yaml")
    _, (ignored,) = take_ignores(document, [warn(1)])
    assert (ignored.problem, ignored.reason) == (warn(1), "it is a template")


def test_one_comment_ignores_all_warnings_of_its_code_on_the_line():
    """Two paths that overwrite two inputs are one decision."""
    assert left("a: 1  # runner: ignore[no-items] why\n", warn(1), warn(1)) == []


def test_what_does_nothing_is_a_warning_where_the_file_has_no_errors():
    """With errors, a warning may not have been looked for yet."""
    text = "a: 1  # runner: ignore[no-items] why\nb: 2\n"
    assert left(text) == [("unused-ignore", 1)]
    assert left(text, warn(2, "unknown-key", "error")) == [("unknown-key", 2)]


def test_what_depends_on_other_files_or_the_machine_is_not_called_unused():
    """The same file is validated alone and with others, here and in CI."""
    assert left("a: 1  # runner: ignore[same-output, unset-env, same-name] why\n") == []


def test_a_file_of_nothing_but_such_comments_is_read_in_a_moment():
    """Neither their number nor that of the values makes it quadratic."""
    document = read_document("".join(f"k{n}: 1 # runner: ignore[x] y\n" for n in range(30_000)), "job.yaml")
    before = time.process_time()
    problems, _ = take_ignores(document, [])
    assert time.process_time() - before < 5
    assert len(problems) <= 100
