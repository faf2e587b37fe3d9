"""Broken job files beside what is shown for them: `faults/NAME.yaml` and `faults/NAME.txt`.

Each is reviewed as `runner validate` does it, with the real kinds; `faults/` is a project of its own, with
tasks and a config.yaml. A folder holds job files that are reviewed together. A comment `# flags: -p a=1
--set b=2` in a file gives the flags of `run`; `# validate` leaves values that only a run needs aside;
`# validate --import` imports the task.

`make update` writes the texts anew; read the diff before committing it.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from runner.config import load_config
from runner.jobfile import CODES, LoadedJob, load_job, render_text
from runner.jobfile.codes import WARNINGS
from runner.lint import review_jobs

from .conftest import NOW

FOLDER = Path(__file__).parent / "faults"
CASES = sorted(
    path
    for path in FOLDER.iterdir()
    if (path.suffix == ".yaml" and path.name != "config.yaml") or next(path.glob("*.yaml"), None)
)
ENVIRON = {"SIZE": "8", "TOKEN": "hunter2-hunter2"}
BUILT_BY_OTHER_TESTS = {"file-too-large", "too-many-faults"}


def read_flags(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the `-p` and `--set` of the comment in a broken job file."""
    line = re.search(r"# flags: (.*)", text)
    words = shlex.split(line[1]) if line else []
    pairs = [(flag, *word.split("=", 1)) for flag, word in zip(words[::2], words[1::2], strict=True)]
    params = {name: value for flag, name, value in pairs if flag == "-p"}
    return params, [(name, value) for flag, name, value in pairs if flag == "--set"]


def load(path: Path) -> LoadedJob:
    """Load one file of a case as its comments say."""
    text = path.read_bytes().decode("utf-8", "replace")
    params, overrides = read_flags(text)
    is_run = "# validate" not in text
    return load_job(path, params=params, overrides=overrides, environ=ENVIRON, now=NOW, strict_env=is_run)


def show(case: Path) -> str:
    """Return what is shown for a broken job file, or for a folder of them."""
    files = sorted(case.glob("*.yaml")) if case.is_dir() else [case]
    jobs = [load(path) for path in files]
    review = review_jobs(
        jobs,
        lambda root: load_config(root, operator=None, environ={}),
        imports="# validate --import" in "".join(loaded.text for loaded in jobs),
    )
    shown = render_text(review.problems, {str(loaded.path): loaded.text for loaded in jobs})
    for each in review.ignored:
        shown += f"ignored: {each.problem.code} on line {each.problem.line}: {each.reason}\n"
    shown = shown.replace(f"{FOLDER}{os.sep}", "")
    return re.sub(r"searched in .*", "searched in ...", shown)


@pytest.fixture
def own_modules(monkeypatch):
    """Let `jobs` be that of `faults/`, also where another test of this process has imported the real one."""

    def ours() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "jobs"}

    before = ours()
    for name in before:
        del sys.modules[name]
    monkeypatch.syspath_prepend(FOLDER)
    yield
    for name in ours():
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.usefixtures("own_modules")
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_broken_file_is_shown_as_expected(case, monkeypatch):
    """Every fault of a file is shown at its place, in our words, with what to write instead."""
    monkeypatch.setattr("runner.sizing.usable_cpus", lambda: 4)
    monkeypatch.chdir(FOLDER)  # places are shown from the current folder
    expected = case.with_suffix(".txt")
    shown = show(case)
    if os.environ.get("UPDATE_FAULTS") == "1":
        expected.write_text(shown, encoding="utf-8")
    assert shown == expected.read_text(encoding="utf-8")


def test_no_text_is_left_over():
    """Every expected text has its broken file."""
    assert {path.stem for path in FOLDER.glob("*.txt")} == {case.stem for case in CASES}
    assert len(CASES) >= 60


def test_ten_faults_are_shown_at_once():
    """A file with more than ten different faults needs one look, not ten."""
    shown = show(FOLDER / "ten-faults.yaml")
    places = re.findall(r"--> ten-faults.yaml:(\d+):\d+", shown)
    assert len(places) >= 10
    assert places == sorted(places, key=int)
    assert len(set(re.findall(r"^error\[(.*)\]", shown, re.MULTILINE))) >= 8


def test_nothing_from_the_environment_is_shown():
    """A value of the environment may be a secret: faults name the variable instead."""
    assert "hunter2" not in show(FOLDER / "from-the-environment.yaml")


def test_no_word_of_pydantic_is_shown():
    """Neither addresses nor type names of the library below reach the user."""
    paths = list(FOLDER.glob("*.txt"))
    assert len(paths) >= 10
    for path in paths:
        shown = path.read_text(encoding="utf-8")
        assert "pydantic" not in shown
        assert "Input should" not in shown
        assert "Value error" not in shown


def shown_codes(severity: str) -> set[str]:
    """Return the codes that the texts show as errors or as warnings."""
    texts = [path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")]
    return {code for text in texts for code in re.findall(rf"^{severity}\[(.*?)\]", text, re.MULTILINE)}


def test_every_code_is_met_and_explained():
    """Each code in the registry has a broken file that shows it, and no shown code lacks its page."""
    met = shown_codes("error") | shown_codes("warning")
    assert met | BUILT_BY_OTHER_TESTS == set(CODES)


def test_what_is_shown_as_a_warning_is_listed_as_one():
    """What a comment may ignore is known before it is met."""
    assert shown_codes("warning") == WARNINGS
