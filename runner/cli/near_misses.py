"""What people type who come from other tools, and what it is called here: command, option or key."""

from __future__ import annotations

import click

COMMANDS = {
    "apply": ("run", "try.md"),
    "build": ("run", "try.md"),
    "check": ("validate", "checks.md"),
    "completion": ("explain", "try.md#completion"),
    "create": ("init", "try.md"),
    "debug": ("preview --pdb", "try.md"),
    "describe": ("explain", "job-file.md"),
    "docs": ("explain", "index.md"),
    "dry-run": ("plan", "review.md"),
    "dryrun": ("plan", "review.md"),
    "exec": ("run", "job-file.md"),
    "execute": ("run", "job-file.md"),
    "generate": ("init", "try.md"),
    "go": ("run", "job-file.md"),
    "launch": ("run", "job-file.md"),
    "lint": ("validate", "checks.md"),
    "new": ("init", "try.md"),
    "resume": ("run", "durability.md"),
    "sample": ("preview", "try.md"),
    "scaffold": ("init", "try.md"),
    "show": ("plan", "review.md"),
    "start": ("run", "job-file.md"),
    "submit": ("run", "job-file.md"),
    "tests": ("test", "try.md"),
    "try": ("preview", "try.md"),
    "verify": ("validate", "checks.md"),
}
"""Words for commands, each with the command and the document that has more."""

OPTIONS = {
    "--attempts": ("--set retry.attempts=3", "failures.md"),
    "--batch-size": ("--set pool.chunksize=10", "job-file.md#pool"),
    "--chunksize": ("--set pool.chunksize=10", "job-file.md#pool"),
    "--concurrency": ("-j 8", "job-file.md#pool"),
    "--continue": ("--resume", "durability.md"),
    "--env": ("-p NAME=VALUE", "job-file.md#references"),
    "--fail-fast": ("--set failures.tolerate=0", "failures.md"),
    "--force": ("--restart, or --set output.if_exists=replace", "durability.md"),
    "--fresh": ("--restart", "durability.md"),
    "--input": ("--set input.path=FILE", "inputs-outputs.md"),
    "--jobs": ("-j 8", "job-file.md#pool"),
    "--max-failures": ("--set failures.tolerate=5", "failures.md"),
    "--max-workers": ("-j 8", "job-file.md#pool"),
    "--out": ("--set output.path=FILE", "inputs-outputs.md"),
    "--output": ("--set output.path=FILE", "inputs-outputs.md"),
    "--overwrite": ("--set output.if_exists=replace", "inputs-outputs.md"),
    "--parallel": ("-j 8", "job-file.md#pool"),
    "--param": ("-p NAME=VALUE", "job-file.md#references"),
    "--rate": ("--set rate_limit=50/s", "failures.md"),
    "--rate-limit": ("--set rate_limit=50/s", "failures.md"),
    "--retries": ("--set retry.attempts=3", "failures.md"),
    "--retry": ("--set retry.attempts=3", "failures.md"),
    "--threads": ("-j 8", "job-file.md#pool"),
    "--timeout": ("--set timeout=30s", "failures.md"),
    "--var": ("-p NAME=VALUE", "job-file.md#references"),
    "--verbose": ("--set is for the job; the log's level is in config.yaml", "logs.md"),
    "--workers": ("-j 8", "job-file.md#pool"),
    "-n": ("--limit 5, or `runner preview -n 5`, which writes nothing", "try.md"),
    "-o": ("--set output.path=FILE", "inputs-outputs.md"),
    "-w": ("-j 8", "job-file.md#pool"),
}
"""Words for options of `run` and `plan`, each with what to type and the document that has more."""


class Commands(click.Group):
    """A group that answers a wrong command with the right one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant by the first word, or fail with the one that could be."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(_about_command(args, self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)


def _about_command(args: list[str], known: list[str]) -> str:
    import shlex
    from difflib import get_close_matches

    word, rest = args[0], " ".join(map(shlex.quote, args[1:]))
    if word.endswith((".yaml", ".yml")):
        return f"to run a job, type: runner run {shlex.quote(word)} {rest}".rstrip()
    said = f"there is no command `{word}`"
    if word.lower() in COMMANDS:
        command, page = COMMANDS[word.lower()]
        return f"{said}; type: runner {command} {rest}".rstrip() + f"\nSee docs/{page}."
    if word == "help":
        return f"{said}; type: runner {rest} --help".replace("  ", " ")
    if word == "version":
        return f"{said}; type: runner --version"
    near = get_close_matches(word.lower(), known, n=1)
    if near:
        return f"{said}; did you mean: runner {near[0]} {rest}".rstrip() + "?"
    return f"{said}; there is {', '.join(known)}"


def about_option(error: click.NoSuchOption) -> click.UsageError:
    """Return the error of an unknown option, with what it is called here where that is known."""
    command = error.ctx.command.name if error.ctx is not None else None
    name = error.option_name.partition("=")[0]
    if command not in ("run", "plan") or name not in OPTIONS:
        return error
    instead, page = OPTIONS[name]
    return click.UsageError(f"there is no option {name}; type: {instead}\nSee docs/{page}.", error.ctx)
