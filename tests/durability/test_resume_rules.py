"""What may have changed since a run was killed, what may not, and what is said then."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import shutil
import signal
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.ledger.checkpoint import Checkpoint
from tests.durability.conftest import KILLED, Ended, Lab

ITEMS = 60
ROWS = "".join(json.dumps({"n": number}) + "\n" for number in range(ITEMS))


def _start(lab: Lab, *, least_failed: int = 0, **keys: Any) -> tuple[Any, Any]:
    """Run the job undisturbed, then kill it in the middle; return what the first run published."""
    lab.write("in.jsonl", ROWS)
    lab.job(**{"input": {"type": "jsonl", "path": "in.jsonl"}, **keys})
    reference = lab.undisturbed()
    _kill_in_the_middle(lab, least_failed=least_failed)
    return reference


def _kill_in_the_middle(lab: Lab, *flags: str, least: int = 3, least_failed: int = 0) -> None:
    """Run, and kill when so many calls of the task were made and so many items and failures are committed."""
    calls = lab.root / "calls"
    for lines in (12, 24, 36, 48):
        calls.unlink(missing_ok=True)
        ended = lab.run(
            *flags, kill_when=(str(calls), lines), environ={"PAUSE": "0.015", "CALLS": str(calls)}
        )
        assert ended.code == KILLED, ended.err
        if committed(lab)["items"] >= least and committed(lab)["failed"] >= least_failed:
            return
    pytest.fail("nothing was committed before the kill")


def committed(lab: Lab) -> dict[str, Any]:
    """Return the values of the checkpoint."""
    try:
        data = (lab.work / "ck").read_bytes()
    except FileNotFoundError:
        return {"items": 0}
    values = json.loads(data.rpartition(b"\t")[0])
    assert isinstance(values, dict)
    return values


def _seal(values: object) -> bytes:
    body = json.dumps(values).encode()
    return b"%b\t%08x\n" % (body, zlib.crc32(body))


def _assert_goes_on(lab: Lab, reference: tuple[Any, Any], *flags: str) -> Ended:
    ended = lab.run("--json", *flags)
    assert ended.code == 0, ended.err
    assert ended.report["resumed_from"] is not None
    assert lab.published() == reference
    assert not lab.leftovers()
    return ended


def _assert_refused(lab: Lab, phrase: str, *flags: str, **order: Any) -> None:
    """The run is refused for this reason, and what stands there is as it was."""
    before = {path.name: path.read_bytes() for path in lab.work.iterdir()}
    ended = lab.run(*flags, **order)
    assert ended.code == 3, f"{ended.code}: {ended.err}"
    assert phrase in ended.err
    assert "Traceback" not in ended.err
    assert lab.work.is_dir(), "the refusal removed the unfinished run"
    assert {path.name: path.read_bytes() for path in lab.work.iterdir()} == before
    assert not lab.output.exists()


FREE: dict[str, dict[str, Any]] = {
    "pool.size": {"pool": {"size": 7}},
    "pool.chunksize": {"pool": {"size": 2, "chunksize": 5}},
    "pool.window": {"pool": {"size": 2, "window": 9}},
    "pool.window_bytes": {"pool": {"size": 2, "window_bytes": "1MiB"}},
    "failures.tolerate": {"failures": {"tolerate": 40}},
    "description": {"description": "another"},
    "owner": {"owner": "another"},
    "labels": {"labels": {"a": "b"}},
    "commit": {"commit": {"every": "2s", "bytes": "1MiB"}},
    "durability": {"durability": "process"},
    "unfinished": {"unfinished": "resume"},
    "timezone": {"timezone": "Europe/Berlin"},
    "output.if_exists": {"output": {"type": "jsonl", "path": "out/rows.jsonl", "if_exists": "fail"}},
    "input.append": {"input": {"type": "jsonl", "path": "in.jsonl", "append": "allow"}},
}


@pytest.mark.parametrize("key", FREE)
def test_a_run_goes_on_with_another_value_of_a_free_key(lab: Lab, key: str) -> None:
    """The output is that of the undisturbed run."""
    reference = _start(lab)
    lab.job(**FREE[key])
    _assert_goes_on(lab, reference)


FORBIDDEN: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "input.path": ({"input": {"type": "jsonl", "path": "other.jsonl"}}, ()),
    "input.type": ({"input": {"type": "text", "path": "in.jsonl"}}, ()),
    "input.max_record_bytes": (
        {"input": {"type": "jsonl", "path": "in.jsonl", "max_record_bytes": "1KiB"}},
        (),
    ),
    "task.with": ({"task": {"call": "tasks.work_with", "with": {"factor": 3}}}, ()),
    "task.call": ({"task": "tasks.other"}, ()),
    "params.a": ({"params": {"a": 2}}, ()),
    "params.a by flag": ({}, ("-p", "a=5")),
    "pool.ordered": ({"pool": {"size": 2, "ordered": False}}, ()),
    "failures.dead_letter": ({"failures": {"tolerate": "all", "dead_letter": "x/dead.jsonl"}}, ()),
    "--limit": ({}, ("--limit", "50")),
}


@pytest.mark.parametrize("key", FORBIDDEN)
def test_a_run_with_another_value_of_a_bound_key_is_refused_by_its_name(lab: Lab, key: str) -> None:
    """Exit code 3, the key is named, nothing is touched, and undone, the run goes on."""
    more = """
