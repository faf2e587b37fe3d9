"""What kind of input a file is: by its suffix, then by looking into its first 64 KiB.

A suffix says what somebody meant, and content says what is so: `.json` holds an array or one value a line,
and a `.txt` may be a table. What cannot be told apart is the plainer of the two.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from runner.errors import UsageError
from runner.sources.streams import Stream, find_streams

HEAD_BYTES = 64 * 2**10
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
_COMPRESSED = frozenset({".gz", ".bz2", ".xz"})
_DELIMITERS = (",", ";", "\t", "|")
_GLOB = frozenset("*?[")
_LONGEST_NAME = 64  # arbitrary: longer than the name of a column, shorter than a sentence


@dataclass(frozen=True, slots=True)
class Guess:
    """An input.

    Attributes:
        kind: The `type`.
        options: Other keys of `input`, each with its value and what to say about it.
        says: What an item is, in a few words.
        fields: The columns or keys of an item, as far as they are known; `None` where it has none.
        are_all: Whether every item has these fields and no others.
    """

    kind: str
    options: dict[str, tuple[object, str]] = field(default_factory=dict)
    says: str = "every line is an item: a text"
    fields: tuple[str, ...] | None = None
    are_all: bool = False


def guess_input(path: str, root: Path) -> Guess:
    """Return what the input at `path` (a file, a glob or a folder's pattern, from `root`) most likely is.

    Raises:
        InputBroken: There is no such file, or it cannot be read.
        UsageError: It holds nothing that items could be made of; the message says what to do.
    """
    if path == "-":
        return Guess("text", {"path": ("-", "standard input")})
    shown: dict[str, tuple[object, str]] = {
        "path": (path, "from the project root; a glob such as data/*.csv is as good")
    }
    if (root / path).is_dir():
        raise UsageError(f"{path} is a folder: name its files with a glob, such as '{path}/*'")
    streams = find_streams(path, root)
    if not streams[0].is_repeatable:
        return Guess("text", {"path": (path, "can be read only once, so init did not look into it")})
    head, is_whole = _read_head(streams[0])
    name = PurePath(streams[0].name)
    suffix = _plain_suffix(name)
    encoding, text = _as_text(head)
    if text is None:
        return _whole_files(path)
    lines = text.splitlines() if is_whole else text.splitlines()[:-1] or [text]
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise UsageError(f"{path} holds nothing yet: put some items into it first")
    if encoding is not None:
        shown["encoding"] = (encoding, "its bytes are no UTF-8; cp1252 is another that is common")
    return _by_content(_SUFFIXES.get(suffix), lines, shown, suffix=suffix)


def _by_content(
    kind: str | None, lines: list[str], shown: dict[str, tuple[object, str]], *, suffix: str
) -> Guess:
    first = lines[0].lstrip()
    if kind in ("json", "jsonl", None) and first[:1] in ("[", "{"):
        keys = _keys_of_lines(lines)
        if keys is not None and not (kind == "json" and first[:1] == "["):
            return _json_lines(keys, lines, shown)
        if first[:1] == "[":
            return Guess("json", shown, "every element of the array is an item", _keys_of_array(lines))
        if kind is not None:
            raise UsageError(
                f"{shown['path'][0]} holds one JSON object, and a job wants many items: "
                "make it an array, or one object a line (.jsonl)"
            )
    if kind == "jsonl":
        return Guess("jsonl", shown, "every line is an item: one JSON value")
    if kind == "csv":
        return _table(lines, shown, is_tabs=suffix == ".tsv")
    delimiter = _delimiter_of(lines)
    if delimiter is not None and len(lines) > 1 and _is_header(_cells(lines, delimiter)[0]):
        return _table(lines, shown)
    return Guess("text", shown)


def _json_lines(keys: tuple[str, ...], lines: list[str], shown: dict[str, tuple[object, str]]) -> Guess:
    if {"index", "where", "error"} <= set(keys):
        return Guess("dead_letter", shown, "every item that failed in another run, once more")
    said = f"every line is an item: a dict with {_listed(keys)}" if keys else "every line is an item"
    return Guess("jsonl", shown, said, keys or None)


def _table(lines: list[str], shown: dict[str, tuple[object, str]], *, is_tabs: bool = False) -> Guess:
    delimiter = "\t" if is_tabs else _delimiter_of(lines) or ","
    rows = _cells(lines, delimiter)
    names, options = tuple(rows[0]), dict(shown)
    if delimiter != ",":
        options["delimiter"] = (delimiter, "between two fields")
    if not _is_header(rows[0]) and (len(rows) == 1 or not _is_header(rows[1])):
        names = tuple(f"column_{number}" for number in range(1, len(rows[0]) + 1))
        options["header"] = (False, "the first row looks like data, not like names of columns")
        options["columns"] = (list(names), "give them better names")
    return Guess("csv", options, f"every row is an item: a dict of text: {_listed(names)}", names, True)


def _whole_files(path: str) -> Guess:
    said = "every file is an item: a dict with path, name, size and mtime"
    return Guess(
        "files", {"path": (path, "from the project root")}, said, ("path", "name", "size", "mtime"), True
    )


def _read_head(stream: Stream) -> tuple[bytes, bool]:
    """Return the first bytes of a file, decompressed, and whether they are all."""
    head = b""
    with closing(stream.blocks(HEAD_BYTES, 0)) as blocks:
        for block in blocks:
            head += block
            if len(head) > HEAD_BYTES:
                return head[:HEAD_BYTES], False
    return head, True


def _as_text(head: bytes) -> tuple[str | None, str | None]:
    """Return the encoding, `None` for UTF-8, and the text; no text for what is none."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and (b"\n\0" in head or b"\0\n" in head):
        raise UsageError("the input is UTF-16; convert it first: iconv -f utf-16 -t utf-8")
    if b"\0" in head:
        return None, None
    try:
        return None, head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 3:  # a character that is cut off, not a wrong one
            return None, head[: error.start].decode("utf-8-sig")
    odd = sum(byte < 32 and byte not in b"\t\r\n\f" for byte in head)
    return (None, None) if odd else ("latin-1", head.decode("latin-1"))


def _keys_of_lines(lines: list[str]) -> tuple[str, ...] | None:
    """Return the keys of the first objects of JSON lines; `None` where a line is no JSON of its own."""
    import msgspec

    keys: dict[str, None] = {}
    for line in lines[:20]:  # arbitrary: enough to see what is usually there
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeError):
            return None
        keys.update(dict.fromkeys(value if isinstance(value, dict) else ()))
    return tuple(keys)


