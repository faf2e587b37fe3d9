"""The files behind `path:`: found below the project root, proven readable, read as blocks of bytes.

A name is kept as the job file gave it (or as the glob found it below the root), so that it reads
the same on every machine. Nothing here knows what a record is.

Only a regular file may be opened more than once. A pipe gives its bytes to whoever reads them first, so that
nothing but `Stream.blocks` opens one, and whoever only wants to look asks `is_repeatable` before.
"""

from __future__ import annotations

import hashlib
import io
import os
import select
import stat
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from runner.errors import InputBroken
from runner.sources.base import Position, RecordOptions, Sameness
from runner.sources.decompression import SUFFIXES, Damaged, decompress
from runner.sources.trail import Sum, check_read, checksum

BLOCK_BYTES = 128 * 2**10
"""Read at a time. Measured: the records of a larger block fall out of the cache and cost a tenth more."""

HEAD_BYTES = 64 * 2**10
"""Of a file are hashed to know it again; arbitrary."""

STDIN = "-"
_MAGIC = frozenset("*?[")


class StreamOptions(RecordOptions):
    """What inputs read from files or standard input have in common."""

    path: str | list[str]
    """File, glob (`data/*.csv`, `data/**/*.csv`) or list of these, from the project root; `-` is standard
    input. `.gz`, `.bz2` and `.xz` are decompressed. What a glob finds is read in bytewise order.
    Example: `data/*.csv`"""

    append: Literal["refuse", "allow"] = "refuse"
    """Whether an unfinished run goes on with a file that has grown since it began. With `allow`, a last line
    that has no end yet is no item. Example: `allow`"""

    @field_validator("path")
    @classmethod
    def _names_something(cls, path: str | list[str]) -> str | list[str]:
        return check_patterns(path)


