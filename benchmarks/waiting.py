"""Tasks that wait, as calls of a service do: how much longer the pool takes than bare threads.

Two loads on 64 threads: every task sleeps 20 ms; waits with a heavy tail (lognormal, sigma 2). See
`benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from multiprocessing.pool import ThreadPool
from pathlib import Path
from statistics import median
from typing import Any

TREE = Path(__file__).resolve().parents[1]
POOL_SIZE = 64
WINDOW = 1024
SLEEP_SECONDS = 0.02
# Of the heavy-tailed waits: half of them are shorter than this, the mean is e² times that (7.4 ms).
MEDIAN_SECONDS = 0.001
SIGMA = 2.0
SEED = 1
# The longest error output that is shown of a run that failed; an arbitrary number.
MESSAGE_BYTES = 4096

JOB = """\
version: 1
name: waiting
input: {{type: range, stop: {count}}}
task: tasks.wait
pool: {{size: {size}}}
output: {{type: none}}
"""
TASKS = f"""\
import time

def wait(number):
    time.sleep({SLEEP_SECONDS})
"""
BARE = f"""\
import sys, threading, time

def work(count):
    for _ in range(count):
        time.sleep({SLEEP_SECONDS})

threads = [threading.Thread(target=work, args=(int(sys.argv[1]),)) for _ in range({POOL_SIZE})]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

Map = Callable[[Callable[[float], Any], Iterable[float]], Iterable[Any]]


def bare_threads(waits: list[float]) -> float:
    """Sleep in bare threads, each with its share; the floor for equal waits."""

    def work(share: list[float]) -> None:
        for wait in share:
            time.sleep(wait)

    return run_threads([threading.Thread(target=work, args=(waits[n::POOL_SIZE],)) for n in range(POOL_SIZE)])


def greedy_threads(waits: list[float]) -> float:
    """Sleep in bare threads that take the next wait as soon as they are free; the floor for any waits."""
    left = deque(waits)

    def work() -> None:
        try:
            while True:
                time.sleep(left.popleft())
        except IndexError:
            pass

    return run_threads([threading.Thread(target=work) for _ in range(POOL_SIZE)])


def run_threads(threads: list[threading.Thread]) -> float:
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def mapped(run: Map) -> Callable[[list[float]], float]:
    """Return what measures a lazy map, its pool included, from the call to the last result."""

    def measure(waits: list[float]) -> float:
        start = time.perf_counter()
        deque(run(time.sleep, waits), maxlen=0)
        return time.perf_counter() - start

    return measure


def runner_imap(*, ordered: bool = True, window: int | None = None) -> Map:
    import runner

    return lambda wait, waits: runner.imap(wait, waits, size=POOL_SIZE, ordered=ordered, window=window)


def threadpool_imap(wait: Callable[[float], Any], waits: Iterable[float]) -> Iterator[Any]:
    with ThreadPool(POOL_SIZE) as pool:
        yield from pool.imap(wait, waits)


def threadpool_imap_unordered(wait: Callable[[float], Any], waits: Iterable[float]) -> Iterator[Any]:
    with ThreadPool(POOL_SIZE) as pool:
        yield from pool.imap_unordered(wait, waits)


def executor_window(wait: Callable[[float], Any], waits: Iterable[float]) -> Iterator[Any]:
    """What one writes by hand: a deque of futures, at most `WINDOW` in it."""
    pending: deque[Future[Any]] = deque()
    rest = iter(waits)
    with ThreadPoolExecutor(POOL_SIZE) as executor:
        for value in islice(rest, WINDOW):
            pending.append(executor.submit(wait, value))
        while pending:
            yield pending.popleft().result()
            for value in islice(rest, 1):
                pending.append(executor.submit(wait, value))


