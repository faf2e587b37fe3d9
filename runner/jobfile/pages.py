"""What `runner explain` and docs/faults.md say of a code: its meaning, a wrong and a right example.

The examples stand in examples.yaml beside this file, and a test validates every one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from runner.jobfile.codes import CODES, WARNINGS
from runner.jobfile.document import read_document
from runner.paths import document as find_document

BASE = {
    "version": "version: 1\n",
    "name": "name: example\n",
    "input": "input: {type: csv, path: places.csv}\n",
    "task": "task: tasks.work\n",
}
"""What an example does not say."""
TASKS = "def work(row, **given):\n    return row\n"
_ALSO_ERRORS = frozenset({"unset-env", "unset-secret", "window-too-small"})
_WIDTH = 100
_EXAMPLES = Path(__file__).with_name("examples.yaml")


@dataclass(frozen=True, slots=True)
class Example:
    """A piece of a job file, and what stands around it.

    Attributes:
        shown: The piece.
        job: The whole job file, as bytes.
        files: Other files by name, as far as they matter.
        environment: Variables that are set.
        flags: Flags of `runner run`, or `None` where `runner validate` says all.
        note: What the piece does not show.
    """

    shown: str
    job: bytes
    files: Mapping[str, str]
    environment: Mapping[str, str]
    flags: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """The page of one code; `imports` is whether only `--import` finds it."""

    code: str
    kind: str
    meaning: str
    wrong: Example
    right: Example
    imports: bool

    def shared_files(self) -> dict[str, str]:
        """Return the files that are the same beside the wrong and the right job file."""
        right = self.right.files
        return {name: text for name, text in self.wrong.files.items() if right.get(name) == text}


def read_pages() -> dict[str, Page]:
    """Return the page of every code, in the order of the alphabet."""
    document = read_document(_EXAMPLES.read_bytes(), str(_EXAMPLES))
    assert not document.problems, document.problems
    return {code: _page(code, document.data[code]) for code in sorted(CODES)}


def complete(piece: str) -> str:
    """Return a whole job file: the piece, and what every job must say where the piece does not."""
    said = {line.partition(":")[0] for line in piece.splitlines() if line[:1].isalpha()}
    return "".join(text for key, text in BASE.items() if key not in said) + piece


def render_page(page: Page) -> str:
    """Return a page as text for a terminal."""
    blocks = [f"{page.code}: {page.kind}", fill(page.meaning, _WIDTH)]
    shared = page.shared_files()
    blocks += [f"{name}:\n\n{_indented(text)}" for name, text in shared.items()]
    if page.wrong.environment:
        blocks.append(f"In the environment: {' '.join(map('='.join, page.wrong.environment.items()))}")
    for title, example in (("Wrong", page.wrong), ("Right", page.right)):
        blocks.append(f"{title}{f' ({example.note})' if example.note else ''}:\n\n{_indented(example.shown)}")
        for name, text in example.files.items():
            blocks += [] if name in shared else [f"  with {name}:\n\n{_indented(text)}"]
        if example.flags is not None:
            blocks.append(_indented(f"$ runner run job.yaml {example.flags}"))
    blocks += ["Found by `runner validate --import` and by `runner run`."] if page.imports else []
    if page.code in WARNINGS and page.code not in ("bad-ignore", "unused-ignore"):
        comment = f"# runner: ignore[{page.code}] the reason"
        blocks.append(f"Where it is meant, a comment on the line or alone above it: {comment}")
    more = find_document(f"docs/faults.md#{page.code}")
    blocks += [more] if more is not None else []
    return "\n\n".join(blocks) + "\n"


def _page(code: str, data: Mapping[str, Any]) -> Page:
    kind = "an error" if code not in WARNINGS else "a warning"
    kind = "a warning or an error" if code in _ALSO_ERRORS else kind
    wrong, right = (_example(side, data) for side in ("wrong", "right"))
    return Page(code, kind, CODES[code], wrong, right, bool(data.get("imports")))


def _example(side: str, data: Mapping[str, Any]) -> Example:
    piece: str = data[side]
    files = {"tasks.py": data.get(f"{side}_tasks", data.get("tasks"))}
    files |= {"config.yaml": data.get("config"), "other.yaml": data.get("beside")}
    files["places.csv"] = data.get("places")
    whole = piece if data.get("whole") else complete(piece)
    note, encoding = None, "utf-8"
    if side == "wrong" and "last_line_times" in data:
        times = data["last_line_times"]
        *head, last = whole.splitlines(keepends=True)
        lines = [last.replace(":", f"{number}:", 1) if "{}" in last else last for number in range(times)]
        whole = "".join(head + lines)
        note = f"and {times:,} more lines like the last"
    if side == "wrong" and "encoding" in data:
        encoding = data["encoding"]
    shown = {name: text for name, text in files.items() if text is not None}
    environment = dict(pair.split("=") for pair in data.get("environment", "").split())
    return Example(piece, whole.encode(encoding), shown, environment, data.get(f"{side}_flags"), note)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip("\n").splitlines())
