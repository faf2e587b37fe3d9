"""The files of a run: staged beside their final paths, shown to the world by one rename each.

::

    out/hubs.jsonl              appears complete, by rename; until then the file of the last run stands
    out/hubs.failed.jsonl       the dead letters, renamed first: who sees the output sees them too
    out/.hubs.jsonl.lock        held while the run lives
    out/.hubs.jsonl.run/        0700: out, dead (and out.gz while the output is compressed)

A file whose folder is not the output's is staged in a folder of its own beside its final path, so that
a rename never crosses a file system. If the process dies, nothing at the final paths has changed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.errors import OutputBroken, Refused
from runner.files import Files, describe
from runner.ledger.lock import Lock


@dataclass(slots=True)
class _Staged:
    """A file on its way: `fd` appends to `staged`, `size` bytes are in it, `final` is where it goes."""

    final: Path
    staged: Path
    fd: int = -1
    size: int = 0


class Publication:
    """What one run publishes. Made, written and published by one thread.

    Args:
        files: Does every step on the disk.
        output: Final path of the output, `None` where there is none.
        dead_letter: Final path of the dead letters.
        folder: Where a run without an output path keeps its lock and staged files.
        replace: Whether a file at `output` may be replaced at the end.
        to_stdout: Whether rows go to standard output, at once and without a way back.
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
    ) -> None:
        self._files = files
        self._to_stdout = to_stdout
        self._stdout_size = 0
        self._replace = replace
        anchor = output if output is not None else folder / "run"
        self.folder = anchor.parent / f".{anchor.name}.run"
        self._lock = Lock(anchor.parent / f".{anchor.name}.lock")
        self._target = str(output if output is not None else folder)
        self._output = _Staged(output, self.folder / "out") if output is not None else None
        dead_folder = self.folder
        if dead_letter.parent != anchor.parent:
            dead_folder = dead_letter.parent / f".{dead_letter.name}.run"
        self._dead = _Staged(dead_letter, dead_folder / "dead")
        self.left_behind = False

    @property
    def output_size(self) -> int:
        """Bytes of (uncompressed) output so far: where the next row will stand."""
        return self._output.size if self._output is not None else self._stdout_size

    @property
    def staged_dead_letters(self) -> Path:
        """Where the dead letters are until they are published."""
        return self._dead.staged

    def open(self, *, run_id: str) -> None:
        """Take the lock, clear what an unfinished run left, and create the staged files.

        Sets `left_behind` when there was something to clear.

        Raises:
            Locked: Another run works on this output.
            OutputBroken: A folder or file cannot be made.
        """
        folders = dict.fromkeys([self.folder.parent, self._dead.final.parent])
        for folder in folders:
            with self._doing("create the folder", folder):
                self._files.make_folders(folder)
        self._lock.acquire(run_id=run_id, target=self._target)
        try:
            for folder in dict.fromkeys([self.folder, self._dead.staged.parent]):
                self._make_work_folder(folder)
            for staged in self._staged():
                with self._doing("create", staged.staged):
                    staged.fd = self._files.create(staged.staged)
        except BaseException:
            self._lock.release()
            raise

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

    def publish(self) -> None:
        """Make everything durable, then show it: dead letters, then output. Lets go of the lock.

        When this returns, the files stand at their final paths also after a power loss.

        Raises:
            Refused: A file has appeared at the final path and must not be replaced; the work is kept.
            OutputBroken: A step failed; what is staged is kept.
        """
        if self._output is not None and self._output.final.suffix == ".gz":
            self._compress(self._output)
        for staged in self._staged():
            with self._doing("write", staged.staged):
                self._files.share(staged.fd)
                self._files.sync(staged.fd)
                self._files.close(staged.fd)
                staged.fd = -1
        for staged in self._staged():
            with self._doing("put the finished file in place at", staged.final):
                self._show(staged)
        for folder in dict.fromkeys(staged.final.parent for staged in self._staged()):
            with self._doing("sync the folder", folder):
                self._files.sync_folder(folder)
        for folder in dict.fromkeys([self.folder, self._dead.staged.parent]):
            with self._doing("remove", folder):
                self._files.remove_folder(folder)
        self._lock.release()

    def abandon(self) -> None:
        """Close what is open and let go of the lock; what is staged stays for a look."""
        for staged in self._staged():
            if staged.fd >= 0:
                self._files.close(staged.fd)
                staged.fd = -1
        self._lock.release()

    def _staged(self) -> list[_Staged]:
        return [self._dead] if self._output is None else [self._dead, self._output]

    def _append(self, staged: _Staged, data: bytes) -> None:
        with self._doing("write", staged.staged):
            self._files.append(staged.fd, data)
        staged.size += len(data)

    def _show(self, staged: _Staged) -> None:
        if self._replace or staged is self._dead:
            self._files.rename(staged.staged, staged.final)
            return
        try:
            self._files.link(staged.staged, staged.final)
        except FileExistsError:
            raise Refused(
                f"{staged.final} has appeared while the run worked, and `if_exists` is not `replace`; "
                f"the finished output is kept in {staged.staged}"
            ) from None
        self._files.remove(staged.staged)

    def _make_work_folder(self, folder: Path) -> None:
        with self._doing("create the work folder", folder):
            try:
                self._files.make_private_folder(folder)
            except FileExistsError:
                if folder.is_symlink() or not folder.is_dir():
                    raise OutputBroken(
                        f"{folder} is in the way: the work folder of this run belongs there; remove it",
                        path=folder,
                    ) from None
                self.left_behind = True
                for name in ("out", "dead", "out.gz"):
                    self._files.remove(folder / name)

    def _compress(self, staged: _Staged) -> None:
        """Replace the staged output by its gzip form, with a fixed header: no name, no time (RFC 1952)."""
        packed = staged.staged.with_name("out.gz")
        with self._doing("compress", staged.staged):
            fd = self._files.create(packed)
            packer = zlib.compressobj(6, zlib.DEFLATED, 31)
            with staged.staged.open("rb") as plain:
                while block := plain.read(1 << 20):
                    self._files.append(fd, packer.compress(block))
            self._files.append(fd, packer.flush())
            self._files.close(staged.fd)
            self._files.remove(staged.staged)
        staged.staged, staged.fd = packed, fd

    @contextmanager
    def _doing(self, what: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputBroken(describe(error, path, what), path=path) from error
