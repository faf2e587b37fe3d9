"""Inputs that can be read only once: a pipe by its name is read like standard input, and by the run alone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LINES = "".join(f"{number}\n" for number in range(100_000)).encode()


@contextmanager
def written_to(pipe: Path, *pieces: bytes, pause: float = 0.0) -> Iterator[None]:
    """Write into a FIFO, which waits for its reader, in a thread; a reader that leaves early is no fault."""

    def write() -> None:
        try:
            with pipe.open("wb", buffering=0) as file:
                for piece in pieces:
                    file.write(piece)
                    time.sleep(pause)
        except BrokenPipeError:
            pass

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield
    if thread.is_alive():  # nobody has opened the other end: let it go
        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def pipe(project):
    """A FIFO in the project."""
    path = project.root / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_standard_input_by_another_name_loses_nothing(project, name):
    """More than a pipe holds, and than is hashed of a file: every line arrives."""
    project.job(input={"type": "text", "path": name})
    done = project.run("--json", stdin=LINES)
    assert (done.code, done.report["items"]) == (0, 100_000), done.err
    assert project.lines("out.jsonl") == [str(number) for number in range(100_000)]


@pytest.mark.parametrize(("size", "pause"), [(2**20, 0.0), (len(LINES) // 7, 0.03)], ids=["fast", "slow"])
@pytest.mark.parametrize("kind", ["text", "csv"])
def test_a_fifo_loses_nothing(project, pipe, size, pause, kind):
    """Whether its writer is faster than the run or not; of a CSV the header is read once, too."""
    columns = {"header": False, "columns": ["n"]} if kind == "csv" else {}
    pieces = [LINES[start : start + size] for start in range(0, len(LINES), size)]
    project.job(input={"type": kind, "path": "pipe", **columns})
    with written_to(pipe, *pieces, pause=pause):
        done = project.run("--json")
    assert (done.code, done.report["items"]) == (0, 100_000), done.err


def test_a_fifo_of_csv_with_a_header_gives_all_its_rows(project, pipe):
    """The header is taken from the same bytes as the rows."""
    project.job(input={"type": "csv", "path": "pipe"})
    with written_to(pipe, b"n\n", b"1\n2\n"):
        assert project.run().code == 0
    assert project.lines("out.jsonl") == [{"n": "1"}, {"n": "2"}]


def test_plan_and_validate_leave_a_fifo_alone(project, pipe):
    """They end though nobody writes into it, and what is written is there for the run."""
    project.write("tasks.py", "def number(item: int):\n    return item\n")
    project.job(input={"type": "text", "path": "pipe"}, task="tasks.number")
    with written_to(pipe, b"1\n2\n"):
        planned = project.runner("plan", "job.yaml")
        assert planned.code == 0
        assert "it can be read only once, by the run" in planned.out
        assert project.runner("validate", "--import", "job.yaml").code == 0
        assert project.run().code == 0
    assert project.lines("out.jsonl") == [1, 2]


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "pipe"])
def test_a_preview_says_what_it_takes(project, pipe, name):
    """Of a pipe nothing comes twice, and the run after the preview would miss the first items."""
    project.job(input={"type": "text", "path": name})
    with written_to(pipe, b"1\n2\n") if name == "pipe" else written_to(pipe):
        done = project.runner("preview", "job.yaml", stdin=b"1\n2\n")
    assert done.code == 0
    assert "the input can be read only once: what this preview takes of it is gone" in done.err


def test_a_preview_of_a_file_says_nothing_of_the_kind(project):
    """It can be read as often as one likes."""
    project.write("data.txt", "1\n")
    project.job(input={"type": "text", "path": "data.txt"})
    assert "only once" not in project.runner("preview", "job.yaml").err


def test_a_run_of_a_fifo_cannot_be_resumed(project, pipe):
    """As one of standard input."""
    project.job(input={"type": "text", "path": "pipe"})
    done = project.run("--resume")
    assert done.code == 3
    assert "--resume needs an input that can be read again" in done.err


def test_an_unfinished_run_of_a_file_is_not_gone_on_with_from_a_pipe(project):
    """What was a file and is a pipe now is refused by its name, and not opened."""
    project.write("in.txt", "0\n1\n")
    project.job(input={"type": "jsonl", "path": "in.txt"}, task="tasks.odd_ones_fail")
    assert project.run().code == 1
    (project.root / "in.txt").unlink()
    os.mkfifo(project.root / "in.txt")
    done = project.run()
    assert done.code == 3
    assert "in.txt is no regular file any more, and can be read only once" in done.err


@pytest.mark.parametrize("twice", [["-", "/dev/stdin"], ["pipe", "link"]])
def test_a_pipe_that_is_named_twice_is_refused(project, pipe, twice):
    """The second name would find nothing."""
    (project.root / "link").symlink_to("pipe")
    project.job(input={"type": "text", "path": twice})
    done = project.run(stdin=LINES)
    assert done.code == 4
    assert "which can be read only once; name it once" in done.err


def test_init_does_not_look_into_a_fifo(project, pipe):
    """It would wait for a writer, and take what the run is to read."""
    done = project.runner("init", "--from", "tasks.same", "--input", "pipe", "-o", "new.yaml")
    assert done.code == 0, done.err
    assert "init did not look into it" in project.read("new.yaml")


@pytest.mark.parametrize("kind", ["text", "python"])
def test_an_input_that_nothing_comes_from_is_named_at_the_end(project, pipe, kind):
    """A FIFO without a writer, a function that waits: the task is not to blame."""
    project.write(
        "tasks.py",
        "import time\ndef same(item): return item\ndef wait_long():\n    time.sleep(60)\n    yield 1\n",
    )
    keys, name = {
        "text": ({"path": "pipe"}, "pipe"),
        "python": ({"call": "tasks.wait_long"}, "tasks.wait_long"),
    }[kind]
    project.job(input={"type": kind, **keys}, deadline="200ms")
    with project.start("--json") as running:
        running.until_says("failed", within=30)
        done = running.end()
    assert done.report["abandoned_threads"] == 1
    assert f"the input was still waited for at the end: {name}\n" in done.err
    assert "hung in the task" not in done.err
