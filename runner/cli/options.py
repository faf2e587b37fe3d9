"""Arguments and options that several commands take, each written once, and the command that takes a job.

Only click is imported here, as in every module that `runner --help` needs.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

from runner.cli.complete import complete_job, complete_key, complete_param
from runner.cli.start import uncollected

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from runner.cli.order import Order

Command = TypeVar("Command", bound="Callable[..., Any]")


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


class Number(click.IntRange):
    """A whole number; where it is none, the message says what to type."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:  # click's own types
        """Return the number."""
        try:
            int(value)
        except ValueError:
            flag = param.opts[0] if param is not None else ""
            self.fail(f"{value!r} is not a whole number; type: {flag} 8", param, ctx)
        return super().convert(value, param, ctx)


class JobCommand(click.Command):
    """A command that takes one job; what stands behind it and is no option is answered with what to type."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return the words that are left, of which there may be none."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise click.UsageError(_about_rest(ctx, rest), ctx)
        return rest


def _about_rest(context: click.Context, rest: list[str]) -> str:
    job, (word, *others) = context.params["job"], rest
    if word == "set" and others:
        word = others[0]
    if "=" in word:
        name = word.partition("=")[0]
        own = f", or for a parameter of the job: -p {word}" if "." not in name else ""
        return f"there is no place for {' '.join(rest)}; for a key of the job file, type: --set {word}{own}"
    if word.endswith((".yaml", ".yml")):
        return f"one job at a time: {job} and {word} are two; type the command once for each"
    return f"there is no place for {' '.join(rest)} behind the job file {job}"


job = click.argument("job", type=click.Path(path_type=Path), metavar="JOB", shell_complete=complete_job)
params = click.option(
    "-p",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    callback=split_pairs,
    shell_complete=complete_param,
    help="Set a parameter.",
)
overrides = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    callback=split_pairs,
    shell_complete=complete_key,
    help="Set a key of the job file.",
)
date = click.option(
    "--date", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="What ${run.date} is; default: today."
)
config = click.option(
    "--config", type=click.Path(path_type=Path), help="The operator's settings (config.yaml)."
)


class OrderFlags(TypedDict):
    """What `order` gives to a command."""

    job: Path
    params: tuple[tuple[str, str], ...]
    overrides: tuple[tuple[str, str], ...]
    size: int | None
    limit: int | None
    resume: bool
    restart: bool
    accept: tuple[str, ...]
    date: datetime | None
    config: Path | None


def order(command: Command) -> Command:
    """Give a command the job and the flags that say what a run of it would be."""
    flags = [
        job,
        params,
        overrides,
        click.option(
            "-j",
            "size",
            type=Number(min=1),
            metavar="N",
            help="How many items at once: short for --set pool.size=N.",
        ),
        click.option("--limit", type=Number(min=0), metavar="N", help="Take only the first N items."),
        click.option("--resume", is_flag=True, help="Go on with an unfinished run, or do not run at all."),
        click.option("--restart", is_flag=True, help="Start over, whatever an unfinished run has done."),
        click.option(
            "--accept",
            multiple=True,
            type=click.Choice(["code", "input"]),
            help="Go on although the code changed, or the input did where the run was reading.",
        ),
        date,
        config,
    ]
    for flag in reversed(flags):
        command = flag(command)
    return command


def make_order(
    *,
    as_json: bool = False,
    is_quiet: bool = False,
    log_file: Path | None = None,
    **flags: Unpack[OrderFlags],
) -> Order:
    """Return the order that flags say.

    Raises:
        click.UsageError: They contradict each other.
    """
    with uncollected():
        from runner.cli.order import Order

    if flags["resume"] and flags["restart"]:
        raise click.UsageError("--resume and --restart exclude each other")
    size, date = flags["size"], flags["date"]
    return Order(
        job=flags["job"],
        params=dict(flags["params"]),
        overrides=(*flags["overrides"], *([("pool.size", str(size))] if size is not None else [])),
        limit=flags["limit"],
        must_resume=flags["resume"],
        must_restart=flags["restart"],
        accept=frozenset(flags["accept"]),
        date=date.date() if date is not None else None,
        as_json=as_json,
        is_quiet=is_quiet,
        log_file=log_file,
        config=flags["config"],
    )