def other(item):
    return work(item)

def work_with(item, factor):
    return work(item)
"""
    lab.write("tasks.py", (lab.root / "tasks.py").read_text() + more)
    lab.write("other.jsonl", ROWS)
    keys = {"params": {"a": 1}}
    if key == "task.with":
        keys["task"] = {"call": "tasks.work_with", "with": {"factor": 2}}  # type: ignore[dict-item]
    reference = _start(lab, **keys)
    changed, flags = FORBIDDEN[key]
    before = dict(lab.keys)
    lab.job(**changed)
    _assert_refused(lab, f"`{key.partition(' ')[0]}", *flags)
    lab.keys = before
    lab.job()
    _assert_goes_on(lab, reference)


def test_a_run_with_other_output_options_is_refused_by_their_name(lab: Lab) -> None:
    """The columns of a CSV decide about every byte."""
    output = {"type": "csv", "path": "out/rows.csv", "columns": ["n", "text", "square"]}
    reference = _start(lab, output=output)
    lab.job(output={**output, "delimiter": ";"})
    _assert_refused(lab, "`output.delimiter` changed")
    lab.job(output=output)
    _assert_goes_on(lab, reference)


def test_another_code_of_the_task_is_refused_unless_it_is_accepted(lab: Lab) -> None:
    """Refused with the flag that goes on; with the flag the run goes on."""
    reference = _start(lab)
    lab.write("tasks.py", (lab.root / "tasks.py").read_text() + "\n# another comment\n")
    _assert_refused(lab, "the code in tasks.py changed (--accept code")
    _assert_goes_on(lab, reference, "--accept", "code")


def test_code_of_the_project_that_the_task_imports_counts_as_its_own(lab: Lab) -> None:
    """Each file is named; one that no longer is imported, too; what is not imported does not count."""
    tasks = (lab.root / "tasks.py").read_text()
    lab.write("tasks.py", "from lib.shapes import side\nimport rules\n" + tasks)
    lab.write("lib/shapes.py", "def side():\n    return 1\n")
    lab.write("rules.py", "LEAST = 1\n")
    lab.write("unused.py", "")
    reference = _start(lab)
    lab.write("unused.py", "changed = True\n")
    lab.write("lib/shapes.py", "def side():\n    return 2\n")
    _assert_refused(lab, "the code in lib/shapes.py changed (--accept code")
    lab.write("tasks.py", "from lib.shapes import side\n" + tasks)
    _assert_refused(lab, "the code in lib/shapes.py, rules.py, tasks.py changed (--accept code")
    _assert_goes_on(lab, reference, "--accept", "code")


def test_installed_packages_in_the_project_are_not_its_code(lab: Lab) -> None:
    """A virtual environment stands in many a project, and is updated."""
    tasks = (lab.root / "tasks.py").read_text()
    packages = lab.root / ".venv/lib/site-packages"
    lab.write("tasks.py", f"import sys\nsys.path.append({str(packages)!r})\nimport helper\n" + tasks)
    lab.write(".venv/lib/site-packages/helper.py", "")
    reference = _start(lab)
    lab.write(".venv/lib/site-packages/helper.py", "version = 2\n")
    _assert_goes_on(lab, reference)


def _touched(path: Path) -> None:
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))


def _written_again(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy2(path, copy)  # a backup keeps the time
    copy.replace(path)


WIDE = [json.dumps({"n": number, "pad": "x" * 20_000}) + "\n" for number in range(ITEMS)]
"""Rows whose file is longer than the head that is hashed, and than what is read at a time."""


def _start_wide(lab: Lab, name: str = "in.jsonl") -> tuple[Any, Any]:
    """Kill a run of wide rows in the middle; return what it publishes undisturbed."""
    data = "".join(WIDE).encode()
    lab.write(name, gzip.compress(data, compresslevel=0, mtime=0) if name.endswith(".gz") else data)
    lab.job(input={"type": "jsonl", "path": name}, pool={"size": 1, "window": 4})
    reference = lab.undisturbed()
    _kill_in_the_middle(lab, least=9)
    return reference


def _replace(path: Path, number: int) -> None:
    """Change the row of a number, which takes as many bytes as before."""
    old = f'"n": {number}, "pad": "xx'.encode()
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, old[:-2] + b"yy"))


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.gz"])
@pytest.mark.parametrize("change", [_touched, _written_again], ids=["touched", "restored"])
def test_an_input_with_the_same_bytes_is_gone_on_with(
    lab: Lab, name: str, change: Callable[[Path], None]
) -> None:
    """Another time or inode: what was read of it is read again and compared."""
    reference = _start_wide(lab, name)
    change(lab.root / name)
    ended = _assert_goes_on(lab, reference)
    assert f"the input file {name} was written since; what was read of it is the same" in ended.err


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.gz"])
@pytest.mark.parametrize("change", ["edit", "grow"])
def test_an_input_that_changed_where_it_is_done_is_refused_by_its_name(
    lab: Lab, name: str, change: str
) -> None:
    """Of the same size and with the same head; and where it has grown, too, and may."""
    _start_wide(lab, name)
    path = lab.root / name
    if name.endswith(".gz"):
        data = bytearray(path.read_bytes())
        data[70_000] ^= 1
        path.write_bytes(bytes(data))
    else:
        _replace(path, 4)  # behind the head that is hashed, in front of where the run stands
    if change == "grow":
        with path.open("ab") as file:
            file.write(b'{"n": 60}\n' if name == "in.jsonl" else gzip.compress(b'{"n": 60}\n'))
        lab.job(input={"type": "jsonl", "path": name, "append": "allow"})
    _assert_refused(lab, f"the input file {name} changed")


def test_an_input_that_changed_where_it_was_not_read_is_gone_on_with(lab: Lab) -> None:
    """A record that is repaired in its place: the output is that of the repaired file."""
    _start_wide(lab)
    read = committed(lab)["position"]["read"]["part"][0]
    assert read < len("".join(WIDE[:-1]))
    _replace(lab.root / "in.jsonl", ITEMS - 1)
    ended = lab.run("--json")
    assert ended.code == 0, ended.err
    assert ended.report["items"] == ITEMS


def test_an_input_that_changed_where_the_run_was_reading_is_refused_unless_accepted(lab: Lab) -> None:
    """Nobody but the user knows whether it is in front of where the run stands."""
    output, dead_letters = _start_wide(lab)
    number = committed(lab)["index"] + 1
    _replace(lab.root / "in.jsonl", number)
    _assert_refused(lab, "in.jsonl changed where the run was reading (--accept input goes on")
    old = f'"n":{number},"pad":"xx'.encode()  # stands in the dead letters where this is an item that fails
    _assert_goes_on(lab, (output, dead_letters.replace(old, old[:-2] + b"yy")), "--accept", "input")


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (ROWS.replace('"n": 0', '"n": 9'), "has another content"),
        (ROWS[: len(ROWS) // 2], "the input file in.jsonl shrank"),
        (ROWS + '{"n": 60}\n', "the input file in.jsonl grew"),
        ("", "the input file in.jsonl shrank"),
    ],
    ids=["content", "shrunk", "grown", "emptied"],
)
def test_an_input_that_changed_is_refused_by_what_changed(lab: Lab, content: str, phrase: str) -> None:
    """Content, size, growth: each in its own words, and `--accept input` is no way around."""
    _start(lab)
    lab.write("in.jsonl", content)
    _assert_refused(lab, phrase)
    _assert_refused(lab, phrase, "--accept", "input")


@pytest.mark.parametrize("size", [ITEMS, 9000], ids=["small", "large"])
def test_an_input_that_grew_is_gone_on_with_where_append_is_allowed(lab: Lab, size: int) -> None:
    """All rows of the grown input are in the output, whether it was smaller than the hashed head or not."""
    rows = "".join(json.dumps({"n": number}) + "\n" for number in range(size))
    grown = rows + '{"n": 700001}\n'
    keys = {"input": {"type": "jsonl", "path": "in.jsonl", "append": "allow"}, "pool": {"size": 8}}
    lab.write("in.jsonl", grown)
    lab.job(**keys)
    reference = lab.undisturbed()
    lab.write("in.jsonl", rows)
    _kill_in_the_middle(lab)
    with (lab.root / "in.jsonl").open("a") as file:
        file.write('{"n": 700001}\n')
    _assert_goes_on(lab, reference)


def test_a_file_that_is_new_in_a_glob_is_named(lab: Lab) -> None:
    """The files of a glob are pinned when the run begins."""
    lab.write("parts/1.jsonl", ROWS)
    lab.job(input={"type": "jsonl", "path": "parts/*.jsonl"})
    _kill_in_the_middle(lab)
    lab.write("parts/0.jsonl", '{"n": 1}\n')
    _assert_refused(lab, "the input file parts/0.jsonl is new")


def _edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


TAMPERED: dict[str, Callable[[Lab], None]] = {
    "output shortened": lambda lab: _edit(
        lab.work / "out", lambda data: data[: committed(lab)["output_size"] - 1]
    ),
    "output edited": lambda lab: _edit(lab.work / "out", lambda data: b"#" + data[1:]),
    "output gone": lambda lab: (lab.work / "out").unlink(),
    "dead letters edited": lambda lab: _edit(lab.work / "dead", lambda data: b"#" + data[1:]),
    "dead letters gone": lambda lab: (lab.work / "dead").unlink(),
    "checkpoint corrupt": lambda lab: _edit(lab.work / "ck", lambda data: data[:20] + b"9" + data[21:]),
    "checkpoint empty": lambda lab: _edit(lab.work / "ck", lambda data: b""),
    "checkpoint of zeros": lambda lab: _edit(lab.work / "ck", lambda data: b"\0" * len(data)),
    "checkpoint newer": lambda lab: _edit(
        lab.work / "ck", lambda data: _seal({**committed(lab), "format": 2})
    ),
    "checkpoint of another kind": lambda lab: _edit(lab.work / "ck", lambda data: _seal([1])),
    "checkpoint without a key": lambda lab: _edit(lab.work / "ck", lambda data: _seal({"format": 1})),
    "manifest gone": lambda lab: (lab.work / "manifest.json").unlink(),
    "manifest empty": lambda lab: _edit(lab.work / "manifest.json", lambda data: b""),
    "manifest cut": lambda lab: _edit(lab.work / "manifest.json", lambda data: data[:100]),
    "manifest newer": lambda lab: _edit(lab.work / "manifest.json", lambda data: _with(data, format=2)),
    "manifest with a wrong date": lambda lab: _edit(
        lab.work / "manifest.json", lambda data: _with(data, date="x")
    ),
    "manifest with a wrong input": lambda lab: _edit(
        lab.work / "manifest.json", lambda data: _with(data, input=5)
    ),
    "manifest with a wrong hash": lambda lab: _edit(
        lab.work / "manifest.json", lambda data: _with(data, fingerprint=[])
    ),
}


def _with(data: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(data), **values}).encode()


@pytest.mark.parametrize("how", TAMPERED)
def test_an_unfinished_run_that_was_tampered_with_is_refused_and_left_alone(lab: Lab, how: str) -> None:
    """Exit code 3 and no traceback; nothing is overwritten until `--restart` says so."""
    reference = _start(lab, least_failed=1)
    TAMPERED[how](lab)
    _assert_refused(lab, "--restart")
    ended = lab.run("--restart")
    assert ended.code == 0, ended.err
    assert lab.published() == reference


def test_resume_insists_on_an_unfinished_run(lab: Lab) -> None:
    """With none there, exit code 3 and nothing is run."""
    lab.job()
    ended = lab.run("--resume")
    assert ended.code == 3
    assert "there is no unfinished run of example to resume" in ended.err
    assert not lab.output.exists()


def test_resume_goes_on_with_an_unfinished_run(lab: Lab) -> None:
    """As the plain command does."""
    _assert_goes_on(lab, _start(lab), "--resume")


def test_restart_starts_over(lab: Lab) -> None:
    """With a new run id, from the first item."""
    reference = _start(lab)
    before = json.loads((lab.work / "manifest.json").read_bytes())["run_id"]
    ended = lab.run("--restart", "--json")
    assert ended.code == 0
    assert ended.report["resumed_from"] is None
    assert ended.report["run_id"] != before
    assert lab.published() == reference


@pytest.mark.parametrize(("value", "code"), [("restart", 0), ("refuse", 3), ("resume", 0)])
def test_the_job_file_decides_for_a_run_that_nobody_watches(lab: Lab, value: str, code: int) -> None:
    """`unfinished:` starts over, refuses and goes on; after a refusal `--resume` goes on."""
    reference = _start(lab)
    lab.job(unfinished=value)
    ended = lab.run("--json")
    assert ended.code == code, ended.err
    assert (ended.report["resumed_from"] is not None) == (value == "resume")
    if code == 3:
        assert "`unfinished` is `refuse`" in ended.err
        _assert_goes_on(lab, reference, "--resume")
    assert lab.published() == reference


def test_standard_input_cannot_be_resumed(lab: Lab) -> None:
    """Exit code 3 with a hint, and a plain run after a kill starts over and says so."""
    lab.write("in.jsonl", ROWS)
    lab.job(input={"type": "jsonl", "path": "-"})
    stdin = str(lab.root / "in.jsonl")
    ended = lab.run("--resume", stdin=stdin)
    assert ended.code == 3
    assert "save standard input to a file first" in ended.err
    calls = str(lab.root / "calls")
    killed = lab.run(stdin=stdin, kill_when=(calls, 20), environ={"PAUSE": "0.01", "CALLS": calls})
    assert killed.code == KILLED
    ended = lab.run("--json", stdin=stdin)
    assert ended.code == 0, ended.err
    assert "whose input cannot be read again; this run starts over" in ended.err
    assert ended.report["resumed_from"] is None
    assert ended.report["items"] == ITEMS


def test_a_finished_output_of_standard_input_is_kept_when_its_place_is_taken(lab: Lab) -> None:
    """The message says where it lies, and it lies there."""
    lab.write("in.jsonl", ROWS)
    lab.write(
        "tasks.py",
        "from pathlib import Path\n\ndef work(item):\n"
        "    Path('out/rows.jsonl').write_text('mine')\n    return item\n",
    )
    lab.job(
        input={"type": "jsonl", "path": "-"},
        output={"type": "jsonl", "path": "out/rows.jsonl", "if_exists": "fail"},
    )
    ended = lab.run(stdin=str(lab.root / "in.jsonl"))
    assert ended.code == 3, ended.err
    assert "has appeared while the run worked" in ended.err
    assert lab.output.read_text() == "mine"
    assert (lab.work / "out").read_text() == ROWS.replace(" ", "")


def test_a_run_killed_before_anything_was_committed_starts_afresh(lab: Lab) -> None:
    """Without a question, even where the job file says `refuse`, and with a changed job."""
    lab.job(commit={"every": "60s"}, unfinished="refuse")
    calls = str(lab.root / "calls")
    assert lab.run(kill_when=(calls, 9), environ={"PAUSE": "0.01", "CALLS": calls}).code == KILLED
    assert lab.work.is_dir()
    lab.job(input={"type": "range", "stop": 5})
    ended = lab.run("--json")
    assert ended.code == 0, ended.err
    assert ended.report["resumed_from"] is None
    assert ended.report["items"] == 5


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_run_killed_before_anything_was_committed_keeps_its_name(lab: Lab, is_damaged: bool) -> None:
    """The same job begins again under its run id, which services know; its files do not matter."""
    lab.job(commit={"every": "60s"})
    calls = str(lab.root / "calls")
    assert lab.run(kill_when=(calls, 9), environ={"PAUSE": "0.01", "CALLS": calls}).code == KILLED
    before = json.loads((lab.work / "manifest.json").read_bytes())["run_id"]
    if is_damaged:
        (lab.work / "dead").unlink()
    ended = lab.run("--json")
    assert ended.code == 0, ended.err
    assert (ended.report["run_id"], ended.report["resumed_from"]) == (before, None)
    assert "unfinished" not in ended.err
    assert not lab.leftovers()
    assert lab.run("--json").report["run_id"] != before


def test_a_resumed_run_keeps_its_name_and_counts_over_all_its_processes(lab: Lab) -> None:
    """`run_id` stays, `resumed_from` is the first item of this process, counts are those of the whole run."""
    reference = _start(lab)
    manifest = json.loads((lab.work / "manifest.json").read_bytes())
    before = committed(lab)
    ended = _assert_goes_on(lab, reference)
    report = ended.report
    assert report["run_id"] == manifest["run_id"]
    assert report["resumed_from"] == before["index"]
    assert report["items"] == ITEMS
    assert report["failed"] == len(range(5, ITEMS, 13))
    assert report["succeeded"] == ITEMS - report["failed"]
    assert report["rows"] == reference[0].count(b"\n")


def test_the_date_of_the_run_is_that_of_its_first_start(lab: Lab) -> None:
    """A run that is gone on with after midnight has the date of the day on which it began."""
    more = "\ndef dated(item, date):\n    row = work(item)\n    return row and {**row, 'date': date}\n"
    lab.write("tasks.py", (lab.root / "tasks.py").read_text() + more)
    lab.job(task={"call": "tasks.dated", "with": {"date": "${run.date}"}})
    reference = lab.undisturbed(now="2026-03-01T23:59:00+00:00")
    calls = str(lab.root / "calls")
    environ = {"PAUSE": "0.01", "CALLS": calls}
    ended = lab.run(kill_when=(calls, 30), environ=environ, now="2026-03-01T23:59:00+00:00")
    assert ended.code == KILLED
    assert committed(lab)["items"]
    ended = lab.run("--json", now="2026-03-02T00:01:00+00:00")
    assert ended.code == 0, ended.err
    assert ended.report["resumed_from"] is not None
    assert lab.published() == reference


def _kill_dated(lab: Lab, day: str, *flags: str) -> None:
    """Run the job of a day until some of its items are done and committed, and kill it."""
    calls = lab.root / "calls"
    environ = {"PAUSE": "0.015", "CALLS": str(calls)}
    now = f"{day}T12:00:00+00:00"
    for _ in range(9):  # on a busy machine, a kill may come before the first commit
        calls.unlink(missing_ok=True)
        assert lab.run(*flags, kill_when=(str(calls), 30), environ=environ, now=now).code == KILLED
        (checkpoint,) = (path / "ck" for path in lab.root.rglob(f".rows*{day}.jsonl.run"))
        if checkpoint.exists() and not Checkpoint.from_bytes(checkpoint.read_bytes()).is_empty:
            return
    raise AssertionError("nothing was ever committed")


@pytest.mark.parametrize("path", ["out/rows-${run.date}.jsonl", "${run.date}/[x]/rows ${run.date}.jsonl"])
def test_unfinished_runs_of_other_dates_are_named_with_the_command_that_goes_on(lab: Lab, path: str) -> None:
    """Today's run begins all the same, and the command does go on with the other one."""
    lab.job(output={"type": "jsonl", "path": path}, params={"a": "x"})
    flags = ("-p", "a=2 3", "--set", "pool.size=3")
    for day in ("2026-11-20", "2026-11-22"):
        _kill_dated(lab, day, *flags)
    other = lab.root / path.replace("${run.date}", "2026-11-23")
    ended = lab.run(*flags, now="2026-11-23T12:00:00+00:00")
    assert ended.code == 0, ended.err
    lines = [line for line in ended.err.splitlines() if line.startswith("an unfinished run of")]
    assert len(lines) == 2
    assert other.exists()
    for day, line in zip(("2026-11-20", "2026-11-22"), lines, strict=True):
        assert line.startswith(f"an unfinished run of {day} stands in ")
        command = f"runner run job.yaml --date {day} -p 'a=2 3' --set pool.size=3"
        assert line.endswith(f"; this goes on with it: {command}")
        ended = lab.run("--json", *shlex.split(command)[3:], now="2026-11-23T12:00:00+00:00")
        assert ended.code == 0, ended.err
        assert ended.report["resumed_from"]
        assert (lab.root / path.replace("${run.date}", day)).read_bytes() == other.read_bytes()
    assert "an unfinished run of" not in lab.run(*flags, now="2026-11-24T12:00:00+00:00").err


