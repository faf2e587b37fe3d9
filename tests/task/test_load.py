"""Tasks are imported, held to the policy, and refused in the user's terms."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic_core import SchemaValidator

from runner.task import Policy, Task, TaskFault, TaskRejected, load_task, user_frames

Project = Callable[..., Path]


def rejected(dotted: str, root: Path, policy: Policy | None = None) -> TaskFault:
    """Return the fault for which a task is refused."""
    with pytest.raises(TaskRejected, match=r".") as caught:
        load_task(dotted, root=root, policy=policy or Policy())
    assert str(caught.value) == caught.value.fault.message
    return caught.value.fault


def load(dotted: str, root: Path, **with_: object) -> Task:
    """Load a task that everything is allowed to."""
    return load_task(dotted, root=root, policy=Policy(), with_=with_)


def test_a_task_without_arguments_is_the_function_itself(project: Project) -> None:
    """Nothing stands between the pool and the user's function."""
    task = load("batch.tasks.double", project(batch__tasks="def double(item): return 2 * item"))
    assert task.open()[0] is task.function is sys.modules["batch.tasks"].double
    assert task.open()[0](21) == 42


def test_arguments_are_given_to_every_call(project: Project) -> None:
    """`with` becomes keyword arguments, and the item stays the first positional one."""
    task = load(
        "tasks.add", project(tasks="def add(item, /, *, item2=0, **more): return item + item2"), item2=2
    )
    assert task.open()[0](40) == 42
    assert isinstance(task.open()[0], functools.partial)


def test_the_root_comes_first_and_once(project: Project) -> None:
    """Modules of the project win over installed ones, and two loads leave one entry."""
    root = project(tasks="def f(item): ...\ndef g(item): ...")
    sys.path.append(str(root))
    load("tasks.f", root)
    load("tasks.g", root)
    assert sys.path[0] == str(root)
    assert sys.path.count(str(root)) == 1


@pytest.mark.parametrize(
    "dotted", ["os.system", "builtins.eval", "subprocess.run", "posix.system", "_io.open"]
)
def test_the_standard_library_is_refused_before_any_import(project: Project, dotted: str) -> None:
    """`os.system` is not a task."""
    assert rejected(dotted, project()).code in {"stdlib-task", "bad-dotted-path"}


ALIASES = """\
    import os, functools, operator, shutil, datetime, builtins, runpy
    from math import sqrt
    from subprocess import run as execute
    shell = os.system
    evaluate = eval
    bound = functools.partial(os.system, "true")
    twice = functools.partial(functools.partial(os.system))
    cached = functools.lru_cache(os.system)
    upper = str.upper
    append = [].append
    now = datetime.datetime.now
    getter = operator.itemgetter(1)
    write = __import__("pathlib").Path("x").write_text
    wrapped = functools.wraps(os.system)(lambda item: item)

    class Worker(__import__("threading").Thread):
        pass
    worker = Worker()
    run = worker.run
"""


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "sqrt",
        "execute",
        "shell",
        "evaluate",
        "bound",
        "twice",
        "cached",
        "upper",
        "append",
        "now",
        "getter",
        "write",
        "wrapped",
        "run",
        "shutil.rmtree",
        "builtins.exec",
        "os.path.join",
    ],
)
def test_the_standard_library_is_refused_through_an_alias(project: Project, name: str) -> None:
    """However it is named, wrapped or bound, what counts is where it was defined."""
    assert rejected(f"mymod.{name}", project(mymod=ALIASES)).code == "stdlib-task"


CALLABLES = """\
    import functools

    def plain(item): return item
    bound = functools.partial(plain)
    cached = functools.lru_cache(plain)
    short = lambda item: item

    @functools.wraps(plain)
    def wrapped(*args): return plain(*args)

    class Geo:
        @staticmethod
        def static(item): return item
        @classmethod
        def of(cls, item): return item
        def method(self, item): return item
        def __call__(self, item): return item
    geo = Geo()
"""


@pytest.mark.parametrize(
    "name", ["plain", "bound", "cached", "short", "wrapped", "Geo.static", "Geo.of", "geo.method", "geo"]
)
@pytest.mark.parametrize("allow", [None, ("mymod.*",)])
def test_callables_of_the_users_own_are_tasks(
    project: Project, name: str, allow: tuple[str, ...] | None
) -> None:
    """Functions, partials, decorated ones, methods and callable objects alike."""
    task = load_task(f"mymod.{name}", root=project(mymod=CALLABLES), policy=Policy(allow))
    assert task.open()[0](5) == 5


