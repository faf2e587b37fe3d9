"""`runner run`: validate, run, and say what happened."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from runner.cli.complete import complete_job, complete_key, complete_param


def split_pairs(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Return the pairs of options of the form `name=value`."""
    pairs = []
    for value in values:
        name, sign, text = value.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{value!r} is not of the form name=value", param=parameter)
        pairs.append((name, text))
    return tuple(pairs)


@click.command()
@click.argument("job", type=click.Path(path_type=Path), metavar="JOB", shell_complete=complete_job)
@click.option(
    "-p",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    callback=split_pairs,
    shell_complete=complete_param,
    help="Set a parameter.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    callback=split_pairs,
    shell_complete=complete_key,
    help="Set a key of the job file.",
)
@click.option("-j", "size", type=click.IntRange(min=1), metavar="N", help="Short for --set pool.size=N.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Take only the first N items.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished run, or do not run at all.")
@click.option("--restart", is_flag=True, help="Start over, whatever an unfinished run has done.")
@click.option(
    "--accept",
    multiple=True,
    type=click.Choice(["code", "input"]),
    help="Go on although the code changed, or the input did where the run was reading.",
)
@click.option(
    "--date", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="What ${run.date} is; default: today."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something is wrong.")
@click.option("--log-file", type=click.Path(path_type=Path), metavar="FILE", help="Write the log there.")
@click.option("--config", type=click.Path(path_type=Path), help="The operator's settings (config.yaml).")
@click.option("--dry-run", is_flag=True, hidden=True)
def run(
    job: Path,
    params: tuple[tuple[str, str], ...],
    overrides: tuple[tuple[str, str], ...],
    size: int | None,
    limit: int | None,
    resume: bool,
    restart: bool,
    accept: tuple[str, ...],
    date: datetime | None,
    as_json: bool,
    quiet: bool,
    log_file: Path | None,
    config: Path | None,
    dry_run: bool,
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
    if resume and restart:
        raise click.UsageError("--resume and --restart exclude each other")
    from runner.cli.execute import Order, execute

    if size is not None:
        overrides = (*overrides, ("pool.size", str(size)))
    order = Order(
        job=job,
        params=dict(params),
        overrides=overrides,
        limit=limit,
        must_resume=resume,
        must_restart=restart,
        accept=frozenset(accept),
        date=date.date() if date is not None else None,
        as_json=as_json,
        is_quiet=quiet,
        log_file=log_file,
        config=config,
    )
    return int(execute(order))