@dataclass(frozen=True, slots=True)
class Stream:
    """One file of the input, proven readable, not yet opened.

    Attributes:
        name: As in the job file or as the glob found it: what `Where.file` says.
        path: Where it is; `None` for standard input, also by another name than `-`.
        size: Its bytes when it was found; `None` where it is no regular file.
    """

    name: str
    path: Path | None
    size: int | None

    @property
    def is_plain(self) -> bool:
        """Whether its content is its bytes, and not decompressed."""
        return Path(self.name).suffix.lower() not in SUFFIXES

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be read again: a regular file can, a pipe and standard input cannot."""
        return self.path is not None and self.size is not None

    def blocks(self, block_bytes: int, start: int = 0, so_far: Sum | None = None) -> Generator[bytes]:
        """Yield the decompressed content from byte `start` on, in blocks, never empty ones.

        A block has at most `block_bytes`. Compressed content before `start` is decompressed and
        dropped: there is no other way into the middle of it. `so_far` is fed with all that is read of the
        file, from where it stands, at or before `start`, on.

        Raises:
            InputBroken: Reading failed, the file has shrunk since it was found, what was read of it is not
                what it holds at the end, or its compressed data is cut or damaged; all that could be read
                before was yielded.
        """
        suffix = Path(self.name).suffix.lower()
        if not self.is_plain:
            raw = self._raw_blocks(block_bytes, so_far=so_far)
            return _from(start, self._decompressed(raw, block_bytes, suffix))
        if so_far is None:
            return self._raw_blocks(block_bytes, start)
        begin = so_far.latest[0]
        return _from(start - begin, self._raw_blocks(block_bytes, begin, so_far))

    def identity(self, size: int | None = None) -> dict[str, Any]:
        """Return `{path, size, mtime_ns, inode, head}` of the file as it is now.

        `head` is of `size` bytes at most. What cannot be read again is not opened: `{path}`.

        Raises:
            InputBroken: It cannot be read.
        """
        if self.path is None or not self.is_repeatable:
            return {"path": self.name}
        head_bytes = HEAD_BYTES if size is None else min(HEAD_BYTES, size)
        try:
            with io.FileIO(self.path) as file:
                found = os.fstat(file.fileno())
                head = hashlib.blake2b(file.read(head_bytes), digest_size=12).hexdigest()
        except OSError as error:
            raise InputBroken(
                f"{_called(self.name)} cannot be read: {_reason(error)}", path=self.path
            ) from error
        marks = {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "inode": found.st_ino}
        return {"path": self.name, **marks, "head": head}

    def check_read(self, number: int, position: Position) -> Sameness:
        """Return whether the file, number `number`, is the same as far as it was read up to `position`.

        Raises:
            InputBroken: It cannot be read.
        """
        if self.path is None or not self.is_repeatable:
            return "same"  # what cannot be read again is never gone on with
        try:
            return check_read(self.path, number, position)
        except OSError as error:
            raise InputBroken(
                f"{_called(self.name)} cannot be read: {_reason(error)}", path=self.path
            ) from error

    def _raw_blocks(self, block_bytes: int, start: int = 0, so_far: Sum | None = None) -> Generator[bytes]:
        seen = start
        try:
            with io.FileIO(0, closefd=False) if self.path is None else io.FileIO(self.path) as file:
                opened = os.fstat(file.fileno())
                if start:
                    file.seek(start)
                while (block := file.read(block_bytes)) != b"":
                    if block is None:  # standard input can be a pipe that somebody set non-blocking
                        select.select([file], [], [])
                        continue
                    seen += len(block)
                    if so_far is not None:
                        so_far.feed(block)
                    yield block
                if so_far is not None and self.is_repeatable and (self.size or 0) <= seen:
                    self._check_still(file, opened, so_far)
        except OSError as error:
            raise InputBroken(
                f"reading {_called(self.name)} failed at byte {seen}: {_reason(error)}", path=self.path
            ) from error
        if self.size is not None and seen < self.size:
            raise InputBroken(
                f"{_called(self.name)} shrank while it was read: it had {self.size} bytes at the start "
                f"and ends at {seen} now; run again when nothing writes to it",
                path=self.path,
            )

    def _check_still(self, file: io.FileIO, opened: os.stat_result, so_far: Sum) -> None:
        """Raise InputBroken where a file that was read to its end holds something else there by now.

        It is read again only where it was written meanwhile. Bytes that were appended are no fault here.
        """
        now = os.fstat(file.fileno())
        if _marks(now) == _marks(opened):
            return
        size, value = so_far.latest
        if checksum(file, size) != value:
            raise InputBroken(
                f"{_called(self.name)} changed while it was read: what was read of it may be a mixture of "
                "before and after; start over with --restart when nothing writes to it",
                path=self.path,
            )
        so_far.has_grown = now.st_size > opened.st_size

    def _decompressed(self, raw: Generator[bytes], block_bytes: int, suffix: str) -> Generator[bytes]:
        seen = 0
        try:
            with closing(raw):
                for block in decompress(raw, suffix, block_bytes):
                    seen += len(block)
                    yield block
        except EOFError as error:
            raise InputBroken(
                f"{_called(self.name)} ends in the middle of its {suffix} data, after {seen} bytes of "
                "content: it was cut short; get a whole copy",
                path=self.path,
            ) from error
        except Damaged as error:
            raise InputBroken(
                f"{_called(self.name)} is damaged: its {suffix} data cannot be decompressed past byte "
                f"{seen} of the content ({error}); get a fresh copy",
                path=self.path,
            ) from error


def _marks(found: os.stat_result) -> tuple[int, int, int]:
    """Return what is another once a file was written; its time can be set back, that of its status cannot."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _from(start: int, blocks: Generator[bytes]) -> Generator[bytes]:
    """Yield `blocks` without their first `start` bytes."""
    with closing(blocks):
        for block in blocks:
            if start >= len(block):
                start -= len(block)
                continue
            yield block[start:] if start else block
            start = 0


def check_patterns(path: str | list[str]) -> str | list[str]:
    """Return `path` when it names something; raise ValueError with a sentence otherwise."""
    names = patterns(path)
    if not names or not all(names):
        raise ValueError("a path must not be empty; name a file, a glob or a list of them")
    if any("\0" in name for name in names):
        raise ValueError("a path must not contain a NUL character")
    if names.count(STDIN) > 1:
        raise ValueError("standard input (`-`) can be read only once")
    return path


def patterns(path: str | list[str]) -> list[str]:
    """Return the paths and globs of a `path:` as a list."""
    return [path] if isinstance(path, str) else path


def find_streams(path: str | list[str], root: Path) -> tuple[Stream, ...]:
    """Return the files that `path` names, each once, in its order, each proven readable.

    Raises:
        InputBroken: One is missing, is a directory, a device or a socket, cannot be read, or is a pipe
            that is named twice; or a glob finds nothing.
    """
    names: dict[str, None] = {}
    for pattern in patterns(path):
        found = find_names(pattern, root)
        if not found:
            raise InputBroken(
                f"no file matches the input path {pattern} (looked from {root}); "
                "correct the pattern, or make the files first",
                path=root / pattern,
            )
        names.update(dict.fromkeys(found))
    streams = tuple(_prove(name, root) for name in names)
    _check_once(streams)
    return streams


