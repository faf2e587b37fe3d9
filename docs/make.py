"""Write anew what is made from the models and the registry of faults; `--check` only says what is old.

    python docs/make.py

Made are docs/faults.md, the tables of keys in docs/job-file.md (between `<!-- keys: BLOCK -->` and
`<!-- end of keys -->`), and docs/job.schema.json. A test runs this with `--check`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from runner import sinks, sources
from runner.jobfile.keys import Kinds
from runner.jobfile.pages import BASE, Example, Page, read_pages
from runner.jobfile.reference import Key, all_keys
from runner.jobfile.schema import job_schema, write_schema

DOCS = Path(__file__).resolve().parent
KINDS = Kinds(sources.KINDS, sinks.KINDS)
LINKS = {
    "secrets": "Where each `${secret.NAME}` is that is not in the variable `NAME`: [secrets](secrets.md).",
    "input": "Where items come from: [inputs](inputs-outputs.md#inputs).",
    "output": "Where rows go: [outputs](inputs-outputs.md#outputs).",
}
TABLE = re.compile(r"(?<=<!-- keys: )([\w., ]+?)( -->\n).*?(?=<!-- end of keys -->)", re.DOTALL)


def make() -> dict[Path, str]:
    """Return the text of each file that is made, or that has something in it that is."""
    keys = all_keys(KINDS)
    page = DOCS / "job-file.md"
    return {
        DOCS / "faults.md": write_faults(),
        page: TABLE.sub(
            lambda match: match[1] + match[2] + write_table(match[1], keys), page.read_text("utf-8")
        ),
        DOCS / "job.schema.json": write_schema(job_schema(KINDS)),
    }


def write_table(blocks: str, keys: dict[str, Key]) -> str:
    """Return the table of the keys in some blocks; `.` is the job itself."""
    rows = ["| key | meaning | default | allowed | example |", "|---|---|---|---|---|"]
    for block in blocks.split():
        for key in keys.values():
            is_kind = key.path.startswith(("input.", "output."))
            inside = "." not in key.path if block == "." else key.path.startswith(f"{block}.")
            if inside and not is_kind:
                meaning = LINKS.get(key.path, key.meaning)
                cells = (f"`{key.path}`", meaning, key.default, key.allowed, f"`{key.example}`")
                rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def write_faults() -> str:
    """Return the page of all codes."""
    base = "".join(BASE.values())
    pages = read_pages()
    head = f"""\
# Faults and warnings

Made from the registry of faults by `make update`; `runner explain CODE` says the same.

An error keeps a job from running. A warning is about what is legal and most likely not meant; where it is,
a comment on the line or alone above it keeps it quiet: `# runner: ignore[code] reason`. A code is never
renamed, and never used for something else.

The examples are pieces of a job file. What they do not say is that of this one:

```text
{base}```

"""
    return head + "\n".join(map(write_page, pages.values()))


def write_page(page: Page) -> str:
    """Return the chapter of one code."""
    parts = [f"## {page.code}\n", f"*{page.kind[0].upper()}{page.kind[1:]}.* {page.meaning}\n"]
    shared = page.shared_files()
    parts += [_block(text, name) for name, text in shared.items()]
    if page.wrong.environment:
        pairs = " ".join(map("=".join, page.wrong.environment.items()))
        parts.append(f"In the environment: `{pairs}`.\n")
    for title, example in (("Wrong", page.wrong), ("Right", page.right)):
        parts.append(f"{title}{f' ({example.note})' if example.note else ''}:\n")
        parts += [_piece(example), *(_block(*each) for each in _own_files(example, shared))]
        if example.flags is not None:
            parts.append(_block(f"runner run job.yaml {example.flags}".rstrip() + "\n", ""))
    if page.imports:
        parts.append("Found by `runner validate --import` and by `runner run`.\n")
    return "\n".join(parts)


def _own_files(example: Example, shared: dict[str, str]) -> list[tuple[str, str]]:
    return [(text, name) for name, text in example.files.items() if name not in shared]


def _piece(example: Example) -> str:
    return _block(example.shown, "").replace(
        "```text", "```yaml" if "version:" not in example.shown else "```text", 1
    )


def _block(text: str, name: str) -> str:
    """Return a block of code; never one that the tests of the documents take for a whole job file."""
    title = f"`{name}`:\n\n" if name else ""
    is_whole = text.startswith("version:")
    language = "python" if name.endswith(".py") else "text" if is_whole or not name else "yaml"
    return f"{title}```{language}\n{text}```\n"


def main() -> None:
    """Write the files, or say which are old."""
    old = [path for path, text in make().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        sys.exit(f"not up to date, run make update: {', '.join(path.name for path in old)}" if old else 0)
    for path in old:
        path.write_text(make()[path], "utf-8")
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
