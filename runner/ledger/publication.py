"""The files of a run: staged beside their final paths, committed by checkpoints, shown by one rename each.

::

    out/hubs.jsonl              appears complete, by rename; until then the file of the last run stands
    out/hubs.failed.jsonl       the dead letters, renamed first: who sees the output sees them too
    out/.hubs.jsonl.lock        held while a process works on the run
    out/.hubs.jsonl.run/        0700: manifest.json, ck, out, dead (out.gz while it is compressed)

A file whose folder is not the output's is staged in a folder of its own beside its final path, so that
a rename never crosses a file system.

The protocol (docs/durability.md has its crash table; the steps are those of research/reliability.md b):

- start: A1 lock, A3 work folder, A4 manifest, A5 empty files, A6 first checkpoint; each synced.
- commit: the bytes were written before; C2 sync dead letters, C3 sync output, C4 write and sync
  `ck.tmp`, C5 rename it to `ck`. No sync of the folder: an older checkpoint is as good, because bytes
  below any checkpoint that can still be read are never altered.
- resume: R2 read `ck`, R4 compare the tail of each file and cut it off behind what is committed.
- finish: F1 checkpoint `complete`, F2 sync the folder, F3 rename dead letters, F4 rename output, F5
  sync folders: from here on the run is over, whatever happens. F6 checkpoint `published`, synced with its
  folder, then the receipt; F7 remove the rest, this checkpoint last; F8 sync the folder above. Only now
  success is reported, so a work folder that is found was left by a run that did not come to say so.
  Each step is "do unless done".

A sync that fails is never tried again: after one, the kernel may have dropped the data and call the next
one a success (the "fsyncgate" of PostgreSQL, 2018). The run stops, and a resumption writes the doubtful
bytes again.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b, file_digest, sha256
from pathlib import Path
from typing import Any

from runner.errors import Locked, OutputBroken, Refused
from runner.files import Files, describe
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.lock import Lock, seeming_holder
from runner.ledger.manifest import Manifest

TAIL_BYTES = 64 * 2**10
"""Of each file are hashed at a commit, to know at a resumption that nobody touched it; arbitrary."""

MANIFEST = "manifest.json"
CHECKPOINT = "ck"
_OURS = (CHECKPOINT, "ck.tmp", MANIFEST, "manifest.tmp", "out", "out.gz", "dead")
"""What can lie in a work folder; the checkpoint is removed first, for without it nothing is promised.

Except when the run is over: then it is removed last, because it says so.
"""


@dataclass(slots=True)
class _Staged:
    """A file on its way: `fd` appends to `staged`, `size` bytes are in it, `final` is where it goes."""

    name: str
    final: Path
    staged: Path
    fd: int = -1
    size: int = 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What an earlier process left."""

    manifest: Manifest
    checkpoint: Checkpoint


