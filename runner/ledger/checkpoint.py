"""A checkpoint: how far a run has got, in one file that is replaced whole by rename.

One line of JSON, a tab, and the CRC-32 of the JSON in hex. Replaced, never changed in place: a fresh
inode each time, so no write can tear it. What it says is a promise about other files: all bytes of the
output and the dead letters below the sizes in it are on the disk and are never altered again. So an
older checkpoint that comes back after a power loss is always safe to go on from.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far a run has got.

    Attributes:
        sequence: Number of this checkpoint, from 0, over all processes of the run.
        epoch: Number of the process that wrote it, from 0.
        state: `running`; `complete` when every item is committed and only publishing is left; `published`
            when the files stand at their final paths and only cleaning up is left.
        index: Every item before this one is committed.
        position: Where the item `index` begins, as its source says it; `None` for the beginning.
        done: Ranges `[first, past last]` of items after `index` that are committed too (unordered).
        output_size: Bytes of the output that are committed.
        output_tail: Hash of the last 64 KiB of them.
        dead_size: Bytes of the dead letters that are committed.
        dead_tail: Hash of the last 64 KiB of them.
        items: Items committed, failed ones included.
        failed: Items among them that failed.
        rows: Rows committed.
        groups: Failures by kind, as the summary shows them.
        encoder: What the sink's encoder has learnt (the columns of a CSV).
        published: Of a `published` run, when and which files, as in its receipt; and its manifest, whose
            file is removed before this one.
    """

    sequence: int = 0
    epoch: int = 0
    state: Literal["running", "complete", "published"] = "running"
    index: int = 0
    position: dict[str, Any] | None = None
    done: tuple[tuple[int, int], ...] = ()
    output_size: int = 0
    output_tail: str = ""
    dead_size: int = 0
    dead_tail: str = ""
    items: int = 0
    failed: int = 0
    rows: int = 0
    groups: tuple[dict[str, Any], ...] = ()
    encoder: dict[str, Any] = field(default_factory=dict)
    published: dict[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is committed, so that nothing is lost by starting over."""
        return self.items == 0

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        body = json.dumps({"format": FORMAT, **asdict(self)}, separators=(",", ":")).encode()
        return b"%b\t%08x\n" % (body, zlib.crc32(body))

    @staticmethod
    def from_bytes(data: bytes) -> Checkpoint:
        """Read the content of the file; raise ValueError with a sentence where it cannot be trusted."""
        body, tab, check = data.rstrip(b"\n").rpartition(b"\t")
        if not tab or b"%08x" % zlib.crc32(body) != check:
            raise ValueError("its checksum is wrong")
        values = json.loads(body)
        try:
            if values.pop("format") != FORMAT:
                raise ValueError("it was written by another version of runner")
            values["done"] = tuple((first, past) for first, past in values["done"])
            values["groups"] = tuple(values["groups"])
            return Checkpoint(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("it is no checkpoint of this version of runner") from error
