"""Records in docs/editors.md what an editor shows: `python -m tests.editor.session`, from the repository."""

from __future__ import annotations

import re
import sys

from tests.editor.language_server import REPOSITORY, VERSION, Session

PAGE = REPOSITORY / "docs" / "editors.md"
RECORD = re.compile(r"(?<=<!-- session -->\n).*?(?=<!-- end of session -->)", re.DOTALL)
JOB = """\
# yaml-language-server: $schema=docs/job.schema.json
version: 1
name: hubs
input:
  type:\x20
task: jobs.airports.nearest_hub
pool:
  chunk_size: 10
  window: 64
  size: many
retry: {attempts: 0}
"""


def record() -> str:
    """Return what the server says of one job file, as markdown."""
    with Session() as session:
        uri = session.open(JOB)
        kinds = session.complete(uri, *place("  type: ", end=True))
        keys = session.complete(uri, *place("  window", end=False))
        hover = session.hover(uri, *place("  window", end=False))
        faults = sorted(session.diagnostics(uri), key=lambda each: each["range"]["start"]["line"])
    shown = JOB.replace("type: \n", "type: |\n")
    parts = [
        f"Recorded with yaml-language-server {VERSION} over its standard input and output, with this file:\n",
        f"```text\n{shown}```\n",
        "**Completion** at `type: |`:\n",
        "".join(f"- `{item['label']}`: {item['documentation']}\n" for item in kinds),
        "**Completion** of a key of `pool`, those that are there already left out:\n",
        ", ".join(f"`{item['label']}`" for item in keys) + "\n",
        "**Hover** on `window`:\n",
        "".join(f"> {line}".rstrip() + "\n" for line in hover.partition("\n\nSource:")[0].splitlines()),
        "**Faults**:\n",
        "".join(f"- line {each['range']['start']['line'] + 1}: {each['message']}\n" for each in faults),
    ]
    return "\n".join(parts)


def place(text: str, *, end: bool) -> tuple[int, int]:
    """Return line and column, from 0, of the end of `text`, or of the middle of its word."""
    line = next(number for number, each in enumerate(JOB.splitlines()) if each.startswith(text.rstrip()))
    return line, len(text) if end else len(text) - 2


def main() -> None:
    """Write the page anew."""
    text = PAGE.read_text("utf-8")
    PAGE.write_text(RECORD.sub(lambda _: record(), text), "utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")


if __name__ == "__main__":
    main()
