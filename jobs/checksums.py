"""The task of `checksums.yaml`: the SHA-256 of one file.

Run it from the project root:

    runner run jobs/checksums.yaml
    runner run jobs/checksums.yaml -p 'files=docs/**/*.md'
"""

import hashlib
from pathlib import Path
from typing import TypedDict

ROOT = Path(__file__).resolve().parents[1]


class File(TypedDict):
    """An item of `type: files`: a path from the project root, and what the file system says of it."""

    path: str
    name: str
    size: int
    mtime: str


def checksum(file: File) -> dict[str, object]:
    """Return `path`, `bytes` and `sha256` (in hexadecimal digits) of a file; it is read in small blocks.

    Raises:
        OSError: The file cannot be read.
        ValueError: It grew or shrank since it was found, so its checksum is that of no finished file.
    """
    with (ROOT / file["path"]).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        size = stream.tell()
    if size != file["size"]:
        raise ValueError(f"it had {file['size']} bytes when it was found and {size} when it was read")
    return {"path": file["path"], "bytes": size, "sha256": digest.hexdigest()}
