"""A folder with a job in it, run in forked children of a process that has everything imported."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL

TASKS = """\
    import os, time

    from runner import Context

    PAUSE = float(os.environ.get("PAUSE", "0"))

    def work(item):
        if isinstance(item, dict):
            number = int(item["n"])
        else:
            number = int(item)
        if "CALLS" in os.environ:
            note = os.open(os.environ["CALLS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(note, b"%d\\n" % number)
            os.close(note)
        if PAUSE:
            time.sleep(PAUSE * (1 + number % 3) / 2)
        if number % 13 == 5:
            raise ValueError(f"no {number}")
        if number % 7 == 4:
            return None
        return {"n": number, "text": "é" * (number % 40), "square": number * number}

    def text(item):
        row = work(item)
        return row and f"{row['n']} {row['text']}"

    def flaky(item, context):
        # What fails depends on the item and the attempt alone.
        number, attempt = int(item["n"]), context.attempt
        if number % 5 == 1 and attempt == 1 or number % 31 == 3 or number % 17 == 2 and attempt < 4:
            raise ConnectionError(f"{number} is busy")

    class Flaky:
        def __init__(self, hang=0.0):
            self.hang, self.is_open = hang, True

        def __call__(self, item, context: Context):
            assert self.is_open
            flaky(item, context)
            if self.hang and int(item["n"]) % 80 == 7 and context.attempt == 1:
                time.sleep(self.hang)
            return work(item)

        def close(self):
            self.is_open = False

    class Several(Flaky):
        def __call__(self, item, context: Context):
            row = super().__call__(item, context) or {"n": int(item["n"]), "text": "", "square": 0}
            for part in range(row["n"] % 4):
                yield {"part": part, **row}
                if row["n"] % 23 == 3 and part == 1:
                    raise ValueError(f"no third row of {row['n']}")
                if row["n"] % 9 == 2 and context.attempt == 1:
                    raise ConnectionError(f"{row['n']} was cut off after a row")

    def numbers(stop):
        for number in range(stop):
            yield {"n": number}
"""


@dataclass(frozen=True)
class Ended:
    """A run that is over.

    Attributes:
        code: Its exit code; negative, the signal that ended it.
        seconds: How long it took.
        err: Its standard error.
        out: Its standard output.
        memory: The most bytes of memory it had, the zygote's included.
    """

    code: int
    seconds: float
    err: str
    out: str
    memory: int

    @property
    def report(self) -> dict[str, Any]:
        """The object of `--json`."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Zygote:
    """The process that forks the runs."""

    def __init__(self) -> None:
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "LANG": "C.UTF-8"}
        environ |= {"HOME": os.environ["HOME"], "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.durability.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=environ,
            text=True,
        )

    def run(self, **order: Any) -> dict[str, Any]:
        """Fork a run and wait for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert isinstance(answer, dict)
        return answer

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@pytest.fixture(scope="session")
def zygote(_home: None) -> Iterator[Zygote]:
    """Give the process that forks the runs."""
    zygote = Zygote()
    yield zygote
    zygote.close()


class Lab:
    """A folder with `tasks.py` and a job file."""

    def __init__(self, root: Path, zygote: Zygote) -> None:
        self.root = root
        self.zygote = zygote
        self.keys: dict[str, Any] = {}
        root.mkdir(parents=True, exist_ok=True)
        self.write("pyproject.toml", "")
        self.write("tasks.py", dedent(TASKS))

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file, its folder included."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def job(self, **keys: Any) -> None:
        """Write the job file (JSON is YAML); what is not said stays as it was, `None` takes a key away."""
        self.keys |= keys
        base: dict[str, Any] = {
            "version": 1,
            "name": "example",
            "input": {"type": "range", "stop": 60},
            "task": "tasks.work",
            "failures": {"tolerate": "all"},
            "output": {"type": "jsonl", "path": "out/rows.jsonl"},
            "commit": {"every": "0s"},
            "pool": {"size": 2},
        }
        job = {key: value for key, value in {**base, **self.keys}.items() if value is not None}
        self.write("job.yaml", json.dumps(job, indent=1))

    def run(self, *flags: str, kill_after: float | None = None, **order: Any) -> Ended:
        """Run the job to its end, or until it is killed after so many seconds."""
        if kill_after is not None:
            order["signals"] = [(kill_after, signal.SIGKILL)]
        report = self.zygote.run(root=str(self.root), words=["job.yaml", *flags], **order)
        err, out = self.root / "stderr.txt", self.root / "stdout.txt"
        return Ended(
            report["code"],
            report["seconds"],
            err.read_text("utf-8", "replace") if err.exists() else "",
            out.read_text("utf-8", "replace") if out.exists() else "",
            report["memory"],
        )

    @property
    def output(self) -> Path:
        """Final path of the output."""
        return self.root / self.keys.get("output", {"path": "out/rows.jsonl"})["path"]

    @property
    def dead_letter(self) -> Path:
        """Final path of the dead letters."""
        declared = self.keys.get("failures", {}).get("dead_letter")
        if declared:
            return self.root / declared
        name = self.output.name.removesuffix(".gz")
        return self.output.with_name(f"{name.rpartition('.')[0]}.failed.jsonl")

    @property
    def work(self) -> Path:
        """The work folder."""
        return self.output.parent / f".{self.output.name}.run"

    def published(self) -> tuple[Any, Any]:
        """Return what stands at the final paths, `None` for nothing; unordered, lines without their order."""
        return self._content(self.output), self._content(self.dead_letter)

    def _content(self, path: Path) -> Any:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if self.keys.get("pool", {}).get("ordered", True):
            return data
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        return Counter(data.splitlines(keepends=True))

    def leftovers(self) -> list[str]:
        """Return the hidden files and folders that runs have left."""
        return sorted(
            str(path.relative_to(self.root))
            for path in self.root.rglob(".*.*")
            if ".runner" not in path.parts
        )


@pytest.fixture
def lab(tmp_path: Path, zygote: Zygote) -> Lab:
    """Give a folder of its own."""
    return Lab(tmp_path / "lab", zygote)
