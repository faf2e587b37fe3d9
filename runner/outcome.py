"""What comes out of an attempt and of a run: outcomes, failures, the summary, the exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from runner.item import Item


class ExitCode(IntEnum):
    """What the process says when it ends; the one list of DESIGN 6 (`docs/exit-codes.md`)."""

    DONE = 0
    FAILED = 1  # more items failed than tolerated; `validate` found faults
    USAGE = 2
    REFUSED = 3
    BROKEN = 4  # input, output, state or workers broke; the run can be repeated
    BUG = 70  # sysexits EX_SOFTWARE
    LOCKED = 75  # sysexits EX_TEMPFAIL
    INVALID = 78  # sysexits EX_CONFIG
    INTERRUPTED = 130  # 128 + SIGINT
    TERMINATED = 143  # 128 + SIGTERM


class Failure(NamedTuple):
    """Why an item has no rows.

    Attributes:
        stage: `read` (the record could not be cut), `decode`, `convert` (to the type that the task takes),
            `task` or `encode`.
        type: Name of the exception's class; with its module where it is not a builtin or ours.
        message: Its text, capped at 4 KiB; never empty.
        error: The exception itself with its traceback, for logs; `None` where nothing was raised.
        stops: Whether a retry rule says that the whole run stops because of it.
    """

    stage: str
    type: str
    message: str
    error: BaseException | None
    stops: bool = False


class Outcome(NamedTuple):
    """The end of one item.

    Attributes:
        item: The item.
        rows: What the sink's encoder made of the task's result, `None` where the task returned
            `None`.
        row_count: Number of rows in `rows`.
        failure: Why there are no rows, or `None`. `rows` is `None` then and `row_count` 0.
    """

    item: Item
    rows: Any
    row_count: int
    failure: Failure | None


@dataclass(slots=True)
class FailureGroup:
    """Failures of one kind: the same stage and exception type. `example` is the first of them."""

    stage: str
    type: str
    message: str
    example: Item
    count: int = 1


@dataclass(slots=True)
class RunSummary:
    """What a run did; filled while it goes on, shown at its end and printed by `run --json`.

    Counts are of what was delivered in commit order, `duration_seconds` is of this process.
    `status` is `completed`, `failed`, `interrupted`, `refused`, `invalid`, `broken`, `locked` or
    `skipped`. `root` is the project root, where `output` and `dead_letter` start if they are below it;
    `None` where no job file was read. `dead_letter` is where the dead letters lie: at their final path once
    `is_published`, in the work folder before; `is_kept` says that the same command goes on from what was
    committed. `hung_input` names the input where one of the `abandoned_threads` is the reader, which waits
    for it. Of the `running_seconds` between the first item and the last outcome, the reader spent
    `reading_seconds` at the input, and the writer `waiting_seconds` waiting for outcomes.
    """

    run_id: str
    job: str
    root: str | None = None
    status: str = "broken"
    exit_code: ExitCode = ExitCode.BUG
    items: int = 0
    items_before: int = 0
    succeeded: int = 0
    failed: int = 0
    rows: int = 0
    retries: int = 0
    timeouts: int = 0
    throttled_seconds: float = 0.0
    abandoned_threads: int = 0
    hung_input: str | None = None
    resumed_from: int | None = None
    duration_seconds: float = 0.0
    output: str | None = None
    dead_letter: str | None = None
    is_published: bool = False
    is_kept: bool = False
    message: str = ""
    reading_seconds: float = 0.0
    waiting_seconds: float = 0.0
    running_seconds: float = 0.0
    groups: dict[tuple[str, str], FailureGroup] = field(default_factory=dict)
