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

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import Locked, OutputBroken, Refused
from runner.files import Files
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.disk import Disk
from runner.ledger.lock import Lock, seeming_holder
from runner.ledger.manifest import Manifest
from runner.ledger.staged_file import StagedFile

MANIFEST = "manifest.json"
CHECKPOINT = "ck"
_OURS = (CHECKPOINT, "ck.tmp", MANIFEST, "manifest.tmp", "out", "out.gz", "dead")
"""What can lie in a work folder; the checkpoint is removed first, for without it nothing is promised.

Except when the run is over: then it is removed last, because it says so.
"""


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
        replace_dead: The same of `dead_letter`; one that is empty may be in any case.
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
        replace_dead: bool = True,
        to_stdout: bool = False,
        durable: bool = True,
    ) -> None:
        self._disk = disk = Disk(files, durable=durable)
        self._replace = replace
        self._replace_dead = replace_dead
        self._to_stdout = to_stdout
        self._stdout_size = 0
        self._sequence = self._epoch = 0  # of the next checkpoint
        self._is_mine = False  # whether this process made what is staged, so that it may remove it
        self._is_over = False  # whether a `published` checkpoint says so
        self.holds_work = False
        anchor = output if output is not None else folder / "run"
        self.folder = anchor.parent / f".{anchor.name}.run"
        # Dead letters may be another job's too, and even its output: so they have a lock of their own.
        self._locks = [Lock(path.parent / f".{path.name}.lock") for path in (anchor, dead_letter)]
        self._target = str(output if output is not None else folder)
        self._output: StagedFile | None = None
        if output is not None:
            self._output = StagedFile("output", output, self.folder / "out", disk)
        dead_folder = self.folder
        if dead_letter.parent != anchor.parent:
            dead_folder = dead_letter.parent / f".{dead_letter.name}.run"
        self._dead = StagedFile("dead_letter", dead_letter, dead_folder / "dead", disk)

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
        return self._dead.path

    def lock(self, *, run_id: str) -> None:
        """Make the folders of the final paths, and take the lock (A1).

        Raises:
            Locked: Another run works on this output.
            OutputBroken: A folder or the lock file cannot be made.
        """
        for folder in dict.fromkeys([self.folder.parent, self._dead.final.parent]):
            self._disk.make_folders(folder)
        try:
            for lock, target in zip(self._locks, (self._target, str(self._dead.final)), strict=True):
                lock.acquire(run_id=run_id, target=target)
        except BaseException:  # a signal too: a lock that nobody works under would hold up others
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
        if not self._disk.is_work_folder(self.folder):
            return None
        checkpoint = self._disk.read(self.folder / CHECKPOINT)
        manifest = self._disk.read(self.folder / MANIFEST)
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
        stands = [self._disk.is_work_folder(folder) for folder in self._folders()]
        self._is_mine, self._is_over, self.holds_work = True, False, False
        self._sequence = self._epoch = 0
        for folder, is_there in zip(self._folders(), stands, strict=True):
            if is_there:
                self._clear(folder)
            with self._disk.doing("create the work folder", folder):
                if is_there:
                    self._disk.sync_folder(folder)  # the old checkpoint must not come back over new files
                if not folder.is_dir():
                    self._disk.files.make_private_folder(folder)
                    self._disk.sync_folder(folder.parent)
        path = self.folder / MANIFEST
        self._disk.put(path, manifest.to_bytes(), temporary=path.with_suffix(".tmp"))
        for staged in self._staged():
            staged.create()
        for folder in self._folders():
            with self._disk.doing("sync the folder", folder):
                self._disk.sync_folder(folder)
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
            staged.reopen(size, tail)
        for staged, size, _ in self._committed(checkpoint):  # only now: a refusal changes nothing
            staged.cut(size)

    def append(self, rows: bytes) -> None:
        """Append to the output. Raises OutputBroken."""
        if self._output is not None:
            self._output.append(rows)
        elif self._to_stdout:
            try:
                self._disk.files.append(1, rows)
            except OSError as error:
                raise OutputBroken(f"standard output was closed or broke: {error.strerror}") from error
            self._stdout_size += len(rows)

    def append_dead_letter(self, line: bytes) -> None:
        """Append to the dead letters. Raises OutputBroken."""
        self._dead.append(line)

    def commit(self, checkpoint: Checkpoint) -> None:
        """Make everything up to `checkpoint` durable (C2 to C5). Its bytes must have been appended.

        Its number and that of this process are put in here.

        One call at a time. Raises OutputBroken; then nothing more may be committed.
        """
        tails = {staged.name: staged.commit(size) for staged, size, _ in self._committed(checkpoint)}
        complete = replace(checkpoint, dead_tail=tails["dead_letter"], output_tail=tails.get("output", ""))
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
        manifest = (self._disk.read(self.folder / MANIFEST) or b"").decode()
        facts = {"at": at, "manifest": manifest, **self._show_all(checkpoint)}
        published = replace(checkpoint, state="published", published=facts)
        try:
            self._put_checkpoint(published)
            with self._disk.doing("sync the folder", self.folder):
                self._disk.sync_folder(self.folder)
            self._is_over = True
        except OutputBroken:
            # It is a success all the same: the run is known again by what stands there, and `clear` does
            # without this checkpoint. But after a sync that failed there is no other one.
            self._disk.sync_no_more()
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
                with self._disk.doing("remove", folder):
                    self._disk.files.remove_folder(folder)
                    self._disk.sync_folder(folder.parent)

    def sweep(self, *, run_id: str) -> None:
        """Remove work folders that are empty: all that is left of a run that was killed in its last step."""
        if not any(folder.is_dir() for folder in self._folders()):
            return
        with suppress(Locked, OutputBroken, OSError):  # it is not empty, or not there
            self.lock(run_id=run_id)
            for folder in self._folders():  # the one with the checkpoint first: what it speaks of must stay
                if folder.exists():
                    self._disk.files.remove_folder(folder)
        self.release()

    def is_shown(self, checkpoint: Checkpoint) -> bool:
        """Return whether the files of a `published` run stand where it has put them, byte for byte."""
        shown, facts = checkpoint.published, self._disk.facts
        return all(facts(staged.final) == shown.get(staged.name) for staged in self._staged())

    def put(self, path: Path, data: bytes) -> None:
        """Write a small file of the run's own elsewhere, whole. Raises OutputBroken."""
        self._disk.make_folders(path.parent)
        self._disk.put(path, data, temporary=path.with_name(f"{path.name}.tmp"))
        with self._disk.doing("sync the folder", path.parent):
            self._disk.sync_folder(path.parent)

    def _show_all(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Put every file at its final path for good (F2 to F5); return `{path, size, sha256}` of each."""
        facts: dict[str, Any] = {}
        ready: list[tuple[Path, StagedFile]] = []
        for staged, size, tail in self._committed(checkpoint):
            if staged.is_shown():
                staged.expect_shown(size, tail, work=self.folder)
                facts[staged.name] = self._disk.facts(staged.final)
            else:
                made, facts[staged.name] = staged.finish()
                ready.append((made, staged))
        # All of them before the first rename: the checkpoint need not lie in the folder of what is shown.
        for folder in self._folders():
            with self._disk.doing("sync the folder", folder):
                self._disk.sync_folder(folder)
        for made, staged in ready:
            staged.show(made, replace=self._may_replace(staged))
        for folder in dict.fromkeys(staged.final.parent for staged in self._staged()):
            with self._disk.doing("sync the folder", folder):
                self._disk.sync_folder(folder)
        return facts

    def _may_replace(self, staged: StagedFile) -> bool:
        if staged is not self._dead:
            return self._replace
        return self._replace_dead or not staged.final.exists() or staged.final.stat().st_size == 0

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

    def _staged(self) -> list[StagedFile]:
        return [self._dead] if self._output is None else [self._dead, self._output]

    def _folders(self) -> list[Path]:
        return list(dict.fromkeys([self.folder, self._dead.path.parent]))

    def _committed(self, checkpoint: Checkpoint) -> list[tuple[StagedFile, int, str]]:
        """Each file with its committed size and tail, the dead letters first."""
        found = [(self._dead, checkpoint.dead_size, checkpoint.dead_tail)]
        if self._output is not None:
            found.append((self._output, checkpoint.output_size, checkpoint.output_tail))
        return found

    def _go_on_from(self, checkpoint: Checkpoint) -> None:
        self._sequence, self._epoch = checkpoint.sequence + 1, checkpoint.epoch + 1

    def _put_checkpoint(self, checkpoint: Checkpoint) -> None:
        numbered = replace(checkpoint, sequence=self._sequence, epoch=self._epoch)
        self._sequence += 1
        path = self.folder / CHECKPOINT
        self._disk.put(path, numbered.to_bytes(), temporary=path.with_suffix(".tmp"))

    def _clear(self, folder: Path, names: Iterable[str] = _OURS) -> None:
        for name in names:
            with self._disk.doing("remove", folder / name):
                was_there = (folder / name).exists()
                self._disk.files.remove(folder / name)
                if name == CHECKPOINT and was_there and not self._is_over:
                    self._disk.sync_folder(folder)  # it never comes back without what it speaks of

    def _close(self) -> None:
        for staged in self._staged():
            staged.close()
