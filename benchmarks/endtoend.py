"""What a whole job costs: a million lines of JSON in, a sum each, lines of JSON out, every process fresh.

`runner run` beside the scripts that one would write instead. See `benchmarks/README.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import orjson

TREE = Path(__file__).resolve().parents[1]
BASELINE = "ThreadPool.imap + json"
RUNNER = "runner run"
# Workers of the contenders that have to be told how many; the machine of the figures has two CPUs.
JOBS = "2"
# What a contender says when it fails is shown up to this length; an arbitrary number.
MESSAGE_CHARACTERS = 300
# A contender that would take longer than this, many times what the slowest took, is given up.
TIMEOUT_SECONDS = 900

TASK = """\
def total(record):
    return {"id": record["id"], "total": record["a"] + record["b"]}
"""

JOB = """\
version: 1
name: endtoend
input: {type: jsonl, path: input.jsonl}
task: totals.total
output: {type: jsonl, path: output.jsonl}
"""

THREADPOOL_JSON = """\
import json
from multiprocessing.pool import ThreadPool
from totals import total

def work(line):
    return json.dumps(total(json.loads(line)))

with open("input.jsonl") as lines, open("output.jsonl", "w") as output, ThreadPool() as pool:
    for row in pool.imap(work, lines):
        output.write(row + "\\n")
"""

THREADPOOL_ORJSON = """\
import orjson
from multiprocessing.pool import ThreadPool
from totals import total

def work(line):
    return orjson.dumps(total(orjson.loads(line)), option=orjson.OPT_APPEND_NEWLINE)

with open("input.jsonl", "rb") as lines, open("output.jsonl", "wb") as output, ThreadPool() as pool:
    for row in pool.imap(work, lines):
        output.write(row)
"""

LOOP_ORJSON = """\
import orjson
from totals import total

with open("input.jsonl", "rb") as lines, open("output.jsonl", "wb") as output:
    for line in lines:
        output.write(orjson.dumps(total(orjson.loads(line)), option=orjson.OPT_APPEND_NEWLINE))
"""

FILTER_JSON = """\
import json, sys
from totals import total

for line in sys.stdin:
    sys.stdout.write(json.dumps(total(json.loads(line))) + "\\n")
"""

JOBLIB = """\
import json, sys
from joblib import Parallel, delayed
from totals import total

def work(line):
    return json.dumps(total(json.loads(line)))

if __name__ == "__main__":
    call = delayed(work)
    parallel = Parallel(n_jobs=int(sys.argv[1]), backend=sys.argv[2], return_as="generator")
    with open("input.jsonl") as lines, open("output.jsonl", "w") as output:
        for row in parallel(call(line) for line in lines):
            output.write(row + "\\n")
"""

DASK = """\
import json, sys
import dask
import dask.bag
from totals import total

if __name__ == "__main__":
    dask.config.set(scheduler="processes", num_workers=int(sys.argv[1]))
    lines = dask.bag.read_text("input.jsonl", blocksize="10MiB")
    lines.map(json.loads).map(total).map(json.dumps).to_textfiles("parts/*.jsonl")
"""

BYTEWAX = """\
import json
import bytewax.operators as op
from bytewax.connectors.files import FileSink, FileSource
from bytewax.dataflow import Dataflow
from totals import total

def work(line):
    return "", json.dumps(total(json.loads(line)))

flow = Dataflow("totals")
lines = op.input("lines", flow, FileSource("input.jsonl"))
op.output("rows", op.map("total", lines, work), FileSink("output.jsonl"))
"""

RAY = """\
import sys
import ray
from totals import total