def _keys_of_array(lines: list[str]) -> tuple[str, ...] | None:
    """Return the keys of the first element of an array, as far as it stands in the text."""
    from json import JSONDecodeError, JSONDecoder

    text = "\n".join(lines).lstrip()[1:].lstrip()
    try:
        first, _ = JSONDecoder().raw_decode(text)
    except (JSONDecodeError, RecursionError):
        return None
    return tuple(first) if isinstance(first, dict) else None


def _delimiter_of(lines: list[str]) -> str | None:
    """Return what stands between the fields: it cuts the first rows into the same number, the most."""
    best: tuple[int, str] | None = None
    for delimiter in _DELIMITERS:
        rows = _cells(lines, delimiter)
        count = len(rows[0])
        if count > 1 and all(len(row) == count for row in rows[1:]) and (best is None or count > best[0]):
            best = (count, delimiter)
    return best[1] if best else None


def _cells(lines: list[str], delimiter: str) -> list[list[str]]:
    """Return the first rows; a quoted field may hold a line end, so they are read as one text."""
    rows: Iterator[list[str]] = csv.reader(io.StringIO("\n".join(lines[:50])), delimiter=delimiter)
    found = []
    try:
        for row in rows:
            found.append(row)
            if len(found) == 10:  # arbitrary
                break
    except csv.Error:
        pass
    return found or [lines[0].split(delimiter)]


def _is_header(cells: list[str]) -> bool:
    """Return whether cells can be the names of columns: all there, all different, none a number."""
    plain = [cell.strip() for cell in cells]
    return len(set(plain)) == len(plain) and all(
        cell and len(cell) <= _LONGEST_NAME and not _is_number(cell) for cell in plain
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain_suffix(name: PurePath) -> str:
    while name.suffix.lower() in _COMPRESSED:
        name = name.with_suffix("")
    return name.suffix.lower()


def _listed(names: tuple[str, ...]) -> str:
    shown = [name if name.isprintable() else ascii(name) for name in names[:5]]
    return ", ".join(shown) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def find_data(folder: Path) -> list[str]:
    """Return the names of the data files that lie in a folder: those whose suffix says what they are."""
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_file() and not entry.name.startswith(".") and _plain_suffix(PurePath(entry.name)) in _DATA
    )


_DATA = frozenset(_SUFFIXES) | {".txt", ".log"}
