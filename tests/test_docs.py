"""The documents say what is: their examples run, and their tables name what there is, no more and no less."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import get_args

import pytest
from pydantic import BaseModel

from runner import sinks, sources
from runner.config import Settings
from runner.jobfile import load_job
from runner.jobfile.model import Job, Tolerance
from runner.sinks import FileSinkOptions
from runner.sources.streams import StreamOptions

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
DOCUMENTS = sorted([REPOSITORY / "README.md", *DOCS.rglob("*.md")])
_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_NO_EVENTS = {"run.date", "task.call", "task.with"}  # texts of the code that look like one


@dataclass(frozen=True)
class Block:
    """A block of code: what the HTML comment before it says, its language, its text."""

    mark: str
    language: str
    text: str


def blocks_of(document: Path) -> list[Block]:
    """Return the blocks at the left margin of a document, in their order."""
    found = _BLOCK.finditer(document.read_text("utf-8"))
    return [Block(block["mark"] or "", block["language"], block["text"]) for block in found]


def id_of(document: Path) -> str:
    """Return the name of a document, from the root of the repository."""
    return str(document.relative_to(REPOSITORY))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which `runner` is the one of this repository, and `python3` can import it."""
    command = tmp_path / "bin" / "runner"
    command.parent.mkdir()
    for name, words in (("runner", "-P -m runner"), ("python3", "")):
        script = command.with_name(name)
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" {words} "$@"\n')
        script.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    path = f"{command.parent}:{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder to work in."""
    made = tmp_path / "empty"
    made.mkdir()
    return made


