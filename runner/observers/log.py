"""The log of a run: one JSON line an event, in `<state>/runs/<run id>/log.jsonl`.

Every line has `event` (a stable dotted name), `level`, `timestamp`, `run_id` and `job`. What the task and
its libraries log, with `logging`, `warnings` or structlog, becomes the event `task.log` with `logger`,
`message`, `data` and the `index` of the item. Secrets are masked in every value, before it is cut. A log
that cannot be written never fails the run: the first error is kept in `error` for the summary, and nothing
more is written. This is the only importer of structlog.
"""

from __future__ import annotations

import fcntl
import io
import logging
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import orjson
import structlog

from runner.item import Current
from runner.masking import NO_SECRETS, Secrets

KEPT_RUNS = 50
"""Arbitrary: as many run folders stay in the state."""
FIRST_FAILURES = 20
"""So many failures of a kind are logged one by one, after that one a second with a count."""
MOST_TEXT = 16 * 1024
"""Characters of one text in a task's own log line; the rest is cut."""

_OURS = {"event", "level", "timestamp", "run_id", "job"}
"""Keys of every line, whose values hold nothing of the task's."""

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class RunLog:
    """Writes the events of one run, a line at once. May be called from any thread."""

    def __init__(
        self, path: Path, *, run_id: str, job: str, level: str = "info", secrets: Secrets = NO_SECRETS
    ) -> None:
        self.path = path
        self.secrets = secrets
        self.level = level
        self.error: str | None = None
        self._lock = Lock()
        self._file: io.FileIO | None = None
        self._is_open = True
        self._logger = structlog.wrap_logger(
            _Lines(self),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=self._serialize),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
            run_id=run_id,
            job=job,
        )

    def event(self, name: str, level: str = "info", **data: Any) -> None:
        """Write an event with its data."""
        getattr(self._logger, level)(name, **data)

    def continue_as(self, run_id: str) -> None:
        """Write for an earlier run that is gone on with, into its own log where this one has that form.

        Called before the first event.
        """
        old = self.path.parent
        if self._file is None and old.parent.name == "runs":
            self.path = old.with_name(run_id) / self.path.name
        self._logger = self._logger.bind(run_id=run_id)

    def close(self) -> None:
        """Close the file; later events are lost without a word (a hung task may still log)."""
        with self._lock:
            self._close()

    def write(self, line: bytes) -> None:
        """Write one line; after a first failure nothing more."""
        with self._lock:
            if not self._is_open:
                return
            try:
                if self._file is None:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    self._file = io.FileIO(self.path, "a")
                    with suppress(OSError):  # a file system without locks
                        fcntl.flock(self._file, fcntl.LOCK_SH)  # see `forget_old_runs`
                self._file.write(line + b"\n")
            except OSError as error:
                self._fail(error)
                self._close()

    def shorten(self, text: str) -> str:
        """Return the beginning of a task's own text, secrets masked before it is cut."""
        return self.secrets.mask(text)[:MOST_TEXT]

    def describe(self, value: object) -> str:
        """Return a value that JSON cannot say as text."""
        try:
            return self.shorten(repr(value))
        except Exception:  # user code; its value is only a detail of a log line
            return f"<{type(value).__name__}>"

    def _serialize(self, event: dict[str, Any], **_: Any) -> bytes:
        try:
            line = orjson.dumps(event, default=self.describe, option=orjson.OPT_NON_STR_KEYS)
        except (
            TypeError,
            ValueError,
        ):  # a lone surrogate, a cycle: what a task may log is not ours to refuse
            line = orjson.dumps({key: self._plain(value) for key, value in event.items()})
        return self._masked(line) if self.secrets else line

    def _masked(self, line: bytes) -> bytes:
        # Once more as data: a dataclass is written by its fields, which nobody has looked at.
        mask_all = self.secrets.mask_all
        event = orjson.loads(line)
        return orjson.dumps(
            {
                key: value if key in _OURS else mask_all(value, numbers=key == "data")
                for key, value in event.items()
            }
        )

    def _plain(self, value: object) -> object:
        """Return what JSON can certainly say: numbers as they are, text spelled out, the rest described."""
        if value is None or isinstance(value, bool | float):
            return value
        text = value if isinstance(value, str) else self.describe(value)
        return text.encode("utf-8", "backslashreplace").decode()

    def _close(self) -> None:
        self._is_open = False
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:  # a full disk over the network, or a task that closed it for us
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.error = f"the log {self.path} could not be written: {error.strerror}"


