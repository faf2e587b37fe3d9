"""The names that `import runner` promises."""

from __future__ import annotations

import inspect

import pytest

import runner


def test_the_public_names_are_sorted_and_all_there():
    """`__all__`, `dir` and the attributes say the same."""
    assert runner.__all__ == sorted(runner.__all__)
    assert dir(runner) == runner.__all__
    assert all(getattr(runner, name) is not None for name in runner.__all__)


@pytest.mark.parametrize("name", runner.__all__)
def test_every_public_name_is_documented(name):
    """`help(runner.imap)` has something to say."""
    assert inspect.getdoc(getattr(runner, name))


def test_a_name_that_is_not_there_is_an_attribute_error():
    """As of every module: `hasattr` and `from runner import x` rely on it."""
    with pytest.raises(AttributeError, match="module 'runner' has no attribute 'imp'"):
        runner.imp  # noqa: B018


def test_imap_has_the_documented_parameters():
    """`runner.imap(func, iterable, *, size, chunksize, ordered, window, engine)`."""
    parameters = inspect.signature(runner.imap).parameters
    assert list(parameters)[:2] == ["func", "iterable"]
    assert {name: parameters[name].default for name in ("size", "chunksize", "ordered", "window")} == {
        "size": None,
        "chunksize": 1,
        "ordered": True,
        "window": None,
    }
    assert parameters["engine"].default == "threads"
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name not in ("func", "iterable"))
