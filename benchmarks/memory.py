"""Peak memory of the same job on few and on many records: it should not depend on their number.

See `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

TREE = Path(__file__).resolve().parents[1]
FORMATS = {"jsonl": "jsonl", "csv": "csv", "json": "json", "gz": "jsonl"}
"""Name on the command line and suffix of the file → the `type` of the input."""
CASES = {"none": ("keep", "none"), "jsonl": ("keep", "jsonl"), "slow": ("slow", "none")}
"""Name → the task, the `type` of the output."""
RECORD_BYTES = 1000
# The peak of the small run varies by a few hundred KiB from one to the next; an arbitrary number.
SMALL_ROUNDS = 3
# The longest error output that is shown of a run that failed; an arbitrary number.
MESSAGE_BYTES = 4096

# `slow` is slower than any reader, so the window is full all the time; where it stalls for a second,
# everything behind that item is held for the order of the output.
TASKS = """\
import time

def keep(record):
    return record

def slow(record):
    time.sleep(1 if int(record["id"]) % 300_000 == 5_000 else 0.0001)
    return record
"""


def write_records(path: Path, kind: str, records: int) -> None:
    """Write an input of `records` records of 1000 bytes, the same each time."""
    chunks = spelled(kind, records)
    with gzip.open(path, "wb", 1) if kind == "gz" else path.open("wb") as file:
        while block := b"".join(itertools.islice(chunks, 1000)):
            file.write(block)


def spelled(kind: str, records: int) -> Iterator[bytes]:
    """Yield the records as a file of this kind spells them."""
    rng = random.Random(1)
    # So that gzip finds something, as in real data, but not the same record again and again.
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 9))) for _ in range(500)]
    texts = [" ".join(rng.choices(words, k=200))[: RECORD_BYTES - 30] for _ in range(1000)]
    if kind == "csv":
        yield b"id,text\n"
    for number in range(records):
        text = texts[number % len(texts)]
        if kind == "csv":
            yield f"{number:09},{text}\n".encode()
            continue
        line = json.dumps({"id": f"{number:09}", "text": text})
        if kind == "json":
            line = f"{',' if number else '['}{line}{']' if number == records - 1 else ''}"
        yield f"{line}\n".encode()


def write_job(folder: Path, kind: str, case: str) -> None:
    """Write a job and its tasks into `folder`."""
    task, output = CASES[case]
    job = {
        "version": 1,
        "name": "memory",
        "input": {"type": FORMATS[kind], "path": f"input.{kind}"},
        "task": f"tasks.{task}",
        "output": {"type": "none"} if output == "none" else {"type": output, "path": "output.jsonl"},
    }
    (folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
    (folder / "tasks.py").write_text(TASKS, encoding="utf-8")


def peak_rss(folder: Path, *, records: int) -> tuple[float, float]:
    """Run the job in `folder` in a process of its own; return its peak RSS in MiB and its seconds.

    The kernel counts the moment between fork and exec as well, when the child is as large as we
    are. Nothing is held here, so that is far below what the runner takes.
    """
    start = time.perf_counter()
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", "run", "job.yaml", "--quiet", "--json"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(TREE)},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        message = (folder / "stderr").read_bytes()[-MESSAGE_BYTES:].decode(errors="replace")
        raise SystemExit(f"runner ended with {process.returncode}:\n{message}")
    report = json.loads((folder / "stdout").read_bytes())
    if report["rows"] != records:
        raise SystemExit(f"expected {records} rows, got {report['rows']}")
    (folder / "output.jsonl").unlink(missing_ok=True)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return usage.ru_maxrss * unit / 2**20, seconds


def compare(folder: Path, kind: str, cases: list[str], sizes: list[int]) -> None:
    """Print a line for each case of an input format; the larger input stands on disk only meanwhile."""
    peaks: dict[str, list[float]] = {case: [] for case in cases}
    seconds: dict[str, float] = {}
    for records in sizes:
        write_records(folder / f"input.{kind}", kind, records)
        for case in cases:
            write_job(folder, kind, case)
            rounds = SMALL_ROUNDS if records == min(sizes) else 1
            runs = [peak_rss(folder, records=records) for _ in range(rounds)]
            peaks[case].append(median(peak for peak, _ in runs))
            seconds[case] = runs[-1][1]
        (folder / f"input.{kind}").unlink()
    for case in cases:
        few, many = peaks[case]
        print(
            f"{kind:8}{case:8}{few:14.1f}{many:14.1f}{many - few:14.1f}{seconds[case]:12.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs=2, default=[10_000, 3_000_000], metavar=("FEW", "MANY"))
    parser.add_argument("--quick", action="store_true", help="300 thousand instead of 3 million records")
    parser.add_argument("--format", action="append", choices=FORMATS, help="only this input; repeatable")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case; repeatable")
    options = parser.parse_args()
    few, many = (10_000, 300_000) if options.quick else options.records
    if not 0 < few < many:
        parser.error("--records must be two numbers, the smaller one first")

    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        # The input, and the output of the case that writes one.
        needed, free = 2 * many * RECORD_BYTES, shutil.disk_usage(name).free
        if needed > free * 0.9:
            parser.error(f"{needed / 2**30:.1f} GiB are needed in {name}, {free / 2**30:.1f} are free")
        print(f"machine   {platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
        print(f"peak RSS in MiB on {few:,} (median of {SMALL_ROUNDS}) and {many:,} records of 1 kB, ordered")
        print("none: no output; jsonl: every record written; slow: 0.1 ms an item, some 1 s, no output")
        print(f"{'input':8}{'case':8}{few:14,}{many:14,}{'difference':>14}{'seconds':>12}", flush=True)
        for kind in options.format or FORMATS:
            compare(Path(name), kind, options.case or list(CASES), [few, many])


if __name__ == "__main__":
    main()
