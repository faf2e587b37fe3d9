"""What each thing that a job may ask for costs an item when nothing goes wrong, against the job without it.

Every case is a job that differs in one respect from its own baseline; both run in turn, round after round, in
this one process. See `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this tree's runner, installed or not

TASKS = """\
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from pydantic import BaseModel
from runner import Context
from typing_extensions import TypedDict


@dataclass
class Row:
    id: int
    name: str
    km: float
    is_open: bool
    note: str | None


class Model(BaseModel):
    id: int
    name: str
    km: float
    is_open: bool
    note: str | None


class Keys(TypedDict):
    id: int
    name: str
    km: float
    is_open: bool
    note: str | None


class Names(NamedTuple):
    id: int
    name: str
    km: float
    is_open: bool
    note: str | None


@dataclass
class Dated:
    id: int
    name: str
    km: Decimal
    on: date
    note: str | None


def untyped(row): ...
def as_dict(row: dict): ...
def as_mapping(row: dict[str, object]): ...
def as_dataclass(row: Row): ...
def as_model(row: Model): ...
def as_typed_dict(row: Keys): ...
def as_named_tuple(row: Names): ...
def as_dated(row: Dated): ...
def as_int(number: int): ...
def with_context(number, context: Context): ...
def one_row(number):
    if number < 0:
        yield number


class Worker:
    def __call__(self, number): ...
