"""The one place that writes: all of the data, the right modes, and sentences for what goes wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runner.files import Files, describe


def test_append_writes_all_data_however_short_each_write_is(tmp_path, monkeypatch):
    """A system that takes three bytes at a time gets them all, in order."""
    files, write, sizes = Files(), os.write, []

    def write_little(fd, data):
        sizes.append(len(data))
        return write(fd, bytes(data[:3]))

    monkeypatch.setattr(os, "write", write_little)
    fd = files.create(tmp_path / "out")
    files.append(fd, b"0123456789")
    files.append(fd, b"")
    files.append(fd, b"ab")
    files.close(fd)
    assert (tmp_path / "out").read_bytes() == b"0123456789ab"
    assert sizes == [10, 7, 4, 1, 0, 2]


def test_append_stops_at_an_error(tmp_path, monkeypatch):
    """What the system refuses is raised, after what it had taken."""
    answers = iter([4, OSError(errno.ENOSPC, "No space left on device")])

    def write(fd, data):
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        Files().append(1, b"0123456789")


def test_a_created_file_is_private_and_new(tmp_path):
    """Staged files are 0600, are never opened where one stands, nor through a link."""
    files = Files()
    path = tmp_path / "out"
    fd = files.create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not os.get_inheritable(fd)
    files.close(fd)
    with pytest.raises(FileExistsError, match="out"):
        files.create(path)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError, match="link"):
        files.create(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664), (0o000, 0o666)])
def test_a_shared_file_has_the_mode_of_a_plain_open(tmp_path, umask, mode):
    """`share` follows the umask of the process, and making `Files` leaves that as it was."""
    before = os.umask(umask)
    try:
        files = Files()
        assert os.umask(umask) == umask
        fd = files.create(tmp_path / "out")
        files.share(fd)
        files.close(fd)
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == mode


def test_link_takes_no_name_that_is_taken(tmp_path):
    """Publishing without replacing is one step of the system, not a look and then a rename."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError, match="b"):
        Files().link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "b"


def test_removing_nothing_is_no_error(tmp_path):
    """`remove` may be called for what is not there."""
    Files().remove(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_with_their_parents_and_only_once(tmp_path):
    """`make_folders` may be called again; `make_private_folder` says when something is there."""
    files = Files()
    files.make_folders(tmp_path / "a/b")
    files.make_folders(tmp_path / "a/b")
    files.make_private_folder(tmp_path / "a/b/.run")
    assert (tmp_path / "a/b/.run").stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError, match=r"\.run"):
        files.make_private_folder(tmp_path / "a/b/.run")


def test_sync_takes_files_and_folders(tmp_path):
    """Both can be made durable, and nothing is left open."""
    files = Files()
    fd = files.create(tmp_path / "out")
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else None
    files.sync(fd)
    files.sync_folder(tmp_path)
    if before is not None:
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    files.close(fd)


@pytest.mark.parametrize(
    ("number", "help_"),
    [
        (errno.ENOSPC, "bytes are free); free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EACCES, "this user needs the right to write there"),
        (errno.EROFS, "this user needs the right to write there"),
        (errno.EFBIG, "ulimit -f"),
    ],
)
def test_an_error_is_described_with_what_helps(tmp_path, number, help_):
    """What was done, with which path, why it failed, and what to do about it."""
    path = tmp_path / "not/there/out"
    text = describe(OSError(number, os.strerror(number)), path, "write")
    assert text.startswith(f"could not write {path}: {os.strerror(number)}")
    assert help_ in text


def test_an_error_without_a_number_is_described_by_its_text():
    """Some libraries raise `OSError` with a text only."""
    assert describe(OSError("went away"), "out", "write") == "could not write out: went away"
