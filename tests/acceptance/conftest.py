"""A project of its own for each test, and the command line in a real process: nothing is faked here."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests import forked

REPOSITORY = forked.REPOSITORY
PATIENCE_SECONDS = 30.0
"""For what takes a moment on an idle machine. Only a test that is about to fail waits so long."""

TASKS = """\
    import hashlib, os, random, time
    from pathlib import Path

    HERE = Path(__file__).parent

    def same(item):
        return item

    def nothing(item):
        return None

    def double(item):
        return {"n": item, "double": 2 * item}

    def racing(item):
        time.sleep(random.random() / 500)
        return item

    def broken(item):
        raise ValueError(f"no good: {item}")

    def odd_ones_fail(item):
        if item % 2:
            raise ValueError(f"odd: {item}")
        return item

    def wait(item):
        (HERE / f"started.{item}").touch()
        while not (HERE / "go").exists():
            time.sleep(0.005)
        return item

    def sleep(item):
        (HERE / f"started.{item}").touch()
        time.sleep(30)
        return item
"""


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    Attributes:
        code: Its exit code.
        out: Its standard output.
        err: Its standard error.
    """

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        assert self.out.count("\n") == 1
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def bind_root_to_permissions() -> None:
    """Take from the process about to start what lets root pass over permission bits (capabilities(7))."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


class Running:
    """A process that may still run; its standard error is read as it comes."""

    def __init__(self, process: forked.Process | subprocess.Popen[bytes], errors: Path) -> None:
        self.process = process
        self._errors = errors

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return self._errors.read_text("utf-8")

    def until(self, is_so: Callable[[], bool], *, within: float = PATIENCE_SECONDS) -> float:
        """Wait until something is so; return the seconds that took."""
        start = time.monotonic()
        while not is_so():
            assert time.monotonic() - start < within, f"did not happen in {within} s; so far: {self.err}"
            assert self.process.poll() is None or is_so(), f"ended with {self.process.returncode}: {self.err}"
            time.sleep(0.005)
        return time.monotonic() - start

    def until_says(self, phrase: str, *, within: float = PATIENCE_SECONDS) -> float:
        """Wait until a phrase stands in its standard error; return the seconds that took."""
        return self.until(lambda: phrase in self.err, within=within)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, *, within: float = PATIENCE_SECONDS) -> Finished:
        """Wait for its end."""
        out, _ = self.process.communicate(timeout=within)
        return Finished(self.process.returncode, (out or b"").decode(), self.err)


class Project:
    """A folder with `tasks.py`, input and job files, where the command line is run."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.home = home
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(home),
            "LANG": "C.UTF-8",
        }
        self.write("tasks.py", dedent(TASKS))

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file, its folder included."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name: str) -> str:
        """Return the content of a file."""
        return (self.root / name).read_text("utf-8")

    def lines(self, name: str) -> list[Any]:
        """Return the values in a file of JSON lines."""
        return [json.loads(line) for line in self.read(name).split("\n") if line]

    def has(self, name: str) -> bool:
        """Return whether a path exists."""
        return (self.root / name).exists()

    def job(self, file: str = "job.yaml", **keys: Any) -> Path:
        """Write a job file (JSON is YAML), by default one over `range(6)` into `out.jsonl`."""
        job = {
            "version": 1,
            "name": "example",
            "input": {"type": "range", "stop": 6},
            "task": "tasks.same",
            "output": {"type": "jsonl", "path": "out.jsonl"},
        }
        return self.write(file, json.dumps({**job, **keys}, indent=1))

    def run(self, *flags: str, job: str = "job.yaml", **options: Any) -> Finished:
        """Run a job to its end."""
        return self.runner("run", job, *flags, **options)

    def runner(
        self,
        *words: str | bytes,
        stdin: bytes = b"",
        environ: dict[str, str] | None = None,
        is_bound: bool = False,
        cwd: Path | None = None,
        close: tuple[int, ...] = (),
        is_started: bool = False,
    ) -> Finished:
        """Run a command to its end.

        Args:
            words: The command line.
            stdin: What it reads.
            environ: More environment.
            is_bound: Whether permission bits bind it, as they bind every user but root.
            cwd: The current folder, by default the project.
            close: Descriptors that are closed when it starts.
            is_started: Whether an interpreter is started for it; it is for bits that bind and for `close`.
        """

        def prepare() -> None:
            if is_bound:
                bind_root_to_permissions()
            for descriptor in close:
                os.close(descriptor)

        is_prepared = is_bound or bool(close)
        done = forked.run(
            *words,
            cwd=cwd or self.root,
            environ={**self.environ, **(environ or {})},
            stdin=stdin,
            timeout=PATIENCE_SECONDS,
            is_started=is_started or is_prepared,
            prepare=prepare if is_prepared else None,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def start(
        self,
        *flags: str,
        job: str = "job.yaml",
        stdin: int = subprocess.DEVNULL,
        is_started: bool = False,
    ) -> Iterator[Running]:
        """Start a run; whatever happens, it does not outlive the block."""
        errors = self.home.parent / f"errors.{time.monotonic_ns()}"
        with errors.open("wb") as stream:
            process = forked.start(
                "run",
                job,
                *flags,
                cwd=self.root,
                environ=self.environ,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stream,
                is_started=is_started,
            )
        try:
            yield Running(process, errors)
        finally:
            process.kill()
            process.communicate()

    @contextmanager
    def kept_waiting(self, *flags: str, items: tuple[str, ...] = ("0",), **options: Any) -> Iterator[Running]:
        """Start a run whose task waits, and give it when those items have been started."""
        with self.start(*flags, **options) as running:
            running.until(lambda: all(self.has(f"started.{item}") for item in items))
            yield running

    def let_go(self) -> None:
        """Let the task `wait` return."""
        self.write("go", "")

    def logged(self) -> list[dict[str, Any]]:
        """Return the events in the log of the latest run."""
        (*_, path) = sorted(self.root.glob(".runner/runs/*/log.jsonl"))
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Give a project of its own; what is run there may not write into HOME."""
    root, home = tmp_path / "project", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    project = Project(root, home)
    yield project
    assert not list(home.iterdir())
