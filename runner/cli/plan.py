"""`runner plan`: what a run would do now, without calling the task or writing anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import options
from runner.cli.start import uncollected

if TYPE_CHECKING:
    from typing import Unpack

    from runner.cli.order import Order
    from runner.outcome import RunSummary
    from runner.plan import Plan


@click.command(cls=options.JobCommand)
@options.order
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(as_json: bool, **flags: Unpack[options.OrderFlags]) -> int:
    """Say what a run of JOB would do now. Imports the task and never calls it; writes nothing.

    Takes the flags of `runner run`, and ends with the exit code with which such a run would end before
    its first item. 0: it would begin, or be skipped. 2: wrong usage. 3: it would be refused. 4: the input
    is missing or cannot be read. 78: the job file or the task is wrong.
    """
    return _plan(options.make_order(**flags), as_json=as_json)


def _plan(order: Order, *, as_json: bool) -> int:
    import sys

    with uncollected():
        from runner.cli.ending import explain
        from runner.cli.render_plan import failure_json, plan_json, plan_lines
        from runner.cli.words import print_json, say
        from runner.observers.summary import escape
        from runner.outcome import ExitCode, RunSummary

    sys.dont_write_bytecode = True  # importing the task would leave a __pycache__
    summary = RunSummary(run_id="", job=order.job.stem)
    found, mask = None, _Mask()
    try:
        found = _look_ahead(order, summary, mask)
    except BaseException as error:  # as for a run
        explain(error, summary)
    code = int(found.exit_code if found is not None else summary.exit_code)
    if as_json:
        report = plan_json(found) if found is not None else failure_json(summary)
        print_json(mask.secrets.mask_all(report, numbers=True))
    elif found is not None:
        text = "".join(f"{escape(line)}\n" for line in plan_lines(found))
        click.echo(mask.secrets.mask(text), nl=False)
    elif summary.exit_code is not ExitCode.INVALID:  # whose faults have been shown
        say(f"error: {escape(mask.secrets.mask(summary.message))}")
    return code


class _Mask:
    """The secrets of the job, from when they are known: what goes wrong after that is told without them."""

    def __init__(self) -> None:
        from runner.masking import NO_SECRETS

        self.secrets = NO_SECRETS


def _look_ahead(order: Order, summary: RunSummary, mask: _Mask) -> Plan:
    import contextlib
    import os
    import sys

    from runner.cli.order import import_order, make_run, read_order
    from runner.clock import SystemClock
    from runner.observers.log import RunLog
    from runner.observers.progress import Progress
    from runner.plan import make_plan

    clock = SystemClock()
    loaded, config = read_order(order, clock, summary)
    mask.secrets = loaded.secrets
    said: list[str] = []
    with contextlib.redirect_stdout(sys.stderr):  # a module may print while it is imported
        run = make_run(
            order,
            import_order(order, loaded, config),
            config,
            summary=summary,
            log=RunLog(Path(os.devnull), run_id="", job=summary.job),
            progress=Progress(summary, write=said.append, start=clock.monotonic()),
            clock=clock,
            say=said.append,
        )
        return make_plan(run, said=said)
