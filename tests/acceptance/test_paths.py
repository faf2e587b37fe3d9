"""Paths for a person, from whichever folder they type: each that is shown can be typed there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture
def prices(project):
    """Give a project with a marked root, a job in a folder below it, and an item that fails."""
    project.write("config.yaml", "")
    project.write("data/prices.csv", "name,dollar\ntea,4.20\nwater,free\n")
    project.write("tasks.py", "def price(row):\n    return {'euro': float(row['dollar'])}\n")
    project.job(
        "jobs/prices.yaml",
        input={"type": "csv", "path": "data/*.csv"},
        task="tasks.price",
        failures={"tolerate": 1},
        output={"type": "jsonl", "path": "out/prices.jsonl"},
    )
    return project


def paths_in(text: str) -> list[str]:
    """Return the words of a text that name files of the project, without line numbers."""
    return re.findall(r"\S*(?:prices[^\s:]*|log)\.(?:csv|jsonl|yaml)\b", text)


@pytest.mark.parametrize("folder", [".", "jobs", ".."])
def test_what_a_run_shows_can_be_typed_where_it_was_started(prices, folder):
    """Input, output, dead letters and log; and, when the output is in the way, what is to be moved."""
    here = (prices.root / folder).resolve()
    job = str(prices.root / "jobs/prices.yaml")
    done = prices.runner("run", job, cwd=here)
    assert done.code == 0, done.err
    found = paths_in(done.err.partition("\n")[2])
    assert [Path(name).name for name in found] == [
        "prices.csv",
        "prices.jsonl",
        "prices.failed.jsonl",
        "log.jsonl",
    ]
    assert all((here / name).is_file() for name in found), found
    refused = prices.runner("run", job, "--limit", "1", cwd=here).err
    assert (here / paths_in(refused)[0]).is_file()


@pytest.mark.parametrize("folder", [".", "jobs", ".."])
def test_what_plan_and_preview_show_can_be_typed_too(prices, folder):
    """The glob of the input, the place of the first item, output and dead letters that would be replaced."""
    here = (prices.root / folder).resolve()
    job = str(prices.root / "jobs/prices.yaml")
    prices.runner("run", job)
    planned = prices.runner("plan", job, cwd=here).out.partition("\n\n  version")[0]
    previewed = prices.runner("preview", job, cwd=here).err
    assert [Path(name).name for name in paths_in(planned)][-2:] == ["prices.jsonl", "prices.failed.jsonl"]
    for name in paths_in(planned) + paths_in(previewed):
        assert (here / name).is_file(), name
    (glob,) = re.findall(r"\S+\*\.csv", planned)
    assert list(Path("/").glob(str(here / glob).lstrip("/")))


@pytest.mark.parametrize("folder", [".", "jobs", ".."])
def test_a_machine_gets_the_same_report_wherever_it_stands(prices, folder):
    """Paths of reports start at the project root, which the report names."""
    job = str(prices.root / "jobs/prices.yaml")
    report = prices.runner("run", job, "--json", cwd=(prices.root / folder).resolve()).report
    assert report["root"] == str(prices.root)
    assert (report["output"], report["dead_letter"]) == ("out/prices.jsonl", "out/prices.failed.jsonl")
