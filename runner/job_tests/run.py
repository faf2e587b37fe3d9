"""Runs one test: the item through the real engine, under a clock in which waiting takes no time.

Input and output are never opened. The policies are those of the job: retries, timeout, rate limit.
A test has a thread of its own, so that one that waits for something real can be left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from runner.config import Config
from runner.errors import RowRefused, RunnerError
from runner.job_tests.faulty import Injected, error_maker, make_faulty
from runner.job_tests.prepare import Prepared, TestBroken
from runner.job_tests.written import Writer
from runner.jobfile.job_tests import InjectedFault, JobTest
from runner.outcome import Failure
from runner.raised import message_of, type_name
from runner.task import Policy, TaskFault, find_exception
from runner.testing import TaskRun, VirtualClock, run_task

LONGEST_SECONDS = 60.0
"""Real time that a test may take; arbitrary."""


@dataclass(frozen=True, slots=True)
class Got:
    """What came of an item.

    Attributes:
        rows: The rows as the output has them; empty where it failed.
        failure: Why it failed, with secrets masked, or `None`.
        starts: When each attempt began, in seconds of the virtual clock.
    """

    rows: list[object]
    failure: Failure | None
    starts: list[float]


def run_test(test: JobTest, prepared: Prepared, config: Config) -> Got:
    """Return what comes of the item of a test.

    Raises:
        TestBroken: It cannot be run, or takes too long in real time.
    """
    faults = tuple(_inject(fault, config) for fault in test.faults)
    writer = Writer(prepared.job.output, prepared.task.columns)
    answer: SimpleQueue[TaskRun | BaseException] = SimpleQueue()

    def work() -> None:
        try:
            answer.put(_run(test, prepared, faults, writer))
        except BaseException as error:  # whatever it is, the waiting thread raises it
            answer.put(error)

    Thread(target=work, name="runner-test", daemon=True).start()
    try:
        done = answer.get(timeout=LONGEST_SECONDS)
    except Empty:
        raise TestBroken(
            f"it takes more than {LONGEST_SECONDS:.0f} s: the clock of a test passes over the waits of the "
            "runner, not over those of the task (time.sleep, a call of a service)"
        ) from None
    mask = prepared.loaded.secrets.mask
    if isinstance(done, RunnerError):
        raise TestBroken(mask(str(done))) from done
    if isinstance(done, BaseException):
        raise done
    return _got(done, writer, prepared)


def _run(test: JobTest, prepared: Prepared, faults: tuple[Injected | None, ...], writer: Writer) -> TaskRun:
    clock, job = VirtualClock(), prepared.job
    limit = job.rate_limit
    return run_task(
        make_faulty(prepared.task, faults, clock=clock, timeout=job.timeout),
        [test.item],
        params=job.params,
        retry=prepared.retry,
        timeout=job.timeout,
        rate_limit=None if limit is None else {"rate": f"{limit.rate}/s", "burst": limit.burst},
        size=1,
        clock=clock,
        encode=writer.encode,
    )


def _inject(fault: InjectedFault, config: Config) -> Injected | None:
    if fault.raise_ is None:
        return Injected(None, fault.hang or 0.0)
    policies = [Policy(patterns) for patterns in config.allow] or [Policy()]
    found = find_exception(fault.raise_, policies)
    if isinstance(found, TaskFault):
        raise TestBroken(f"`faults`: {found.message}" + (f"; {found.hint}" if found.hint else ""))
    return Injected(error_maker(found, fault.message, fault.retry_after), fault.hang or 0.0)


def _got(done: TaskRun, writer: Writer, prepared: Prepared) -> Got:
    (item,) = done.items
    failure, rows = item.failure, []
    if failure is None:
        try:
            rows = writer.read_back(item.rows)
        except RowRefused as error:
            failure = Failure("encode", type_name(error), message_of(error), error)
    if failure is not None:
        failure = failure._replace(message=prepared.loaded.secrets.mask(failure.message))
    return Got(rows, failure, item.attempts)
