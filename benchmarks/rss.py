"""Peak memory of the same job on few and on many records: it should not depend on their number.

See `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
# The longest error output that is shown of a run that failed; an arbitrary number.
MESSAGE_BYTES = 4096

JOB = """\
version: 1
name: memory
input: {type: jsonl, path: input.jsonl}
task: keep.keep
output: {type: jsonl, path: output.jsonl}
"""
TASK = """\
def keep(record):
    return record
"""


def write_project(folder: Path, *, records: int) -> None:
    """Write a job, its task and an input of `records` lines of 100 bytes into `folder`."""
    (folder / "job.yaml").write_text(JOB, encoding="utf-8")
    (folder / "keep.py").write_text(TASK, encoding="utf-8")
    with (folder / "input.jsonl").open("w", encoding="ascii") as lines:
        for number in range(10**8, 10**8 + records):  # all of the same length
            lines.write(f'{{"id":{number},"text":"{"x" * 73}"}}\n')


def peak_rss(folder: Path) -> tuple[float, float]:
    """Run the job in `folder` in a process of its own; return its peak RSS in MiB and its seconds.

    The kernel counts the moment between fork and exec as well, when the child is as large as we
    are. Nothing is held here, so that is far below what the runner takes.
    """
    start = time.perf_counter()
    with (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", "run", "job.yaml", "--quiet"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(TREE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        message = (folder / "stderr").read_bytes()[-MESSAGE_BYTES:].decode(errors="replace")
        raise SystemExit(f"runner ended with {process.returncode}:\n{message}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return usage.ru_maxrss * unit / 2**20, time.perf_counter() - start


def count_lines(path: Path) -> int:
    with path.open("rb") as lines:
        return sum(1 for _ in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs=2, default=[10_000, 1_000_000], metavar=("FEW", "MANY"))
    options = parser.parse_args()

    print(f"machine   {platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
    print("job       jsonl of 100 bytes a record → the record itself → jsonl, all settings by default")
    print(f"{'records':>12}{'peak RSS MiB':>16}{'seconds':>10}", flush=True)
    peaks = []
    for records in options.records:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_project(folder, records=records)
            peak, seconds = peak_rss(folder)
            rows = count_lines(folder / "output.jsonl")
        if rows != records:
            raise SystemExit(f"expected {records} rows, got {rows}")
        peaks.append(peak)
        print(f"{records:12,}{peak:16.1f}{seconds:10.1f}", flush=True)
    print(f"{'difference':>12}{peaks[1] - peaks[0]:16.1f}")


if __name__ == "__main__":
    main()
