"""How files appear: staged beside their final paths, made durable, renamed in one order, or not at all."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import os
from pathlib import Path

import pytest

from runner.errors import Locked, OutputBroken, Refused
from runner.files import Files
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.manifest import Manifest
from runner.ledger.publication import Publication


class Recorder(Files):
    """The real disk, with a list of what was done, that breaks at a chosen step."""

    def __init__(self, *, breaks: tuple[str, str] | None = None) -> None:
        super().__init__()
        self.steps: list[tuple[str, str]] = []
        self.breaks = breaks
        self._names: dict[int, str] = {}

    def _note(self, step: str, name: str) -> None:
        self.steps.append((step, name))
        if self.breaks == (step, name):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def create(self, path: Path) -> int:
        """Note the step, then do it."""
        self._note("create", path.name)
        fd = super().create(path)
        self._names[fd] = path.name
        return fd

    def append(self, fd: int, data: bytes) -> None:
        """Note the step, then do it."""
        self._note("append", self._names.get(fd, str(fd)))
        super().append(fd, data)

    def sync(self, fd: int) -> None:
        """Note the step, then do it."""
        self._note("sync", self._names[fd])
        super().sync(fd)

    def reopen(self, path: Path) -> int:
        """Remember the name."""
        fd = super().reopen(path)
        self._names[fd] = path.name
        return fd

    def close(self, fd: int) -> None:
        """Do the step, then note it: a descriptor is gone also when closing it fails (close(2))."""
        super().close(fd)
        self._note("close", self._names[fd])

    def rename(self, source: Path, target: Path) -> None:
        """Note the step, then do it."""
        self._note("rename", target.name)
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Note the step, then do it."""
        self._note("link", target.name)
        super().link(source, target)

    def sync_folder(self, path: Path) -> None:
        """Note the step, then do it."""
        self._note("sync_folder", path.name)
        super().sync_folder(path)

    def remove(self, path: Path) -> None:
        """Note the step, then do it."""
        self._note("remove", path.name)
        super().remove(path)

    def remove_folder(self, path: Path) -> None:
        """Note the step, then do it."""
        self._note("remove_folder", path.name)
        super().remove_folder(path)


@pytest.fixture
def make(tmp_path):
    """Give a function that makes a publication of `out/rows.jsonl`."""

    def make(files: Files | None = None, **changes) -> Publication:
        arguments = {
            "output": tmp_path / "out/rows.jsonl",
            "dead_letter": tmp_path / "out/rows.failed.jsonl",
            "folder": tmp_path / "state/jobs/example",
            **changes,
        }
        return Publication(files or Files(), **arguments)

    return make


@pytest.fixture
def out(tmp_path) -> Path:
    """Return the folder of the output."""
    return tmp_path / "out"