ray.init(num_cpus=int(sys.argv[1]), include_dashboard=False, log_to_driver=False, logging_level="error")
ray.data.DataContext.get_current().enable_progress_bars = False
ray.data.read_json("input.jsonl", lines=True).map(total).write_json("parts")
"""


@dataclass(frozen=True)
class Contender:
    """A way to do the job.

    Attributes:
        command: What is run in the project's folder; `{ours}` and `{peers}` are interpreters.
        script: What `script.py` holds there.
        packages: What must be importable by the interpreter it uses, or found on the path.
        is_ordered: Whether its rows come in the order of the input.
    """

    command: tuple[str, ...]
    script: str = ""
    packages: tuple[str, ...] = ()
    is_ordered: bool = True


CONTENDERS: dict[str, Contender] = {
    RUNNER: Contender(("{ours}", "-m", "runner", "run", "job.yaml")),
    BASELINE: Contender(("{ours}", "script.py"), THREADPOOL_JSON),
    "ThreadPool.imap + orjson": Contender(("{ours}", "script.py"), THREADPOOL_ORJSON),
    "plain loop + orjson": Contender(("{ours}", "script.py"), LOOP_ORJSON),
    "GNU parallel --pipe": Contender(
        (
            *("sh", "-c"),
            f"parallel --will-cite --pipe --keep-order --jobs {JOBS} --block 10M "
            "'{ours}' script.py < input.jsonl > output.jsonl",
        ),
        FILTER_JSON,
        ("parallel",),
    ),
    "joblib, threads": Contender(("{peers}", "script.py", JOBS, "threading"), JOBLIB, ("joblib",)),
    "joblib, processes": Contender(("{peers}", "script.py", JOBS, "loky"), JOBLIB, ("joblib",)),
    "dask bag, processes": Contender(("{peers}", "script.py", JOBS), DASK, ("dask",)),
    "bytewax": Contender(("{peers}", "-m", "bytewax.run", "script"), BYTEWAX, ("bytewax",)),
    "ray data": Contender(("{peers}", "script.py", JOBS), RAY, ("ray",), is_ordered=False),
}


@dataclass
class Measured:
    """What the runs of one contender took."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)
    fault: str = ""


class Digest:
    """Tells whether rows are those expected, whatever their spelling: in their order, and as a multiset."""

    def __init__(self) -> None:
        self._in_order = hashlib.sha256()
        self._sum = 0
        self.rows = 0

    def add(self, row: object) -> None:
        data = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
        self._in_order.update(data + b"\n")
        self._sum = (self._sum + int.from_bytes(hashlib.blake2b(data, digest_size=16).digest())) % 2**128
        self.rows += 1

    def compared_by(self, *, is_ordered: bool) -> str:
        """Return what must be equal to that of the expected rows."""
        return f"{self.rows} {self._in_order.hexdigest() if is_ordered else self._sum}"


def write_input(path: Path, records: int) -> Digest:
    """Write `records` lines of about 100 bytes, the same each time; return the digest of the right rows."""
    rng = random.Random(1)
    expected = Digest()
    with path.open("w", encoding="ascii") as lines:
        for number in range(records):
            a, b = rng.randrange(10**6), rng.randrange(10**6)
            record = {"id": number, "a": a, "b": b, "name": f"customer {b:06}", "note": f"{a:032b}"[:28]}
            lines.write(json.dumps(record) + "\n")
            expected.add({"id": number, "total": a + b})
    return expected


def read_output(folder: Path) -> Digest:
    """Return the digest of what a contender wrote: one file, or parts in the order of their names."""
    found = Digest()
    parts = sorted((folder / "parts").iterdir()) if (folder / "parts").is_dir() else []
    for path in parts or [folder / "output.jsonl"]:
        with path.open("rb") as lines:
            for line in lines:
                found.add(orjson.loads(line))
    return found


