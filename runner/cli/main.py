"""`runner`: the commands, and the one place where an exception becomes an exit code.

Only click is imported here: `runner --help` and the completion of a shell must not wait for pydantic. A
command imports what it needs when it is called.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn

import click

from runner.cli.run import run
from runner.cli.validate import validate


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="declarative-batch-runner", prog_name="runner")
def commands() -> None:
    r"""Run one Python function over many items, as a YAML job file says.

    \b
      runner validate jobs/      look for faults in job files; runs nothing
      runner run jobs/hubs.yaml  run a job
    """


commands.add_command(run)
commands.add_command(validate)


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    leave(_invoke())


def _invoke() -> int:
    try:
        code = commands.main(prog_name="runner", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        return 4
    return code if isinstance(code, int) else 0


def leave(code: int) -> NoReturn:
    """End the process now, whatever threads are still in user code, with nothing left in a buffer."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed by the reader: there is nobody to tell
            pass
    if any(thread.daemon and thread.name.startswith("runner-") for thread in threading.enumerate()):
        # A hung task or a blocked input must not keep the process; at exit Python could meet them.
        os._exit(code)
    try:
        sys.stdout.close()
    except OSError:
        os._exit(code)
    sys.exit(code)
