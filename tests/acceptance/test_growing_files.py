"""A file that somebody is writing to: half a line is never an item, and what is left out is said."""

from __future__ import annotations

import pytest

WAITING = """\
import time
from pathlib import Path

HERE = Path(__file__).parent

def work(item):
    text = item if isinstance(item, str) else str(item["n"])
    (HERE / f"started.{text}").touch() if len(text) < 9 else None
    while text == "1" and not (HERE / "go").exists():
        time.sleep(0.005)
    return item
"""
KINDS = {
    "text": ("1\n2\n3", "45\n6\n", ["1", "2", "345", "6"]),
    "csv": ("n\n1\n2\n3", "45\n6\n", [{"n": "1"}, {"n": "2"}, {"n": "345"}, {"n": "6"}]),
    "jsonl": ('{"n":1}\n{"n":2}\n{"n":3', '45}\n{"n":6}\n', [{"n": 1}, {"n": 2}, {"n": 345}, {"n": 6}]),
}


def _kill_while_the_first_item_waits(project, *, others: int, **keys) -> None:
    """Run unordered until all items but the first are committed, then kill the run."""
    project.write("tasks.py", WAITING)
    project.job(task="tasks.work", pool={"size": 2, "ordered": False}, commit={"every": "0s"}, **keys)
    checkpoint = ".out.jsonl.run/ck"
    with project.start() as running:
        running.until(lambda: project.has(checkpoint) and f'"items":{others},' in project.read(checkpoint))
        running.process.kill()
        running.end()


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_that_was_half_written_is_taken_when_it_has_its_end(project, kind):
    """What was read of it before is no item, however far the run had got in whatever order."""
    begun, rest, whole = KINDS[kind]
    data = project.write("data", begun)
    _kill_while_the_first_item_waits(
        project, others=1, input={"type": kind, "path": "data", "append": "allow"}
    )
    with data.open("a") as file:
        file.write(rest)
    project.let_go()
    done = project.run()
    assert done.code == 0, done.err
    assert "going on with the unfinished run" in done.err
    assert sorted(map(str, project.lines("out.jsonl"))) == sorted(map(str, whole))


@pytest.mark.parametrize("kind", ["text", "csv"])
def test_a_run_that_took_half_a_line_is_not_gone_on_with(project, kind):
    """`append` was `refuse` when it was taken: going on in the middle of it would tear it."""
    begun, rest, _ = KINDS[kind]
    data = project.write("data", begun)
    _kill_while_the_first_item_waits(project, others=2, input={"type": kind, "path": "data"})
    project.let_go()
    with data.open("a") as file:
        file.write(rest)
    project.job(
        task="tasks.work",
        pool={"size": 2, "ordered": False},
        input={"type": kind, "path": "data", "append": "allow"},
    )
    done = project.run()
    assert done.code == 3
    assert "the input file data goes on in its last line, which the run has taken as a whole one" in done.err


def test_what_is_left_out_is_said_and_taken_by_the_next_run(project):
    """With the name of the file and the bytes, on the screen and in the log."""
    data = project.write("data", "1\n23")
    project.job(input={"type": "text", "path": "data", "append": "allow"})
    done = project.run()
    assert done.code == 0
    assert project.lines("out.jsonl") == ["1"]
    assert (
        "warning: the last 2 bytes of data can be no item yet: the line or quote there has no end" in done.err
    )
    (left,) = [event for event in project.logged() if event["event"] == "input.left"]
    assert (left["level"], left["file"], left["bytes"]) == ("warning", "data", 2)
    with data.open("a") as file:
        file.write("\n")
    done = project.run()
    assert project.lines("out.jsonl") == ["1", "23"]
    assert "no item yet" not in done.err


def test_the_last_line_needs_no_end_where_no_file_may_grow(project):
    """By default, and from a pipe, which has ended when it ends."""
    project.write("data", "1\n2")
    project.job(input={"type": "text", "path": "data"})
    assert project.run().code == 0
    assert project.lines("out.jsonl") == ["1", "2"]
    project.job(input={"type": "text", "path": "-", "append": "allow"})
    assert project.run(stdin=b"1\n2").code == 0
    assert project.lines("out.jsonl") == ["1", "2"]


def test_a_change_is_known_though_the_first_item_is_not_done(project):
    """In an unordered run items behind it are, and their bytes are compared all the same."""
    data = project.write("data", "1\n" + "x" * 70_000 + "\n2\n3\n")
    _kill_while_the_first_item_waits(project, others=3, input={"type": "text", "path": "data"})
    project.let_go()
    data.write_bytes(data.read_bytes().replace(b"\n2\n", b"\n9\n"))
    done = project.run()
    assert done.code == 3
    assert "the input file data changed" in done.err
