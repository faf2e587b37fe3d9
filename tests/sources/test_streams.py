"""Finding the files behind `path:` and reading them, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runner.errors import InputBroken
from runner.item import Item
from runner.sources import TextOptions
from runner.sources.streams import Stream, find_streams

COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
ROOT = Path(__file__).parents[2]
LINES = [b"line %d of some length\n" % number for number in range(2000)]


def names(path: str | list[str], root: Path) -> list[str]:
    """Return the names of the streams that are found."""
    return [stream.name for stream in find_streams(path, root)]


def read_until_broken(items: Iterator[Item], match: str) -> list[bytes]:
    """Return the raws that come before an InputBroken that says `match`."""
    raws: list[bytes] = []
    with pytest.raises(InputBroken, match=match):
        raws.extend(item.raw for item in items)
    return raws


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with some files."""
    for name in (
        "b.txt",
        "a.txt",
        "Z.txt",
        "é.txt",
        "sub/c.txt",
        "sub/deep/d.txt",
        ".hidden.txt",
        "x[1].txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    (tmp_path / "folder.txt").mkdir()
    return tmp_path


def test_a_glob_finds_files_in_bytewise_order(tree: Path) -> None:
    """Upper case before lower case before other alphabets; no folders and no hidden files."""
    assert names("*.txt", tree) == ["Z.txt", "a.txt", "b.txt", "x[1].txt", "é.txt"]


def test_two_stars_look_into_folders(tree: Path) -> None:
    """`**` stands for any number of folders, none included."""
    assert names("sub/**/*.txt", tree) == ["sub/c.txt", "sub/deep/d.txt"]


def test_a_list_keeps_its_order_and_reads_a_file_once(tree: Path) -> None:
    """What two patterns find is read where the first one stands."""
    assert names(["sub/c.txt", "b.txt", "[ab].txt"], tree) == ["sub/c.txt", "b.txt", "a.txt"]


def test_an_existing_file_whose_name_looks_like_a_glob_is_meant_itself(tree: Path) -> None:
    """Brackets in a real file name need no escape."""
    assert names("x[1].txt", tree) == ["x[1].txt"]


def test_an_absolute_path_stays_absolute(tree: Path) -> None:
    """The place of a record says what the job file said."""
    assert names(f"{tree}/a.txt", Path("/")) == [f"{tree}/a.txt"]
    assert names(f"{tree}/[ab].txt", Path("/")) == [f"{tree}/a.txt", f"{tree}/b.txt"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("c.txt", r"^input file c.txt does not exist \(looked from /.*\); did you mean .\.txt\?"),
        ("sub/cc.txt", r"did you mean sub/c.txt\?"),
        ("no/where.txt", "nor does its folder; correct the path"),
        ("a.txt/b", "nor does its folder"),
        ("quite-another-name", "does not exist .*; correct the path, or make the file first$"),
        ("sub", r"^input file sub is a directory; to read the files in it, write sub/\*$"),
        ("*.csv", r"^no file matches the input path \*.csv \(looked from /.*\); correct the pattern"),
        ("folder.*", "^no file matches the input path"),
        ("dangling", "it is a link to gone; repair the link"),
        ("loop", "^input file loop cannot be read: "),
    ],
)
def test_what_cannot_be_read_is_told_before_anything_runs(tree: Path, path: str, message: str) -> None:
    """The message names the path as given and says what to do."""
    (tree / "dangling").symlink_to("gone")
    (tree / "loop").symlink_to("loop")
    with pytest.raises(InputBroken, match=message) as caught:
        find_streams(path, tree)
    assert caught.value.path == tree / path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told_before_anything_runs(tree: Path) -> None:
    """It is opened once to prove it readable."""
    (tree / "a.txt").chmod(0)
    with pytest.raises(InputBroken, match=r"^input file a.txt cannot be read: Permission denied"):
        find_streams("a.txt", tree)


