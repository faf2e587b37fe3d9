"""What people type who come from other tools, and what it is called here: command, option or key.

An answer can be typed; behind it stands the command that explains more, which is there wherever the runner is
installed.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Container

import click

COMMANDS = {
    "apply": "run",
    "build": "run",
    "check": "validate",
    "create": "init",
    "debug": "preview --pdb",
    "describe": "explain",
    "docs": "explain",
    "dry-run": "plan",
    "dryrun": "plan",
    "exec": "run",
    "execute": "run",
    "generate": "init",
    "go": "run",
    "launch": "run",
    "lint": "validate",
    "new": "init",
    "resume": "run",
    "sample": "preview",
    "scaffold": "init",
    "show": "plan",
    "start": "run",
    "submit": "run",
    "tests": "test",
    "try": "preview",
    "verify": "validate",
}
"""Words for commands, each with the command."""

_COMPLETION = """\
a line in a file of your shell completes commands, options, job files and keys:
  bash (~/.bashrc)   eval "$(_RUNNER_COMPLETE=bash_source runner)"
  zsh (~/.zshrc)     eval "$(_RUNNER_COMPLETE=zsh_source runner)"
  fish (~/.config/fish/completions/runner.fish)   _RUNNER_COMPLETE=fish_source runner | source"""

OPTIONS = {
    "--attempts": ("--set retry.attempts=3", "retry"),
    "--batch-size": ("--set pool.chunksize=10", "pool.chunksize"),
    "--chunksize": ("--set pool.chunksize=10", "pool.chunksize"),
    "--concurrency": ("-j 8", "pool.size"),
    "--continue": ("--resume", "unfinished"),
    "--count": ("--limit 5", "--limit"),
    "--env": ("-p NAME=VALUE", "params"),
    "--fail-fast": ("--set failures.tolerate=0", "failures.tolerate"),
    "--first": ("--limit 5", "--limit"),
    "--force": ("--restart, or --set output.if_exists=replace", "--restart"),
    "--fresh": ("--restart", "--restart"),
    "--head": ("--limit 5", "--limit"),
    "--input": ("--set input.path=FILE", "input"),
    "--items": ("--limit 5", "--limit"),
    "--jobs": ("-j 8", "pool.size"),
    "--max-failures": ("--set failures.tolerate=5", "failures.tolerate"),
    "--max-items": ("--limit 5", "--limit"),
    "--max-workers": ("-j 8", "pool.size"),
    "--out": ("--set output.path=FILE", "output"),
    "--output": ("--set output.path=FILE", "output"),
    "--overwrite": ("--set output.if_exists=replace", "output.if_exists"),
    "--parallel": ("-j 8", "pool.size"),
    "--param": ("-p NAME=VALUE", "params"),
    "--rate": ("--set rate_limit=50/s", "rate_limit"),
    "--rate-limit": ("--set rate_limit=50/s", "rate_limit"),
    "--retries": ("--set retry.attempts=3", "retry"),
    "--retry": ("--set retry.attempts=3", "retry"),
    "--sample": ("--limit 5", "--limit"),
    "--threads": ("-j 8", "pool.size"),
    "--timeout": ("--set timeout=30s", "timeout"),
    "--var": ("-p NAME=VALUE", "params"),
    "--verbose": ("--config FILE, whose `log: {level: debug}` is for the log", "--config"),
    "--workers": ("-j 8", "pool.size"),
    "-n": ("--limit 5, or `runner preview -n 5`, which writes nothing", "--limit"),
    "-o": ("--set output.path=FILE", "output"),
    "-w": ("-j 8", "pool.size"),
}
"""Words for options, each with what to type and the word that `runner explain` explains."""


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
    from difflib import get_close_matches

    word, rest = args[0], " ".join(map(shlex.quote, args[1:]))
    if word.endswith((".yaml", ".yml")):
        return f"to run a job, type: runner run {shlex.quote(word)} {rest}".rstrip()
    said = f"there is no command `{word}`"
    if word.lower() in COMMANDS:
        command = COMMANDS[word.lower()]
        more = "runner explain" if command == "explain" else f"runner {command.split()[0]} --help"
        return f"{said}; type: runner {command} {rest}".rstrip() + f"\nMore: {more}"
    if word == "completion":
        return f"{said}; {_COMPLETION}"
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
    if error.ctx is None:
        return error
    name = error.option_name.partition("=")[0]
    own = {flag for each in error.ctx.command.params for flag in each.opts}
    whole = next((f"-{word}" for word in sys.argv if word.startswith(name) and f"-{word}" in own), None)
    if whole is not None:  # `-limit 3` is read as `-l -i -m ...`
        return click.UsageError(f"there is no option {name}; type: {whole}", error.ctx)
    found = instead_of(name, own)
    if found is None:
        return error
    instead, word = found
    return click.UsageError(
        f"there is no option {name}; type: {instead}\nMore: runner explain {word}", error.ctx
    )


def instead_of(name: str, own: Container[str]) -> tuple[str, str] | None:
    """Return what to type instead of an option that a command with the options `own` does not have.

    And the word that `runner explain` explains; `None` where nothing is near.
    """
    instead, word = OPTIONS.get(name, ("", ""))
    if word == "--limit" or name in ("--limit", "-l"):
        instead, word = (instead or "--limit 5", "--limit") if "--limit" in own else ("-n 5", "-n")
    if not instead and "--set" in own:
        from runner.cli.explain import key_to_set

        word = key_to_set(name.lstrip("-").replace("-", "_")) or ""
        instead = f"--set {word}=VALUE"
    return (instead, word) if word and instead.split(" ")[0].rstrip(",") in own else None
