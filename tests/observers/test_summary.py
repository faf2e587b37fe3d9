"""The summary for a person and the report for a machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.item import Item, Where
from runner.observers.summary import MOST_GROUPS, escape, place, render_summary, summary_json
from runner.outcome import ExitCode, FailureGroup, RunSummary


def summary(**changes) -> RunSummary:
    """Return the summary of a good run, changed."""
    given = {
        "run_id": "r",
        "job": "hubs",
        "status": "completed",
        "exit_code": ExitCode.DONE,
        "items": 1200,
        "succeeded": 1199,
        "failed": 1,
        "rows": 1199,
        "duration_seconds": 2.5,
        "output": "out/hubs.jsonl",
        "dead_letter": "out/hubs.failed.jsonl",
        "is_published": True,
        "groups": {("task", "ValueError"): group()},
        **changes,
    }
    return RunSummary(**given)


def group(**changes) -> FailureGroup:
    """Return a group of failures."""
    given = {
        "stage": "task",
        "type": "ValueError",
        "message": "no good",
        "example": Item(15, b"", Where("data.csv", 17, 400)),
        **changes,
    }
    return FailureGroup(**given)


def render(**changes) -> str:
    """Return the text."""
    return render_summary(summary(**changes), log=Path("the.log"), next_step=None)


def test_of_several_failures_of_a_kind_the_first_is_shown_as_such():
    """The others may have failed for something else."""
    text = render(failed=4, groups={("task", "ValueError"): group(count=4)})
    assert "4 x ValueError (task): the first: no good" in text
    assert "first at data.csv:17 (item 15)" in text


def test_a_run_without_rows_asks_whether_the_task_returns_something():
    """A forgotten `return` looks like success; a job that writes no rows is not asked."""
    assert "no item gave a row: does the task return something?" in render(rows=0)
    assert "no item gave a row" not in render(rows=0, output=None)
    assert "no item gave a row" not in render(rows=0, succeeded=0, failed=1200)
    assert "no item gave a row" not in render()


def test_the_rate_of_a_resumed_run_is_that_of_the_process_that_took_the_time():
    """The counts are those of the whole run, the duration is not."""
    text = render(items=1200, items_before=1000, duration_seconds=2.0)
    assert "1,200 items" in text
    assert "100 items/s" in text


def test_a_good_run_is_told_with_counts_and_places():
    """Items, rows, failures, rate; where output, dead letters and log are; each kind with an example."""
    text = render()
    assert text.startswith("completed: 1,200 items, 1,199 rows, 1 failed in 2.5 s (480 items/s)")
    assert "1 x ValueError (task): no good" in text
    assert "data.csv:17 (item 15)" in text
    assert "out/hubs.jsonl" in text
    assert "out/hubs.failed.jsonl" in text
    assert "the.log" in text
    assert "not published" not in text


def test_a_run_that_published_nothing_says_so():
    """The reader must not take the old output for the new."""
    assert "not published" in render(is_published=False, status="failed")


def test_dead_letters_are_named_only_when_there_are_some():
    """An empty file needs no line."""
    assert "hubs.failed.jsonl" not in render(failed=0, groups={})


def test_a_thread_that_was_left_behind_is_told_by_what_it_hangs_in():
    """The reader hangs in the input, which is named, and no other thread in the task."""
    assert "2 threads still hung in the task" in render(abandoned_threads=2)
    text = render(abandoned_threads=1, hung_input="in.pipe")
    assert "the input was still waited for at the end: in.pipe" in text
    assert "in the task" not in text
    text = render(abandoned_threads=2, hung_input="in.pipe")
    assert "at the end: in.pipe" in text
    assert "1 thread still hung in the task" in text


def test_the_next_step_is_the_last_line():
    """What to do is what is read last."""
    text = render_summary(summary(), log=None, next_step="do this")
    assert text.splitlines()[-1].strip() == "next          do this"


def test_kinds_are_sorted_by_their_number_and_limited():
    """The most frequent first, and a count of those left out."""
    groups = {("task", f"E{n}"): group(type=f"E{n}", count=n) for n in range(1, MOST_GROUPS + 4)}
    text = render(groups=groups)
    shown = [line.split()[0] for line in text.splitlines() if " x E" in line]
    assert shown == [str(n) for n in range(MOST_GROUPS + 3, 3, -1)]
    assert "and 3 more kinds" in text


def test_a_run_without_items_and_without_time_is_told():
    """No division by nothing."""
    assert render(items=0, duration_seconds=0.0).splitlines()[0] == "completed"
    assert "1 item, 1 row" in render(items=1, rows=1, duration_seconds=0.0)


HOSTILE = "a\x1b[31m\r\nb\x9b\u202e\u2028\t\x00c"


@pytest.mark.parametrize(
    "changes",
    [
        {"message": HOSTILE},
        {"output": HOSTILE},
        {"dead_letter": HOSTILE},
        {"groups": {0: group(message=HOSTILE)}},
        {"groups": {0: group(type=HOSTILE)}},
        {"groups": {0: group(example=Item(0, b"", Where(HOSTILE, 1, 0)))}},
    ],
    ids=["message", "output", "dead_letter", "failure", "type", "place"],
)
def test_no_data_moves_the_cursor_or_begins_a_line(changes):
    """Every text that comes from data or paths is escaped."""
    plain = render(**{key: value for key, value in changes.items() if key != "groups"} and {"message": "x"})
    text = render(**changes)
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert abs(text.count("\n") - plain.count("\n")) <= 1


def test_a_long_message_is_cut():
    """A megabyte of text is no summary."""
    assert len(render(groups={0: group(message="x" * 10**6)})) < 1500
    assert len(render(message="x" * 10**6)) < 1500


def test_escape_keeps_what_can_be_read():
    """Letters of all scripts stay, a backslash is what it was."""
    assert escape("Ångström 東京 \\n") == "Ångström 東京 \\n"
    assert escape("\ud800") == "\\ud800"
    assert escape("abcdef", 3) == "abc…"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Where("data.csv", 17, 400), "data.csv:17 (item 1,234)"),
        (Where(None, None, None), "item 1,234"),
        (Where("a.bin", None, None), "a.bin (item 1,234)"),
    ],
)
def test_a_place_is_named_as_far_as_there_is_one(where, text):
    """File and line, a file alone, or the number of the item."""
    assert place(Item(1234, b"", where), Path.cwd()) == text


def test_paths_are_those_that_can_be_typed_in_the_current_folder(tmp_path, monkeypatch):
    """In the project, below it and beside it, input, output, dead letters and log are called alike."""
    below = tmp_path / "jobs"
    below.mkdir()

    def shown() -> list[str]:
        """Return the paths of the text."""
        given = summary(root=str(tmp_path))
        text = render_summary(given, log=tmp_path / "state" / "log.jsonl", next_step=None)
        return [word for word in text.split() if ".jsonl" in word or ".csv" in word]

    names = ["data.csv:17", "out/hubs.jsonl", "out/hubs.failed.jsonl", "state/log.jsonl"]
    monkeypatch.chdir(tmp_path)
    assert shown() == names
    monkeypatch.chdir(tmp_path.parent)
    assert shown() == [f"{tmp_path.name}/{name}" for name in names]
    monkeypatch.chdir(below)
    assert shown() == [f"{tmp_path}/{name}" for name in names]


def test_the_report_has_the_documented_keys():
    """Those of `run --json`, in their order, with plain values."""
    report = summary_json(summary(duration_seconds=1.23456, resumed_from=7))
    assert list(report) == [
        "run_id",
        "job",
        "root",
        "status",
        "exit_code",
        "items",
        "succeeded",
        "failed",
        "rows",
        "retries",
        "timeouts",
        "throttled_seconds",
        "abandoned_threads",
        "resumed_from",
        "duration_seconds",
        "output",
        "dead_letter",
        "message",
    ]
    assert type(report["exit_code"]) is int
    assert report["duration_seconds"] == 1.235
    assert report["resumed_from"] == 7
