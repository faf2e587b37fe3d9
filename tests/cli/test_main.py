"""From what happened to the exit code, and from flags to an order, in one process."""

from __future__ import annotations

import sys

import click
import pytest

from runner.cli import main as module
from runner.cli import words
from runner.cli.order import Order
from runner.cli.run import run


@pytest.fixture
def invoke(monkeypatch):
    """Give a function that runs a command line in this process and returns its exit code."""

    def invoke(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["runner", *arguments])
        return module._invoke()

    return invoke


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (click.UsageError("no"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_becomes_an_exit_code_in_one_place(invoke, monkeypatch, raised, code):
    """Whatever command raised it."""

    def callback(**_: object) -> None:
        raise raised

    monkeypatch.setattr(run, "callback", callback)
    assert invoke("run", "job.yaml") == code


@pytest.mark.parametrize(("returned", "code"), [(0, 0), (75, 75), (None, 0)])
def test_what_a_command_returns_is_the_exit_code(invoke, monkeypatch, returned, code):
    """A command that returns nothing has done its work."""
    monkeypatch.setattr(run, "callback", lambda **_: returned)
    assert invoke("run", "job.yaml") == code


@pytest.fixture
def order(invoke, monkeypatch):
    """Give a function that returns the order that flags become."""
    from runner.cli import execute

    given = []
    monkeypatch.setattr(execute, "execute", lambda order: given.append(order) or 0)

    def order(*flags: str) -> Order:
        assert invoke("run", "job.yaml", *flags) == 0
        return given[-1]

    return order


def test_flags_become_an_order(order):
    """Each flag in its place, repeated ones in their order."""
    given = order(
        "-p",
        "a=1",
        "-p",
        "b=x=y",
        "-p",
        "c=",
        "--set",
        "pool.size=2",
        "-j",
        "8",
        "--limit",
        "0",
        "--json",
        "-q",
    )
    assert given.params == {"a": "1", "b": "x=y", "c": ""}
    assert list(given.overrides) == [("pool.size", "2"), ("pool.size", "8")]
    assert (given.limit, given.as_json, given.is_quiet) == (0, True, True)


def test_without_flags_an_order_is_plain(order):
    """Nothing is overridden, and all items are taken."""
    given = order()
    assert (given.params, list(given.overrides), given.limit) == ({}, [], None)
    assert (given.as_json, given.is_quiet, given.log_file, given.config) == (False, False, None, None)


@pytest.mark.parametrize("flags", [["-p", "a"], ["-p", "=1"], ["--set", "a"], ["--limit", "-1"], ["-j", "x"]])
def test_flags_that_say_nothing_are_wrong_usage(invoke, capsys, flags):
    """A word without its sign, a number below its range."""
    assert invoke("run", "job.yaml", *flags) == 2
    assert "Error" in capsys.readouterr().err


class Broken:
    """A stream whose reader has gone."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def write(self, text: str) -> int:
        """Raise."""
        raise self.error

    def flush(self) -> None:
        """Raise."""
        raise self.error


@pytest.mark.parametrize(
    "stream",
    [None, Broken(BrokenPipeError()), Broken(OSError(28, "full")), Broken(ValueError("closed"))],
    ids=["none", "pipe", "full", "closed"],
)
def test_a_message_that_nobody_can_read_is_no_error(monkeypatch, stream):
    """A run goes on without its watcher; `2>&-` makes the stream `None`."""
    monkeypatch.setattr(sys, "stderr", stream)
    words.say("hello")
    assert sys.stderr is stream


def test_a_message_is_seen_at_once(capsys):
    """No buffer between the run and its watcher."""
    words.say("hello")
    assert capsys.readouterr() == ("", "hello\n")
