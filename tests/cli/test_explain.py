"""`runner explain`: codes, keys, and what was probably meant."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from runner.cli.explain import explain
from runner.jobfile import CODES


def ask(*words: str) -> Result:
    """Call the command."""
    return CliRunner().invoke(explain, words, standalone_mode=False)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page(code):
    """With a wrong and a right example."""
    done = ask(code)
    assert done.return_value == 0
    assert done.output.startswith(f"{code}: ")
    assert "\nWrong" in done.output
    assert "\nRight" in done.output


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("pool.size", "pool.size"),
        ("pool", "pool"),
        ("chunksize", "pool.chunksize"),
        ("input.delimiter", "input.csv.delimiter"),
        ("retry.backoff.jitter", "retry.backoff.jitter"),
        ("output.csv", "output.csv"),
        ("failures.tolerate.percent", "failures.tolerate.percent"),
    ],
)
def test_a_key_is_found_by_its_path_or_its_name(word, path):
    """The whole path, or as much of it as leaves no doubt."""
    done = ask(word)
    assert done.return_value == 0
    assert done.output.startswith(f"{path}\n")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("unknow-key", "did you mean unknown-key?"),
        ("pool.sizes", "did you mean pool.size?"),
        ("chunk_sze", "did you mean pool.chunksize?"),
        ("workers", "it is called pool.size here"),
        ("delimiter", "there is input.csv.delimiter or output.csv.delimiter"),
        ("xyzzy", "runner explain lists them all"),
    ],
)
def test_a_near_miss_is_told_what_there_is(word, meant):
    """Exit 2: nothing was explained."""
    done = ask(word)
    assert done.return_value == 2
    assert meant in done.stderr


def test_without_a_word_all_are_listed():
    """Codes and keys, each on a line."""
    lines = [line.strip() for line in ask().output.splitlines()]
    assert set(CODES) <= set(lines)
    assert "pool.window_bytes" in lines
