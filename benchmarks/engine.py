"""What an item costs in our engine and in its peers: a no-op task, a pool of 8 threads.

All contenders run in turn, round after round, in this one process. See `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata
from itertools import islice
from multiprocessing.pool import ThreadPool
from pathlib import Path
from statistics import median
from typing import Any

POOL_SIZE = 8
WINDOW = 1024
CHUNKSIZES = (1, 10, 100)
BASELINE = "ThreadPool.imap"
# A contender that would take longer than this for all the items gets fewer of them.
BUDGET_SECONDS = 2.0
CALIBRATION_ITEMS = 2_000
# A run shorter than this says more about starting than about an item.
CALIBRATION_SECONDS = 0.1

Run = Callable[[Iterable[int], int], Iterator[Any]]
"""A started pool: `run(items, chunksize)` returns the results, lazily."""
Contender = Callable[[], AbstractContextManager[Run]]
"""Opens a pool and yields its `Run`. Opening and closing are not measured where the API separates them."""


def noop(item: int) -> int:
    return item


def noop_chunk(chunk: list[int]) -> list[int]:
    return [noop(item) for item in chunk]


@contextmanager
def runner_ordered() -> Iterator[Run]:
    import runner

    yield lambda items, chunksize: runner.imap(noop, items, size=POOL_SIZE, chunksize=chunksize)


@contextmanager
def runner_unordered() -> Iterator[Run]:
    import runner

    yield lambda items, chunksize: runner.imap(
        noop, items, size=POOL_SIZE, chunksize=chunksize, ordered=False
    )


@contextmanager
def threadpool_imap() -> Iterator[Run]:
    with ThreadPool(POOL_SIZE) as pool:
        yield lambda items, chunksize: pool.imap(noop, items, chunksize)


@contextmanager
def threadpool_imap_unordered() -> Iterator[Run]:
    with ThreadPool(POOL_SIZE) as pool:
        yield lambda items, chunksize: pool.imap_unordered(noop, items, chunksize)


@contextmanager
def executor_window() -> Iterator[Run]:
    with ThreadPoolExecutor(POOL_SIZE) as executor:
        yield lambda items, chunksize: windowed(executor, iter(items), chunksize)


def windowed(executor: ThreadPoolExecutor, items: Iterator[int], chunksize: int) -> Iterator[int]:
    """What one writes by hand: a deque of futures, at most `WINDOW` items in it."""
    pending: deque[Future[list[int]]] = deque()
    while chunk := list(islice(items, chunksize)):
        pending.append(executor.submit(noop_chunk, chunk))
        if len(pending) * chunksize >= WINDOW:
            yield from pending.popleft().result()
    while pending:
        yield from pending.popleft().result()


@contextmanager
def joblib_generator() -> Iterator[Run]:
    from joblib import Parallel, delayed

    call = delayed(noop)
    yield lambda items, chunksize: Parallel(
        n_jobs=POOL_SIZE, backend="threading", return_as="generator", batch_size=chunksize
    )(call(item) for item in items)


@contextmanager
def streamable_map() -> Iterator[Run]:
    from streamable import stream

    def run(items: Iterable[int], chunksize: int) -> Iterator[int]:
        if chunksize == 1:
            return iter(stream(items).map(noop, concurrency=POOL_SIZE))
        # It has no chunks of its own: group, map over the groups, flatten.
        return iter(stream(items).group(chunksize).map(noop_chunk, concurrency=POOL_SIZE).flatten())

    yield run


@contextmanager
def mpire_imap() -> Iterator[Run]:
    from mpire import WorkerPool

    def run(items: Iterable[int], chunksize: int) -> Iterator[int]:
        return pool.imap(noop, items, chunk_size=chunksize)

    with WorkerPool(n_jobs=POOL_SIZE, start_method="threading", keep_alive=True) as pool:
        # Its workers start with the first call and stay: not part of what is measured.
        list(run(range(POOL_SIZE), 1))
        yield run


CONTENDERS: dict[str, tuple[str | None, Contender]] = {
    "runner.imap": (None, runner_ordered),
    "runner.imap unordered": (None, runner_unordered),
    BASELINE: (None, threadpool_imap),
    "ThreadPool.imap_unordered": (None, threadpool_imap_unordered),
    "ThreadPoolExecutor window": (None, executor_window),
    "joblib generator": ("joblib", joblib_generator),
    "streamable map": ("streamable", streamable_map),
    "mpire imap": ("mpire", mpire_imap),
}
"""Name → the distribution it comes from (`None`: this tree, the standard library), how to open it."""


def measure(contender: Contender, *, count: int, chunksize: int) -> float:
    """Return the seconds from handing `range(count)` to an open pool to its last result."""
    gc.collect()
    with contender() as run:
        start = time.perf_counter()
        # The cheapest way to count what an iterator gives: the loop runs in C.
        last = deque(enumerate(run(range(count), chunksize), 1), maxlen=1)
        seconds = time.perf_counter() - start
    got = last[0][0] if last else 0
    if got != count:
        raise AssertionError(f"expected {count} results, got {got}")
    return seconds


def affordable(contender: Contender, *, items: int, chunksize: int) -> int:
    """Return how many of `items` the contender gets, judged by small runs that also warm it up."""
    few = min(items, CALIBRATION_ITEMS)
    while True:
        seconds = measure(contender, count=few, chunksize=chunksize)
        if few == items:
            return items
        if seconds > CALIBRATION_SECONDS:
            return max(few, min(items, int(BUDGET_SECONDS * few / seconds)))
        few = min(items, few * 10)


def compare(names: list[str], *, items: int, rounds: int, chunksize: int) -> dict[str, tuple[float, int]]:
    """Return the median µs an item and the number of items, for each contender."""
    counts = {name: affordable(CONTENDERS[name][1], items=items, chunksize=chunksize) for name in names}
    costs: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)  # so that nobody always runs after the same neighbour
        for name in names[shift:] + names[:shift]:
            seconds = measure(CONTENDERS[name][1], count=counts[name], chunksize=chunksize)
            costs[name].append(seconds / counts[name] * 1e6)
    return {name: (median(costs[name]), counts[name]) for name in names}


def print_table(results: dict[str, tuple[float, int]], missing: dict[str, str], *, chunksize: int) -> None:
    print(f"\nchunksize {chunksize}")
    print(f"  {'':28}{'µs an item':>12}{f'/ {BASELINE}':>20}{'items':>10}")
    baseline = results[BASELINE][0] if BASELINE in results else None
    for name, (cost, count) in results.items():
        ratio = f"{cost / baseline:.2f}" if baseline else "-"
        print(f"  {name:28}{cost:12.2f}{ratio:>20}{count:10,}")
    for name, reason in missing.items():
        print(f"  {name:28}{reason:>12}")
    sys.stdout.flush()


def print_machine(rounds: int) -> None:
    versions = ["runner of this tree"]
    for distribution in dict.fromkeys(source for source, _ in CONTENDERS.values() if source):
        try:
            versions.append(f"{distribution} {metadata.version(distribution)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{distribution} not installed")
    print(f"machine   {platform.platform()}, {cpu_model()}, {usable_cpus()} usable CPUs of {os.cpu_count()}")
    print(f"python    {sys.implementation.name} {platform.python_version()}, {platform.python_compiler()}")
    print(f"versions  {', '.join(versions)}")
    print(f"task      no-op, pool of {POOL_SIZE} threads, median of {rounds} interleaved rounds")


def cpu_model() -> str:
    """Return what the processor is called, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:  # noqa: PTH123
            for line in cpuinfo:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_missing(names: list[str]) -> dict[str, str]:
    """Return the contenders that cannot be opened here, with the reason."""
    missing = {}
    for name in names:
        try:
            with CONTENDERS[name][1]() as run:
                assert list(run(range(3), 1))
        except ModuleNotFoundError as error:
            if error.name != CONTENDERS[name][0]:
                raise
            missing[name] = "not installed"
    return missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000, help="most items of a measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each contender")
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="only contenders whose name contains it; repeatable"
    )
    options = parser.parse_args()
    if options.items < 1 or options.rounds < 1:
        parser.error("--items and --rounds must be at least 1")
    names = [name for name in CONTENDERS if not options.only or any(w in name for w in options.only)]
    if not names:
        parser.error(f"--only matches none of: {', '.join(CONTENDERS)}")

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this tree's runner, installed or not
    print_machine(options.rounds)
    sys.stdout.flush()
    missing = find_missing(names)
    names = [name for name in names if name not in missing]
    for chunksize in CHUNKSIZES:
        results = (
            compare(names, items=options.items, rounds=options.rounds, chunksize=chunksize) if names else {}
        )
        print_table(results, missing, chunksize=chunksize)


if __name__ == "__main__":
    main()
