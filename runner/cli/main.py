"""`runner`: the commands, and the one place where an exception becomes an exit code.

Only click is imported here: `runner --help` and the completion of a shell must not wait for pydantic. A
command imports what it needs when it is called.
"""

from __future__ import annotations

import gc
from typing import NoReturn

import click

from runner import __version__
from runner.cli.diff import diff
from runner.cli.explain import explain
from runner.cli.init import init
from runner.cli.leave import leave
from runner.cli.near_misses import Commands, about_option
from runner.cli.plan import plan
from runner.cli.preview import preview
from runner.cli.run import run
from runner.cli.schema import schema
from runner.cli.streams import StdoutBroken, keep_standard_streams
from runner.cli.test import test
from runner.cli.validate import validate
from runner.cli.words import name_locale, say


def _show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value:
        return
    click.echo(f"runner, version {__version__}")
    context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def commands() -> None:
    """Run one Python function over many items, as a YAML job file says.

    \b
      runner init                make a job file from a function and data, or an example
      runner validate jobs/      look for faults in job files; runs nothing
      runner preview JOB         call the task on the first items; writes nothing
      runner test jobs/          run the tests in job files
      runner run jobs/hubs.yaml  run a job
      runner plan jobs/hubs.yaml say what a run would do now
      runner diff jobs/hubs.yaml say what an edit of it changes
      runner explain pool.size   explain a key, or the code of a fault
    """  # noqa: D301  # click wants the character, not the two of a raw text


commands.add_command(diff)
commands.add_command(plan)
commands.add_command(init)
commands.add_command(preview)
commands.add_command(run)
commands.add_command(test)
commands.add_command(validate)
commands.add_command(explain)
commands.add_command(schema)


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    gc.freeze()  # see `runner.cli.start`
    keep_standard_streams()
    leave(_invoke())


def _invoke() -> int:
    try:
        code = commands.main(prog_name="runner", standalone_mode=False)
    except click.NoSuchOption as error:
        about_option(error).show()
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except StdoutBroken as error:
        if not error.is_unread:
            say(f"error: standard output cannot be written: {error.strerror}")
        return 4
    except BrokenPipeError:
        return 4
    except UnicodeEncodeError as error:
        said = name_locale(error)
        if said is None:
            raise
        say(f"error: {said}")
        return 2
    return code if isinstance(code, int) else 0
