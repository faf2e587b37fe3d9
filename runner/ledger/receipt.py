"""The receipt: which run published an output, when, and the digests of what it published.

One small JSON file for each output of a job, in the state folder, replaced whole by the next run that
publishes there. It proves nothing to the protocol, which never reads it: it answers what a person asks
later (is this job finished? is this the file that it wrote?). `sha256sum` makes the same digests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a run published.

    Attributes:
        run_id: The run.
        job: Its job.
        date: Its date: what `${run.date}` was.
        published_at: When its files stood at their final paths; ISO, in UTC.
        items: Items of the run, failed ones included.
        failed: Items among them that failed.
        rows: Rows in the output.
        output: `{path, size, sha256}` of the output, as it is at its final path; `None` where there is none.
        dead_letter: The same of the dead letters.
    """

    run_id: str
    job: str
    date: str
    published_at: str
    items: int
    failed: int
    rows: int
    output: Mapping[str, Any] | None
    dead_letter: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode() + b"\n"

    @staticmethod
    def read(path: Path) -> Receipt | None:
        """Return the receipt at `path`; `None` where there is none that can be read."""
        try:
            values = json.loads(path.read_bytes())
            if values.pop("format") != FORMAT:
                return None
            receipt = Receipt(**values)
            return receipt if receipt.is_sound() else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def is_sound(self) -> bool:
        """Return whether the files in it are described as they must be."""
        files = [self.dead_letter] if self.output is None else [self.dead_letter, self.output]
        return all(isinstance(file["path"], str) and isinstance(file["size"], int) for file in files)

    def told(self) -> str:
        """Return the words for when it was, and what has become of the output since."""
        said = f"run {self.run_id} finished on {self.published_at}"
        if self.output is None:
            return said
        path = self.output["path"]
        return f"{said} and published {path}{_since(Path(path), self.output['size'])}"


def _since(path: Path, size: int) -> str:
    try:
        return "" if path.stat().st_size == size else ", which was changed since"
    except OSError:
        return ", which is not there any more"