def measure(contender: Contender, folder: Path, *, ours: str, peers: str) -> tuple[float, float, float]:
    """Run a contender in a process of its own; return its seconds, CPU seconds and peak MiB.

    Wall time from before the process is started until it has ended. CPU and memory are those of
    the process and of the children it has waited for; memory is that of the largest of them.

    Raises:
        RuntimeError: It failed, or took too long.
    """
    (folder / "output.jsonl").unlink(missing_ok=True)
    shutil.rmtree(folder / "parts", ignore_errors=True)
    (folder / "script.py").write_text(contender.script, encoding="utf-8")
    command = [word.replace("{ours}", ours).replace("{peers}", peers) for word in contender.command]
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{TREE}{os.pathsep}{folder}"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        timer = threading.Timer(TIMEOUT_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:  # it is in a session of its own, where Ctrl-C does not reach it
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = (folder / "stderr").read_text("utf-8", "replace").strip()
        raise RuntimeError(f"ended with {process.returncode}: {said[-MESSAGE_CHARACTERS:]}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 2**20


def find_missing(contender: Contender, *, ours: str, peers: str) -> str:
    """Return why a contender cannot be run here, or nothing."""
    interpreter = ours if "{ours}" in " ".join(contender.command) else peers
    for package in contender.packages:
        if shutil.which(package):
            continue
        found = subprocess.run([interpreter, "-c", f"import {package}"], capture_output=True, check=False)
        if found.returncode != 0:
            return f"{package} is not installed"
    return ""


def compare(
    names: list[str], folder: Path, expected: Digest, options: argparse.Namespace
) -> dict[str, Measured]:
    """Run all contenders in turn, round after round; each output is checked."""
    results = {name: Measured() for name in names}
    for name, result in results.items():
        result.fault = find_missing(CONTENDERS[name], ours=sys.executable, peers=options.peer_python)
    try:
        for turn in range(options.rounds):
            shift = turn % len(names)  # so that nobody always runs after the same neighbour
            for name in names[shift:] + names[:shift]:
                if not results[name].fault:
                    run_once(CONTENDERS[name], results[name], folder, expected, options)
                    latest = results[name].fault or f"{results[name].seconds[-1]:.2f} s"
                    print(f"  round {turn + 1}: {name} {latest}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted; these are the rounds so far", file=sys.stderr)
    return results


def run_once(
    contender: Contender, result: Measured, folder: Path, expected: Digest, options: argparse.Namespace
) -> None:
    """Run a contender once, check its rows, and keep its figures or what went wrong."""
    try:
        seconds, cpu_seconds, peak_mib = measure(
            contender, folder, ours=sys.executable, peers=options.peer_python
        )
    except RuntimeError as error:
        result.fault = str(error)
        return
    found = read_output(folder).compared_by(is_ordered=contender.is_ordered)
    if found != expected.compared_by(is_ordered=contender.is_ordered):
        result.fault = "its rows are not the right ones"
        return
    result.seconds.append(seconds)
    result.cpu_seconds.append(cpu_seconds)
    result.peak_mib.append(peak_mib)


def print_table(results: dict[str, Measured], *, records: int) -> None:
    heads = ("records/s", "seconds", "from", "to", "CPU s", "peak MiB")
    print(f"\n{'':27}" + "".join(f"{head:>11}" for head in heads) + f"{'x baseline':>12}")
    baseline = results[BASELINE].seconds if BASELINE in results else []
    for name, result in results.items():
        if result.fault or not result.seconds:
            print(f"{name:27}   {result.fault or 'not measured'}")
            continue
        seconds = median(result.seconds)
        times = median(baseline) / seconds if baseline else None
        print(
            f"{name:27}{records / seconds:11,.0f}{seconds:11.2f}{min(result.seconds):11.2f}"
            f"{max(result.seconds):11.2f}{median(result.cpu_seconds):11.2f}{median(result.peak_mib):11.0f}"
            + (f"{times:12.2f}" if times else "")
        )
    print(f"baseline: {BASELINE}")


def print_machine(options: argparse.Namespace, size: int) -> None:
    print(
        f"machine   {platform.platform()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}"
    )
    print(f"versions  runner of this tree, {', '.join(versions(options.peer_python))}")
    print(
        f"input     {options.records:,} lines of JSON, {size / options.records:.0f} bytes each; "
        f"median of {options.rounds} interleaved rounds",
        flush=True,
    )


def versions(peers: str) -> list[str]:
    """Return the versions of what the contenders use."""
    query = (
        "import sys; from importlib.metadata import version, distributions as found\n"
        "names = {each.name for each in found()}\n"
        "print(*(f'{name} {version(name)}' for name in sys.argv[1:] if name in names), sep='\\n')"
    )
    lines = []
    for interpreter, names in ((sys.executable, ["orjson"]), (peers, ["joblib", "dask", "bytewax", "ray"])):
        found = subprocess.run([interpreter, "-c", query, *names], capture_output=True, text=True, check=True)
        lines += found.stdout.split("\n")[:-1]
    if shutil.which("parallel"):
        found = subprocess.run(["parallel", "--version"], capture_output=True, text=True, check=False)
        lines.append(found.stdout.split("\n")[0])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="lines of the input")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender")
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="only contenders whose name contains it; repeatable"
    )
    parser.add_argument(
        "--peer-python",
        default=sys.executable,
        metavar="PATH",
        help="interpreter with joblib, dask, bytewax and ray, as far as they are to be compared",
    )
    options = parser.parse_args()
    if options.records < 1 or options.rounds < 1:
        parser.error("--records and --rounds must be at least 1")
    names = [name for name in CONTENDERS if not options.only or any(w in name for w in options.only)]
    if not names:
        parser.error(f"--only matches none of: {', '.join(CONTENDERS)}")

    with tempfile.TemporaryDirectory(prefix="endtoend-") as name:
        folder = Path(name)
        (folder / "job.yaml").write_text(JOB, encoding="utf-8")
        (folder / "totals.py").write_text(TASK, encoding="utf-8")
        expected = write_input(folder / "input.jsonl", options.records)
        print_machine(options, (folder / "input.jsonl").stat().st_size)
        print_table(compare(names, folder, expected, options), records=options.records)


if __name__ == "__main__":
    main()
