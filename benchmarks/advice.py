"""Whether `runner preview` advises well: its pool against the alternatives, on tasks of every kind.

    python benchmarks/advice.py [KIND ...]

Each task is previewed, then run with the advised pool and with others, all in turn, five times. Printed is
the best of each, in items a second (others on the machine only ever make a run slower), how far the advice is
from the best of all, and the CPU time of an item, start included, which depends less on what else runs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ROUNDS = 5

TASKS = """
import hashlib, time
BLOCK = bytes(4_000_000)

def computing(n):
    return sum(i * i % 7 for i in range(40_000))

def waiting(n):
    time.sleep(0.02)
    return n

def tiny(n):
    return n + 1

def mixed(n):
    time.sleep(0.01)
    return sum(i * i % 7 for i in range(20_000))

def hashing(n):
    return hashlib.sha256(BLOCK).hexdigest()
"""
# Items of each kind, for runs of some seconds, and the pools that the advice is compared with.
KINDS = {
    "computing": (400, [(1, 1), (2, 1), (6, 1), (16, 1)]),
    "waiting": (2000, [(1, 1), (6, 1), (16, 1), (32, 1), (64, 1), (128, 1)]),
    "tiny": (1_000_000, [(1, 1), (2, 1), (6, 1), (1, 10), (1, 100), (6, 100), (1, 1000)]),
    "mixed": (400, [(1, 1), (2, 1), (4, 1), (6, 1), (8, 1), (16, 1), (32, 1)]),
    "hashing": (200, [(1, 1), (2, 1), (3, 1), (6, 1), (16, 1)]),
}


def runner(folder: Path, *words: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "runner", *words, "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def measure(folder: Path, kind: str) -> None:
    count, pools = KINDS[kind]
    job = f"""
version: 1
name: {kind}
input: {{type: range, stop: {count}}}
task: tasks.{kind}
output: {{type: jsonl, path: out.jsonl}}
durability: process
"""
    (folder / "job.yaml").write_text(job)
    advice = runner(folder, "preview", "job.yaml", "-n", "5")["advice"]
    advised = (advice["size"], advice["chunksize"])
    pools = [advised, *(pool for pool in pools if pool != advised)]
    found: dict[tuple[int, int], list[float]] = {pool: [] for pool in pools}
    cpu: dict[tuple[int, int], list[float]] = {pool: [] for pool in pools}
    for _ in range(ROUNDS):
        for size, chunksize in pools:
            # A thousand waits one after the other would take a minute.
            count_here = count // 10 if (size, kind) == (1, "waiting") else count
            flags = ["--set", f"pool.size={size}", "--set", f"pool.chunksize={chunksize}", "--restart"]
            (folder / "out.jsonl").unlink(missing_ok=True)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            report = runner(folder, "run", "job.yaml", *flags, "--set", f"input.stop={count_here}")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[size, chunksize].append(count_here / report["duration_seconds"])
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            cpu[size, chunksize].append(used / count_here)
    rates = {pool: max(each) for pool, each in found.items()}
    best = max(rates.values())
    print(
        f"\n{kind}: advised size {advised[0]}, chunksize {advised[1]} ({advice['kind']}); "
        f"hoped for {advice['items_per_second']:,.0f}/s, measured {rates[advised]:,.0f}/s, "
        f"{rates[advised] / best:.2f} of the best"
    )
    for reason in advice["reasons"]:
        print(f"    {reason}")
    for (size, chunksize), rate in sorted(rates.items()):
        mark = "  <- advised" if (size, chunksize) == advised else ""
        print(
            f"  size {size:>4}  chunksize {chunksize:>4}  {rate:>9,.0f} items/s  {rate / best:.2f}  "
            f"{min(cpu[size, chunksize]) * 1e6:>7,.0f} µs CPU an item{mark}",
            flush=True,
        )


def main() -> None:
    kinds = sys.argv[1:] or list(KINDS)
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, CPython {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "tasks.py").write_text(TASKS)
        for kind in kinds:
            measure(Path(name), kind)


if __name__ == "__main__":
    main()
