"""Makes `jobs/data/access.log.gz`: a day of a web server that never was, with six broken lines.

    python tests/jobs/make_access_log.py > jobs/data/access.log.gz

Every address is from a range that stands for none (RFC 5737, RFC 3849). Only `random.random` is used, whose
sequence Python promises to keep, so the lines are the same on every machine.
"""

from __future__ import annotations

import gzip
import random
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

LINES = 2000
START = datetime(2026, 3, 14, tzinfo=UTC)
SEED = 14032026

AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/134.0.0.0 Safari/537.36": 40,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.3 Mobile/15E148 Safari/604.1": 30,
    "Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0": 15,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": 8,
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": 4,
    "curl/8.5.0": 3,
}
PATHS = {
    "/": 20,
    "/products": 12,
    "/products/{number}": 30,
    "/search?q={word}&page={digit}": 12,
    "/cart": 8,
    "/login?next=%2Fcart": 4,
    "/static/app.{digit}f3c.js": 10,
    "/static/style.css": 8,
    "/%C3%BCber-uns": 2,
    "/wp-login.php": 2,
}
WORDS = {"lamp": 1, "chair": 1, "desk+oak": 1, "m%C3%B6bel": 1, "shelf": 1}
STATUSES = {200: 85, 304: 6, 404: 5, 302: 3, 500: 1}
SCANS = {r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03": 2, "-": 1}

BROKEN = {
    311: "an agent in latin-1",
    742: "cut",
    743: "NUL bytes",
    1204: "two in one",
    1517: "an agent in latin-1",
    1999: "cut",
}
"""0-based line → what is wrong with it."""


class Dice:
    """Random choices, from `random.random` alone."""

    def __init__(self, seed: int) -> None:
        self.roll = random.Random(seed).random

    def one_of(self, weights: Mapping[Any, int]) -> str:
        """Return a key, as often as its weight says."""
        bounds = list(accumulate(weights.values()))
        point = self.roll() * bounds[-1]
        return str(next(key for key, bound in zip(weights, bounds, strict=True) if point < bound))

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to `bound` - 1."""
        return int(self.roll() * bound)


def make_lines() -> list[bytes]:
    """Return the lines of the log, each with its line end but the last, which was cut."""
    dice = Dice(SEED)
    moment = START
    lines: list[bytes] = []
    for number in range(LINES):
        moment += timedelta(seconds=dice.roll() * 86)
        line = make_line(dice, moment)
        match BROKEN.get(number):
            case "an agent in latin-1":
                line = line[: line.rindex('"', 0, -1)] + '"Café Crawler/1.1"'
                lines.append(line.encode("latin-1") + b"\n")
            case "cut":
                end = b"" if number == LINES - 1 else b"\n"
                lines.append(line.encode()[: len(line) * 2 // 5] + end)
            case "NUL bytes":
                lines.append(b"\0" * 96 + b"\n")
            case "two in one":
                lines.append((line + make_line(dice, moment)).encode() + b"\n")
            case _:
                lines.append(line.encode() + b"\n")
    return lines


def make_line(dice: Dice, moment: datetime) -> str:
    """Return one line of the combined log format."""
    time = f"{moment:%d}/Mar/{moment:%Y:%H:%M:%S} +0000"
    kind = dice.roll()
    if kind < 0.08:
        return f'192.0.2.10 - - [{time}] "GET /healthz HTTP/1.1" 200 2 "-" "kube-probe/1.32"'
    if kind < 0.09:
        return f'198.51.100.{dice.below(256)} - - [{time}] "{dice.one_of(SCANS)}" 400 150 "-" "-"'
    if kind < 0.2:
        client = f"2001:db8:{dice.below(16):x}::{dice.below(4096):x}"
    else:
        client = f"{('198.51.100', '203.0.113')[dice.below(2)]}.{dice.below(256)}"
    path = dice.one_of(PATHS).format(
        number=dice.below(900) + 100, digit=dice.below(9), word=dice.one_of(WORDS)
    )
    status = dice.one_of(STATUSES)
    size = "-" if status == "304" else str(400 + dice.below(40_000))
    referer = "https://shop.example/" if dice.roll() < 0.5 else "-"
    return f'{client} - - [{time}] "GET {path} HTTP/2.0" {status} {size} "{referer}" "{dice.one_of(AGENTS)}"'


def main() -> None:
    """Write the compressed log to standard output, without a name or a time in its header."""
    sys.stdout.buffer.write(gzip.compress(b"".join(make_lines()), 9, mtime=0))


if __name__ == "__main__":
    main()