@pytest.mark.parametrize(
    ("allow", "dotted", "allowed"),
    [
        (("batch.*",), "batch.tasks.f", True),
        (("batch.tasks.f",), "batch.tasks.f", True),
        (("batch.tasks.made",), "batch.tasks.made", True),
        (("other.*", "batch.*.f"), "batch.tasks.f", True),
        (("batch.*",), "batchsmith.f", False),
        (("BATCH.*",), "batch.tasks.f", False),
        ((), "batch.tasks.f", False),
        (("batch.tasks.*",), "batch.tasks.borrowed", False),
        (("batch.tasks.*",), "batch.tasks.library.g", False),
        (("batch.tasks.*", "library.*"), "batch.tasks.library.g", True),
    ],
)
def test_only_what_the_operator_allows_is_a_task(
    project: Project, allow: tuple[str, ...], dotted: str, allowed: bool
) -> None:
    """The list holds for the path and for where the function lives: an import does not widen it."""
    root = project(
        batch__tasks="""\
            import library
            from library import g as borrowed
            def f(item): ...
            made = lambda item: 1
        """,
        batchsmith="def f(item): ...",
        library="def g(item): ...",
    )
    if allowed:
        assert load_task(dotted, root=root, policy=Policy(allow)).dotted == dotted
    else:
        assert rejected(dotted, root, Policy(allow)).code == "task-not-allowed"


def test_a_method_written_in_c_is_at_home_in_its_class() -> None:
    """It has no module of its own, and is not Python's for that."""
    assert Policy().check_loaded("tasks.f", SchemaValidator.validate_python) is None
    assert Policy().check_loaded("tasks.f", dict.get) is not None


def test_a_path_that_is_not_allowed_is_not_imported(project: Project) -> None:
    """The operator's list is asked before the module can do anything."""
    root = project(sneaky="raise SystemExit(3)")
    assert rejected("sneaky.f", root, Policy(("batch.*",))).code == "task-not-allowed"
    assert "sneaky" not in sys.modules


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Odd(BaseException):\n    def __str__(self): return 1 / 0\nraise Odd()", "Odd: (its message"),
        ("raise ValueError", "ValueError"),
        ("def f(item:", "SyntaxError"),
    ],
)
def test_an_error_while_importing_is_shown_with_the_users_frames(
    project: Project, body: str, kind: str
) -> None:
    """Whatever a module raises, also an exit, the note leads to its line and to no line of ours."""
    root = project(batch__broken="import batch.inner\ndef f(item): ...\n", batch__inner=body)
    wrong = rejected("batch.broken.f", root)
    assert wrong.code == "import-failed"
    assert f"`batch.broken` cannot be imported: {kind}" in wrong.message
    (trace,) = wrong.notes
    assert f'{root}/batch/inner.py", line' in trace
    assert body.splitlines()[-1].strip() in trace
    assert "importlib" not in trace
    assert "runner/task" not in trace


def test_a_missing_module_inside_the_task_is_told_apart(project: Project) -> None:
    """That the task imports something that is not installed is not the task missing."""
    wrong = rejected("tasks.f", project(tasks="import pandas_of_mine\ndef f(item): ..."))
    assert wrong.code == "import-failed"
    assert (
        "`tasks` cannot be imported: ModuleNotFoundError: No module named 'pandas_of_mine'" in wrong.message
    )
    assert "install what provides `pandas_of_mine`" in (wrong.hint or "")


def test_a_missing_neighbour_is_no_missing_package(project: Project) -> None:
    """Nothing can be installed for a module of the project itself."""
    wrong = rejected("batch.tasks.f", project(batch__tasks="import batch.gone\ndef f(item): ..."))
    assert (wrong.code, wrong.hint) == ("import-failed", None)