def test_a_folder_that_cannot_be_listed_gives_no_hint(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing file is told all the same."""

    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputBroken, match=r"^input file aa.txt does not exist .*; correct the path, or make"):
        find_streams("aa.txt", tree)


def test_a_refused_open_is_told_in_a_sentence(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as above, for who is root."""

    def refuse(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(io, "FileIO", refuse)
    with pytest.raises(
        InputBroken, match=r"^input file a.txt cannot be read: Permission denied; let this user"
    ):
        find_streams("a.txt", tree)


@pytest.mark.parametrize("path", ["", [], ["a", ""], "a\0b", ["-", "-"]])
def test_a_path_that_names_nothing_is_a_fault(path: Any) -> None:
    """Empty names, no names, NUL and standard input twice are found without looking at any file."""
    with pytest.raises(ValidationError, match=r"path must not|only once"):
        TextOptions.model_validate({"type": "text", "path": path})


def test_places_restart_with_each_file_and_the_index_runs_through(
    open_source: Callable[..., Any], tmp_path: Path
) -> None:
    """A record never spans two files, though the first does not end in a line ending."""
    (tmp_path / "1").write_bytes(b"a\nb")
    (tmp_path / "2").write_bytes(b"")
    (tmp_path / "3").write_bytes(b"\xef\xbb\xbfc\nd\n")
    items = list(open_source("text", tmp_path, path="?").items())
    assert items == [
        (0, b"a\n", ("1", 1, 0)),
        (1, b"b", ("1", 2, 2)),
        (2, b"c\n", ("3", 1, 3)),
        (3, b"d\n", ("3", 2, 5)),
    ]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_files_read_like_plain_ones(
    open_source: Callable[..., Any], tmp_path: Path, suffix: str
) -> None:
    """Offsets are of the content; several members and zeros between and behind them are fine."""
    compress = COMPRESS[suffix]
    members = (
        compress(b"".join(LINES[:700]))
        + bytes(8)
        + compress(b"")
        + compress(b"".join(LINES[700:]))
        + bytes(4)
    )
    (tmp_path / f"lines{suffix}").write_bytes(members)
    (tmp_path / "plain").write_bytes(b"".join(LINES))
    plain = list(open_source("text", tmp_path, path="plain").items())
    for block_bytes in (17, 1000, 2**20):
        found = list(open_source("text", tmp_path, path=f"lines{suffix}", block_bytes=block_bytes).items())
        assert [item.raw for item in found] == LINES
        assert [item.where[1:] for item in found] == [item.where[1:] for item in plain]


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("left", [0, 1, 5, 11, 0.3, 0.7, -9, -1])
def test_a_compressed_file_that_is_cut_gives_what_it_has_and_then_stops(
    open_source: Callable[..., Any], tmp_path: Path, suffix: str, left: float
) -> None:
    """All whole records come first, the interrupted one never, and the message says where it ends."""
    whole = COMPRESS[suffix](b"".join(LINES))
    length = int(left * len(whole)) if isinstance(left, float) else left % len(whole)
    (tmp_path / f"cut{suffix}").write_bytes(whole[:length])
    source = open_source("text", tmp_path, path=f"cut{suffix}")
    raws = read_until_broken(
        source.items(), rf"cut{suffix} ends in the middle of its {suffix} data, after \d+ b"
    )
    assert raws == LINES[: len(raws)]
    if left == -1:
        assert raws == LINES
    if suffix == ".gz" and left == 0.7:
        assert 1000 < len(raws) < 2000


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("place", [0, 2, 0.5, -3])
def test_a_compressed_file_that_is_damaged_stops_the_run(
    open_source: Callable[..., Any], tmp_path: Path, suffix: str, place: float
) -> None:
    """Nothing is taken for the end of the file: a damaged member raises, as does what is no member."""
    content = bytearray(COMPRESS[suffix](b"".join(LINES)))
    content[int(place * len(content)) if isinstance(place, float) else place] ^= 0x55
    (tmp_path / f"bad{suffix}").write_bytes(content)
    source = open_source("text", tmp_path, path=f"bad{suffix}")
    read_until_broken(source.items(), rf"^input file bad{suffix} is damaged: .*past byte \d+")


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_damaged_second_member_is_no_trailing_garbage(
    open_source: Callable[..., Any], tmp_path: Path, suffix: str
) -> None:
    """The standard library's bz2 and xz files end there without a word; this one raises."""
    compress = COMPRESS[suffix]
    second = bytearray(compress(b"more\n"))
    second[1] ^= 1
    (tmp_path / f"two{suffix}").write_bytes(compress(b"".join(LINES)) + second)
    source = open_source("text", tmp_path, path=f"two{suffix}")
    assert read_until_broken(source.items(), "is damaged") == LINES


def test_every_record_before_damage_in_gzip_arrives(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """A wrong checksum at the very end costs no record, though zlib keeps the last block to itself."""
    content = bytearray(gzip.compress(b"".join(LINES)))
    content[-5] ^= 1
    (tmp_path / "sum.gz").write_bytes(content)
    assert read_until_broken(open_source("text", tmp_path, path="sum.gz").items(), "data check") == LINES


def test_a_file_that_shrinks_while_it_is_read_stops_the_run(
    open_source: Callable[..., Any], tmp_path: Path
) -> None:
    """Its last, torn record is no record."""
    path = tmp_path / "log"
    path.write_bytes(b"".join(LINES))
    source = open_source("text", tmp_path, path="log", block_bytes=64)
    items = source.items()
    first = next(items).raw
    os.truncate(path, 1010)
    raws = [
        first,
        *read_until_broken(items, r"^input file log shrank while it was read: it had \d+ bytes .* 1010 now"),
    ]
    assert raws == LINES[: len(raws)]
    assert sum(map(len, raws)) < 1010


def test_a_file_that_grows_is_read_to_the_end_it_has_then(
    open_source: Callable[..., Any], tmp_path: Path
) -> None:
    """Nobody asked it to stand still."""
    (tmp_path / "log").write_bytes(b"a\n")
    source = open_source("text", tmp_path, path="log")
    with (tmp_path / "log").open("ab") as file:
        file.write(b"b\n")
    assert [item.raw for item in source.items()] == [b"a\n", b"b\n"]


@pytest.fixture
def half_read(open_source: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Write an old file and read its first item only; give its path and the other items."""

    def begin(
        name: str = "log", content: bytes = b"".join(LINES), **keys: Any
    ) -> tuple[Path, Iterator[Item]]:
        path = tmp_path / name
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        os.utime(path, (1, 1))
        items = open_source("text", tmp_path, path=name, block_bytes=64, **keys).items()
        next(items)
        return path, items

    return begin


@pytest.mark.parametrize("name", ["log", "log.gz"])
@pytest.mark.parametrize("is_disguised", [False, True])
def test_a_file_that_is_overwritten_while_it_is_read_stops_the_run(
    half_read: Callable[..., Any], name: str, is_disguised: bool
) -> None:
    """Of the same size, and with its time set back: what was read is a mixture."""
    path, items = half_read(name)
    data = bytearray(path.read_bytes())
    data[8 if name == "log.gz" else 3] ^= 1  # what was read already: a flag of gzip that nobody reads
    with path.open("r+b") as file:
        file.write(data)
    if is_disguised:
        os.utime(path, (1, 1))
    raws = read_until_broken(
        items, rf"^input file {name} changed while it was read: what was read .* mixture"
    )
    assert len(raws) == len(LINES) - 1


@pytest.mark.parametrize("change", ["touch", "same bytes", "replaced", "grown"])
def test_a_file_that_holds_what_was_read_is_read_to_its_end(
    half_read: Callable[..., Any], change: str
) -> None:
    """Touched, written with the same bytes, replaced by a rename (the old one is read on), appended to."""
    path, items = half_read()
    if change == "touch":
        path.touch()
    elif change == "same bytes":
        with path.open("r+b") as file:
            file.write(b"".join(LINES))
    elif change == "replaced":
        path.with_name("new").write_bytes(b"other\n")
        path.with_name("new").replace(path)
    else:
        with path.open("ab") as file:
            file.write(b"more\n")
    rest = [item.raw for item in items]
    assert rest == LINES[1:] + [b"more\n"] * (change == "grown")


def test_a_file_that_grew_by_half_a_line_stops_the_run(half_read: Callable[..., Any]) -> None:
    """Its writer is in the middle of it, unless the job says that such a line is left."""
    path, items = half_read()
    with path.open("ab") as file:
        file.write(b"mo")
    said = "^input file log grew while it was read, and its last line has no end yet; .*`input.append: allow`"
    assert read_until_broken(items, said) == LINES[1:]
    path, items = half_read(append="allow")
    with path.open("ab") as file:
        file.write(b"mo")
    assert [item.raw for item in items] == LINES[1:]


def test_a_file_that_goes_away_before_it_is_read_stops_the_run(
    open_source: Callable[..., Any], tmp_path: Path
) -> None:
    """It was there at the start."""
    (tmp_path / "log").write_bytes(b"a\n")
    source = open_source("text", tmp_path, path="log")
    (tmp_path / "log").unlink()
    assert read_until_broken(source.items(), "^reading input file log failed at byte 0: No such file") == []


def test_an_error_of_the_disk_stops_the_run_after_the_records_before_it(
    open_source: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says at which byte, and the error is the cause."""

    class Failing(io.FileIO):
        def read(self, size: int = -1, /) -> Any:
            if self.tell() >= 512:
                raise OSError(5, "Input/output error")
            return super().read(size)

    (tmp_path / "log").write_bytes(b"".join(LINES))
    source = open_source("text", tmp_path, path="log", block_bytes=256)
    monkeypatch.setattr(io, "FileIO", Failing)
    raws = read_until_broken(
        source.items(), "^reading input file log failed at byte 512: Input/output error$"
    )
    assert raws == LINES[: len(raws)]
    assert sum(map(len, raws)) > 480


def test_closing_the_items_closes_the_file(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """A run that stops early leaves no open file behind."""
    (tmp_path / "log").write_bytes(b"".join(LINES))
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    for path, kind in (("log", "text"), ("log", "jsonl"), ("log", "csv")):
        items = open_source(kind, tmp_path, path=path, block_bytes=64).items()
        next(items)
        items.close()
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_named_pipe_is_read_and_opening_it_does_not_wait(
    open_source: Callable[..., Any], tmp_path: Path
) -> None:
    """It has no size to compare, and its writer may come later."""
    os.mkfifo(tmp_path / "pipe")
    source = open_source("text", tmp_path, path="pipe")
    script = f"open({str(tmp_path / 'pipe')!r}, 'w').write('a\\nb\\n')"
    with subprocess.Popen([sys.executable, "-c", script]):
        assert [item.raw for item in source.items()] == [b"a\n", b"b\n"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/zero", r"^input file /dev/zero is a device, which may have no end; pipe into the run"),
        ("door", r"^input file door is a socket, which is no file; pipe what comes from it into the run"),
    ],
)
def test_what_is_no_file_and_no_pipe_is_refused(tmp_path: Path, path: str, message: str) -> None:
    """Before anything opens it: a device may have no end, a socket is connected to and not opened."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(os.fspath(tmp_path / "door"))
        with pytest.raises(InputBroken, match=message):
            find_streams(path, tmp_path)


def test_the_null_device_is_an_empty_input(open_source: Callable[..., Any], tmp_path: Path) -> None:
    """Scripts name it where there is nothing to do."""
    assert list(open_source("text", tmp_path, path="/dev/null").items()) == []


def test_nothing_but_reading_opens_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its identity is its name, and what was read of it is never compared."""
    os.mkfifo(tmp_path / "pipe")
    (stream,) = find_streams("pipe", tmp_path)
    monkeypatch.setattr(io, "FileIO", None)
    assert not stream.is_repeatable
    assert stream.identity() == {"path": "pipe"}
    assert stream.check_read(0, {}) == "same"


def read_stdin(**how: Any) -> subprocess.CompletedProcess[str]:
    """Read standard input as text lines in another process and print the items."""
    script = (
        "from pathlib import Path\n"
        "from runner.sources import TextOptions\n"
        "source = TextOptions.model_validate({'type': 'text', 'path': '-'}).open(Path('/'))\n"
        "print([(item.raw, *item.where) for item in source.items()])\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT, **how
    )


def test_a_dash_is_standard_input() -> None:
    """Its records come from the file `-`."""
    done = read_stdin(input="a\nb")
    assert done.stdout == f"{[(b'a' + bytes([10]), '-', 1, 0), (b'b', '-', 2, 2)]}\n", done.stderr


def test_standard_input_that_never_blocks_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that another program made non-blocking is not taken for one that has ended."""
    answers = iter([b"a", None, b"b", None, None, b""])
    waits = []

    class NeverBlocking(io.FileIO):
        def read(self, size: int = -1, /) -> Any:
            return next(answers)

    monkeypatch.setattr(io, "FileIO", NeverBlocking)
    monkeypatch.setattr(select, "select", lambda *waited: waits.append(waited))
    assert list(Stream("-", None, None).blocks(9)) == [b"a", b"b"]
    assert len(waits) == 3


def test_closed_standard_input_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As cron may start a program."""
    real = os.fstat

    def fail(descriptor: int) -> os.stat_result:
        if descriptor == 0:
            raise OSError(9, "Bad file descriptor")
        return real(descriptor)

    monkeypatch.setattr(os, "fstat", fail)
    with pytest.raises(InputBroken, match=r"^standard input is closed; pipe something into the run"):
        find_streams("-", Path("/"))


def test_a_stream_is_read_again_from_its_start(tmp_path: Path) -> None:
    """It holds no open file, so that a source can be opened long before it is read."""
    (tmp_path / "f").write_bytes(b"abc")
    stream = Stream("f", tmp_path / "f", 3)
    assert [list(stream.blocks(2)) for _ in range(2)] == [[b"ab", b"c"]] * 2
