"""The forms of a task: what is seen of them without importing, when loaded, and when a worker opens them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.item import Context
from runner.task import Located, Policy, Task, TaskFault, TaskRejected, check_call, load_task, locate

Project = Callable[..., Path]

TASKS = """\
    import functools
    from typing import TYPE_CHECKING
    import click
    import runner
    import runner.item as items
    from runner import Context
    from runner import Context as Short
    if TYPE_CHECKING:
        from runner import Context as Ours

    EVENTS = []

    def logged(function):
        @functools.wraps(function)
        def inner(*args, **named):
            return function(*args, **named)
        return inner

    def plain(item): return item
    def pairs(item):
        yield item
        yield item
    decorated = logged(pairs)
    bound = functools.partial(pairs)

    class Fetcher:
        def __init__(self, url, *, retries: int = 3):
            self.url = url
            EVENTS.append(("built", url, retries))
        def __call__(self, item, context: runner.Context):
            return [self.url, item, context.attempt]
        def close(self):
            EVENTS.append("closed")

    class Entered:
        def __enter__(self):
            EVENTS.append("entered")
            return lambda item: item * 2
        def __exit__(self, *about):
            EVENTS.append(("left", about))
        def close(self):
            EVENTS.append("closed too")
        def __call__(self, item): ...

    class Elsewhere(Entered):
        def __enter__(self):
            return 5

    class Share:
        close = 104.2
        def __call__(self, item): return item

    class Pairs:
        def __call__(self, item):
            yield item

    class Base:
        def __call__(self, item): return item

    class Child(Base):
        def __init__(self, size): self.size = size

    def with_context(item, *, context: Context, km=5): return context
    def with_text(item, here: "runner.Context"): return here
    def with_hidden(item, here: "Ours"): return here
    def with_alias(item, here: Short): return here
    def with_alias_text(item, here: "Short"): return here
    def with_module(item, here: "items.Context"): return here
    wrapped = logged(with_alias_text)
    partly = functools.partial(with_alias_text)

    class Odd(dict):  # of which Python knows no signature
        def __call__(self, item: int, here: Short): return here

    def context_first(context: Context, item): ...
    def of_another(item, here: click.Context = None): return here
"""


@pytest.fixture
def root(project: Project) -> Path:
    """Return a project with one task of each form."""
    return project(tasks=TASKS)


def load(name: str, root: Path, **with_: object) -> Task:
    """Load a task of the module."""
    return load_task(f"tasks.{name}", root=root, policy=Policy(), with_=with_)


def see(name: str, root: Path, **with_: object) -> list[str]:
    """Return the codes of the faults that show without importing anything."""
    located = locate(f"tasks.{name}", [root])
    if isinstance(located, TaskFault):
        return [located.code]
    return [fault.code for fault in check_call(located, with_)]


@pytest.mark.parametrize("name", ["pairs", "decorated", "bound", "Pairs"])
def test_a_generator_is_known_through_what_is_around_it(root: Path, name: str) -> None:
    """A decorator that uses `functools.wraps`, a partial, the `__call__` of a class."""
    assert load(name, root).is_many
    assert not load("plain", root).is_many


def test_a_class_is_built_called_and_closed(root: Path) -> None:
    """`with:` builds it; each opening is an instance of its own; `close` closes it."""
    task = load("Fetcher", root, url="http://x", retries=1)
    assert task.is_class
    call, close = task.open()
    import tasks  # type: ignore[import-not-found]

    assert call(7, Context(7, 2, "r")) == ["http://x", 7, 2]
    assert close is not None
    close()
    assert tasks.EVENTS == [("built", "http://x", 1), "closed"]


def test_a_context_manager_is_entered_and_left(root: Path) -> None:
    """What `__enter__` returns is called; `__exit__` closes it, and `close` is not called as well."""
    call, close = load("Entered", root).open()
    import tasks

    assert call(4) == 8
    assert close is not None
    close()
    assert tasks.EVENTS == ["entered", ("left", (None, None, None))]


def test_what_is_entered_must_be_callable(root: Path) -> None:
    """Else no item could be done: it is left again, and the worker is not opened."""
    task = load("Elsewhere", root)
    with pytest.raises(TypeError, match="`__enter__` returned a value of type int"):
        task.open()
    import tasks

    assert tasks.EVENTS == [("left", (None, None, None))]


def test_a_close_that_is_no_method_is_left_alone(root: Path) -> None:
    """It may be the price of a share at the end of the day."""
    call, close = load("Share", root).open()
    assert (call(4), close) == (4, None)


@pytest.mark.parametrize(
    ("name", "with_", "codes"),
    [
        ("Fetcher", {"url": "x"}, []),
        ("Fetcher", {}, ["missing-argument"]),
        ("Fetcher", {"url": "x", "retires": 1}, ["unknown-argument"]),
        ("Fetcher", {"url": "x", "retries": "many"}, ["argument-type"]),
        ("Entered", {"url": "x"}, ["unknown-argument"]),
        ("with_context", {}, []),
        ("with_context", {"context": 1}, ["unknown-argument"]),
        ("with_alias", {}, []),
        ("with_alias", {"here": 1}, ["unknown-argument"]),
        ("with_alias_text", {}, []),
        ("with_module", {}, []),
        ("with_hidden", {}, ["missing-argument"]),
        ("context_first", {}, ["no-item-parameter"]),
        ("pairs", {}, []),
    ],
)
def test_arguments_are_checked_against_what_takes_them(
    root: Path, name: str, with_: dict[str, object], codes: list[str]
) -> None:
    """Those of a class against its `__init__`, of a function against itself; the context is given by us.

    With and without importing the module.
    """
    assert see(name, root, **with_) == codes
    try:
        load(name, root, **with_)
        found = []
    except TaskRejected as rejected:
        found = [fault.code for fault in rejected.faults]
    assert found == codes


def test_a_class_that_inherits_is_known_when_loaded(root: Path) -> None:
    """Its syntax does not show what it inherits, so nothing is said without importing."""
    located = locate("tasks.Child", [root])
    assert isinstance(located, Located)
    assert not located.certain
    assert see("Child", root) == []
    with pytest.raises(TaskRejected, match="needs `size`"):
        load("Child", root)
    assert load("Child", root, size=3).open()[0](5) == 5


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("with_context", "context"),
        ("with_text", "here"),
        ("with_alias", "here"),
        ("with_alias_text", "here"),
        ("with_module", "here"),
        ("wrapped", "here"),
        ("partly", "here"),
        ("Odd", "here"),
        ("with_hidden", None),
        ("of_another", None),
        ("Fetcher", "context"),
        ("plain", None),
    ],
)
def test_the_context_goes_where_the_annotation_says(root: Path, name: str, parameter: str | None) -> None:
    """Ours only: another library's `Context` is none."""
    with_ = {"url": "x"} if name == "Fetcher" else {"here": 1} if name == "with_hidden" else {}
    task = load(name, root, **with_)
    assert task.context == parameter
    if parameter is not None and not task.is_class:
        context = Context(3, 1, "run")
        assert task.open()[0](0, context) is context


def test_the_item_of_a_class_without_a_known_signature_is_converted(root: Path) -> None:
    """How it is built says nothing about how it is called."""
    task = load_task("tasks.Odd", root=root, policy=Policy(), values="text")
    assert task.convert is not None
    assert task.convert("42") == 42


def test_the_idempotency_key_is_of_run_and_item() -> None:
    """Attempts share it, items and runs do not."""
    keys = {
        Context(index, attempt, run).idempotency_key for index in (1, 2) for attempt in (1, 2) for run in "ab"
    }
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
