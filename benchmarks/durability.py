"""What the ledger costs a whole job: synced, not synced, and no ledger at all.

See `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TREE = Path(__file__).resolve().parents[1]
JOB = """\
version: 1
name: copy
input: {type: jsonl, path: in.jsonl}
task: tasks.same
output: {type: jsonl, path: out.jsonl}
"""
TASKS = """\
def same(item):
    return item
"""
CASES: dict[str, tuple[str, ...]] = {
    "power": ("--set", "durability=power"),
    "process": ("--set", "durability=process"),
    "no ledger": ("--set", "output.path=-"),
}


def measure(folder: Path, words: tuple[str, ...], *, to: str) -> float:
    """Run the job in a process of its own; return the seconds from its start to its end.

    Raises:
        RuntimeError: It failed.
    """
    with (folder / to).open("wb") as out, (folder / "stderr").open("wb") as err:
        start = time.perf_counter()
        code = subprocess.call(
            [sys.executable, "-m", "runner", "run", "job.yaml", "--quiet", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(TREE)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        seconds = time.perf_counter() - start
    if code != 0:
        raise RuntimeError(f"ended with {code}: {(folder / 'stderr').read_text(errors='replace')[-2000:]}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=800_000, help="lines of the input")
    parser.add_argument("--rounds", type=int, default=9, help="runs of each case, interleaved")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} CPUs,", end=" ")
    print(f"load {os.getloadavg()[0]:.1f}, {options.items:,} items, {options.rounds} rounds")
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (("job.yaml", JOB), ("tasks.py", TASKS), ("pyproject.toml", "")):
            (folder / file).write_text(text)
        with (folder / "in.jsonl").open("w") as lines:
            for number in range(options.items):
                lines.write(json.dumps({"n": number, "text": "x" * 80}) + "\n")
        measure(folder, CASES["power"], to="stdout")  # caches are warm
        names = list(CASES)
        for turn in range(options.rounds):
            for case in names[turn % len(names) :] + names[: turn % len(names)]:
                to = "redirected.jsonl" if case == "no ledger" else "stdout"
                seconds[case].append(measure(folder, CASES[case], to=to))
        if (folder / "redirected.jsonl").read_bytes() != (folder / "out.jsonl").read_bytes():
            raise RuntimeError("the outputs differ")
    base = seconds["no ledger"]
    print(f"{'':10} {'min s':>8} {'median s':>9} {'median ratio to no ledger, of pairs (min to max)':>50}")
    for case, values in seconds.items():
        ratios = sorted(value / other for value, other in zip(values, base, strict=True))
        spread = f"{median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        print(f"{case:10} {min(values):8.3f} {median(values):9.3f} {spread:>50}")


if __name__ == "__main__":
    main()
