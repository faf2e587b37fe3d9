"""The log of a run: one JSON line an event, in `<state>/runs/<run id>/log.jsonl`.

Every line has `event` (a stable dotted name), `level`, `timestamp`, `run_id` and `job`. A log that
cannot be written never fails the run: the first error is kept in `error` for the summary, and nothing
more is written. This is the only importer of structlog.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import orjson
import structlog

KEPT_RUNS = 50
"""Arbitrary: as many run folders stay in the state."""
FIRST_FAILURES = 20
"""So many failures of a kind are logged one by one, after that one a second with a count."""

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class RunLog:
    """Writes the events of one run. Called from the thread that delivers; a line is written at once."""

    def __init__(self, path: Path, *, run_id: str, job: str, level: str = "info") -> None:
        self.path = path
        self.error: str | None = None
        self._file: io.FileIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = io.FileIO(path, "a")
        except OSError as error:
            self._fail(error)
        self._logger = structlog.wrap_logger(
            _Lines(self),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=_serialize),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
            run_id=run_id,
            job=job,
        )

    def event(self, name: str, level: str = "info", **data: Any) -> None:
        """Write an event with its data."""
        getattr(self._logger, level)(name, **data)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, line: bytes) -> None:
        """Write one line; after a first failure nothing more."""
        if self._file is None:
            return
        try:
            self._file.write(line + b"\n")
        except OSError as error:
            self._fail(error)
            self.close()

    def _fail(self, error: OSError) -> None:
        self.error = f"the log {self.path} could not be written: {error.strerror}"


class _Lines:
    """What structlog calls with a finished line."""

    def __init__(self, log: RunLog) -> None:
        self._log = log

    def msg(self, line: bytes) -> None:
        self._log.write(line)

    debug = info = warning = error = msg


def _serialize(event: dict[str, Any], **_: Any) -> bytes:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)


class FailureLog:
    """Decides which failures are worth a line: the first of each kind, then one a second with a count."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._seen: dict[tuple[str, str], int] = {}
        self._quiet_until: dict[tuple[str, str], float] = {}
        self._untold: dict[tuple[str, str], int] = {}

    def failed(self, kind: tuple[str, str], now: float, **data: Any) -> None:
        """Log a failure of a kind, or only count it. `now` is monotonic seconds."""
        seen = self._seen[kind] = self._seen.get(kind, 0) + 1
        if seen > FIRST_FAILURES and now < self._quiet_until.get(kind, 0.0):
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return
        self._quiet_until[kind] = now + 1.0
        untold = self._untold.pop(kind, 0)
        if untold:
            data["not_logged"] = untold
        self._log.event("item.failed", "error", **data)

    def wants_more(self, kind: tuple[str, str], now: float) -> bool:
        """Return whether the next failure of this kind would be logged, so that its data are worth making."""
        return self._seen.get(kind, 0) < FIRST_FAILURES or now >= self._quiet_until.get(kind, 0.0)


def forget_old_runs(runs: Path, keep: int = KEPT_RUNS) -> None:
    """Remove all but the last `keep` run folders; their names begin with the time. Never raises."""
    try:
        folders = sorted(entry for entry in runs.iterdir() if entry.is_dir() and not entry.is_symlink())
    except OSError:
        return
    for folder in folders[:-keep]:
        shutil.rmtree(folder, ignore_errors=True)
