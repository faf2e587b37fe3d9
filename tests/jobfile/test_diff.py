"""What is said of an edit: edits of real jobs beside what is shown for them, in `edits/`.

`edits/NAME.old.yaml` and `edits/NAME.new.yaml` give `edits/NAME.txt`. With `UPDATE_EDITS=1` in the environ,
these texts and docs/diff.md, which shows all of them, are written anew; read the diff before committing it.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from runner import sinks, sources
from runner.jobfile import Kinds, render_text
from runner.jobfile.behaviour import read_behaviour
from runner.jobfile.diff import compare
from runner.jobfile.render_diff import Side, diff_json, diff_markdown, diff_text, faults_markdown, value_lines

FOLDER = Path(__file__).parent / "edits"
DOCUMENT = Path(__file__).parents[2] / "docs" / "diff.md"
EDITS = sorted(path.name.removesuffix(".old.yaml") for path in FOLDER.glob("*.old.yaml"))
KINDS = Kinds(sources.KINDS, sinks.KINDS)
IS_UPDATE = os.environ.get("UPDATE_EDITS") == "1"
INTRODUCTION = """\
# Edits of job files, and what `runner diff` says of them

Made from `tests/jobfile/edits/` by `UPDATE_EDITS=1 python -m pytest tests/jobfile/test_diff.py`, and kept in
step by that test. How to use it in a review: [review.md](review.md).
"""

JOB = """\
version: 1
name: example
input: {type: range, stop: 6}
task: tasks.f
output: {type: jsonl, path: out/example.jsonl}
"""


def side(text: str, name: str = "job.yaml") -> Side:
    """Return one side of a comparison."""
    return Side(name, read_behaviour(text, name, KINDS))


def diff(old: str, new: str) -> list[str]:
    """Return the messages of the changes between two texts that have no errors."""
    sides = side(old), side(new)
    assert not [problem for each in sides for problem in each.errors]
    return [change.message for change in compare(*(each.behaviour for each in sides)).changes]


def read_edit(name: str) -> tuple[Side, Side]:
    """Return both sides of an edit."""
    old, new = (FOLDER / f"{name}.{which}.yaml" for which in ("old", "new"))
    return side(old.read_text("utf-8"), "old.yaml"), side(new.read_text("utf-8"), "new.yaml")


def shown(name: str) -> str:
    """Return what is shown for an edit."""
    old, new = read_edit(name)
    if errors := [*old.errors, *new.errors]:
        return render_text(errors, {each.name: each.text for each in (old, new)})
    return diff_text(old, new, compare(old.behaviour, new.behaviour))


def chapter(name: str) -> str:
    """Return what the document has for an edit: a title, the edit, and what is shown."""
    old, new = ((FOLDER / f"{name}.{which}.yaml").read_text("utf-8") for which in ("old", "new"))
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
    edit = "\n".join(line.rstrip() for line in lines if not line.startswith("@@"))
    number, _, title = name.partition("-")
    return (
        f"\n## {int(number)}. {title.replace('-', ' ').capitalize()}\n\n```diff\n{edit}\n```\n\n"
        f"```text\n{shown(name)}```\n"
    )


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_shown_as_expected(name):
    """What changes is said in words and numbers, the gravest first."""
    expected = FOLDER / f"{name}.txt"
    if IS_UPDATE:
        expected.write_text(shown(name), encoding="utf-8")
    assert shown(name) == expected.read_text("utf-8")


def test_the_document_shows_all_edits():
    """docs/diff.md is made from the same files."""
    text = INTRODUCTION + "".join(map(chapter, EDITS))
    if IS_UPDATE:
        DOCUMENT.write_text(text, encoding="utf-8")
    assert text == DOCUMENT.read_text("utf-8")


def test_there_are_ten_edits_and_more():
    """Among them one that is only restyled, and one with a fault."""
    texts = [shown(name) for name in EDITS]
    assert len(texts) >= 10
    assert sum("no change of behaviour" in text for text in texts) == 1
    assert sum("error[" in text for text in texts) == 1


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        pytest.param(
            "failures: {tolerate: 0}",
            "failures: {tolerate: 1%}",
            "up to 1 % of items may now fail: was none",
            id="a share",
        ),
        pytest.param(
            "failures: {tolerate: 1}",
            "failures: {tolerate: {count: 20, percent: 0.5}}",
            "up to 20 items, and up to 0.5 % of items, may now fail: was up to 1 item",
            id="both",
        ),
        pytest.param(
            "failures: {tolerate: all}",
            "",
            "no item may fail any more: was any number of items",
            id="none",
        ),
        pytest.param("pool: {size: 8}", "pool: {size: 64}", "at most 8 -> 64 calls at once", id="more"),
        pytest.param(
            "pool: {size: 8}",
            "",
            "as many calls at once as the machine has CPUs and 4 more, at most 32: was 8",
            id="as many as the machine likes",
        ),
        pytest.param(
            "rate_limit: 1000/min",
            "rate_limit: {rate: 0.5/s, burst: 3}",
            "attempts start at most 30/min, 3 at once after a pause: was at most 1,000/min",
            id="rates",
        ),
        pytest.param(
            "timeout: 10s\nretry: {attempts: 3, backoff: {jitter: none}}",
            "timeout: 10s",
            "1 attempt at an item: was up to 3 attempts and 31.5 s for an item "
            "(3 on Exception, delays 500 ms x 2 up to 30 s, jitter none)",
            id="the worst case with a timeout",
        ),
        pytest.param(
            "",
            "retry: [{attempts: 3, errors: [OSError]}, {attempts: 2, errors: [a.Busy], then: stop}]",
            "up to 4 attempts and 2 s of delays for an item (3 on OSError, delays 500 ms x 2 up to 30 s, "
            "jitter full; 2 on a.Busy, delays 500 ms x 2 up to 30 s, jitter full, then the run stops): "
            "was 1 attempt at an item",
            id="the worst case of two rules",
        ),
        pytest.param("timeout: 30s", "", "an attempt may take any time: was 30 s", id="no timeout"),
        pytest.param(
            "params: {a: 1}", "params: {a: null}", "`-p a` must be given: the default was 1", id="null"
        ),
        pytest.param(
            "", "labels: {a`b: c}", '`labels."a\\u0060b"` is `c`: was not set', id="a backquote in a key"
        ),
    ],
)
def test_a_change_in_words_and_numbers(before, now, message):
    """One edit, one sentence: what is now, and what was."""
    assert diff(f"{JOB}{before}\n", f"{JOB}{now}\n") == [message]


def test_a_range_is_counted():
    """Three keys make one sentence."""
    assert diff(JOB, JOB.replace("stop: 6", "start: 10, stop: 0, step: -3")) == [
        "items are 4 numbers, range(10, 0, -3): was 6 numbers, range(0, 6, 1)"
    ]


def test_a_long_list_is_told_by_what_came_and_went():
    """Two lists of a thousand entries on one line would say nothing."""
    old = JOB.replace("type: range, stop: 6", f"type: items, items: {list(range(1000))}")
    (message,) = diff(old, old.replace(" 500,", "").replace(" 7,", ' "x",'))
    assert message == '`input.items` is a list of 999: was a list of 1,000 (new: `"x"`; gone: `7`, `500`)'
    swapped = old.replace(" 7, 8,", " 8, 7,")
    assert "the same ones in another order" in diff(old, swapped)[0]


def test_long_values_are_told_from_where_they_differ():
    """What is cut off is what they have in common."""
    (message,) = diff(f"{JOB}description: {'x' * 500} one\n", f"{JOB}description: {'x' * 500} two\n")
    assert message.endswith("x two`: was `…" + "x" * 29 + " one`")
    names = [f"a.Busy{n}" for n in range(8)]
    rules = [f"{{attempts: 2, errors: [{name}]}}" for name in names]
    old, new = (f"{JOB}retry: [{', '.join(each)}]\n" for each in (rules, [*rules[:-1], rules[0]]))
    (message,) = diff(old, new)
    assert message.startswith("`retry` is a list of 8: was a list of 8 (gone: ")


def test_a_rule_of_one_attempt_is_none_the_less_a_rule():
    """It can stop the run."""
    assert diff(JOB, f"{JOB}retry: {{then: stop}}\n") == [
        "1 attempt at an item (1 on Exception, delays 500 ms x 2 up to 30 s, jitter full, "
        "then the run stops): was 1 attempt at an item"
    ]


def test_what_a_machine_is_like_does_not_matter(monkeypatch):
    """A review on two CPUs and one on sixty-four say the same."""
    texts = []
    for cpus in (2, 64):
        monkeypatch.setattr("runner.sizing.usable_cpus", lambda cpus=cpus: cpus)
        texts.append(list(value_lines(side(f"{JOB}pool: {{chunksize: 100}}\n").behaviour)))
    assert texts[0] == texts[1]
    assert 'pool.size = "default"' in texts[0]
    assert 'pool.window = "default"' in texts[0]


def test_a_window_that_is_the_same_on_every_machine_is_a_number():
    """Writing it out is no change."""
    assert diff(JOB, f"{JOB}pool: {{window: 1024}}\n") == []


def test_the_environment_is_not_read(monkeypatch):
    """Neither its values nor that they are missing: the references are compared."""
    monkeypatch.setenv("TOKEN", "hunter2-hunter2")
    job = JOB.replace("task: tasks.f", 'task: {call: tasks.f, with: {t: "a ${env.TOKEN} ${run.date}"}}')
    assert 'task.with.t = "a ${env.TOKEN} ${run.date}"' in list(value_lines(side(job).behaviour))
    assert diff(job, job.replace("TOKEN", "OTHER")) == [
        "`task.with.t` is `a ${env.OTHER} ${run.date}`: was `a ${env.TOKEN} ${run.date}`"
    ]


@pytest.mark.parametrize(
    ("key", "reference"),
    [
        ("pool: {size: X}", "pool.size"),
        ("pool: {ordered: X}", "pool.ordered"),
        ("pool: {window: X, chunksize: 10}", "pool.window"),
        ("pool: {window_bytes: X}", "pool.window_bytes"),
        ("timeout: X", "timeout"),
        ("rate_limit: X", "rate_limit"),
        ("rate_limit: {rate: X}", "rate_limit.rate"),
        ("failures: {tolerate: X}", "failures.tolerate"),
        ("failures: {tolerate: {percent: X}}", "failures.tolerate.percent"),
        ("commit: {every: X}", "commit.every"),
        ("durability: X", "durability"),
        ("timezone: X", "timezone"),
        ("labels: {a: X}", "labels.a"),
    ],
)
def test_a_reference_stands_for_itself_whatever_the_key_takes(key, reference):
    """A value that fits stands in for it, and is never shown."""
    one = side(JOB + key.replace("X", '"${env.X}"'))
    assert not one.errors
    assert f'{reference} = "${{env.X}}"' in list(value_lines(one.behaviour))


def test_a_reference_in_the_short_form_of_a_list_is_found_again():
    """`retry: {...}` is a list of one rule."""
    (line,) = (
        line
        for line in value_lines(side(f'{JOB}retry: {{attempts: "${{env.N:-3}}"}}\n').behaviour)
        if "retry" in line
    )
    assert '"attempts": "${env.N:-3}"' in line


def test_a_default_of_a_reference_is_compared():
    """It is what the job does where nobody says otherwise."""
    job = f'{JOB}pool: {{size: "${{env.N:-8}}"}}\n'
    assert diff(job, job.replace("8", "64")) == ["at most `${env.N:-8}` -> `${env.N:-64}` calls at once"]


def test_markdown_is_a_verdict_and_a_table():
    """Ready for a comment."""
    old, new = side(JOB, "a.yaml"), side(f"{JOB}pool: {{size: 3, ordered: false}}\n", "b.yaml")
    assert diff_markdown(old, new, compare(old.behaviour, new.behaviour)) == (
        "**`b.yaml`: 2 changes of behaviour; an unfinished run can no longer be resumed: "
        "`pool.ordered` changed** (from `a.yaml`)\n\n"
        "| | change | key |\n|---|---|---|\n"
        "| can lose or change data | rows come as they are finished, in any order: was in the order "
        "of the input | `pool.ordered` |\n"
        "| load on others | at most 3 calls at once: was the CPUs of the machine and 4 | `pool.size` |\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a|b",
        "``` x",
        "<img src=x>",
        "@everyone",
        "[x](http://evil)",
        "line\nnew | cell",
        "\x1b[31m",
        "`a`",
        "x\u202ey",
    ],
)
def test_markdown_keeps_a_hostile_value_in_its_cell(text):
    """No value of a stranger's pull request becomes a cell, a link, a mention or an image."""
    import json

    old, new = (
        side(JOB),
        side(f"{JOB}labels: {{{json.dumps(text)}: {json.dumps(text)}}}\nowner: {json.dumps(text)}\n"),
    )
    shown = diff_markdown(old, new, compare(old.behaviour, new.behaviour))
    assert shown.isprintable() or set(shown) - set("\n") == {c for c in shown if c.isprintable()}
    rows = shown.splitlines()[4:]
    assert len(rows) == 2
    for row in rows:
        # Without its code spans and escapes, a row is three cells of our own words.
        bare = _without_code(row).replace("\\|", "")
        assert bare.count("|") == 4
        assert not set("<@[`") & set(bare)


