"""CPU time of starting: `runner --help`, `--version`, `validate`, and a run of one item.

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
from statistics import median
from typing import NamedTuple

TREE = Path(__file__).resolve().parents[1]
# The longest error output that is shown of a command that failed; an arbitrary number.
MESSAGE_BYTES = 4096

JOB = """\
version: 1
name: one
input: {type: items, items: [1]}
task: tasks.same
output: {type: jsonl, path: out.jsonl}
"""
TASKS = """\
def same(item):
    return item
"""


class Command(NamedTuple):
    """What is measured: its words after the interpreter, and the most CPU milliseconds it may take."""

    words: tuple[str, ...]
    limit: int | None


COMMANDS = {
    "python -c pass": Command(("-c", "pass"), None),
    "runner --help": Command(("-m", "runner", "--help"), 80),
    "runner --version": Command(("-m", "runner", "--version"), 80),
    "runner validate": Command(("-m", "runner", "validate", str(TREE / "jobs/nearest_hub.yaml")), 250),
    "runner run, one item": Command(("-m", "runner", "run", "job.yaml"), 450),
}


def measure(words: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """Run a command in a process of its own; return its CPU milliseconds, user and system, and wall.

    Raises:
        RuntimeError: It failed.
    """
    with (folder / "stderr").open("wb") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(TREE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        message = (folder / "stderr").read_bytes()[-MESSAGE_BYTES:].decode(errors="replace")
        raise RuntimeError(f"ended with {process.returncode}: {message.strip().rpartition(chr(10))[2]}")
    return (usage.ru_utime + usage.ru_stime) * 1000, wall * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each command")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")

    print(
        f"machine   {platform.platform()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}"
    )
    print(f"CPU milliseconds, user and system, of {options.rounds} interleaved runs, each a fresh process")
    print(f"{'':24}{'minimum':>10}{'median':>10}{'limit':>10}{'':10}{'wall, median':>14}", flush=True)
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    faults: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="startup-") as name:
        folder = Path(name)
        (folder / "job.yaml").write_text(JOB, encoding="utf-8")
        (folder / "tasks.py").write_text(TASKS, encoding="utf-8")
        for title, command in COMMANDS.items():
            try:
                measure(command.words, folder)  # once before, so that byte code and disk cache are there
            except RuntimeError as error:
                faults[title] = str(error)
        for _ in range(options.rounds):
            for title, command in COMMANDS.items():
                if title not in faults:
                    figures[title].append(measure(command.words, folder))
    for title, command in COMMANDS.items():
        if title in faults:
            print(f"{title:24}  {faults[title]}")
            continue
        cpu = [cpu for cpu, _ in figures[title]]
        verdict = "" if command.limit is None else "kept" if median(cpu) <= command.limit else "MISSED"
        print(
            f"{title:24}{min(cpu):10.0f}{median(cpu):10.0f}{command.limit or '-':>10}{verdict:>10}"
            f"{median(wall for _, wall in figures[title]):14.0f}"
        )


if __name__ == "__main__":
    main()
