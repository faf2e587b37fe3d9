"""`runner explain`: codes, keys, and what was probably meant."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from runner import paths
from runner.cli.main import commands
from runner.jobfile import CODES


def ask(*words: str) -> Result:
    """Call the command."""
    return CliRunner().invoke(commands, ["explain", *words], standalone_mode=False)


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
        ("--workers", "it is -j 8 here"),
        ("--xyzzy", "runner run --help lists those of a run"),
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


@pytest.mark.parametrize("word", ["--limit", "limit", "-j", "--set", "--only-jobs"])
def test_a_flag_is_explained_with_the_commands_that_have_it(word):
    """By what the help of the command says; without its dashes where no key is called so."""
    done = ask(word)
    assert done.return_value == 0
    (command, *_) = done.output.rpartition("of       runner ")[2].strip().split(", ")
    flag = word if word.startswith("-") else f"--{word}"
    assert any(flag in each.opts for each in commands.commands[command].params)


def test_a_key_that_several_kinds_have_with_one_meaning_is_explained():
    """As `--set` takes it, without a kind."""
    assert ask("output.if_exists").return_value == 0


def test_documents_are_named_where_they_lie(monkeypatch, tmp_path):
    """In a source tree, as they can be opened from here; of an installed package they are no part."""
    assert "faults.md#unknown-key" in ask("unknown-key").output
    assert "job-file.md#pool" in ask("pool.size").output
    monkeypatch.setattr(paths, "_TREE", tmp_path)
    assert ".md" not in ask("unknown-key").output + ask("pool.size").output