class Publication:
    """What one run publishes. Written by one thread; `commit` may be called from another one.

    Args:
        files: Does every step on the disk.
        output: Final path of the output, `None` where there is none.
        dead_letter: Final path of the dead letters.
        folder: Where a run without an output path keeps its lock and staged files.
        replace: Whether a file at `output` may be replaced at the end.
        to_stdout: Whether rows go to standard output, at once and without a way back.
        durable: Whether what is committed must survive a power loss, not only a kill.

    Attributes:
        holds_work: Whether a checkpoint stands here that says of any item that it is done.
    """

    def __init__(
        self,
        files: Files,
        *,
        output: Path | None,
        dead_letter: Path,
        folder: Path,
        replace: bool = True,
        to_stdout: bool = False,
        durable: bool = True,
    ) -> None:
        self._files = files
        self._replace = replace
        self._to_stdout = to_stdout
        self._durable = durable
        self._stdout_size = 0
        self._sequence = self._epoch = 0  # of the next checkpoint
        self._is_mine = False  # whether this process made what is staged, so that it may remove it
        self._is_over = False  # whether a `published` checkpoint says so
        self.holds_work = False
        anchor = output if output is not None else folder / "run"
        self.folder = anchor.parent / f".{anchor.name}.run"
        # Dead letters elsewhere may be another job's too: then they have a lock of their own.
        anchors = [anchor] if dead_letter.parent == anchor.parent else [anchor, dead_letter]
        self._locks = [Lock(path.parent / f".{path.name}.lock") for path in anchors]
        self._target = str(output if output is not None else folder)
        self._output = _Staged("output", output, self.folder / "out") if output is not None else None
        dead_folder = self.folder
        if dead_letter.parent != anchor.parent:
            dead_folder = dead_letter.parent / f".{dead_letter.name}.run"
        self._dead = _Staged("dead_letter", dead_letter, dead_folder / "dead")

    @property
    def output_size(self) -> int:
        """Bytes of (uncompressed) output so far: where the next row will stand."""
        return self._output.size if self._output is not None else self._stdout_size

    @property
    def dead_size(self) -> int:
        """Bytes of dead letters so far."""
        return self._dead.size

    @property
    def staged_dead_letters(self) -> Path:
        """Where the dead letters are until they are published."""
        return self._dead.staged

    def lock(self, *, run_id: str) -> None:
        """Make the folders of the final paths, and take the lock (A1).

        Raises:
            Locked: Another run works on this output.
            OutputBroken: A folder or the lock file cannot be made.
        """
        for folder in dict.fromkeys([self.folder.parent, self._dead.final.parent]):
            with self._doing("create the folder", folder):
                self._files.make_folders(folder, durable=self._durable)
        try:
            for lock, target in zip(self._locks, (self._target, str(self._dead.final)), strict=False):
                lock.acquire(run_id=run_id, target=target)
        except BaseException:
            self.release()
            raise

    def holder(self) -> str | None:
        """Return who seems to work here now; a guess that disturbs nobody."""
        return next(filter(None, (seeming_holder(lock.path) for lock in self._locks)), None)

    def is_publishing(self) -> bool:
        """Return whether a run stands here that has done all its items and died before its end."""
        try:
            found = self.find()
        except (Refused, OutputBroken):
            return False
        return found is not None and found.checkpoint.state != "running"

    def find(self) -> Unfinished | None:
        """Return the unfinished run that stands here; `None` where there is none that committed anything.

        Raises:
            Refused: There is one, and it cannot be trusted.
            OutputBroken: What stands here is no work folder.
        """
        if not self._is_work_folder(self.folder):
            return None
        checkpoint, manifest = self._read(CHECKPOINT), self._read(MANIFEST)
        if checkpoint is None:
            return None  # it died before its first checkpoint: nothing was promised
        try:
            found = Checkpoint.from_bytes(checkpoint)
            self._is_over = found.state == "published"
            if self._is_over:  # the file may have been removed by now
                manifest = str(found.published.get("manifest")).encode()
            return Unfinished(Manifest.from_bytes(manifest or b""), found)
        except ValueError as error:
            raise Refused(
                f"an unfinished run stands in {self.folder} and cannot be trusted: {error}; "
                "start over with --restart"
            ) from error

    def begin(self, manifest: Manifest) -> None:
        """Clear what an unfinished run left, and make the files of a new one (A3 to A6).

        Raises OutputBroken.
        """
        stands = [self._is_work_folder(folder) for folder in self._folders()]
        self._is_mine, self._is_over, self.holds_work = True, False, False
        self._sequence = self._epoch = 0
        for folder, is_there in zip(self._folders(), stands, strict=True):
            if is_there:
                self._clear(folder)
            with self._doing("create the work folder", folder):
                if is_there:
                    self._sync_folder(folder)  # the old checkpoint must not come back over new files
                if not folder.is_dir():
                    self._files.make_private_folder(folder)
                    self._sync_folder(folder.parent)
        self._put(MANIFEST, manifest.to_bytes())
        for staged in self._staged():
            with self._doing("create", staged.staged):
                staged.fd, staged.size = self._files.create(staged.staged), 0
                self._sync(staged.fd)
        for folder in self._folders():
            with self._doing("sync the folder", folder):
                self._sync_folder(folder)
        # Last: where there is a checkpoint, there is all that it speaks of.
        self._put_checkpoint(Checkpoint())

    def resume(self, checkpoint: Checkpoint) -> None:
        """Open the files of an unfinished run, and cut off what is not committed (R4).

        Raises:
            Refused: A file was changed or has lost committed bytes.
            OutputBroken: A file cannot be opened or cut.
        """
        self.holds_work = True
        self._go_on_from(checkpoint)
        for staged, size, tail in self._committed(checkpoint):
            with self._doing("open", staged.staged):
                try:
                    staged.fd = self._files.reopen(staged.staged)
                except FileNotFoundError:
                    raise Refused(self._damaged(staged, "is gone")) from None
                if self._files.size(staged.fd) < size:
                    raise Refused(self._damaged(staged, "is shorter than what was committed"))
                if size and self._tail(staged.fd, size) != tail:  # the first checkpoint has no tails
                    raise Refused(self._damaged(staged, "was changed"))
        for staged, size, _ in self._committed(checkpoint):  # only now: a refusal changes nothing
            with self._doing("cut", staged.staged):
                self._files.truncate(staged.fd, size)
                staged.size = size

    def append(self, rows: bytes) -> None:
        """Append to the output. Raises OutputBroken."""
        if self._output is not None:
            self._append(self._output, rows)
        elif self._to_stdout:
            try:
                self._files.append(1, rows)
            except OSError as error:
                raise OutputBroken(f"standard output was closed or broke: {error.strerror}") from error
            self._stdout_size += len(rows)

    def append_dead_letter(self, line: bytes) -> None:
        """Append to the dead letters. Raises OutputBroken."""
        self._append(self._dead, line)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Make everything up to `checkpoint` durable (C2 to C5). Its bytes must have been appended.

        Its number and that of this process are put in here.

        One call at a time. Raises OutputBroken; then nothing more may be committed.
        """
        tails = {}
        for staged, size, _ in self._committed(checkpoint):
            with self._doing("sync", staged.staged):
                self._sync(staged.fd)
                tails[staged is self._dead] = self._tail(staged.fd, size)
        complete = replace(checkpoint, dead_tail=tails[True], output_tail=tails.get(False, ""))
        self._put_checkpoint(complete)
        self.holds_work = not complete.is_empty or complete.state == "complete"

    def publish(self, checkpoint: Checkpoint, *, at: str) -> Checkpoint:
        """Commit that everything is done (F1), and show it (F2 to F6), skipping what was done already.

        When this returns, the files stand at their final paths also after a power loss, and what is left is
        to `clear`. Returns the checkpoint that says so; `at` is the time that it keeps.

        Raises:
            Refused: A file has appeared at the final path and must not be replaced; the work is kept.
            OutputBroken: A step failed; what is staged is kept, and the run can be resumed.
        """
        if checkpoint.state == "published":
            return checkpoint
        if checkpoint.state == "complete":
            self._go_on_from(checkpoint)
        else:
            checkpoint = replace(checkpoint, state="complete")
            self.commit(checkpoint)
        self.holds_work = True
        manifest = (self._read(MANIFEST) or b"").decode()
        facts = {"at": at, "manifest": manifest, **self._show_all(checkpoint)}
        published = replace(checkpoint, state="published", published=facts)
        try:
            self._put_checkpoint(published)
            with self._doing("sync the folder", self.folder):
                self._sync_folder(self.folder)
            self._is_over = True
        except OutputBroken:
            # It is a success all the same: the run is known again by what stands there, and `clear` does
            # without this checkpoint. But after a sync that failed there is no other one.
            self._durable = False
        return published

    def clear(self) -> None:
        """Remove what is left of a run that is over (F7, F8). Keeps the lock.

        Raises OutputBroken, and no harm is done: the files are published.
        """
        with suppress(OutputBroken):
            self._close()
        for folder in reversed(self._folders()):
            if folder.is_dir():
                self._clear(folder, reversed(_OURS) if self._is_over else _OURS)
                with self._doing("remove", folder):
                    self._files.remove_folder(folder)
                    self._sync_folder(folder.parent)

    def sweep(self, *, run_id: str) -> None:
        """Remove work folders that are empty: all that is left of a run that was killed in its last step."""
        if not any(folder.is_dir() for folder in self._folders()):
            return
        with suppress(Locked, OutputBroken, OSError):  # it is not empty, or not there
            self.lock(run_id=run_id)
            for folder in self._folders():  # the one with the checkpoint first: what it speaks of must stay
                if folder.exists():
                    self._files.remove_folder(folder)
        self.release()

    def is_shown(self, checkpoint: Checkpoint) -> bool:
        """Return whether the files of a `published` run stand where it has put them, byte for byte."""
        return all(
            self._facts(staged.final) == checkpoint.published.get(staged.name) for staged in self._staged()
        )

    def put(self, path: Path, data: bytes) -> None:
        """Write a small file of the run's own elsewhere, whole. Raises OutputBroken."""
        with self._doing("create the folder", path.parent):
            self._files.make_folders(path.parent, durable=self._durable)
        self._write(path.with_name(f"{path.name}.tmp"), path, data)
        with self._doing("sync the folder", path.parent):
            self._sync_folder(path.parent)

    def _show_all(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Put every file at its final path for good (F2 to F5); return `{path, size, sha256}` of each."""
        facts: dict[str, Any] = {}
        ready: list[tuple[Path, _Staged]] = []
        for staged, size, tail in self._committed(checkpoint):
            is_packed = staged is self._output and staged.final.suffix == ".gz"
            if staged.fd < 0 and not staged.staged.exists():
                self._expect_shown(staged, size, tail)
                facts[staged.name] = self._facts(staged.final)
                continue
            shown = self._compress(staged) if is_packed else staged.staged
            with self._doing("write", shown):
                if not is_packed:
                    if staged.fd < 0:
                        staged.fd = self._files.reopen(staged.staged)
                    self._files.share(staged.fd)
                    self._sync(staged.fd)
            facts[staged.name] = {**(self._facts(shown) or {}), "path": str(staged.final)}
            ready.append((shown, staged))
        # All of them before the first rename: the checkpoint need not lie in the folder of what is shown.
        for folder in self._folders():
            with self._doing("sync the folder", folder):
                self._sync_folder(folder)
        for shown, staged in ready:
            with self._doing("put the finished file in place at", staged.final):
                self._show(shown, staged)
        for folder in dict.fromkeys(staged.final.parent for staged in self._staged()):
            with self._doing("sync the folder", folder):
                self._sync_folder(folder)
        return facts

    def _facts(self, path: Path) -> dict[str, Any] | None:
        """Return `{path, size, sha256}` of a file; `None` where there is none."""
        with self._doing("read", path):
            try:
                with path.open("rb") as file:
                    digest = file_digest(file, sha256).hexdigest()
                    return {"path": str(path), "size": file.tell(), "sha256": digest}
            except FileNotFoundError:
                return None

    def abandon(self, *, keep: bool = True) -> bool:
        """Close what is open and let go of the lock; return whether what is staged is kept.

        Without `keep` it is all the same where an earlier process made it, or a checkpoint says that any
        item is done. Never raises: what ended the run is to be told.
        """
        is_kept = keep or not self._is_mine or self.holds_work
        if not is_kept:
            with suppress(OutputBroken):  # what cannot be removed does no harm
                self.clear()
        self.release()
        return is_kept

    def release(self) -> None:
        """Close what is open and let go of the lock."""
        with suppress(OutputBroken):
            self._close()
        for lock in self._locks:
            lock.release()

    def _staged(self) -> list[_Staged]:
        return [self._dead] if self._output is None else [self._dead, self._output]

    def _folders(self) -> list[Path]:
        return list(dict.fromkeys([self.folder, self._dead.staged.parent]))

    def _committed(self, checkpoint: Checkpoint) -> list[tuple[_Staged, int, str]]:
        """Each file with its committed size and tail, the dead letters first."""
        found = [(self._dead, checkpoint.dead_size, checkpoint.dead_tail)]
        if self._output is not None:
            found.append((self._output, checkpoint.output_size, checkpoint.output_tail))
        return found

    def _append(self, staged: _Staged, data: bytes) -> None:
        with self._doing("write", staged.staged):
            self._files.append(staged.fd, data)
        staged.size += len(data)

    def _put(self, name: str, data: bytes) -> None:
        """Write a small file whole: to a temporary name, synced, then renamed (C4, C5)."""
        self._write(self.folder / f"{name.partition('.')[0]}.tmp", self.folder / name, data)

    def _go_on_from(self, checkpoint: Checkpoint) -> None:
        self._sequence, self._epoch = checkpoint.sequence + 1, checkpoint.epoch + 1

    def _put_checkpoint(self, checkpoint: Checkpoint) -> None:
        numbered = replace(checkpoint, sequence=self._sequence, epoch=self._epoch)
        self._sequence += 1
        self._put(CHECKPOINT, numbered.to_bytes())

    def _write(self, temporary: Path, path: Path, data: bytes) -> None:
        with self._doing("write", temporary):
            self._files.remove(temporary)
            fd = self._files.create(temporary)
            try:
                self._files.append(fd, data)
                self._sync(fd)
            finally:
                self._files.close(fd)
            self._files.rename(temporary, path)

    def _read(self, name: str) -> bytes | None:
        path = self.folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputBroken(describe(error, path, "read"), path=path) from error

    def _tail(self, fd: int, size: int) -> str:
        start = max(0, size - TAIL_BYTES)
        return blake2b(self._files.read_at(fd, start, size - start), digest_size=12).hexdigest()

    def _sync(self, fd: int) -> None:
        if self._durable:
            self._files.sync(fd)

    def _sync_folder(self, path: Path) -> None:
        if self._durable:
            self._files.sync_folder(path)

    def _is_work_folder(self, folder: Path) -> bool:
        """Whether the folder is there; raises OutputBroken where it is not one of ours."""
        try:
            found = folder.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise OutputBroken(describe(error, folder, "look at"), path=folder) from error
        if folder.is_symlink() or not folder.is_dir() or found.st_uid != os.geteuid():
            raise OutputBroken(
                f"{folder} is in the way: the work folder of this run belongs there, and this is no folder "
                "of this user; remove it",
                path=folder,
            )
        return True

    def _clear(self, folder: Path, names: Iterable[str] = _OURS) -> None:
        for name in names:
            with self._doing("remove", folder / name):
                was_there = (folder / name).exists()
                self._files.remove(folder / name)
                if name == CHECKPOINT and was_there and not self._is_over:
                    self._sync_folder(folder)  # it never comes back without what it speaks of

    def _close(self) -> None:
        for staged in self._staged():
            if staged.fd >= 0:
                fd, staged.fd = staged.fd, -1
                with self._doing("close", staged.staged):
                    self._files.close(fd)

    def _expect_shown(self, staged: _Staged, size: int, tail: str) -> None:
        """An earlier process renamed this file: what stands at its final path must be it."""
        with self._doing("look at", staged.final):
            try:
                fd = self._files.reopen(staged.final)
            except FileNotFoundError:
                raise Refused(self._damaged(staged, "is gone")) from None
            try:
                if self._files.size(fd) != size or self._tail(fd, size) != tail:
                    raise Refused(
                        f"{staged.final} was changed since the run put it there; remove {self.folder}"
                    )
            finally:
                self._files.close(fd)

    def _damaged(self, staged: _Staged, what: str) -> str:
        return (
            f"{staged.staged}, the work of an unfinished run, {what}, so the run cannot go on; "
            "start over with --restart"
        )

    def _show(self, shown: Path, staged: _Staged) -> None:
        if self._replace or staged is self._dead:
            self._files.rename(shown, staged.final)
            return
        try:
            self._files.link(shown, staged.final)
        except FileExistsError:
            if not _is_same_content(shown, staged.final):  # it is the same when we died right here
                raise Refused(
                    f"{staged.final} has appeared while the run worked, and it may not be replaced; "
                    f"the finished output is kept in {shown}: move the other away and run again"
                ) from None
        self._files.remove(shown)

    def _compress(self, staged: _Staged) -> Path:
        """Make the gzip form of the output, with a fixed header: no name, no time (RFC 1952)."""
        packed = staged.staged.with_name("out.gz")
        with self._doing("compress", staged.staged):
            self._files.remove(packed)
            fd = self._files.create(packed)
            try:
                packer = zlib.compressobj(6, zlib.DEFLATED, 31)
                with staged.staged.open("rb") as plain:
                    while block := plain.read(1 << 20):
                        self._files.append(fd, packer.compress(block))
                self._files.append(fd, packer.flush())
                self._files.share(fd)
                self._sync(fd)
            finally:
                self._files.close(fd)
        return packed

    @contextmanager
    def _doing(self, what: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputBroken(describe(error, path, what), path=path) from error


def _is_same_content(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(1 << 20):
            if block != right.read(len(block)):
                return False
    return True