@pytest.mark.parametrize(
    ("dotted", "code", "hint"),
    [
        ("btach.tasks.f", "module-missing", "`batch.tasks.f`"),
        ("batch.task.f", "module-missing", "`batch.tasks`"),
        ("batch.tasks.nearst", "attribute-missing", "`batch.tasks.nearest`"),
        ("batch.tasks.Geo.off", "attribute-missing", "`batch.tasks.Geo.of`"),
        ("batch.tasks.starred", "attribute-missing", None),
        ("batch.tasks", "not-callable", None),
        ("batch.tasks.LIMIT", "not-callable", None),
        ("batch.tasks.inner.deep", "attribute-missing", None),
        ("batch.tasks.fetch", "async-task", None),
        ("batch.tasks.stream", "async-task", None),
        ("batch.tasks.caller", "async-task", None),
        ("batch.tasks.Geo", "task-form", None),
        ("batch.tasks.nothing", "no-item-parameter", None),
        ("batch.tasks._private", "bad-dotted-path", None),
        ("batch.tasks.moody", "import-failed", None),
    ],
)
def test_what_is_no_task_is_a_fault_in_the_users_terms(
    project: Project, dotted: str, code: str, hint: str | None
) -> None:
    """The same words as without importing, and what only importing could tell."""
    root = project(
        batch__tasks="""\
            import functools
            from batch.inner import *
            LIMIT = [3]
            def nearest(item): ...
            def nothing(): ...
            async def fetch(item): ...
            async def stream(item): yield item
            class Geo:
                @staticmethod
                def of(item): ...
            class Caller:
                async def __call__(self, item): ...
            caller = Caller()
            def __getattr__(name):
                if name == "moody":
                    raise ValueError("not today")
                raise AttributeError(name)
        """,
        batch__inner="",
    )
    wrong = rejected(dotted, root)
    assert wrong.code == code
    assert hint is None or hint in (wrong.hint or "")


def test_a_task_that_a_package_gets_from_elsewhere_is_found(project: Project) -> None:
    """A re-export, a name made at run time and an attribute of a package all count."""
    root = project(
        batch__init="""\
            from batch import inner as renamed
            from batch.inner import *
            globals()["made"] = renamed.f
        """,
        batch__inner="def f(item): return item",
    )
    names = ["f", "made", "renamed.f", "inner.f"]
    assert [load(f"batch.{name}", root).open()[0](5) for name in names] == [5, 5, 5, 5]


def test_an_interrupt_while_importing_is_the_users(project: Project) -> None:
    """Ctrl-C during a slow import ends the program, it is no fault of the task."""
    root = project(slow="import signal\nsignal.raise_signal(signal.SIGINT)")
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        load("slow.f", root)


def test_several_faults_of_the_call_come_together(project: Project) -> None:
    """A rejected task carries them all, and its text joins their messages."""
    root = project(tasks="def f(item, a, b): ...")
    with pytest.raises(TaskRejected, match=r"needs `a`.*; .*needs `b`") as caught:
        load("tasks.f", root)
    assert len(caught.value.faults) == 2


def test_the_trace_of_an_error_has_causes_and_no_frames_of_ours(project: Project) -> None:
    """What the user's code was doing when it failed, and why, in Python's own form."""
    source = """\
        def f(item):
            try:
                return item["km"]
            except KeyError as error:
                raise ValueError("no distance") from error
    """
    task = load("tasks.f", project(tasks=source))
    with pytest.raises(ValueError, match="no distance") as caught:
        task.open()[0]({})
    trace = user_frames(caught.value)
    assert (
        trace.index("KeyError: 'km'") < trace.index("direct cause") < trace.index("ValueError: no distance")
    )
    assert 'return item["km"]' in trace


def test_the_trace_of_a_cause_has_no_frames_of_the_importer(project: Project) -> None:
    """The user sees why their own import failed, not how Python imports."""
    source = """\
        from importlib import import_module as bring
        try:
            bring("nowhere_at_all")
        except ImportError as error:
            raise RuntimeError("no plugin") from error
    """
    (trace,) = rejected("tasks.f", project(tasks=source)).notes
    assert "No module named 'nowhere_at_all'" in trace
    assert "importlib/__init__" not in trace
    assert "<frozen" not in trace


def test_a_trace_is_capped_in_its_middle() -> None:
    """A message of many megabytes does not fill the log; its ends are kept."""
    trace = user_frames(ValueError("a" + "x" * 10**6 + "z"))
    assert len(trace) < 20_000
    assert trace.startswith("ValueError: ax")
    assert "characters left out" in trace
    assert trace.endswith("xz")


def test_a_trace_is_masked_before_it_is_capped() -> None:
    """The cut may go through a secret, and half of one is not found any more."""
    trace = user_frames(ValueError("secret" * 10**5), lambda text: text.replace("secret", "*"))
    assert "secre" not in trace
    assert trace.startswith("ValueError: ***")


def test_an_error_whose_text_raises_has_a_trace_all_the_same() -> None:
    """The log line is not lost to a broken `__str__`."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert "Odd: <exception str() failed>" in user_frames(Odd())