def names(folder: Path) -> list[str]:
    """Return what stands in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


MANIFEST = Manifest(
    run_id="mine",
    job="example",
    date="2026-01-31",
    fingerprint={"input": "a"},
    code={"tasks.it": "b"},
    input=[],
    is_repeatable=True,
)


def start(publication: Publication) -> None:
    """Take the lock and begin."""
    publication.lock(run_id="mine")
    publication.begin(MANIFEST)


def reached(publication: Publication, **changes) -> Checkpoint:
    """Return the checkpoint of all that was appended."""
    sizes = {"output_size": publication.output_size, "dead_size": publication.dead_size}
    return Checkpoint(**{"index": 3, "items": 3, "failed": 1, "rows": 2, **sizes, **changes})


def publish(publication: Publication) -> None:
    """Publish all that was appended, clear up, let go."""
    publication.publish(reached(publication), at="now")
    with contextlib.suppress(OutputBroken):
        publication.clear()
    publication.release()


def fill(publication: Publication) -> None:
    """Begin it, and write two rows and a dead letter."""
    start(publication)
    publication.append(b"1\n")
    publication.append_dead_letter(b"dead\n")
    publication.append(b"2\n")


def test_nothing_stands_at_the_final_paths_before_the_end(make, out):
    """While a run works there are only hidden files beside them, the work folder for this user alone."""
    publication = make()
    fill(publication)
    assert names(out) == [".rows.failed.jsonl.lock", ".rows.jsonl.lock", ".rows.jsonl.run"]
    assert (out / ".rows.jsonl.run").stat().st_mode & 0o777 == 0o700
    publication.abandon()


def test_everything_appears_at_the_end_and_nothing_else_is_left(make, out):
    """Rows and dead letters in the order they were written; no lock, no work folder."""
    publication = make()
    fill(publication)
    publish(publication)
    assert names(out) == ["rows.failed.jsonl", "rows.jsonl"]
    assert (out / "rows.jsonl").read_bytes() == b"1\n2\n"
    assert (out / "rows.failed.jsonl").read_bytes() == b"dead\n"


def test_the_order_of_publishing_is_that_of_the_protocol(make):
    """All is synced and said to be complete before a rename; dead letters go before the output."""
    files = Recorder()
    publication = make(files)
    fill(publication)
    files.steps.clear()
    publish(publication)
    first = {step: files.steps.index(step) for step in reversed(files.steps)}
    order = [
        ("sync", "dead"),
        ("sync", "out"),
        ("sync", "ck.tmp"),
        ("rename", "ck"),
        ("sync_folder", ".rows.jsonl.run"),
        ("rename", "rows.failed.jsonl"),
        ("rename", "rows.jsonl"),
        ("sync_folder", "out"),
        ("remove", "manifest.json"),
        ("remove", "ck"),
        ("remove_folder", ".rows.jsonl.run"),
    ]
    assert [step for step, _ in sorted(first.items(), key=lambda one: one[1]) if step in order] == order


def test_a_commit_syncs_the_bytes_before_it_speaks_of_them(make):
    """Dead letters, then output, then the checkpoint, whole and by rename (C2 to C5)."""
    files = Recorder()
    publication = make(files)
    fill(publication)
    files.steps.clear()
    publication.commit(reached(publication))
    steps = [step for step in files.steps if step[0] in ("sync", "rename")]
    assert steps == [("sync", "dead"), ("sync", "out"), ("sync", "ck.tmp"), ("rename", "ck")]
    publication.abandon()


def test_without_durability_nothing_is_synced(make, out):
    """Then a run survives a kill, not a power loss; the steps and bytes are the same."""
    files = Recorder()
    publication = make(files, durable=False)
    fill(publication)
    publication.commit(reached(publication))
    publish(publication)
    assert {step for step, _ in files.steps}.isdisjoint({"sync", "sync_folder"})
    assert (out / "rows.jsonl").read_bytes() == b"1\n2\n"


def test_what_was_committed_is_found_and_gone_on_with(make, out):
    """What was appended behind the commit is cut off; the rest is as it was."""
    first = make()
    fill(first)
    first.commit(reached(first))
    first.append(b"torn")
    first.append_dead_letter(b"torn")
    first.abandon()
    second = make()
    second.lock(run_id="second")
    found = second.find()
    assert found.manifest == MANIFEST
    assert (found.checkpoint.items, found.checkpoint.output_size) == (3, 4)
    second.resume(found.checkpoint)
    second.append(b"3\n")
    publish(second)
    assert (out / "rows.jsonl").read_bytes() == b"1\n2\n3\n"
    assert (out / "rows.failed.jsonl").read_bytes() == b"dead\n"


@pytest.mark.parametrize("name", ["out", "dead"])
@pytest.mark.parametrize("change", ["changed", "shorter", "gone"])
def test_a_staged_file_that_was_touched_is_not_gone_on_with(make, out, name, change):
    """What is committed must be there byte for byte: refused, with the way to start over."""
    first = make()
    fill(first)
    first.commit(reached(first))
    first.abandon()
    path = out / ".rows.jsonl.run" / name
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(b"X" * (path.stat().st_size - (change == "shorter")))
    second = make()
    second.lock(run_id="second")
    with pytest.raises(Refused, match="--restart"):
        second.resume(second.find().checkpoint)
    second.abandon()


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\t00000000\n", b'{"format":1}\tdeadbeef\n'])
def test_a_checkpoint_that_cannot_be_trusted_is_not_gone_on_with(make, out, data):
    """A checksum that does not fit: refused, never guessed."""
    first = make()
    fill(first)
    first.commit(reached(first))
    first.abandon()
    (out / ".rows.jsonl.run/ck").write_bytes(data)
    second = make()
    second.lock(run_id="second")
    with pytest.raises(Refused, match="cannot be trusted"):
        second.find()
    second.abandon()


@pytest.mark.parametrize("shown", [0, 1])
def test_a_run_that_died_while_publishing_is_finished(make, out, shown):
    """Neither file, or the dead letters only, had been renamed: the next process does what is left."""
    broken = [("rename", "rows.failed.jsonl"), ("rename", "rows.jsonl")][shown]
    first = make(Recorder(breaks=broken))
    fill(first)
    with pytest.raises(OutputBroken, match="Input/output error"):
        publish(first)
    first.abandon()
    second = make()
    second.lock(run_id="second")
    found = second.find()
    assert found.checkpoint.state == "complete"
    published = second.publish(found.checkpoint, at="now")
    second.clear()
    second.release()
    digest = hashlib.sha256(b"1\n2\n").hexdigest()
    assert published.published["output"] == {"path": str(out / "rows.jsonl"), "size": 4, "sha256": digest}
    assert names(out) == ["rows.failed.jsonl", "rows.jsonl"]
    assert (out / "rows.jsonl").read_bytes() == b"1\n2\n"


@pytest.mark.parametrize("output", ["rows.jsonl", "rows.jsonl.gz"])
@pytest.mark.parametrize("broken", ["out", "manifest.json", "ck"])
def test_a_run_that_died_while_it_cleared_up_is_known_to_be_over(make, out, output, broken):
    """Until the last file is gone its work folder says so, and what was published is known by its digest."""
    first = make(Recorder(breaks=("remove", broken)), output=out / output)
    fill(first)
    first.publish(reached(first), at="now")
    with pytest.raises(OutputBroken, match="Input/output error"):
        first.clear()
    first.release()
    second = make(output=out / output)
    second.lock(run_id="second")
    found = second.find()
    assert found.checkpoint.state == "published"
    assert found.manifest == MANIFEST
    assert second.is_publishing()
    assert second.is_shown(found.checkpoint)
    (out / output).write_bytes(b"another")
    assert not second.is_shown(found.checkpoint)
    second.clear()
    second.release()
    assert names(out) == ["rows.failed.jsonl", output]


def test_checkpoints_are_numbered_over_all_processes(make):
    """Each has the next number, and the number of the process that wrote it."""
    first = make()
    fill(first)
    first.commit(reached(first))
    first.abandon()
    second = make()
    second.lock(run_id="second")
    before = second.find().checkpoint
    assert (before.sequence, before.epoch) == (1, 0)
    second.resume(before)
    second.commit(reached(second))
    after = second.find().checkpoint
    assert (after.sequence, after.epoch) == (2, 1)
    second.abandon()


def test_the_dead_letters_are_published_also_when_there_are_none(make, out):
    """Who looks for failures of the last run must not find those of the one before."""
    out.mkdir()
    (out / "rows.failed.jsonl").write_text("old\n")
    publication = make()
    start(publication)
    publish(publication)
    assert (out / "rows.failed.jsonl").read_bytes() == b""


def test_dead_letters_elsewhere_are_staged_where_they_will_stand(make, out, tmp_path):
    """A rename never crosses a file system: each file has a work folder beside its final path."""
    publication = make(dead_letter=tmp_path / "dead/all.jsonl")
    fill(publication)
    assert publication.staged_dead_letters.parent.parent == tmp_path / "dead"
    publish(publication)
    assert names(tmp_path / "dead") == ["all.jsonl"]
    assert names(out) == ["rows.jsonl"]


def test_a_run_without_output_works_in_the_state(make, tmp_path):
    """Its lock and dead letters stand there; nothing is written elsewhere."""
    folder = tmp_path / "state/jobs/example"
    publication = make(output=None, dead_letter=folder / "example.failed.jsonl")
    start(publication)
    publication.append(b"dropped")
    publication.append_dead_letter(b"dead\n")
    publish(publication)
    assert names(folder) == ["example.failed.jsonl"]
    assert not (tmp_path / "out").exists()


def test_rows_for_standard_output_are_written_at_once(make, tmp_path, capfdbinary):
    """There is no way back: they are there before the run is."""
    publication = make(output=None, dead_letter=tmp_path / "dead.jsonl", to_stdout=True)
    start(publication)
    publication.append(b"1\n")
    assert capfdbinary.readouterr().out == b"1\n"
    assert publication.output_size == 2
    publication.abandon()


def test_the_size_is_that_of_the_plain_output(make, out):
    """Where a row would have stood is said in bytes before compression."""
    publication = make(output=out / "rows.jsonl.gz")
    fill(publication)
    assert publication.output_size == 4
    publish(publication)
    assert gzip.decompress((out / "rows.jsonl.gz").read_bytes()) == b"1\n2\n"


def test_the_bytes_of_a_compressed_output_are_fixed(make, out):
    """RFC 1952: no name, no time, whenever and wherever it is written."""
    publication = make(output=out / "rows.jsonl.gz")
    fill(publication)
    publish(publication)
    data = (out / "rows.jsonl.gz").read_bytes()
    assert data[:4] == b"\x1f\x8b\x08\x00"
    assert data[4:8] == b"\0\0\0\0"
    assert names(out) == ["rows.failed.jsonl", "rows.jsonl.gz"]


def test_an_empty_compressed_output_is_a_whole_gzip_file(make, out):
    """Zero rows are zero rows, not a damaged file."""
    publication = make(output=out / "rows.jsonl.gz")
    start(publication)
    publish(publication)
    assert gzip.decompress((out / "rows.jsonl.gz").read_bytes()) == b""


def test_what_a_killed_run_left_is_cleared_by_a_new_beginning(make, out):
    """The next run starts with empty files, whatever stood in the old ones."""
    first = make()
    fill(first)
    first.abandon()
    second = make()
    start(second)
    second.append(b"new\n")
    publish(second)
    assert (out / "rows.jsonl").read_bytes() == b"new\n"
    assert (out / "rows.failed.jsonl").read_bytes() == b""


def test_a_run_that_died_before_its_first_checkpoint_has_promised_nothing(make):
    """There is nothing to go on with, and nothing to refuse for."""
    first = make(Recorder(breaks=("create", "ck.tmp")))
    with pytest.raises(OutputBroken, match="Input/output error"):
        start(first)
    first.abandon()
    second = make()
    second.lock(run_id="second")
    assert second.find() is None
    second.abandon()


def test_an_abandoned_run_keeps_its_work_and_lets_go_of_the_lock(make, out):
    """What was staged is there for a look, and somebody else may start."""
    publication = make()
    fill(publication)
    publication.abandon()
    publication.abandon()
    assert names(out) == [".rows.jsonl.run"]
    assert publication.staged_dead_letters.read_bytes() == b"dead\n"


def test_two_publications_of_one_output_exclude_each_other(make, out):
    """The second does not touch the work of the first."""
    first = make()
    fill(first)
    with pytest.raises(Locked, match=r"rows\.jsonl.*run mine"):
        make().lock(run_id="second")
    publish(first)
    assert (out / "rows.jsonl").read_bytes() == b"1\n2\n"


def test_without_replacing_a_file_that_appeared_meanwhile_stands(make, out):
    """The look before the run is not enough: the last step itself refuses, and the work is kept."""
    publication = make(replace=False)
    fill(publication)
    (out / "rows.jsonl").write_text("theirs\n")
    with pytest.raises(Refused, match="has appeared while the run worked"):
        publish(publication)
    publication.abandon()
    assert (out / "rows.jsonl").read_text() == "theirs\n"
    assert (out / ".rows.jsonl.run/out").read_bytes() == b"1\n2\n"


def test_without_replacing_the_output_appears_where_nothing_stands(make, out):
    """The staged name is gone afterwards."""
    publication = make(replace=False)
    fill(publication)
    publish(publication)
    assert names(out) == ["rows.failed.jsonl", "rows.jsonl"]
    assert (out / "rows.jsonl").stat().st_nlink == 1


@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_what_stands_in_place_of_the_work_folder_is_not_touched(make, out, tmp_path, kind):
    """A foreign link is not followed, a foreign file not removed."""
    out.mkdir()
    theirs = tmp_path / "theirs"
    if kind == "link":
        theirs.mkdir()
        (theirs / "out").write_text("precious")
    work = out / ".rows.jsonl.run"
    if kind == "file":
        work.write_text("precious")
    else:
        work.symlink_to(theirs)
    publication = make()
    with pytest.raises(OutputBroken, match="is in the way"):
        start(publication)
    publication.abandon()
    assert names(out) == [".rows.jsonl.run"]
    if kind == "link":
        assert (theirs / "out").read_text() == "precious"


def test_a_link_in_the_work_folder_is_removed_and_not_followed(make, out, tmp_path):
    """Staged files are created, never opened: what a link there points at stays as it is."""
    (out / ".rows.jsonl.run").mkdir(parents=True)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (out / ".rows.jsonl.run/out").symlink_to(precious)
    publication = make()
    fill(publication)
    publish(publication)
    assert precious.read_text() == "precious"
    assert not (out / "rows.jsonl").is_symlink()


def test_a_folder_that_cannot_be_made_is_named(make, tmp_path):
    """A file in the place of a folder: the path, and no work anywhere."""
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputBroken, match=r"could not create the folder .*out"):
        start(make())


@pytest.mark.parametrize(
    "broken",
    [
        ("append", "out"),
        ("append", "dead"),
        ("sync", "dead"),
        ("sync", "out"),
        ("rename", "rows.failed.jsonl"),
        ("rename", "rows.jsonl"),
    ],
    ids="-".join,
)
def test_a_step_that_fails_publishes_no_output(make, out, broken):
    """The old output stands, the error names its step's path, and the lock is free for the next run."""
    out.mkdir()
    (out / "rows.jsonl").write_text("old\n")
    publication = make(Recorder(breaks=broken))
    with pytest.raises(OutputBroken, match="Input/output error"):  # noqa: PT012  # any step of these
        fill(publication)
        publish(publication)
    publication.abandon()
    assert (out / "rows.jsonl").read_text() == "old\n"
    assert not (out / ".rows.jsonl.lock").exists()
    again = make()
    fill(again)
    publish(again)
    assert (out / "rows.jsonl").read_bytes() == b"1\n2\n"


