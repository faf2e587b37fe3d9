"""Decompressing as a file is read.

The decompressors of the standard library are driven directly instead of through `gzip.open` and
its siblings, because `bz2` and `lzma` there take a damaged second member for trailing garbage and
end without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

SUFFIXES = frozenset((".gz", ".bz2", ".xz"))
"""The endings of file names that say that a file is compressed, and how."""


class Damaged(Exception):
    """Compressed data is not what its suffix says."""


def decompress(raw: Iterable[bytes], suffix: str, block_bytes: int) -> Iterator[bytes]:
    """Yield the content of the compressed members in `raw`, in blocks of about `block_bytes` at most.

    Raises:
        EOFError: The data ends inside a member, or has none.
        Damaged: The data is no such data; what comes before was yielded.
    """
    new = _NEW[suffix]
    decompressor = None
    has_members = False
    for piece in raw:
        data, is_full = piece, False
        while data or is_full:
            if decompressor is None:
                data = data.lstrip(b"\0")  # members may be padded with zeros
                if not data:
                    break
                decompressor, has_members = new(), True
            spare = decompressor.copy() if hasattr(decompressor, "copy") else None
            try:
                block = decompressor.decompress(data, block_bytes)
            except _faults() as error:
                yield from _salvage(spare, data)
                raise Damaged(str(error)) from error
            is_full = len(block) == block_bytes
            data = getattr(decompressor, "unconsumed_tail", b"")
            if decompressor.eof:
                data, is_full, decompressor = decompressor.unused_data, False, None
            if block:
                yield block
    if decompressor is not None or not has_members:
        raise EOFError


def _salvage(spare: Any, data: bytes) -> Iterator[bytes]:
    """Yield what comes out before the damage, which a decompressor that fails keeps to itself.

    `spare` is the decompressor as it was before `data`; only zlib can give one (a copy costs a
    hundredth of what it then decompresses), so that a damaged bzip2 or xz file loses what stood
    in the piece just before the damage.
    """
    if spare is None:
        return
    for start in range(len(data)):
        try:
            block = spare.decompress(data[start : start + 1])
        except _faults():
            return
        if block:
            yield block


def _gzip() -> Any:
    import zlib

    return zlib.decompressobj(wbits=31)  # 15 + 16: with the header and trailer of gzip (zlib manual)


def _bzip2() -> Any:
    import bz2

    return bz2.BZ2Decompressor()


def _xz() -> Any:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ)


_NEW: dict[str, Callable[[], Any]] = {".gz": _gzip, ".bz2": _bzip2, ".xz": _xz}


def _faults() -> tuple[type[Exception], ...]:
    import lzma
    import zlib

    return (zlib.error, lzma.LZMAError, OSError, ValueError)
