"""One run per output: who has the lock, and that only a living process can hold it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.errors import Locked, OutputBroken
from runner.ledger.lock import Lock, seeming_holder

HOLD = """
import sys
from pathlib import Path
from runner.ledger.lock import Lock, seeming_holder
Lock(Path(sys.argv[1])).acquire(run_id="theirs", target="out")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    """Return where the lock file stands."""
    return tmp_path / ".out.lock"


@pytest.fixture
def holder(path):
    """Give a process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def acquire(path: Path) -> Lock:
    """Take the lock."""
    lock = Lock(path)
    lock.acquire(run_id="mine", target="out.jsonl")
    return lock


def test_the_holder_stands_in_the_file_and_takes_it_away(path):
    """Process, host and run can be read while it is held; nothing is left afterwards."""
    lock = acquire(path)
    held = json.loads(path.read_text())
    assert (held["pid"], held["run_id"]) == (os.getpid(), "mine")
    assert path.stat().st_mode & 0o077 == 0
    lock.release()
    assert not path.exists()
    lock.release()


def test_a_held_lock_names_its_holder(path, holder):
    """Process number and run id of the other one, and what it works on."""
    with pytest.raises(Locked, match=rf"out\.jsonl.*process {holder.pid} .*run theirs"):
        acquire(path)
    assert json.loads(path.read_text())["run_id"] == "theirs", "the loser must not write into the file"


def test_a_lock_dies_with_its_holder(path, holder):
    """The file that `kill -9` leaves behind locks nothing."""
    holder.kill()
    holder.communicate()
    assert path.exists()
    acquire(path).release()
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"pid": "x"}', b"null"])
def test_a_holder_that_cannot_be_read_is_still_a_holder(path, content):
    """What stands in the file is for people; only the lock counts."""
    path.write_bytes(content)
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Locked, match="could not be read"):
            acquire(path)
    acquire(path).release()


def test_a_file_that_was_replaced_in_between_is_not_the_lock(path, monkeypatch):
    """Between opening and locking, the old holder may remove its file and a new run make another."""
    flock, others = fcntl.flock, []

    def replaced_once(fd, how):
        if not others:
            path.unlink()
            others.append(path.open("wb"))
        return flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", replaced_once)
    lock = acquire(path)
    assert json.loads(path.read_text())["run_id"] == "mine"
    assert path.stat().st_ino == os.stat(others[0].fileno()).st_ino
    lock.release()
    others[0].close()


def test_a_file_that_was_removed_in_between_is_made_again(path, monkeypatch):
    """A lock on a file without a name would let the next run in."""
    flock, removed = fcntl.flock, []

    def removed_once(fd, how):
        if not removed:
            path.unlink()
            removed.append(True)
        return flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", removed_once)
    lock = acquire(path)
    assert path.exists()
    with pytest.raises(Locked, match="run mine"):
        acquire(path)
    lock.release()


def test_a_held_lock_keeps_no_descriptor_of_the_loser(path, holder):
    """Trying again and again does not use up the process's files."""
    with pytest.raises(Locked, match="another run"):
        acquire(path)
    before = os.open(os.devnull, os.O_RDONLY)
    os.close(before)
    for _ in range(20):
        with pytest.raises(Locked, match="another run"):
            acquire(path)
    after = os.open(os.devnull, os.O_RDONLY)
    os.close(after)
    assert after == before


def test_a_lock_is_not_taken_through_a_link(path, tmp_path):
    """Somebody else's link beside the output is an error, and its target stays as it is."""
    target = tmp_path / "precious"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(OutputBroken, match="could not create the lock file"):
        acquire(path)
    assert target.read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """The path and the reason of the system."""
    with pytest.raises(OutputBroken, match=r"absent/\.lock: No such file"):
        acquire(tmp_path / "absent" / ".lock")


def test_a_hint_knows_living_holders_from_dead_ones(path):
    """Nothing is locked for it: a process that is alive, a zombie, one that is gone, and what is no name."""
    assert not seeming_holder(path)
    process = subprocess.Popen(["sleep", "60"])
    names = {"host": socket.gethostname(), "run_id": "x"}
    path.write_text(json.dumps({"pid": process.pid, **names}))
    assert seeming_holder(path)
    process.kill()
    deadline = time.monotonic() + 20
    while seeming_holder(path):  # until it is a zombie, for nobody has asked for its end
        assert time.monotonic() < deadline
    process.wait()
    assert not seeming_holder(path)
    path.write_text(json.dumps({"pid": os.getppid(), **names, "host": "elsewhere"}))
    assert not seeming_holder(path)
    for text in ("", "[]", '{"pid": 99999999999999999999}', json.dumps({"pid": 10**20, **names})):
        path.write_text(text)
        assert not seeming_holder(path)
