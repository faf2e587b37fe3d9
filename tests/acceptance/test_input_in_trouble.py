"""Inputs that are missing, unreadable or damaged: exit 4 for the input, a dead letter for a record."""

from __future__ import annotations

import base64
import gzip

import pytest


def test_a_missing_input_is_named_with_the_nearest_file(project):
    """Exit 4, before anything runs; what stood at the output stands."""
    project.write("data.jsonl", "1\n")
    project.write("out.jsonl", "old\n")
    project.job(input={"type": "jsonl", "path": "dta.jsonl"})
    done = project.run()
    assert done.code == 4
    assert "input file dta.jsonl does not exist" in done.err
    assert "did you mean data.jsonl?" in done.err
    assert "Traceback" not in done.err
    assert project.read("out.jsonl") == "old\n"
    assert not project.has(".out.jsonl.run")


def test_a_folder_as_input_says_how_to_read_its_files(project):
    """Exit 4, and the pattern to write instead."""
    (project.root / "data").mkdir()
    project.job(input={"type": "jsonl", "path": "data"})
    done = project.run()
    assert done.code == 4
    assert "data/*" in done.err


def test_an_input_without_the_right_to_read_it_is_named(project):
    """Exit 4, and the reason of the system."""
    project.write("data.jsonl", "1\n").chmod(0)
    project.job(input={"type": "jsonl", "path": "data.jsonl"})
    done = project.run(is_bound=True)
    assert done.code == 4
    assert "data.jsonl cannot be read: Permission denied" in done.err
    assert not project.has("out.jsonl")


def test_an_input_that_breaks_midway_publishes_nothing(project):
    """A compressed file that is cut short is exit 4, after what could be read has been run."""
    packed = gzip.compress("".join(f"{n}\n" for n in range(5000)).encode(), mtime=0)
    project.write("data.jsonl.gz", packed[:-12])
    project.write("out.jsonl", "old\n")
    project.job(input={"type": "jsonl", "path": "data.jsonl.gz"})
    done = project.run("--json")
    assert done.code == 4
    assert "data.jsonl.gz" in done.report["message"]
    assert done.report["status"] == "broken"
    assert done.report["items"] > 0
    assert project.read("out.jsonl") == "old\n"


def test_malformed_records_fail_alone_at_their_place(project):
    """Each dead letter names file, line and byte offset; the records around it are run."""
    head = b'{"a": 1}\n'
    bad = b'{"a": \n'
    undecodable = b'{"a": "\xff"}\n'
    project.write("data.jsonl", head + bad + undecodable + b'{"a": 4}\n')
    project.job(input={"type": "jsonl", "path": "data.jsonl"}, failures={"tolerate": 2})
    done = project.run()
    assert done.code == 0
    assert project.lines("out.jsonl") == [{"a": 1}, {"a": 4}]
    first, second = project.lines("out.failed.jsonl")
    assert first["where"] == {"file": "data.jsonl", "line": 2, "offset": len(head)}
    assert first["raw"] == '{"a": '
    assert first["error"]["stage"] == "decode"
    assert first["index"] == 1
    assert second["where"] == {"file": "data.jsonl", "line": 3, "offset": len(head + bad)}
    assert base64.b64decode(second["raw_base64"]) == undecodable.rstrip()
    assert "data.jsonl:2" in done.err


def test_a_row_of_csv_with_too_few_fields_fails_alone(project):
    """The failed row is located, and its neighbours keep their columns."""
    project.write("data.csv", "a,b\n1,2\n3\n4,5\n")
    project.job(input={"type": "csv", "path": "data.csv"}, failures={"tolerate": 1})
    assert project.run().code == 0
    assert [row["b"] for row in project.lines("out.jsonl")] == ["2", "5"]
    (failed,) = project.lines("out.failed.jsonl")
    assert failed["where"] == {"file": "data.csv", "line": 3, "offset": 8}


def test_a_record_longer_than_allowed_fails_alone(project):
    """A record above `max_record_bytes` is a dead letter with its beginning, and the reading goes on."""
    project.write("data.jsonl", '"' + "x" * 5000 + '"\n1\n')
    project.job(
        input={"type": "jsonl", "path": "data.jsonl", "max_record_bytes": "1KiB"}, failures={"tolerate": 1}
    )
    assert project.run().code == 0
    assert project.lines("out.jsonl") == [1]
    (failed,) = project.lines("out.failed.jsonl")
    assert failed["error"]["stage"] == "read"
    assert failed["raw"].startswith('"xxx')


