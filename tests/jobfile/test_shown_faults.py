"""Broken job files beside what is shown for them: `faults/NAME.yaml` and `faults/NAME.txt`.

A comment `# flags: -p a=1 --set b=2` in a file gives the flags of the command line. With
`UPDATE_FAULTS=1` in the environment the texts are written anew; read the diff before committing it.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from runner.jobfile import CODES, read_document, render_text

FOLDER = Path(__file__).parent / "faults"
FILES = sorted(FOLDER.glob("*.yaml"))
ENVIRON = {"SIZE": "8", "TOKEN": "hunter2-hunter2"}
BUILT_BY_OTHER_TESTS = {"file-too-large", "too-many-faults"}


def read_flags(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the `-p` and `--set` of the comment in a broken job file."""
    line = re.search(r"# flags: (.*)", text)
    words = shlex.split(line[1]) if line else []
    pairs = [(flag, *word.split("=", 1)) for flag, word in zip(words[::2], words[1::2], strict=True)]
    params = {name: value for flag, name, value in pairs if flag == "-p"}
    return params, [(name, value) for flag, name, value in pairs if flag == "--set"]


def show(path: Path, read) -> str:
    """Return what is shown for a broken job file."""
    document = read_document(path.read_bytes(), path.name)
    params, overrides = read_flags(document.text)
    _, problems = read(document, params=params, overrides=overrides, environ=ENVIRON)
    return render_text(problems, {path.name: document.text})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_broken_file_is_shown_as_expected(path, read, monkeypatch):
    """Every fault of a file is shown at its place, in our words, with what to write instead."""
    monkeypatch.setattr("runner.sizing.usable_cpus", lambda: 4)
    expected = path.with_suffix(".txt")
    shown = show(path, read)
    if os.environ.get("UPDATE_FAULTS") == "1":
        expected.write_text(shown, encoding="utf-8")
    assert shown == expected.read_text(encoding="utf-8")


def test_ten_faults_are_shown_at_once(read):
    """A file with more than ten different faults needs one look, not ten."""
    shown = show(FOLDER / "ten-faults.yaml", read)
    places = re.findall(r"--> ten-faults.yaml:(\d+):\d+", shown)
    assert len(places) >= 10
    assert places == sorted(places, key=int)
    assert len(set(re.findall(r"^error\[(.*)\]", shown, re.MULTILINE))) >= 8


def test_nothing_from_the_environment_is_shown(read):
    """A value of the environment may be a secret: faults name the variable instead."""
    assert "hunter2" not in show(FOLDER / "from-the-environment.yaml", read)


def test_no_word_of_pydantic_is_shown():
    """Neither addresses nor type names of the library below reach the user."""
    for path in FOLDER.glob("*.txt"):
        shown = path.read_text(encoding="utf-8")
        assert "pydantic" not in shown
        assert "Input should" not in shown
        assert "Value error" not in shown


def test_every_code_is_met_and_explained():
    """Each code in the registry has a broken file that shows it, and no shown code lacks its page."""
    texts = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")]
    met = {code for text in texts for code in re.findall(r"^(?:error|warning)\[(.*?)\]", text, re.MULTILINE)}
    assert met | BUILT_BY_OTHER_TESTS == set(CODES)