def spawn(words: list[str], folder: Path) -> float:
    """Run Python with `words` in a process of its own; return its seconds."""
    with (folder / "stderr").open("wb") as stderr:
        start = time.perf_counter()
        code = subprocess.call(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(TREE)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        seconds = time.perf_counter() - start
    if code != 0:
        message = (folder / "stderr").read_bytes()[-MESSAGE_BYTES:].decode(errors="replace")
        raise SystemExit(f"{' '.join(words)} ended with {code}:\n{message}")
    return seconds


def engine_seconds(log: Path) -> float:
    """Return the seconds between a run's first and last event: without imports and reading the job file."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    times = {line["event"]: datetime.fromisoformat(line["timestamp"]) for line in lines}
    return (times["run.finished"] - times["run.started"]).total_seconds()


def compare_equal(waits: list[float], rounds: int) -> None:
    """Print what equal waits take: in this process, and as whole processes."""
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="waiting-") as name:
        folder = Path(name)
        (folder / "job.yaml").write_text(JOB.format(count=len(waits), size=POOL_SIZE), encoding="utf-8")
        (folder / "tasks.py").write_text(TASKS, encoding="utf-8")
        (folder / "bare.py").write_text(BARE, encoding="utf-8")
        for _ in range(rounds):
            log = folder / "log.jsonl"
            log.unlink(missing_ok=True)
            turn = {
                "bare threads": bare_threads(waits),
                "runner.imap": mapped(runner_imap())(waits),
                "ThreadPool.imap": mapped(threadpool_imap)(waits),
                "ThreadPoolExecutor window": mapped(executor_window)(waits),
                "bare threads, process": spawn(["bare.py", str(len(waits) // POOL_SIZE)], folder),
                "runner run, process": spawn(
                    ["-m", "runner", "run", "job.yaml", "--log-file", str(log)], folder
                ),
                "runner run, engine only": engine_seconds(log),
            }
            for title, seconds in turn.items():
                figures.setdefault(title, []).append(seconds)
    print_table(figures, floor="bare threads")


def compare_heavy(waits: list[float], rounds: int) -> None:
    """Print what waits with a heavy tail take."""
    contenders: dict[str, Callable[[list[float]], float]] = {
        "greedy bare threads": greedy_threads,
        "runner.imap": mapped(runner_imap()),
        "runner.imap, no window": mapped(runner_imap(window=len(waits))),
        "runner.imap unordered": mapped(runner_imap(ordered=False)),
        "ThreadPool.imap": mapped(threadpool_imap),
        "ThreadPool.imap_unordered": mapped(threadpool_imap_unordered),
        "ThreadPoolExecutor window": mapped(executor_window),
    }
    figures: dict[str, list[float]] = {title: [] for title in contenders}
    for _ in range(rounds):
        for title, measure in contenders.items():
            figures[title].append(measure(waits))
    print_table(figures, floor="greedy bare threads")


def print_table(figures: dict[str, list[float]], *, floor: str) -> None:
    print(f"  {'':28}{'seconds':>10}{'from':>10}{'to':>10}{f'/ {floor}':>24}")
    least = median(figures[floor])
    for title, seconds in figures.items():
        middle = median(seconds)
        print(f"  {title:28}{middle:10.3f}{min(seconds):10.3f}{max(seconds):10.3f}{middle / least:24.3f}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=6_400, help=f"how many, a multiple of {POOL_SIZE}")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each contender")
    options = parser.parse_args()
    if options.tasks < POOL_SIZE or options.tasks % POOL_SIZE or options.rounds < 1:
        parser.error(f"--tasks must be a multiple of {POOL_SIZE}, --rounds at least 1")

    sys.path.insert(0, str(TREE))  # this tree's runner, installed or not
    print(
        f"machine   {platform.platform()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}"
    )
    print(f"{options.tasks:,} tasks, {POOL_SIZE} threads, median of {options.rounds} interleaved rounds")
    print(f"\nevery task sleeps {SLEEP_SECONDS * 1000:.0f} ms", flush=True)
    compare_equal([SLEEP_SECONDS] * options.tasks, options.rounds)

    rng = random.Random(SEED)
    waits = [MEDIAN_SECONDS * rng.lognormvariate(0, SIGMA) for _ in range(options.tasks)]
    print(
        f"\nlognormal waits, sigma {SIGMA:g}: median {median(waits) * 1000:.1f} ms, "
        f"longest {max(waits):.2f} s, in all {sum(waits):.1f} s, {sum(waits) / POOL_SIZE:.2f} s a thread",
        flush=True,
    )
    compare_heavy(waits, options.rounds)


if __name__ == "__main__":
    main()