def test_a_file_whose_name_is_no_utf8_is_run_like_any_other(project):
    """Linux file names are bytes: the failures of such a file are logged and set aside, too."""
    (project.root / "data").mkdir()
    try:
        with open(bytes(project.root / "data") + b"/\xff.jsonl", "wb") as file:  # noqa: PTH123
            file.write(b"1\n{\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    project.job(input={"type": "jsonl", "path": "data/*.jsonl"}, failures={"tolerate": 1})
    done = project.run()
    assert done.code == 0, done.err
    assert project.lines("out.jsonl") == [1]
    (failed,) = project.lines("out.failed.jsonl")
    assert failed["where"]["line"] == 2


def test_a_pipe_is_read_once_by_the_run(project):
    """What comes out of it comes once: nothing looks at its header or its first bytes before."""
    project.write(
        "typed.py",
        "from dataclasses import dataclass\n@dataclass\nclass Row:\n    id: int\n"
        "def it(row: Row): return row.id\n",
    )
    project.job(input={"type": "csv", "path": "/dev/stdin"}, task="typed.it")
    done = project.run(stdin=b"id\n1\n2\n")
    assert (done.code, project.lines("out.jsonl")) == (0, [1, 2]), done.err
    assert "warning" not in done.err


def test_what_a_dead_letter_does_not_hold_whole_is_not_run_from_it(project):
    """A long record and a set fail once more; bytes come back as bytes, a `Decimal` as its exact text."""
    project.write(
        "tasks.py",
        "from decimal import Decimal\n"
        "def things(): return [b'ab\\n', {1, 2}, Decimal('1.10')]\n"
        "def fail(item): raise ValueError('no')\n"
        "def show(item): return repr(item)\n",
    )
    project.write("long.jsonl", "{" + "x" * 70_000 + "\n" + '"' + "y" * 99_999 + '"\n')
    keys = {"task": "tasks.fail", "failures": {"tolerate": "all"}}
    project.job("1.yaml", input={"type": "python", "call": "tasks.things"}, **keys)
    project.job(
        "2.yaml",
        input={"type": "jsonl", "path": "long.jsonl", "max_record_bytes": "80KiB"},
        **keys,
        output={"type": "jsonl", "path": "2.jsonl"},
    )
    assert project.run(job="1.yaml").code == project.run(job="2.yaml").code == 0
    project.job(
        "again.yaml",
        input={"type": "dead_letter", "path": ["out.failed.jsonl", "2.failed.jsonl"]},
        task="tasks.show",
        failures={"tolerate": "all"},
        output={"type": "jsonl", "path": "again.jsonl"},
    )
    done = project.run(job="again.yaml")
    assert done.code == 0, done.err
    assert project.lines("again.jsonl") == [repr(b"ab\n"), repr("1.10")]
    failed = project.lines("again.failed.jsonl")
    assert {letter["error"]["stage"] for letter in failed} == {"decode"}
    assert "holds only the beginning of a record of 70001 bytes" in failed[-2]["error"]["message"]
    assert "holds only the beginning of a record of 100002 bytes" in failed[-1]["error"]["message"]


def test_an_input_that_is_overwritten_while_it_is_read_publishes_nothing(project):
    """By a file of the same size: exit 4, and what stood at the output stands."""
    project.write("data.txt", "".join(f"old {number}\n" for number in range(60_000)))
    project.write("out.jsonl", "old\n")
    project.write(
        "tasks.py",
        "from pathlib import Path\n"
        "DATA = Path(__file__).with_name('data.txt')\n"
        "def overwrite(item):\n"
        "    if item == 'old 9':\n"
        "        with DATA.open('r+b') as file:\n"
        "            file.write(DATA.read_bytes().replace(b'old', b'new'))\n"
        "    return item\n",
    )
    project.job(input={"type": "text", "path": "data.txt"}, task="tasks.overwrite", pool={"window": 100})
    done = project.run()
    assert done.code == 4
    assert "input file data.txt changed while it was read" in done.err
    assert project.read("out.jsonl") == "old\n"