def find_names(pattern: str, root: Path) -> list[str]:
    """Return the files that `pattern` stands for, in bytewise order, named from `root`.

    A pattern without `*`, `?` and `[`, and one that names an existing file exactly, stands for
    itself. Files whose name begins with a dot are found only by a pattern that says so.
    """
    if pattern == STDIN or _MAGIC.isdisjoint(pattern) or os.path.lexists(root / pattern):
        return [pattern]
    import glob

    found = glob.iglob(pattern, root_dir=root, recursive=True)
    files = (name for name in found if not (root / name).is_dir())
    return sorted(dict.fromkeys(files), key=os.fsencode)


def _prove(name: str, root: Path) -> Stream:
    if name == STDIN:
        return _prove_stdin()
    path = root / name
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise InputBroken(
                f"{_called(name)} is a directory; to read the files in it, write {name.rstrip('/')}/*",
                path=path,
            )
        if stat.S_ISREG(found.st_mode):
            io.FileIO(path).close()
            return Stream(name, path, found.st_size)
        if _is_stdin(found):
            return Stream(name, None, None)  # as `-`: a socket cannot be opened by its name at all
        if fault := _fault_of(found):
            raise InputBroken(f"{_called(name)} {fault}", path=path)
        # Opening a FIFO would wait for its writer, and take from it what the run is to read.
        if not os.access(path, os.R_OK):
            raise PermissionError(13, "Permission denied")
        return Stream(name, path, None)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputBroken(_missing(name, path, root), path=path) from error
    except OSError as error:
        advice = "let this user read it" if isinstance(error, PermissionError) else "correct the path"
        raise InputBroken(f"{_called(name)} cannot be read: {_reason(error)}; {advice}", path=path) from error


def _prove_stdin() -> Stream:
    try:
        os.fstat(0)
    except OSError as error:
        raise InputBroken(
            "standard input is closed; pipe something into the run, or name a file as path"
        ) from error
    return Stream(STDIN, None, None)


def reads_stdin(path: str | list[str], root: Path) -> bool:
    """Return whether `path` names standard input, as `-` or, say, as `/dev/stdin`."""
    for name in patterns(path):
        try:
            if name == STDIN or _is_stdin((root / name).stat()):
                return True
        except (OSError, ValueError):
            continue
    return False


def _is_stdin(found: os.stat_result) -> bool:
    """Return whether what was found is what descriptor 0 reads, and no regular file, which begins anew."""
    try:
        return not stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.fstat(0))
    except OSError:
        return False


def _fault_of(found: os.stat_result) -> str:
    """Return why what is neither a regular file nor standard input is not read; empty for a pipe."""
    mode = found.st_mode
    if stat.S_ISFIFO(mode) or (stat.S_ISCHR(mode) and found.st_rdev == Path(os.devnull).stat().st_rdev):
        return ""
    if stat.S_ISSOCK(mode):
        return 'is a socket, which is no file; pipe what comes from it into the run (`path: "-"`)'
    return (
        'is a device, which may have no end; pipe into the run what is to be read of it (`path: "-"`), '
        "or save that to a file"
    )


def _check_once(streams: tuple[Stream, ...]) -> None:
    """Raise InputBroken where two names are of one pipe: the second would find nothing."""
    seen: dict[tuple[int, int], str] = {}
    for stream in streams:
        if stream.is_repeatable:
            continue
        found = os.fstat(0) if stream.path is None else stream.path.stat()
        mark = (found.st_dev, found.st_ino)
        first = seen.setdefault(mark, stream.name)
        if first != stream.name and not stat.S_ISCHR(found.st_mode):
            raise InputBroken(
                f"{_called(stream.name)} is the same as {_called(first)}, which can be read only once; "
                "name it once",
                path=stream.path,
            )


def _missing(name: str, path: Path, root: Path) -> str:
    import difflib

    said = f"{_called(name)} does not exist (looked from {root})"
    if path.is_symlink():
        return f"{said}: it is a link to {path.readlink()}; repair the link"
    if not path.parent.is_dir():
        return f"{said}, nor does its folder; correct the path, or make the file first"
    near = difflib.get_close_matches(path.name, _names_in(path.parent), n=1)
    if near:
        return f"{said}; did you mean {name[: len(name) - len(path.name)]}{near[0]}?"
    return f"{said}; correct the path, or make the file first"


def _names_in(folder: Path) -> list[str]:
    """Return the names in `folder`, an arbitrary 5000 of them at most: comparing them takes time."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, 5000))
    except OSError:
        return []


def _called(name: str) -> str:
    return "standard input" if name == STDIN else f"input file {name}"


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
