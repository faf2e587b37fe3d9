"""What a disk may hold after a power loss, by the record of what a run has done to it.

Of what no sync has covered, anything may be missing. Content: a write may have arrived, half of it, zeros
in its place, or nothing. Names: in an *ordered* file system (a journal: ext4, XFS) the changes of names
after the last sync of a folder arrive up to some point; in a *weak* one any of them may, those of each
folder for themselves. One rename is never torn.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from random import Random
from typing import Any


@dataclass(frozen=True)
class Step:
    """One change of the disk, or one sync: what it does to which file (`inode`) or names."""

    kind: str
    label: str
    inode: int = 0
    offset: int = 0
    data: bytes = b""
    path: str = ""
    to: str = ""


@dataclass
class Image:
    """What is on a disk: files by their path, and folders."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def key(self) -> tuple[Any, ...]:
        """Return something that is equal for equal images."""
        return tuple(sorted(self.files.items())), tuple(sorted(self.folders))


def parent(path: str) -> str:
    """Return the folder of the path; `.` is the root."""
    return str(PurePosixPath(path).parent)


def read_record(lines: Iterable[str], base: Image) -> list[Step]:
    """Return the steps of a run that began on `base`. Files of `base` have negative inodes."""
    live = {path: -1 - number for number, path in enumerate(sorted(base.files))}
    size = {inode: len(base.files[path]) for path, inode in live.items()}
    known: dict[int, int] = {}
    steps = []
    for line in lines:
        note = json.loads(line)
        kind, path = note["step"], note.get("path", "")
        if kind == "create":
            inode = known[note["file"]] = live[path] = note["file"]
            size[inode] = 0
        elif kind == "reopen":
            known[note["file"]] = live[path]
            continue
        elif "file" in note:
            inode = known[note["file"]]
            path = next((name for name, there in live.items() if there == inode), "?")
        else:
            inode = live.get(path, 0)
        label = f"{kind} {PurePosixPath(path).name or '.'}"
        data, offset = base64.b64decode(note.get("data", "")), 0
        if kind == "append":
            offset = size[inode]
            size[inode] += len(data)
        elif kind == "truncate":
            offset = size[inode] = note["size"]
        elif kind == "rename":
            live[note["to"]] = live.pop(path)
        elif kind == "link":
            live[note["to"]] = inode
        elif kind == "remove":
            del live[path]
        steps.append(Step(kind, label, inode, offset, data, path, note.get("to", "")))
    return steps


CONTENT = ("append", "truncate")


def lose_power(steps: Sequence[Step], base: Image, chance: Random, *, is_weak: bool) -> Image:
    """Return what may be on the disk when the power fails after these steps."""
    contents = {-1 - number: base.files[path] for number, path in enumerate(sorted(base.files))}
    pending: dict[int, list[Step]] = {}
    names: list[Step] = []
    synced: list[bool] = []
    for step in steps:
        if step.kind in CONTENT:
            pending.setdefault(step.inode, []).append(step)
        elif step.kind == "sync":
            contents[step.inode] = _apply(contents.get(step.inode, b""), pending.pop(step.inode, []))
        elif step.kind == "sync_folder":
            for number, change in enumerate(names):
                if not is_weak or parent(change.to or change.path) == step.path:
                    synced[number] = True
        else:
            names.append(step)
            synced.append(False)
    for inode, writes in pending.items():
        contents[inode] = _tear(contents.get(inode, b""), writes, chance, is_weak=is_weak)
    return _named(_arrived(names, synced, chance, is_weak=is_weak), base, contents)


def _arrived(names: Sequence[Step], synced: Sequence[bool], chance: Random, *, is_weak: bool) -> list[Step]:
    if is_weak:
        share = chance.choice([0.0, 0.2, 0.5, 0.8, 1.0])
        return [
            step for step, is_safe in zip(names, synced, strict=True) if is_safe or chance.random() < share
        ]
    safe = max((number + 1 for number, is_safe in enumerate(synced) if is_safe), default=0)
    return list(names[: chance.choice([safe, len(names), chance.randint(safe, len(names))])])


def _apply(content: bytes, writes: Iterable[Step]) -> bytes:
    data = bytearray(content)
    for step in writes:
        if step.kind == "truncate":
            del data[step.offset :]
        data += bytes(max(0, step.offset - len(data)))
        data[step.offset : step.offset + len(step.data)] = step.data
    return bytes(data)


def _tear(content: bytes, writes: list[Step], chance: Random, *, is_weak: bool) -> bytes:
    if is_weak:
        share = chance.choice([0.0, 0.5, 1.0])
        kept = [step for step in writes if chance.random() < share]
    else:
        kept = writes[: chance.choice([0, len(writes), chance.randint(0, len(writes))])]
    torn = []
    for number, step in enumerate(kept):
        data = step.data
        if data and chance.random() < (0.5 if number == len(kept) - 1 else 0.1):
            data = data[: chance.randrange(len(data))]
            if chance.random() < 0.5:  # its size has arrived, its content has not
                data += bytes(len(step.data) - len(data))
        torn.append(Step(step.kind, step.label, step.inode, step.offset, data))
    return _apply(content, torn)


def _named(changes: Iterable[Step], base: Image, contents: Mapping[int, bytes]) -> Image:
    names = {path: -1 - number for number, path in enumerate(sorted(base.files))}
    folders = {".", *base.folders}
    for step in changes:
        if step.kind == "make_private_folder":
            folders.add(step.path)
        elif step.kind == "remove_folder":
            folders.discard(step.path)
            names = {path: inode for path, inode in names.items() if parent(path) != step.path}
        else:
            if step.kind in ("rename", "remove") and names.get(step.path) == step.inode:
                del names[step.path]
            if step.kind != "remove":
                names[step.to or step.path] = step.inode
    folders = {folder for folder in folders if _is_reachable(folder, folders)} - {"."}
    files = {
        path: contents.get(inode, b"")
        for path, inode in names.items()
        if parent(path) == "." or parent(path) in folders
    }
    return Image(files, folders)


def _is_reachable(folder: str, folders: set[str]) -> bool:
    while folder != ".":
        if folder not in folders:
            return False
        folder = parent(folder)
    return True
