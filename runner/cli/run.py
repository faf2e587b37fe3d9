"""`runner run`: validate, run, and say what happened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import options
from runner.cli.start import uncollected

if TYPE_CHECKING:
    from typing import Unpack


@click.command(cls=options.JobCommand)
@options.order
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something is wrong.")
@click.option("--log-file", type=click.Path(path_type=Path), metavar="FILE", help="Write the log there.")
@click.option("--dry-run", is_flag=True, hidden=True)
def run(
    as_json: bool,
    quiet: bool,
    log_file: Path | None,
    dry_run: bool,
    **flags: Unpack[options.OrderFlags],
) -> int:
    """Run the job file JOB.

    Exit code 0: done. 1: more items failed than tolerated. 2: wrong usage. 3: refused. 4: input,
    output or workers broke. 75: another run works on the same output. 78: the job file or the task is
    wrong. 130, 143: stopped by a signal.
    """
    if dry_run:
        raise click.UsageError(
            "there is no --dry-run: `runner plan` says what a run would do, without calling the task or "
            "writing anything; `runner run --limit 5 --set output.path=...` runs the first five items"
        )
    order = options.make_order(as_json=as_json, is_quiet=quiet, log_file=log_file, **flags)
    with uncollected():
        from runner.cli.execute import execute

    return int(execute(order))