def test_unfinished_runs_of_other_jobs_or_at_work_are_not_named(lab: Lab) -> None:
    """A folder of another job, one with nothing committed, a damaged one, one whose process lives."""
    for day in range(20, 25):
        name = "another" if day == 20 else "example"
        lab.job(name=name, output={"type": "jsonl", "path": "out/rows-${run.date}.jsonl"})
        _kill_dated(lab, f"2026-11-{day}")
    folders = {day: lab.root / f"out/.rows-2026-11-{day}.jsonl.run" for day in range(20, 25)}
    (folders[21] / "ck").unlink()
    _edit(folders[22] / "ck", lambda data: data[5:])
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "run_id": "x"}
    lab.write("out/.rows-2026-11-23.jsonl.lock", json.dumps(holder))
    folders[24].rename(lab.root / "out/.rows-2026-11-19.jsonl.run")
    ended = lab.run(now="2026-11-25T12:00:00+00:00")
    assert ended.code == 0, ended.err
    assert "an unfinished run of" not in ended.err


def test_the_failure_that_broke_the_budget_is_tried_again_by_a_repaired_task(lab: Lab) -> None:
    """Same command, exit 0, and the output is that of a run in which nothing had failed."""
    good = (lab.root / "tasks.py").read_text()
    lab.write("in.jsonl", ROWS)
    lab.job(input={"type": "jsonl", "path": "in.jsonl"}, failures={"tolerate": 5}, commit={"every": "10ms"})
    reference = lab.undisturbed()
    broken = good.replace(
        "    if number % 7", "    if number == 40:\n        raise RuntimeError('broken')\n    if number % 7"
    )
    assert broken != good
    lab.write("tasks.py", broken)
    lab.job(failures={"tolerate": 3})
    ended = lab.run("--json")
    assert ended.code == 1
    assert not lab.output.exists()
    assert ended.report["dead_letter"] == "out/.rows.jsonl.run/dead"
    lab.write("tasks.py", good)
    lab.job(failures={"tolerate": 5})
    report = _assert_goes_on(lab, reference, "--accept", "code").report
    assert (report["items"], report["failed"]) == (ITEMS, 5)


