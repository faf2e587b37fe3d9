"""`runner preview`: a few real items through the real task, and nothing written."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from runner.cli import options
from runner.cli.start import uncollected

if TYPE_CHECKING:
    from runner.cli.ready import Ready
    from runner.clock import Clock
    from runner.preview.flow import Sample


@click.command(cls=options.JobCommand)
@options.job
@click.option(
    "-n",
    "count",
    type=options.Number(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="How many items.",
)
@click.option("--item", "index", type=options.Number(min=0), metavar="INDEX", help="Only this one, from 0.")
@click.option("--pdb", "debugs", is_flag=True, help="Where an item fails, open Python's debugger there.")
@options.params
@options.overrides
@options.date
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output instead.")
@options.config
def preview(
    job: Path,
    count: int,
    index: int | None,
    debugs: bool,
    params: tuple[tuple[str, str], ...],
    overrides: tuple[tuple[str, str], ...],
    date: datetime | None,
    as_json: bool,
    config: Path | None,
) -> int:
    """Call the task of JOB on its first items, show what comes of them, write nothing.

    Shown on standard error: standard output, where a job may write rows, stays empty. The items are
    done one after the other, each once, under `timeout` and `rate_limit`. What the task itself
    does, it does. At the end: what an item costs, and which pool suits that.

    Exit code 0: all shown items went well. 1: one failed. 2: wrong usage. 4: input or worker broke.
    78: the job file or the task is wrong.
    """
    if debugs and as_json:
        raise click.UsageError("--pdb and --json exclude each other")
    import sys

    from runner.clock import SystemClock
    from runner.errors import Broken, JobInvalid, UsageError

    out = sys.stdout
    sys.stdout = sys.stderr  # whatever the task prints
    try:
        with uncollected():
            from runner.cli.ready import make_ready

        clock, on = SystemClock(), date.date() if date else None
        ready = make_ready(job, params=dict(params), overrides=overrides, config=config, on=on, clock=clock)
        first, most = (0, count) if index is None else (index, 1)
        return _preview(ready, clock, first, most, report_to=out if as_json else None, debugs=debugs)
    except UsageError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except JobInvalid:  # its faults have been shown
        return 78
    except Broken as error:
        click.echo(f"error: {error}", err=True)
        return 4
    finally:
        sys.stdout = out


def _preview(
    ready: Ready, clock: Clock, first: int, count: int, *, report_to: TextIO | None, debugs: bool
) -> int:
    """Show the samples as they come; then what they cost, or all of it as JSON."""
    from runner.cli.words import say
    from runner.errors import OutputBroken, UsageError
    from runner.preview.flow import Preview
    from runner.preview.render import as_json, render_costs, render_sample

    flow = Preview(ready.loaded, ready.task, ready.factory, clock, say)
    samples: list[Sample] = []
    for sample in flow.samples(first, count):
        samples.append(sample)
        if report_to is None:
            say(render_sample(sample, ready.loaded, ready.retry))
        if debugs and sample.failure is not None and sample.failure.error is not None:
            from runner.cli.debugger import open_debugger

            open_debugger(sample.failure.error, ready.loaded)
            break
    if not samples and first:
        raise UsageError(f"the input has no item {first:,}")
    if report_to is not None:
        import orjson

        try:
            report_to.write(orjson.dumps(as_json(flow, samples)).decode() + "\n")
            report_to.flush()
        except OSError as error:
            raise OutputBroken(f"standard output cannot be written: {error.strerror}") from error
    else:
        say(render_costs(flow, samples))
    return int(any(sample.failure is not None for sample in samples))
