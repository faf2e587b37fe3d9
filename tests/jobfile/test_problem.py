"""Problems as text, lines and data; near words."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from runner.jobfile import Problem, nearest, render_concise, render_text, to_json
from runner.jobfile.problem import format_path, in_order, in_words

FIELDS = ["code", "severity", "message", "hint", "file", "line", "column", "end_line", "end_column", "path"]


def problem(**changes: object) -> Problem:
    """Return a problem on the second line of `f.yaml`."""
    given = {"code": "bad-value", "message": "`x` is bad", "file": "f.yaml", "line": 2, "column": 3}
    return Problem(**{**given, "end_line": 2, "end_column": 5, **changes})


def caret_column(shown: str) -> int:
    """Return the terminal column at which the carets begin."""
    line = next(line for line in shown.splitlines() if "^" in line)
    return line.index("^")


def columns(text: str) -> int:
    """Return how many columns a terminal gives to a text."""
    widths = {"W": 2, "F": 2}
    return sum(
        0 if unicodedata.combining(c) else widths.get(unicodedata.east_asian_width(c), 1) for c in text
    )


def test_a_problem_is_shown_with_its_line_and_a_caret():
    """The layout that the documentation promises."""
    shown = render_text([problem(hint="try y", notes=("first", "second"))], {"f.yaml": "a: 1\nb: cd\n"})
    assert shown == (
        "error[bad-value]: `x` is bad\n"
        "  --> f.yaml:2:3\n"
        " 2 | b: cd\n"
        "   |   ^^ help: try y\n"
        "   = first\n"
        "   = second\n"
        "\n"
        "1 error in f.yaml\n"
    )


def test_without_a_place_the_help_has_a_line_of_its_own():
    """A flag of the command line stands on no line of the file."""
    shown = render_text([problem(line=None, column=None, hint="try y")], {"f.yaml": "a: 1\n"})
    assert shown == "error[bad-value]: `x` is bad\n  --> f.yaml\n   = help: try y\n\n1 error in f.yaml\n"


def test_the_gutter_is_as_wide_as_the_longest_line_number():
    """So that all lines of a report begin in one column."""
    shown = render_text([problem(), problem(line=1234, end_line=1234)], {"f.yaml": "a: 1\n" * 2000})
    assert "\n   2 | a: 1\n     |   ^^\n" in shown
    assert "\n1234 | a: 1\n     |   ^^\n" in shown


@pytest.mark.parametrize(
    ("found", "count"),
    [
        ([problem(), problem()], "2 errors in f.yaml"),
        ([problem(severity="warning")], "1 warning in f.yaml"),
        (
            [problem(), problem(severity="warning"), problem(severity="warning")],
            "1 error and 2 warnings in f.yaml",
        ),
        ([problem(), problem(file="g.yaml")], "2 errors in 2 files"),
    ],
)
def test_a_report_ends_with_a_count(found, count):
    """The last line is what remains on the screen."""
    assert render_text(found, {}).splitlines()[-1] == count


def test_no_problems_are_no_text():
    """Nothing found, nothing said."""
    assert render_text([], {}) == ""
    assert render_concise([]) == ""
    assert to_json([]) == []


@pytest.mark.parametrize(
    "before", ["", "\t", "日本", "👍", "e\u0301", "\x1b[31m", "\u202e", "x" * 300, "日" * 300]
)
@pytest.mark.parametrize("after", ["", "y" * 300, "日" * 300])
def test_the_caret_stands_below_the_fault(before, after):
    """Whatever the width of what stands before it, and wherever the line is cut."""
    line = f"{before}FAULT{after}"
    column = len(before) + 1
    found = problem(line=1, column=column, end_line=1, end_column=column + 5)
    shown = render_text([found], {"f.yaml": line})
    source = next(line for line in shown.splitlines() if "FAULT" in line)
    assert columns(source[: source.index("FAULT")]) == caret_column(shown)
    assert shown.count("^") == 5
    assert columns(source) <= 100


def test_a_long_line_is_cut_on_both_sides():
    """The fault stays in sight."""
    line = "a" * 200 + "FAULT" + "b" * 200
    shown = render_text([problem(line=1, column=201, end_line=1, end_column=206)], {"f.yaml": line})
    source = shown.splitlines()[2]
    assert source.startswith(" 1 | …a")
    assert source.endswith("b…")


def test_a_fault_over_several_lines_is_underlined_to_the_end_of_the_first():
    """One line is enough to find it."""
    shown = render_text([problem(line=1, column=4, end_line=3, end_column=2)], {"f.yaml": "a: [1,\n2\n]\n"})
    assert "   |    ^^^\n" in shown


def test_nothing_of_a_file_commands_the_terminal():
    """Escape sequences and characters that turn the text are shown as escapes, wherever they stand."""
    found = problem(message="\x1b[2J\n\u202e", hint="\x07", file="f\x1b.yaml", notes=("\x9b",))
    for shown in (render_text([found], {"f\x1b.yaml": "\x1b\n\x1b\x00"}), render_concise([found])):
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\x00"} & set(shown)
        assert r"\x1b[2J\n\u202e" in shown


def test_a_concise_line_is_one_that_tools_understand():
    """`file:line:col: error[code] message`."""
    assert render_concise([problem()]) == "f.yaml:2:3: error[bad-value] `x` is bad\n"
    assert render_concise([problem(line=None)]) == "f.yaml: error[bad-value] `x` is bad\n"


def test_data_has_exactly_the_promised_keys():
    """Machines read this."""
    (data,) = to_json([problem(hint="h", path="x.y", notes=("n",))])
    assert list(data) == FIELDS
    assert (data["line"], data["end_column"], data["path"], data["hint"]) == (2, 5, "x.y", "h")


def test_data_can_always_be_encoded():
    """Bytes of a command line that are no text arrive as half characters."""
    (data,) = to_json([problem(message="got \udcff", file="\udcff")])
    assert (data["message"], data["file"]) == (r"got \udcff", r"\udcff")


def test_problems_without_a_place_come_last():
    """The file first, in the order of its lines, then the flags."""
    found = [
        problem(line=None, column=None),
        problem(line=9),
        problem(line=2, column=7),
        problem(line=2, column=1),
    ]
    assert [(p.line, p.column) for p in in_order(found)] == [(2, 1), (2, 7), (9, 3), (None, None)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("chunk_size", "chunksize"),
        ("Chunk-Size", "chunksize"),
        ("windw", "window"),
        ("window-bytes", "window_bytes"),
        ("orderd", "ordered"),
        ("colour", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_the_nearest_word_is_found_or_nothing(word, expected):
    """Case and dashes do not count; a wild guess is worse than none."""
    assert nearest(word, ["size", "chunksize", "ordered", "window", "window_bytes"]) == expected


def test_words_and_paths_are_written_as_people_do():
    """For sentences and for `--set`."""
    assert in_words(["a"]) == "a"
    assert in_words(["a", "b", "c"]) == "a, b or c"
    assert in_words(["a", "b"], last="and") == "a and b"
    assert format_path(("output", "columns", 0, "x")) == "output.columns[0].x"
    assert format_path(()) == ""


def test_codes_are_words():
    """A code is typed by people: `runner explain unknown-key`."""
    from runner.jobfile import CODES

    assert list(CODES) == sorted(CODES)
    for code, text in CODES.items():
        assert code.replace("-", "").isalpha()
        assert code == code.lower()
        assert text.endswith(".")
    assert Path(__file__).parent.joinpath("faults").is_dir()
