"""`runner schema`: the JSON Schema of a job file."""

from __future__ import annotations

import click


@click.command()
def schema() -> int:
    """Print the JSON Schema of a job file, for editors.

    Keep it beside your job files, and begin each of them with
    # yaml-language-server: $schema=job.schema.json
    """
    from runner import sinks, sources
    from runner.jobfile.keys import Kinds
    from runner.jobfile.schema import job_schema, write_schema

    click.echo(write_schema(job_schema(Kinds(sources.KINDS, sinks.KINDS))), nl=False)
    return 0