def test_a_run_whose_output_another_process_works_on_is_put_off(lab: Lab) -> None:
    """Exit code 75, and the unfinished run is as it was."""
    import fcntl

    _start(lab)
    before = (lab.work / "ck").read_bytes()
    with (lab.output.parent / f".{lab.output.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = lab.run()
        assert ended.code == 75, ended.err
    assert (lab.work / "ck").read_bytes() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_after_a_signal_nothing_that_was_finished_is_done_again(lab: Lab, number: int, code: int) -> None:
    """What ran is finished and committed, and the rerun calls the task for no item a second time."""
    calls = lab.root / "calls"
    lab.job(commit={"every": "60s"})
    environ = {"PAUSE": "0.02", "CALLS": str(calls)}
    ended = lab.run(kill_when=(str(calls), 15), kill_with=number, environ=environ)
    assert ended.code == code, ended.err
    assert "the same command goes on from there" in ended.err
    ended = lab.run("--json", environ={"CALLS": str(calls)})
    assert ended.code == 0, ended.err
    assert ended.report["resumed_from"] > 0
    assert sorted(map(int, calls.read_text().split())) == list(range(60))


def test_a_kill_repeats_no_more_than_the_window_and_one_commit_interval(lab: Lab) -> None:
    """The calls that are made twice are those of items that were not committed."""
    calls = lab.root / "calls"
    window = 12
    lab.job(pool={"size": 2, "window": window}, commit={"every": "0s"})
    ended = lab.run(kill_when=(str(calls), 30), environ={"PAUSE": "0.02", "CALLS": str(calls)})
    assert ended.code == KILLED
    first = set(map(int, calls.read_text().split()))
    index = committed(lab)["index"]
    assert index > 0
    calls.unlink()
    assert lab.run(environ={"CALLS": str(calls)}).code == 0
    again = first & set(map(int, calls.read_text().split()))
    assert min(again, default=index) >= index
    assert len(again) <= 2 * window  # in flight, and what was delivered while the last commit was made


@pytest.mark.parametrize("state", ["renamed", "linked"])
def test_a_run_killed_while_it_published_is_finished_where_nothing_may_be_replaced(
    lab: Lab, state: str
) -> None:
    """What stands at the final path is its own output: the same command says so and clears up."""
    lab.job(output={"type": "jsonl", "path": "out/rows.jsonl", "if_exists": "fail"})
    reference = lab.undisturbed()
    step = 1
    while True:  # find the kill after which the output stands while the work folder does, too
        disk = {"kind": "killing", "at": step, "notes": str(lab.root / "notes")}
        (lab.root / "notes").unlink(missing_ok=True)
        lab.job(input={"type": "range", "stop": 60}, pool={"size": 1}, commit={"every": "60s"})
        ended = lab.run(disk=disk)
        assert ended.code == KILLED
        is_linked = (lab.work / "out").exists()
        if lab.output.exists() and is_linked == (state == "linked"):
            break
        if lab.work.exists():
            shutil.rmtree(lab.work)
        for path in (lab.output, lab.dead_letter):
            path.unlink(missing_ok=True)
        step += 1
    ended = lab.run()
    assert ended.code == 0, ended.err
    assert lab.published() == reference
    assert not lab.leftovers()


def _kill_before(lab: Lab, operation: str, **order: Any) -> None:
    """Run until a file operation is next, and kill there."""
    notes = lab.root / "notes"
    notes.unlink(missing_ok=True)
    ended = lab.run(disk={"kind": "killing_before", "operation": operation, "notes": str(notes)}, **order)
    assert ended.code == KILLED, ended.err


def _receipt(lab: Lab) -> dict[str, Any]:
    (path,) = (lab.root / ".runner/jobs/example/receipts").iterdir()
    values = json.loads(path.read_bytes())
    assert isinstance(values, dict)
    return values


@pytest.mark.parametrize("if_exists", ["fail", "replace", "skip"])
@pytest.mark.parametrize("operation", ["remove manifest.json", "remove ck"])
def test_a_run_killed_while_it_cleared_up_is_over_and_only_clears_up(
    lab: Lab, operation: str, if_exists: str
) -> None:
    """Exit code 0 without calling the task once, and nothing is left, whatever `if_exists` says."""
    calls = lab.root / "calls"
    lab.job(output={"type": "jsonl", "path": "out/rows.jsonl", "if_exists": if_exists})
    _kill_before(lab, operation)
    receipt, published = _receipt(lab), lab.published()
    ended = lab.run("--json", environ={"CALLS": str(calls)})
    assert ended.code == 0, ended.err
    assert "an earlier run had published everything" in ended.err
    assert ended.report["status"] == "completed"
    assert not calls.exists()
    assert _receipt(lab) == receipt
    assert lab.published() == published
    assert not lab.leftovers()


@pytest.mark.parametrize(("if_exists", "code"), [("fail", 3), ("replace", 0), ("skip", 0)])
def test_the_empty_folder_of_a_run_killed_in_its_last_step_goes_with_the_next_run(
    lab: Lab, if_exists: str, code: int
) -> None:
    """It cannot say any more that the run is over; the receipt can, where the next run is refused for it."""
    lab.job(output={"type": "jsonl", "path": "out/rows.jsonl", "if_exists": if_exists})
    _kill_before(lab, "remove_folder .rows.jsonl.run")
    published = lab.published()
    ended = lab.run()
    assert ended.code == code, ended.err
    if code:
        assert f"move it away (run {_receipt(lab)['run_id']} finished on" in ended.err
    assert lab.published() == published
    assert not lab.leftovers()


@pytest.mark.parametrize("change", ["job", "output", "gone"])
def test_what_a_run_that_is_over_left_keeps_no_other_run_from_beginning(lab: Lab, change: str) -> None:
    """Another job, or another output at its place: nothing would be lost, so nothing is refused."""
    lab.job()
    _kill_before(lab, "remove ck")
    if change == "job":
        lab.job(input={"type": "range", "stop": 30})
    elif change == "output":
        lab.output.write_bytes(b"theirs\n")
    else:
        lab.output.unlink()
    ended = lab.run("--json")
    assert ended.code == 0, ended.err
    assert ended.report["items"] == (30 if change == "job" else 60)
    assert ended.report["resumed_from"] is None
    assert not lab.leftovers()


def test_resume_of_a_finished_job_says_when_it_finished_and_where_its_output_is(lab: Lab) -> None:
    """Exit code 3, from the receipt, and also what has become of the output since."""
    lab.job()
    report = lab.run("--json", now="2026-03-01T12:30:00+00:00").report
    ended = lab.run("--resume")
    assert ended.code == 3
    said = f"there is nothing to resume: run {report['run_id']} finished on 2026-03-01T12:30:00+00:00"
    assert f"{said} and published {lab.output};" in ended.err
    lab.output.write_bytes(b"")
    assert f"published {lab.output}, which was changed since" in lab.run("--resume").err
    lab.output.unlink()
    assert f"published {lab.output}, which is not there any more" in lab.run("--resume").err
    lab.write("in.jsonl", ROWS)
    lab.job(input={"type": "jsonl", "path": "-"})
    assert f"give the output a path (run {report['run_id']} finished on" in lab.run("--resume").err


def test_the_receipt_has_the_digests_of_what_was_published(lab: Lab) -> None:
    """Also of a compressed output; a later run replaces it, and one that cannot be written fails nobody."""
    import hashlib

    lab.job(output={"type": "jsonl", "path": "out/rows.jsonl.gz"})
    report = lab.run("--json").report
    receipt = _receipt(lab)
    for key, path in (("output", lab.output), ("dead_letter", lab.dead_letter)):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        assert receipt[key] == {"path": str(path), "size": len(data), "sha256": digest}
    assert (receipt["items"], receipt["failed"], receipt["rows"]) == (60, report["failed"], report["rows"])
    assert receipt["run_id"] == report["run_id"]
    assert lab.run().code == 0
    assert _receipt(lab)["run_id"] != report["run_id"]
    shutil.rmtree(lab.root / ".runner/jobs")
    lab.write(".runner/jobs", "in the way")
    ended = lab.run("--json")
    assert ended.code == 0, ended.err
    assert "warning: could not create the folder" in ended.err
    assert ended.report["status"] == "completed"
    assert not lab.leftovers()


def test_a_damaged_receipt_is_as_good_as_none(lab: Lab) -> None:
    """It only answers questions."""
    lab.job()
    assert lab.run().code == 0
    (path,) = (lab.root / ".runner/jobs/example/receipts").iterdir()
    for data in (
        b"",
        b"[1]",
        b"{}",
        b'{"format": 1, "run_id": "x"}',
        path.read_bytes().replace(b'"size"', b'"s"'),
    ):
        path.write_bytes(data)
        ended = lab.run("--resume")
        assert ended.code == 3
        assert "there is no unfinished run of example to resume" in ended.err


def _kill_published_late(lab: Lab) -> str:
    """Kill a run of standard input before its output is shown; return the path that it read."""
    lab.write("in.jsonl", ROWS)
    lab.job(input={"type": "jsonl", "path": "-"})
    stdin = str(lab.root / "in.jsonl")
    _kill_before(lab, "rename out", stdin=stdin)
    assert committed(lab)["state"] == "complete"
    return stdin


def test_a_finished_run_of_standard_input_is_published_before_the_next_begins(lab: Lab) -> None:
    """Its input is gone, so its output must not be; where none may be replaced, it outlives the next."""
    stdin = _kill_published_late(lab)
    lab.write("other.jsonl", '{"n": 1}\n')
    ended = lab.run("--json", stdin=str(lab.root / "other.jsonl"))
    assert ended.code == 0, ended.err
    assert "published the output of run" in ended.err
    assert ended.report["items"] == 1
    lab.output.unlink()
    _kill_before(lab, "rename out", stdin=stdin)
    lab.job(output={"type": "jsonl", "path": "out/rows.jsonl", "if_exists": "fail"})
    ended = lab.run("--json", stdin=str(lab.root / "other.jsonl"))
    assert ended.code == 3, ended.err
    assert "published the output of run" in ended.err
    assert "out/rows.jsonl exists and `output.if_exists` is `fail`" in ended.err
    assert lab.output.read_bytes().count(b"\n") == _receipt(lab)["rows"] > 40
    assert not lab.leftovers()


def test_resume_publishes_a_finished_run_of_standard_input_and_reads_nothing(lab: Lab) -> None:
    """The one thing that can be gone on with there."""
    _kill_published_late(lab)
    ended = lab.run("--resume", "--json")
    assert ended.code == 0, ended.err
    assert ended.report["items"] == ITEMS
    assert lab.output.read_bytes().count(b"\n") == ended.report["rows"]
    assert not lab.leftovers()


@pytest.mark.parametrize("how", ["job", "refuse"])
def test_a_finished_run_of_standard_input_that_cannot_be_published_is_kept(lab: Lab, how: str) -> None:
    """Refused by name, and it lies there until somebody decides."""
    stdin = _kill_published_late(lab)
    before = dict(lab.keys)
    lab.job(**({"params": {"a": 1}} if how == "job" else {"unfinished": "refuse"}))
    _assert_refused(
        lab, "`params.a` changed since" if how == "job" else "`unfinished` is `refuse`", stdin=stdin
    )
    lab.keys = before
    lab.job()
    assert lab.run("--resume").code == 0