class _Lines:
    """What structlog calls with a finished line."""

    def __init__(self, log: RunLog) -> None:
        self._log = log

    def msg(self, line: bytes) -> None:
        self._log.write(line)

    debug = info = warning = error = msg


class _TaskHandler(logging.Handler):
    """Takes what `logging` is told in this process, and writes it as `task.log`."""

    def __init__(self, log: RunLog, current: Current) -> None:
        super().__init__(LEVELS[log.level])
        self._log = log
        self._current = current

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception as error:  # a wrong format string in the task's own call
            message = f"{record.msg!r} (could not be formatted: {error})"
        data: dict[str, Any] = {}
        if record.exc_info and record.exc_info[1] is not None:
            data["exception"] = self._log.describe(record.exc_info[1])
        _task_log(self._log, self._current, record.name, record.levelno, message, data)


def _task_log(
    log: RunLog, current: Current, logger: str, number: int, message: str, data: Mapping[str, Any]
) -> None:
    level = next((name for name, least in reversed(LEVELS.items()) if number >= least), "debug")
    log.event(
        "task.log", level, logger=logger, index=current.index, message=log.shorten(message), data=dict(data)
    )


@contextmanager
def task_logs(log: RunLog, current: Current) -> Iterator[None]:
    """Send what the task and its libraries log to the run's log while the block runs.

    A task that has set up structlog for itself keeps its set-up. What it prints goes to standard
    error: standard output belongs to the results.
    """
    root = logging.getLogger()
    handler, level_before = _TaskHandler(log, current), root.level
    root.addHandler(handler)
    root.setLevel(LEVELS[log.level])
    logging.captureWarnings(True)
    ours = not structlog.is_configured()
    if ours:
        _configure_structlog(log, current)
    stdout, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout = stdout
        if ours:
            structlog.reset_defaults()
        logging.captureWarnings(False)
        root.setLevel(level_before)
        root.removeHandler(handler)


def _configure_structlog(log: RunLog, current: Current) -> None:
    def record(_: Any, method: str, event: Any) -> Any:
        data = dict(event)
        message = str(data.pop("event", ""))
        number = LEVELS.get(data.pop("level", method), 40 if method in ("critical", "exception") else 20)
        _task_log(log, current, "structlog", number, message, data)
        raise structlog.DropEvent

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            record,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[log.level]),
        cache_logger_on_first_use=False,
    )


class FailureLog:
    """Decides which failures are worth a line: the first of each kind, then one a second with a count.

    Args:
        log: The run's log.
        event: Name of the event of one failure.
        level: Its level.
    """

    def __init__(self, log: RunLog, event: str = "item.failed", level: str = "error") -> None:
        self._log = log
        self._event = event
        self._level = level
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
        self._log.event(self._event, self._level, **data)

    def close(self) -> None:
        """Tell how many failures of each kind were only counted since the last one that was told."""
        for (stage, kind), count in self._untold.items():
            self._log.event(
                "events.not_logged", self._level, of=self._event, stage=stage, type=kind, count=count
            )
        self._untold.clear()

    def wants_more(self, kind: tuple[str, str], now: float) -> bool:
        """Return whether the next failure of this kind would be logged, so that its data are worth making."""
        return self._seen.get(kind, 0) < FIRST_FAILURES or now >= self._quiet_until.get(kind, 0.0)


def forget_old_runs(runs: Path, keep: int = KEPT_RUNS) -> None:
    """Remove all but the last `keep` run folders; their names begin with the time. Never raises.

    That of a run at work stays, however old its name is: this one's, when it goes on with an old one.
    """
    try:
        folders = sorted(entry for entry in runs.iterdir() if entry.is_dir() and not entry.is_symlink())
    except OSError:
        return
    for folder in folders[:-keep]:
        if not _is_written(folder / "log.jsonl"):
            shutil.rmtree(folder, ignore_errors=True)


def _is_written(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
