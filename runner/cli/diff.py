"""`runner diff`: what a change of a job file does, in words and numbers, for whoever reviews it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import options
from runner.cli.start import uncollected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.jobfile import Kinds
    from runner.jobfile.diff import Comparison
    from runner.jobfile.render_diff import Side


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="[OLD] NEW")
@options.params
@options.overrides
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How changes are shown; markdown is for a comment on a pull request.",
)
@click.option("--exit-code", is_flag=True, help="End with 1 where behaviour changed, as git diff does.")
@click.option(
    "--textconv",
    is_flag=True,
    help="Print the one FILE as sorted lines `path = value`, for git diff: see above.",
)
def diff(
    files: tuple[str, ...],
    params: tuple[tuple[str, str], ...],
    overrides: tuple[tuple[str, str], ...],
    form: str,
    exit_code: bool,
    textconv: bool,
) -> int:
    """Compare what two job files do, not how they are written.

    OLD and NEW are files, or REV:path for what git has there (REV:./path starts in this folder). With NEW
    alone, it is compared with itself at HEAD. -p and --set hold for both sides. Imports and runs nothing of
    yours and reads no environment.

    For values in plain git diff: `jobs/*.yaml diff=runner-job` in .gitattributes, and once in each clone
    git config diff.runner-job.textconv "runner diff --textconv".

    Exit code 0: compared. 1: behaviour changed, with --exit-code. 2: no such file or revision. 78: a file
    has faults.
    """
    from runner.cli.words import say
    from runner.errors import UsageError

    if textconv and len(files) != 1:
        raise click.UsageError("--textconv takes one file")
    if len(files) > 2:
        raise click.UsageError(f"there are two sides to compare, got {len(files)}")
    try:
        if textconv:
            _print_lines(files[0], dict(params), overrides)
            return 0
        old, new = _read_sides(files, dict(params), overrides)
    except UsageError as error:
        say(f"error: {error}")
        return 2
    from runner.jobfile.diff import compare

    comparison = None if old.errors or new.errors else compare(old.behaviour, new.behaviour)
    _print(old, new, comparison, form)
    if comparison is None:
        return 78
    return 1 if exit_code and comparison.changes else 0


def _read_sides(
    files: Sequence[str], params: Mapping[str, str], overrides: Sequence[tuple[str, str]]
) -> tuple[Side, Side]:
    with uncollected():
        from runner.jobfile import read_document
        from runner.jobfile.behaviour import declared_params, read_behaviour
        from runner.jobfile.render_diff import Side

    if len(files) == 1:
        from runner.cli.revision import read_head

        sources = [(f"HEAD:{files[0]}", read_head(Path(files[0]))), (files[0], _read(files[0]))]
    else:
        sources = [(name, _read(name)) for name in files]
    declared = [declared_params(read_document(source, name)) for name, source in sources]
    sides = []
    for (name, source), own in zip(sources, declared, strict=True):
        # A parameter that came or went is set where it is; one that is nowhere is a fault of both.
        given = {
            key: text for key, text in params.items() if key in own or not any(key in d for d in declared)
        }
        sides.append(Side(name, read_behaviour(source, name, _kinds(), params=given, overrides=overrides)))
    old, new = sides
    return old, new


def _read(name: str) -> bytes:
    from runner.jobfile.load import read_file

    path = Path(name)
    if ":" not in name or path.exists():
        return read_file(path)
    from runner.cli.revision import read_revision

    return read_revision(name)


def _kinds() -> Kinds:
    from runner import sinks, sources
    from runner.jobfile import Kinds

    return Kinds(sources.KINDS, sinks.KINDS)


def _print(old: Side, new: Side, comparison: Comparison | None, form: str) -> None:
    from runner.cli.words import print_json, show_problems
    from runner.jobfile import render_diff

    sides = [old, new]
    if form == "json":
        print_json(render_diff.diff_json(old, new, comparison))
    elif comparison is None and form == "markdown":
        click.echo(render_diff.faults_markdown(sides), nl=False)
    elif comparison is None:
        show_problems(
            [problem for side in sides for problem in side.errors],
            {side.name: side.text for side in sides},
        )
        for side in sides:
            if not side.errors:
                click.echo(f"{side.name} has no faults; there is nothing to compare it with")
    elif form == "markdown":
        click.echo(render_diff.diff_markdown(old, new, comparison), nl=False)
    else:
        click.echo(render_diff.diff_text(old, new, comparison), nl=False)


def _print_lines(name: str, params: Mapping[str, str], overrides: Sequence[tuple[str, str]]) -> None:
    """Print what a job file says; one that cannot be read, or is no job file, as it stands.

    git takes any other end than success for a reason to show no difference at all.
    """
    with uncollected():
        from runner.jobfile.behaviour import read_behaviour
        from runner.jobfile.render import escape
        from runner.jobfile.render_diff import value_lines

    source = _read(name)
    behaviour = read_behaviour(source, name, _kinds(), params=params, overrides=overrides)
    if behaviour.job is None:
        click.echo(source, nl=False)
        return
    click.echo("".join(f"{escape(line)}\n" for line in value_lines(behaviour)), nl=False)