@pytest.mark.parametrize(
    "broken", [("append", "out.gz"), ("create", "out.gz"), ("sync", "out.gz")], ids="-".join
)
def test_a_compression_that_fails_publishes_nothing(make, out, broken):
    """A full disk at the very end leaves the final paths as they were."""
    publication = make(Recorder(breaks=broken), output=out / "rows.jsonl.gz")
    fill(publication)
    with pytest.raises(OutputBroken, match="Input/output error"):
        publish(publication)
    publication.abandon()
    assert [name for name in names(out) if not name.startswith(".")] == []


@pytest.mark.parametrize("name", ["out", "dead"])
def test_a_descriptor_whose_closing_fails_is_not_closed_again(make, out, name):
    """It is gone by then (close(2)), and its number may be somebody else's; the lock is let go of."""
    publication = make(Recorder(breaks=("close", name)))
    fill(publication)
    with contextlib.suppress(OutputBroken):
        publish(publication)
    with contextlib.suppress(OutputBroken):
        publication.abandon()
    assert not (out / ".rows.jsonl.lock").exists()


def test_what_an_earlier_run_left_outlives_a_run_that_was_refused(make, out):
    """A run that looked at it and did not begin has nothing of its own to remove."""
    first = make()
    fill(first)
    first.commit(reached(first))
    first.abandon()
    second = make()
    second.lock(run_id="second")
    found = second.find()
    second.abandon(keep=False)
    third = make()
    third.lock(run_id="third")
    assert third.find() == found
    third.abandon()


def test_a_work_folder_that_does_not_go_away_is_no_failure(make, out):
    """The output is published and durable by then: a stray file beside it must not say otherwise."""
    publication = make()
    fill(publication)
    (out / ".rows.jsonl.run/.nfs0001").write_text("")
    publish(publication)
    assert (out / "rows.jsonl").read_bytes() == b"1\n2\n"
    assert not (out / ".rows.jsonl.lock").exists()


def test_an_abandoned_run_that_is_not_kept_removes_only_its_own(make, out, tmp_path):
    """A link in place of the work folder is somebody else's: nothing behind it goes."""
    out.mkdir()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "out").write_text("precious")
    (out / ".rows.jsonl.run").symlink_to(theirs)
    publication = make()
    publication.lock(run_id="mine")
    with pytest.raises(OutputBroken, match="in the way"):
        publication.find()
    publication.abandon(keep=False)
    assert (theirs / "out").read_text() == "precious"
    assert (out / ".rows.jsonl.run").is_symlink()
    assert not (out / ".rows.jsonl.lock").exists()