def _without_code(row: str) -> str:
    import re

    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", row)


def test_faults_in_markdown_name_line_and_code():
    """The other side is said to be sound."""
    shown = faults_markdown([side(JOB, "a.yaml"), side(f"{JOB}pool: {{sizes: 3}}\n", "b.yaml")])
    assert shown == (
        "**`a.yaml`: no errors**\n\n"
        "**`b.yaml`: 1 error, so it cannot be compared**\n\n"
        "- line 6: unknown key `sizes` in `pool` (`unknown-key`)\n"
    )


def test_json_has_keys_values_and_the_resumption():
    """A value that one side does not have is left out there."""
    old, new = side(JOB, "a.yaml"), side(f"{JOB}labels: {{a: b}}\nparams: {{n: 1}}\n", "b.yaml")
    assert diff_json(old, new, compare(old.behaviour, new.behaviour)) == {
        "old": "a.yaml",
        "new": "b.yaml",
        "verdict": "2 changes of behaviour",
        "has_changed": True,
        "changes": [
            {
                "weight": "data",
                "message": "`-p n` is 1 by default: was no parameter",
                "keys": ["params.n"],
                "old": {},
                "new": {"params.n": 1},
            },
            {
                "weight": "comfort",
                "message": "`labels.a` is `b`: was not set",
                "keys": ["labels.a"],
                "old": {},
                "new": {"labels.a": "b"},
            },
        ],
        "is_resumable": False,
        "decisive": ["params.n"],
        "problems": [],
    }
