"""A folder with a job in it, run in forked processes (`tests.forked`), where anything may go wrong."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests import forked

REPOSITORY = forked.REPOSITORY
ENVIRON = {"PYTHONPATH": str(REPOSITORY), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
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
        memory: The most bytes of memory it had, those of the process that forked it included.
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


class Lab:
    """A folder with `tasks.py` and a job file."""

    def __init__(self, root: Path) -> None:
        self.root = root
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

    def run(
        self,
        *flags: str,
        environ: dict[str, str] | None = None,
        stdin: str = os.devnull,
        signals: Sequence[tuple[float, int]] = (),
        kill_when: tuple[str, int] | None = None,
        kill_with: int = signal.SIGKILL,
        patience: float = 60.0,
        **trouble: Any,
    ) -> Ended:
        """Run the job to its end.

        Args:
            flags: The command line behind the job file.
            environ: More environment.
            stdin: The file that it reads.
            signals: What is sent to it, each so many seconds after its start.
            kill_when: A path and a number: it is killed when the file has so many lines.
            kill_with: The signal that kills it then.
            patience: After so many seconds it is killed.
            trouble: What goes wrong for it, see `trouble.put_on`.
        """
        out, err = self.root / "stdout.txt", self.root / "stderr.txt"
        start = time.monotonic()
        with Path(stdin).open("rb") as source, out.open("wb") as rows, err.open("wb") as errors:
            process = forked.start(
                *("run", "job.yaml", *flags),
                cwd=self.root,
                environ={
                    **ENVIRON,
                    "PATH": os.environ["PATH"],
                    "HOME": os.environ["HOME"],
                    **(environ or {}),
                },
                stdin=source.fileno(),
                stdout=rows,
                stderr=errors,
                before=("tests.durability.trouble:put_on", trouble),
            )
        assert isinstance(process, forked.Process)
        for after, number in signals:
            if not _ended(process, start + after - time.monotonic()):
                process.send_signal(number)
        if kill_when is not None:
            path, lines = kill_when
            while not _ended(process, 0.002) and _count_lines(path) < lines:
                pass
            process.send_signal(kill_with)
        if not _ended(process, start + patience - time.monotonic()):
            process.kill()
        code = process.wait()
        return Ended(
            code,
            time.monotonic() - start,
            err.read_text("utf-8", "replace") if err.exists() else "",
            out.read_text("utf-8", "replace") if out.exists() else "",
            process.memory,
        )

    def undisturbed(self, **order: Any) -> tuple[Any, Any]:
        """Run the job, take away what it has published, and return that."""
        ended = self.run(**order)
        assert ended.code == 0, ended.err
        published = self.published()
        for path in (self.output, self.dead_letter):
            path.unlink(missing_ok=True)
        return published

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
        return self.output.with_name(f"{self.output.name.removesuffix('.jsonl')}.failed.jsonl")

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


def _ended(process: forked.Process, seconds: float) -> bool:
    """Return whether the process has ended within so many seconds."""
    try:
        process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return False
    return True


def _count_lines(path: str) -> int:
    """Return the line ends in a file that need not be there yet."""
    try:
        return Path(path).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Give a folder of its own."""
    return Lab(tmp_path / "lab")
