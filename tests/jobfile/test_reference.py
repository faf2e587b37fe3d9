"""Every key is explained, with an example that holds, and a place in the documents that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner import sinks, sources
from runner.jobfile import Kinds, load_job
from runner.jobfile.reference import all_keys

from .conftest import NOW

REPOSITORY = Path(__file__).resolve().parents[2]
KEYS = all_keys(Kinds(sources.KINDS, sinks.KINDS))
BASE = {
    "version": "1",
    "name": "example",
    "params": "{text: a.txt}",
    "input": "{type: text, path: a.txt}",
    "task": "tasks.work",
}
NEEDED = {  # what the blocks and kinds of some keys need besides
    "input.csv": "path: a.csv",
    "input.jsonl": "path: a.jsonl",
    "input.json": "path: a.json",
    "input.text": "path: a.txt",
    "input.files": "path: a.tif",
    "input.items": "items: [1]",
    "input.range": "stop: 9",
    "input.python": "call: tasks.days",
    "input.dead_letter": "path: a.jsonl",
    "output.jsonl": "path: b.jsonl",
    "output.csv": "path: b.csv",
    "output.text": "path: b.txt",
    "input.csv.columns": "header: false",
    "input.csv.header": "columns: [a]",
    "rate_limit": "rate: 1/s",
    "task": "call: tasks.work",
    "tests.name": "item: tea",
    "tests.item": "name: a",
    **{f"tests.{key}": "name: a, item: tea" for key in ("params", "with", "row", "rows", "attempts")},
    **{f"tests.{key}": "name: a, item: tea" for key in ("faults", "error")},
    "tests.faults.message": "raise: OSError",
    "tests.faults.retry_after": "raise: OSError",
}


def job_with(path: str, value: str) -> str:
    """Return a job in which the key at `path` has a value, written as YAML."""
    block, _, name = path.rpartition(".")
    for level in (path,) if path.startswith("tests.") else (path, block):
        for needed in filter(None, [NEEDED.get(level)]):
            if needed.partition(":")[0] != name:
                name, value = name, f"{value}, {needed}" if block else value
    text = f"{name}: {value}"
    while block:
        block, _, above = block.rpartition(".")
        is_kind = block in ("input", "output")
        text = f"{block}: {{type: {above}, {text}}}" if is_kind else f"{above}: {{{text}}}"
        if above in ("faults", "tests"):
            text = text.replace(": {", ": [{", 1) + "]"
        if block == "tests":
            text += ", name: a, item: tea"
        if is_kind:
            break
    text = text.replace(f"type: {path.split('.')[-2]}, type:", "type:") if path.endswith(".type") else text
    key = text.partition(":")[0]
    return "".join(f"{other}: {value}\n" for other, value in BASE.items() if other != key) + text + "\n"


@pytest.mark.parametrize("path", [path for path, key in KEYS.items() if key.example is not None])
def test_the_example_of_a_key_holds(path, tmp_path):
    """It is a value that a job file may have, in its place."""
    (tmp_path / "job.yaml").write_text(job_with(path, KEYS[path].example))
    loaded = load_job(tmp_path / "job.yaml", environ={}, now=NOW, strict_env=False)
    found = [problem for problem in loaded.problems if problem.code != "unset-secret"]
    assert not found, (loaded.text, found)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_is_explained(key):
    """With a sentence, what it takes, an example that is not its default, and where more stands."""
    assert re.fullmatch(r"[A-Z].*\.", key.meaning)
    assert key.allowed
    is_kind = key.allowed.startswith("a mapping with `type: ")
    assert is_kind or key.example is not None
    assert f"`{key.example}`" != key.default or key.allowed in (f"`{key.example}`", "1")


@pytest.mark.parametrize("page", sorted({key.page for key in KEYS.values()}))
def test_the_page_of_a_key_is_there(page):
    """The document has the chapter."""
    file, _, anchor = page.partition("#")
    titles = re.findall(r"^#+ (.*)$", (REPOSITORY / file).read_text("utf-8"), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