"""
UNREACHED = "rate_limit: {rate: 1000000000/s, burst: 1000000}"


@dataclass(frozen=True)
class Case:
    """A job and the same job without what is measured.

    Attributes:
        source: Its input: `csv`, `jsonl`, `plain` (jsonl without a sixth field) or `range`.
        task: The function in `TASKS`.
        lines: More of the job file, such as `retry: {attempts: 4}`.
        without: The task of the baseline; the lines are left out of it.
        chunksize: Of both; a job with policies hands items over one by one, whatever it says.
    """

    source: str = "jsonl"
    task: str = "untyped"
    lines: list[str] = field(default_factory=list)
    without: str = "untyped"
    chunksize: int = 100


CASES = {
    "the same job twice": Case(),
    "jsonl, dict": Case(task="as_dict"),
    "jsonl, dict[str, object]": Case(task="as_mapping"),
    "jsonl, dataclass": Case(task="as_dataclass"),
    "jsonl, pydantic model": Case(task="as_model"),
    "jsonl, TypedDict": Case(task="as_typed_dict"),
    "jsonl, named tuple": Case("plain", "as_named_tuple"),
    "jsonl, date and Decimal": Case(task="as_dated"),
    "csv, dataclass": Case("csv", "as_dataclass"),
    "csv, pydantic model": Case("csv", "as_model"),
    "csv, TypedDict": Case("csv", "as_typed_dict"),
    "csv, date and Decimal": Case("csv", "as_dated"),
    "range, int": Case("range", "as_int"),
    "retry": Case("range", lines=["retry: {attempts: 4}"], chunksize=1),
    "timeout": Case("range", lines=["timeout: 30s"], chunksize=1),
    "rate_limit, not reached": Case("range", lines=[UNREACHED], chunksize=1),
    "all three": Case("range", lines=["retry: {attempts: 4}", "timeout: 30s", UNREACHED], chunksize=1),
    "retry, chunksize 100": Case("range", lines=["retry: {attempts: 4}"]),
    "context": Case("range", "with_context", chunksize=1),
    "class": Case("range", "Worker", chunksize=1),
    "generator of one row": Case("range", "one_row", chunksize=1),
}
"""Name → the case."""


def write_project(folder: Path, items: int) -> None:
    """Write the tasks and the inputs: rows of five fields, one in four without a note."""
    (folder / "pyproject.toml").touch()
    (folder / "policy_tasks.py").write_text(TASKS)
    with (
        (folder / "rows.jsonl").open("w") as lines,
        (folder / "plain.jsonl").open("w") as plain,
        (folder / "rows.csv").open("w") as table,
    ):
        table.write("id,name,km,is_open,note,on\n")
        for number in range(items):
            km, day, note = f"{number % 997}.25", f"2026-01-{number % 28 + 1:02}", f"row {number % 7}"
            is_open = "true" if number % 3 else "false"
            in_json = f'"{note}"' if number % 4 else "null"
            five = f'"id":{number},"name":"airport {number}","km":{km},"is_open":{is_open},"note":{in_json}'
            plain.write(f"{{{five}}}\n")
            lines.write(f'{{{five},"on":"{day}"}}\n')
            table.write(f"{number},airport {number},{km},{is_open},{note if number % 4 else ''},{day}\n")


def write_job(folder: Path, name: str, case: Case, task: str, *, lines: list[str], items: int) -> Path:
    """Write a job file that writes no rows and commits seldom, so that little but the items is left."""
    files = {
        "csv": "{type: csv, path: rows.csv}",
        "jsonl": "{type: jsonl, path: rows.jsonl}",
        "plain": "{type: jsonl, path: plain.jsonl}",
    }
    source = files.get(case.source, f"{{type: range, stop: {items}}}")
    text = [
        "version: 1",
        f"name: {name}",
        f"input: {source}",
        f"task: policy_tasks.{task}",
        f"pool: {{size: 1, chunksize: {case.chunksize}}}",
        "output: {type: none}",
        "commit: {every: 1h}",
        "durability: process",
        *lines,
    ]
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(text) + "\n")
    return path


def measure(job: Path, items: int) -> tuple[float, float]:
    """Run the job in this process; return its CPU and wall seconds."""
    from runner.clock import SystemClock
    from runner.config import load_config
    from runner.engine.stop import Stop
    from runner.files import Files
    from runner.item import Current
    from runner.jobfile import load_job
    from runner.observers.log import RunLog
    from runner.observers.progress import Progress
    from runner.outcome import RunSummary
    from runner.pipeline import run_job
    from runner.review import find_rules, import_task
    from runner.run import Run

    loaded = load_job(job, environ={}, now=datetime.now(UTC))
    assert loaded.job is not None, loaded.problems
    config = load_config(loaded.root, operator=None, environ={})
    task, problems = import_task(loaded, config)
    assert task is not None, problems
    retry, problems = find_rules(loaded, config)
    assert not problems, problems
    summary = RunSummary(run_id="benchmark", job=loaded.job.name)
    log = RunLog(job.with_suffix(".log"), run_id="benchmark", job=loaded.job.name, level="info")
    run = Run(
        loaded=loaded,
        task=task,
        retry=retry,
        factory=None,
        config=config,
        summary=summary,
        stop=Stop(),
        log=log,
        current=Current(),
        progress=Progress(summary, write=lambda text: None, start=0.0),
        clock=SystemClock(),
        files=Files(),
        date=loaded.date.isoformat(),
        say=lambda text: None,
    )
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    run_job(run)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    log.close()
    assert (summary.items, summary.failed) == (items, 0), summary
    return cpu, wall


def main() -> None:
    from engine import cpu_model, usable_cpus  # beside this file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000, help="items of a run")
    parser.add_argument("--rounds", type=int, default=9, help="runs of each job")
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="only cases whose name contains it; repeatable"
    )
    options = parser.parse_args()
    if options.items < 1 or options.rounds < 1:
        parser.error("--items and --rounds must be at least 1")
    names = [name for name in CASES if not options.only or any(word in name for word in options.only)]
    if not names:
        parser.error(f"--only matches none of: {', '.join(CASES)}")
    print(f"machine   {cpu_model()}, {usable_cpus()} usable CPUs, Python {sys.version.split()[0]}")
    print(f"job       {options.items:,} items, one thread, no output; median of", end=" ")
    print(f"{options.rounds} interleaved rounds")
    heads = ("without", "with", "more", "(least)", "(wall)")
    print("\n  " + "CPU ns an item".ljust(32) + "".join(f"{head:>10}" for head in heads))
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)  # as `runner run` sets it
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_project(folder, options.items)
        for name in names:
            case = CASES[name]
            jobs = [
                write_job(folder, "without", case, case.without, lines=[], items=options.items),
                write_job(folder, "with", case, case.task, lines=case.lines, items=options.items),
            ]
            for job in jobs:
                measure(job, options.items)  # to warm up
            taken: list[list[tuple[float, float]]] = [[], []]
            for turn in range(options.rounds):
                for which in (0, 1) if turn % 2 else (1, 0):
                    taken[which].append(measure(jobs[which], options.items))
            without, with_ = [[cpu for cpu, _ in runs] for runs in taken]
            # Of each round by itself: what slows the machine down meets both of its runs.
            rounds = list(zip(*taken, strict=True))
            more = median(after[0] - before[0] for before, after in rounds)
            wall = median(after[1] - before[1] for before, after in rounds)
            least = min(with_) - min(without)
            figures = (median(without), median(with_), more, least, wall)
            print(f"  {name:32}" + "".join(f"{each / options.items * 1e9:10,.0f}" for each in figures))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
