"""`jobs/clean_log.yaml`: what becomes of each line of the log, of the broken ones too."""

from __future__ import annotations

import gzip
from base64 import b64decode
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import make_access_log
import pytest

from jobs.access_log import clean, cut_address

if TYPE_CHECKING:
    from conftest import Project

LOG = Path(__file__).resolve().parents[2] / "jobs/data/access.log.gz"
LINE = (
    '203.0.113.77 - ann [14/Mar/2026:01:02:03 +0100] "POST /cart?token=1 HTTP/2.0" 302 - "-" "Googlebot/2.1"'
)


def test_the_log_is_what_its_script_makes() -> None:
    """The data is made up, and can be made again."""
    assert gzip.decompress(LOG.read_bytes()) == b"".join(make_access_log.make_lines())
    assert LOG.stat().st_size < 60_000


def test_every_line_becomes_a_row_a_dead_letter_or_is_noise(project: Project) -> None:
    """The six broken lines, and only they, are set aside, each with the place where it stands."""
    done = project.run("jobs/clean_log.yaml")
    assert done.returncode == 0, done.stderr
    lines = make_access_log.make_lines()
    dead = {letter["index"]: letter for letter in project.rows("out/clean_log.failed.jsonl")}
    assert set(dead) == set(make_access_log.BROKEN)
    for index, letter in dead.items():
        assert letter["where"]["line"] == index + 1
        assert letter["where"]["offset"] == len(b"".join(lines[:index]))
        is_text = "item" in letter
        broken = letter["item"].encode() if is_text else b64decode(letter["raw_base64"])
        assert broken.rstrip(b"\n") == lines[index].rstrip(b"\n")
        assert letter["error"]["stage"] == ("task" if is_text else "decode")
    good = [line.decode() for index, line in enumerate(lines) if index not in dead]
    noise = ['"GET /healthz', '"GET /static/', r'"\x16', '"-" 400']
    expected = [line for line in good if not any(mark in line for mark in noise)]
    rows = project.rows("out/clean_log.jsonl")
    assert Counter(row["time"] for row in rows) == Counter(
        datetime.strptime(line.split("[")[1][:20], "%d/%b/%Y:%H:%M:%S").isoformat() + "+00:00"
        for line in expected
    )
    assert all(row["client"].endswith((".0/24", "::/48")) for row in rows)
    assert not any("?" in row["path"] for row in rows)


def test_a_row_leads_to_no_person() -> None:
    """The address and the query are cut, user, referer and agent are left out, the time is in UTC."""
    assert clean(LINE, skip=[]) == {
        "time": datetime(2026, 3, 14, 0, 2, 3, tzinfo=UTC),
        "client": "203.0.113.0/24",
        "method": "POST",
        "path": "/cart",
        "status": 302,
        "bytes": 0,
        "is_bot": True,
    }


@pytest.mark.parametrize("skip", [["/cart"], ["/static/", "/c"]])
def test_paths_can_be_skipped(skip: list[str]) -> None:
    """A path that begins with an entry of `skip` gives no row."""
    assert clean(LINE, skip=skip) is None


@pytest.mark.parametrize("request_", ["-", r"\x16\x03\x01", "GET /"])
def test_what_is_no_http_request_gives_no_row(request_: str) -> None:
    """The knocking of port scanners is noise, not a failure."""
    assert clean(LINE.replace("POST /cart?token=1 HTTP/2.0", request_), skip=[]) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINE[:-1], "not a line"),
        (LINE + LINE, "not a line"),
        ("", "not a line"),
        (LINE.replace("Mar", "Foo"), "does not match format"),
        (LINE.replace("203.", "903."), "does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_a_malformed_line_fails(line: str, message: str) -> None:
    """Nothing is guessed from a line that is not whole."""
    with pytest.raises(ValueError, match=message):
        clean(line, skip=[])


def test_addresses_are_cut_to_their_network() -> None:
    """/24 of IPv4, /48 of IPv6."""
    assert cut_address("198.51.100.255") == "198.51.100.0/24"
    assert cut_address("2001:db8:7:8::9") == "2001:db8:7::/48"