def run_commands(text: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the lines of a console block, up to the first one that fails."""
    return subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def whole_job_files() -> dict[str, Block]:
    """Return the YAML blocks that are whole job files, by document and number."""
    return {
        f"{id_of(document)}-{number}": block
        for document in DOCUMENTS
        for number, block in enumerate(blocks_of(document))
        if block.language == "yaml" and block.text.startswith("version:")
    }


@pytest.mark.parametrize("block", list(whole_job_files().values()), ids=list(whole_job_files()))
def test_a_job_file_in_a_document_has_no_faults(block: Block, folder: Path) -> None:
    """A reader may copy it; the one that shows faults is named for it."""
    job = folder / "job.yaml"
    job.write_text(block.text)
    loaded = load_job(job, environ={"SHOP_TOKEN": "not-a-real-token"}, now=datetime(2026, 1, 31, tzinfo=UTC))
    assert bool(loaded.problems) == (block.mark == "file: faulty.yaml"), loaded.problems


def with_examples() -> list[Path]:
    """Return the documents in which something is to be run or compared."""
    return [path for path in sorted(DOCS.glob("*.md")) if any(block.mark for block in blocks_of(path))]


@pytest.mark.slow
@pytest.mark.parametrize("document", with_examples(), ids=id_of)
def test_the_examples_of_a_document_do_what_it_says(
    document: Path, folder: Path, environment: dict[str, str]
) -> None:
    """Files are written, commands run and results compared in the order of the document."""
    shown = ""
    for block in blocks_of(document):
        what, _, rest = block.mark.partition(": ")
        if what == "file":
            (folder / rest).write_text(block.text)
        elif what == "run":
            done = run_commands(block.text, folder, environment)
            assert done.returncode == int(rest.removeprefix("exit ") or 0), f"{block.text}{done.stderr}"
            shown = done.stdout
        elif what == "output":
            assert shown.rstrip("\n") == block.text.rstrip("\n")
        elif what == "result":
            assert (folder / rest).read_text() == block.text
        else:
            assert not what, f"{document.name} has a comment that nothing reads: {block.mark}"


def rows_of(text: str) -> Iterator[str]:
    """Yield the first cell of each row of the tables whose first column is `key`, without its quotes."""
    is_inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            is_inside = False
        elif line.startswith("| key |"):
            is_inside = True
        elif is_inside and not line.startswith("|---"):
            yield line.split("|")[1].strip().strip("`")


def keys_of(model: type[BaseModel]) -> set[str]:
    """Return the keys of a model as a job file has them."""
    return {field.alias or name for name, field in model.model_fields.items()}


def paths_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted path of every key of a model and of the models in it, but not of kinds."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        inner = block_in(field.annotation)
        is_block = isinstance(inner, type) and issubclass(inner, BaseModel) and key not in ("input", "output")
        if not (is_block and model is Settings):
            yield key
        if is_block:
            yield from paths_of(inner, f"{key}.")


def block_in(annotation: object) -> object:
    """Return the model in `Model`, `Model | None` and `list[Model]`; any other annotation as it is."""
    members = [each for each in get_args(annotation) if each is not NoneType]
    return members[0] if len(members) == 1 else annotation


def chapters_of(document: Path, level: int) -> dict[str, str]:
    """Return the text below each heading of a level, up to the next heading of that level or above."""
    pieces = re.split(rf"^(#{{1,{level}}}) (.*)$", document.read_text("utf-8"), flags=re.MULTILINE)
    marks, titles, texts = pieces[1::3], pieces[2::3], pieces[3::3]
    return {t: text for mark, t, text in zip(marks, titles, texts, strict=True) if len(mark) == level}


def test_every_key_of_a_job_is_described() -> None:
    """The tables name each key of the models, and none that there is not."""
    named = list(rows_of((DOCS / "job-file.md").read_text("utf-8")))
    assert sorted(named) == sorted(paths_of(Job))
    assert keys_of(Tolerance) <= {key.rpartition(".")[2] for key in named}


def test_every_key_of_a_job_has_an_example() -> None:
    """The whole job file in the document uses each key of the job itself and of its blocks."""
    block = next(b for b in blocks_of(DOCS / "job-file.md") if b.mark == "file: everything.yaml")
    for path in paths_of(Job):
        assert re.search(rf"\b{path.rpartition('.')[2]}:", block.text), path


def test_every_setting_is_described() -> None:
    """The table of config.yaml names each key, and none that there is not."""
    chapter = chapters_of(DOCS / "logs.md", 2)["config.yaml"]
    assert sorted(rows_of(chapter)) == sorted(paths_of(Settings))


@pytest.mark.parametrize("kind", sources.KINDS)
def test_every_option_of_an_input_is_described(kind: str) -> None:
    """The tables of a kind and those of all files name its keys; what is shared is named once."""
    chapters = chapters_of(DOCS / "inputs-outputs.md", 3)
    model = sources.KINDS[kind]
    is_stream = issubclass(model, StreamOptions)
    shared = set(rows_of(chapters["Files in common"])) if is_stream else set()
    assert set(rows_of(chapters[kind])) | shared == keys_of(model) - {"type"}


@pytest.mark.parametrize("kind", sinks.KINDS)
def test_every_option_of_an_output_is_described(kind: str) -> None:
    """The tables of a kind and those of all files name its keys; what is shared is named once."""
    chapters = chapters_of(DOCS / "inputs-outputs.md", 3)
    model = sinks.KINDS[kind]
    is_file = issubclass(model, FileSinkOptions)
    shared = set(rows_of(chapters["Output files in common"])) if is_file else set()
    assert set(rows_of(chapters[f"{kind} output"])) | shared == keys_of(model) - {"type"}


def test_every_kind_has_an_example() -> None:
    """Some job file of the document reads from each input and writes to each output."""
    text = "".join(b.text for b in blocks_of(DOCS / "inputs-outputs.md") if b.language == "yaml")
    for block, kinds in (("input", sources.KINDS), ("output", sinks.KINDS)):
        for kind in kinds:
            assert re.search(rf"^{block}:\s*\{{?\s*type: {kind}\b", text, re.MULTILINE), f"{block} {kind}"


def test_every_event_of_the_log_is_described() -> None:
    """What the code writes as an event stands in the table of events, and nothing else does."""
    code = "".join(path.read_text("utf-8") for path in (REPOSITORY / "runner").rglob("*.py"))
    event = r"(?:run|item|task)\.[a-z_]+"
    written = set(re.findall(f'"({event})"', code)) - _NO_EVENTS
    table = chapters_of(DOCS / "logs.md", 2)["The log file"]
    assert set(re.findall(f"`({event})`", table)) == written


@pytest.mark.parametrize("document", DOCUMENTS, ids=id_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    """A relative link names a file that is there, and a heading that is in it."""
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


def anchors_of(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_document_is_in_the_index() -> None:
    """`docs/index.md` has a line for each document."""
    index = (DOCS / "index.md").read_text("utf-8")
    for document in DOCS.glob("*.md"):
        assert document.name == "index.md" or f"]({document.name})" in index, document.name
