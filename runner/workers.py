"""From a job's `pool:` and policies to running workers: which pool, and what each worker calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import Any
from weakref import WeakSet

from runner.delivery import Delivery
from runner.engine.attempt import make_attempt, make_full_attempt, rescue
from runner.engine.guarded import GuardedPool, Policies
from runner.engine.messages import Message
from runner.engine.pool import Pool
from runner.engine.threads import Attempt, OpenWorker, ThreadPool, shared
from runner.engine.window import Outcomes
from runner.errors import WorkerBroken
from runner.failures import PASSED
from runner.item import Context, Item
from runner.ledger.checkpoint import Checkpoint
from runner.observers.summary import escape
from runner.outcome import Outcome
from runner.policies.rate_limit import RateLimit
from runner.raised import message_of, type_name
from runner.run import Run
from runner.sources.base import Source
from runner.task import user_frames

_POOLS: WeakSet[Pool] = WeakSet()
"""Those of this process: a child that a task forks must not work with a copy of them."""


def start_engine(run: Run, source: Source, delivery: Delivery, checkpoint: Checkpoint) -> Outcomes[Outcome]:
    """Start the engine on what is left of the source, as `pool:` and the policies say."""
    pool, policies = run.job.pool, _policies(run)
    items: Iterator[Item] = source.items(checkpoint.index, checkpoint.position)
    if run.limit is not None:
        items = _first(items, run.limit - checkpoint.index)
    # `auto` is 1 for threads: see `runner.engine.mapping`; and for policies, see `runner.engine.guarded`.
    chunksize = 1 if pool.chunksize == "auto" or policies else pool.chunksize
    open_worker = _open_worker(run, source, delivery, is_guarded=bool(policies))

    def make_pool(done: SimpleQueue[Message]) -> Pool:
        made: Pool
        if policies:
            watcher = delivery.failures.attempts
            made = GuardedPool(
                open_worker, done, policies=policies, watcher=watcher, size=pool.size, clock=run.clock
            )
        else:
            made = ThreadPool(open_worker, rescue, done, size=pool.size, is_chunked=chunksize > 1)
        _POOLS.add(made)
        return made

    outcomes: Outcomes[Outcome] = Outcomes(
        items,
        make_pool,
        chunksize=chunksize,
        ordered=pool.ordered,
        window=pool.window,
        window_bytes=pool.window_bytes,
        weigh=source.weigh,
        clock=run.clock,
    )
    run.progress.count_held = lambda: outcomes.held
    return outcomes


def _policies(run: Run) -> Policies:
    """Return what the job file says about attempts."""
    limit = run.job.rate_limit
    return Policies(
        retry=run.retry,
        timeout=run.job.timeout,
        rate_limit=None if limit is None else RateLimit(limit.rate, limit.burst),
    )


def _stop_in_child() -> None:
    """Let a child that a task has forked end when it comes back from the task.

    It would work on with a copy of the queue, and what it has inherited holds the lock. A child that ends
    within the task, or calls exec, is not touched.
    """
    for pool in list(_POOLS):
        pool.stop(drop=True)


os.register_at_fork(after_in_child=_stop_in_child)


def _open_worker(run: Run, source: Source, delivery: Delivery, *, is_guarded: bool) -> OpenWorker:
    """Return what each worker calls, in its own thread, before its first item."""
    task = run.task
    if not (is_guarded or task.is_class or task.is_many or task.context):
        attempt = make_attempt(
            source.decode,
            task.open()[0],
            delivery.encode,
            delivery.failures.seen,
            current=run.current,
            quick=source.quick_decode,
            convert=task.convert,
        )
        return shared(_passing(attempt, delivery.is_done))

    def open_worker() -> tuple[Attempt, Callable[[], None] | None]:
        call, close = _opened(run)
        attempt = make_full_attempt(
            source.decode,
            call,
            delivery.encode,
            failed=None if is_guarded else delivery.failures.seen,
            current=run.current,
            quick=source.quick_decode,
            convert=task.convert,
            context=partial(_context, run) if task.context is not None else None,
            is_many=task.is_many,
            settles=delivery.settles,
        )
        return _passing(attempt, delivery.is_done), close

    return open_worker


def _opened(run: Run) -> tuple[Callable[..., object], Callable[[], None] | None]:
    """Open the task for one worker; return what is called, and what closes it without ever raising."""
    try:
        call, close = run.task.open()
    except BaseException as error:  # the user's constructor
        mask = run.loaded.secrets.mask
        run.log.event("worker.open_failed", "error", traceback=user_frames(error, mask))
        said = f"{type_name(error)}: {message_of(error, mask)}"
        raise WorkerBroken(f"a worker could not be set up: `{run.task.dotted}` raised {said}") from error
    return call, None if close is None else partial(_close, run, close, os.getpid())


def _close(run: Run, close: Callable[[], object], pid: int) -> None:
    if os.getpid() != pid:
        os._exit(1)  # a child that the task has forked and let return; what it would close is its parent's
    try:
        close()
    except BaseException as error:  # all its items are done; it is told, and changes nothing
        mask = run.loaded.secrets.mask
        run.log.event("worker.close_failed", "error", traceback=user_frames(error, mask))
        said = escape(f"{type_name(error)}: {message_of(error, mask)}")
        run.say(f"warning: a worker could not be closed: `{run.task.dotted}` raised {said}")


def _context(run: Run, index: int, number: int) -> Context:
    return Context(index, number, run.summary.run_id, run.job.params)


def _passing(attempt: Any, is_done: Callable[[int], bool] | None) -> Any:
    """Return `attempt` for items that are not done; those that are, behind a gap, are passed over."""
    if is_done is None:
        return attempt

    def passing(item: Item, *turn: Any) -> Outcome | None:
        if is_done(item.index):
            return Outcome(item, None, 0, PASSED)
        return attempt(item, *turn)  # type: ignore[no-any-return]  # an `Attempt` returns Any

    return passing


def _first(items: Iterator[Item], limit: int) -> Iterator[Item]:
    """Yield at most `limit` items, draw no more than that, and close `items`."""
    try:
        yield from islice(items, max(0, limit))
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
