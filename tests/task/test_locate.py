"""Tasks are found without importing them."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path

import pytest

from runner.task import Located, TaskFault, locate

Project = Callable[..., Path]

TASKS = """\
    import os
    import json as j
    import os.path as p
    from math import sqrt
    from functools import wraps as w
    from . import airports as neighbour
    from somewhere import borrowed

    LIMIT = 3
    NAMES: list[str] = ["a"]
    DEBT = -1.5
    declared: int
    shorten = lambda item, *, to=3: item[:to]
    made = w(LIMIT)

    def nearest_hub(item, *, radius_km: float = 1000.0):
        def inner():
            yield 1
        return lambda: (yield)

    @w
    def decorated(item): ...

    async def fetch(item): ...

    def expand(item):
        if item:
            yield item

    class Geo:
        def nearest(item): ...

    if LIMIT:
        def conditional(item): ...

    for each in NAMES:
        pass
    (first, *others) = NAMES
    with open(NAMES) as handle:
        pass
    if (walrus := 5):
        pass
    match LIMIT:
        case [captured, *_]:
            pass

    def rebound(item): ...
    rebound = w(rebound)

    def stays(item): ...
    stays = 3

    def counted(item): ...
    def count():
        global counter
        counter = counted
"""


def found(result: Located | TaskFault) -> Located:
    """Return a result that is no fault."""
    assert isinstance(result, Located), result
    return result


def fault(result: Located | TaskFault) -> TaskFault:
    """Return a result that is a fault."""
    assert isinstance(result, TaskFault), result
    return result


@pytest.mark.parametrize("package", [True, False])
def test_a_function_is_located_with_its_line_and_parameters(project: Project, package: bool) -> None:
    """With an `__init__.py` and without one, the file, the line and the parameters are known for sure."""
    root = project(jobs__airports=TASKS, **({"jobs__init": ""} if package else {}))
    place = found(locate("jobs.airports.nearest_hub", [root]))
    assert (place.module, place.file) == ("jobs.airports", root / "jobs/airports.py")
    assert place.line == 16
    assert place.certain
    assert place.arguments is not None
    assert [each.arg for each in place.arguments.kwonlyargs] == ["radius_km"]


def test_locating_imports_nothing(project: Project) -> None:
    """Neither the module nor the packages around it are run: the marker is never written."""
    marker = 'import pathlib; pathlib.Path(__file__ + ".ran").touch()\n'
    root = project(jobs__init=marker, jobs__deep__init=marker, jobs__deep__tasks=marker + "def f(item): ...")
    for dotted in ("jobs.deep.tasks.f", "jobs.deep.tasks.g", "jobs.deep.tasks", "jobs.wrong.f", "jobs.f"):
        locate(dotted, [root])
    assert list(root.rglob("*.ran")) == []
    assert not [name for name in sys.modules if name.partition(".")[0] == "jobs" and name.endswith("deep")]


def test_the_first_folder_wins(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Folders are searched in their order, as `sys.path` is."""
    other = tmp_path_factory.mktemp("other")
    (other / "tasks.py").write_text("def other(item): ...")
    root = project(tasks="def mine(item): ...")
    assert found(locate("tasks.mine", [root, other])).certain
    assert fault(locate("tasks.mine", [other, root])).code == "attribute-missing"


def test_a_namespace_package_is_searched_in_all_its_folders(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without `__init__.py`, two folders of one name are one package."""
    other = tmp_path_factory.mktemp("other")
    (other / "jobs").mkdir()
    (other / "jobs/there.py").write_text("def f(item): ...")
    root = project(jobs__here="def f(item): ...")
    assert found(locate("jobs.there.f", [root, other])).file == other / "jobs/there.py"
    assert found(locate("jobs.here.f", [root, other])).file == root / "jobs/here.py"


@pytest.mark.parametrize(
    "name",
    [
        "decorated",
        "conditional",
        "borrowed",
        "neighbour",
        "made",
        "rebound",
        "each",
        "first",
        "others",
        "handle",
        "walrus",
        "captured",
        "counter",
        "Geo.nearest",
    ],
)
def test_what_only_running_could_tell_is_no_fault(project: Project, name: str) -> None:
    """Imports, decorators, conditions and calls may give a function; it is located, not for certain."""
    place = found(locate(f"tasks.{name}", [project(tasks=TASKS)]))
    assert not place.certain
    assert place.line is not None


@pytest.mark.parametrize(
    "opening",
    [
        "from elsewhere import *",
        "def __getattr__(name): ...",
        "globals()['f'] = len",
        "exec('f = len')",
        "import sys\nsys.modules[__name__] = object()",
    ],
)
def test_a_module_with_open_names_may_have_any(project: Project, opening: str) -> None:
    """Where names come from elsewhere, a name that is not written is no fault."""
    assert not found(locate("tasks.f", [project(tasks=opening)])).certain


def test_a_lambda_is_a_function(project: Project) -> None:
    """Its parameters are known as those of a `def` are."""
    place = found(locate("tasks.shorten", [project(tasks=TASKS)]))
    assert place.certain
    assert place.arguments is not None


@pytest.mark.parametrize("name", ["LIMIT", "NAMES", "DEBT", "stays"])
def test_a_value_is_not_callable(project: Project, name: str) -> None:
    """A constant is told apart from a function, and its line is named."""
    wrong = fault(locate(f"tasks.{name}", [project(tasks=TASKS)]))
    assert (wrong.code, wrong.message) == ("not-callable", f"`tasks.{name}` is a value, not a function")
    assert "tasks.py:" in wrong.notes[0]


@pytest.mark.parametrize(
    ("dotted", "code", "words"),
    [
        ("tasks.fetch", "async-task", "comes in a later version"),
        ("tasks.Geo", "task-form", "cannot be called"),
    ],
)
def test_forms_that_cannot_be_called_are_named(project: Project, dotted: str, code: str, words: str) -> None:
    """`async def` and classes without `__call__` are seen before anything runs."""
    wrong = fault(locate(dotted, [project(tasks=TASKS)]))
    assert wrong.code == code
    assert words in wrong.message


def test_a_generator_is_a_function(project: Project) -> None:
    """Its parameters are known."""
    place = found(locate("tasks.expand", [project(tasks=TASKS)]))
    assert place.certain
    assert place.arguments is not None


@pytest.mark.parametrize(
    ("dotted", "home"),
    [
        ("os.system", "os.system"),
        ("builtins.eval", "builtins.eval"),
        ("subprocess.run", "subprocess.run"),
        ("tasks.os.system", "os.system"),
        ("tasks.j.loads", "json.loads"),
        ("tasks.p.join", "os.path.join"),
        ("tasks.sqrt", "math.sqrt"),
        ("tasks.w", "functools.wraps"),
    ],
)
def test_the_standard_library_is_no_task(project: Project, dotted: str, home: str) -> None:
    """By its own name or through an import of the user's, it is refused without importing."""
    wrong = fault(locate(dotted, [project(tasks=TASKS)]))
    assert wrong.code == "stdlib-task"
    assert f"`{home}`" in wrong.message


@pytest.mark.parametrize(
    ("dotted", "message", "hint"),
    [
        ("", "no dotted path of names", None),
        ("nearest_hub", "names no module", "write `MODULE.FUNCTION`"),
        ("jobs.airports:nearest_hub", "no dotted path", "write `jobs.airports.nearest_hub`"),
        ("jobs/airports.py:nearest_hub", "no dotted path", "write `jobs.airports.nearest_hub`"),
        ("./jobs/airports.py", "no dotted path", "write `jobs.airports.FUNCTION`"),
        ("jobs.airports.nearest_hub()", "no dotted path", "write `jobs.airports.nearest_hub`"),
        ("jobs..f", "no dotted path", None),
        (".jobs.f", "no dotted path", None),
        ("jobs.class.f", "no dotted path", None),
        ("jobs.f g", "no dotted path", None),
        ("jobs.f\n", "no dotted path", "write `jobs.f`"),
        ("jobs._f", "a leading underscore means private", None),
        ("jobs.f.__globals__", "a leading underscore means private", None),
        ("__main__.f", "a leading underscore means private", None),
        ("a" * 5000 + ".\x1b", "…", None),
    ],
)
def test_what_is_no_dotted_path_is_a_fault(dotted: str, message: str, hint: str | None) -> None:
    """Other spellings are told how to be written here; private names are no tasks."""
    wrong = fault(locate(dotted, []))
    assert wrong.code == "bad-dotted-path"
    assert message in wrong.message
    assert wrong.message.isprintable()
    assert (wrong.hint or "").startswith(hint or "")
    assert (wrong.hint is None) is (hint is None)


@pytest.mark.parametrize(
    ("dotted", "code", "message", "hint"),
    [
        ("jbos.airports.nearest_hub", "module-missing", "no module `jbos`", "`jobs.airports.nearest_hub`"),
        ("jobs.airport.nearest_hub", "module-missing", "no module `airport` in `jobs`", "`jobs.airports`"),
        (
            "jobs.airports.nearst_hub",
            "attribute-missing",
            "has no `nearst_hub`",
            "`jobs.airports.nearest_hub`",
        ),
        ("jobs.airports.Nearest_Hub", "attribute-missing", "has no", "`jobs.airports.nearest_hub`"),
        (
            "jobs.airports.declared",
            "attribute-missing",
            "`jobs.airports` has no `declared`",
            "`jobs.airports.decorated`",
        ),
        ("jobs.airports.x.y", "attribute-missing", "`jobs.airports` has no `x`", None),
        ("jobs.airprots", "attribute-missing", "`jobs` has no `airprots`", "`jobs.airports`"),
        ("zzz.f", "module-missing", "no module `zzz`", None),
    ],
)
def test_a_missing_name_comes_with_the_nearest(
    project: Project, dotted: str, code: str, message: str, hint: str | None
) -> None:
    """Which part is missing is said, and what was probably meant."""
    root = project(jobs__init="", jobs__airports=TASKS)
    wrong = fault(locate(dotted, [root]))
    assert wrong.code == code
    assert message in wrong.message
    assert (hint is None and wrong.hint is None) or (hint is not None and hint in (wrong.hint or ""))


def test_a_missing_module_says_where_it_was_searched(project: Project) -> None:
    """The folders are named, a few of them, so that a wrong root is seen."""
    root = project(tasks=TASKS)
    wrong = fault(locate("nowhere.f", [root, *(root / str(n) for n in range(5))]))
    assert wrong.notes == (f"searched in {root}, {root / '0'}, {root / '1'} and 3 more",)


@pytest.mark.parametrize(
    ("package", "hint", "notes"),
    [
        ("def one(item): ...", "write `jobs.one`", ()),
        ("def one(item): ...\ndef two(item): ...", None, ("it has one, two",)),
        ("", None, ()),
    ],
)
def test_a_module_is_no_task(
    project: Project, package: str, hint: str | None, notes: tuple[str, ...]
) -> None:
    """The functions that it has are named."""
    wrong = fault(locate("pack.jobs", [project(pack__jobs=package)]))
    assert wrong.code == "not-callable"
    assert wrong.message == "`pack.jobs` is a module: a task is a function in it"
    assert wrong.hint == (hint and hint.replace("jobs", "pack.jobs"))
    assert wrong.notes == notes


@pytest.mark.parametrize("where", ["jobs__init", "jobs__tasks"])
def test_a_module_that_does_not_parse_is_named_with_its_line(project: Project, where: str) -> None:
    """A package on the way counts: importing the task would run it."""
    files = {"jobs__init": "", "jobs__tasks": "def f(item): ...", where: "x = 1\ndef f(item:\n"}
    wrong = fault(locate("jobs.tasks.f", [project(**files)]))
    assert wrong.code == "syntax-error"
    assert ".py:2: def f(item:" in wrong.notes[0]


def test_a_file_that_is_no_text_is_a_syntax_error(project: Project) -> None:
    """A NUL byte or a wrong encoding ends in a sentence, not in a traceback."""
    root = project(tasks="")
    for data in (b"x = 1\0", b"# coding: nonsense\n", b"x = '\xff'\n"):
        (root / "tasks.py").write_bytes(data)
        assert fault(locate("tasks.f", [root])).code == "syntax-error"


def test_odd_escapes_in_a_module_raise_no_warning(project: Project) -> None:
    """What Python has to say about a string it says when the module runs."""
    assert found(locate("tasks.f", [project(tasks="pattern = '\\d'\ndef f(item): ...")])).certain


def test_a_very_long_module_is_read(project: Project) -> None:
    """Long chains, which are deep trees, do not end in a full stack."""
    chain = "x = " + " + ".join(["'a'"] * 900) + "\n"
    branches = "if x: y = 1\n" + "elif x: y = 2\n" * 900
    assert found(locate("tasks.f", [project(tasks=chain + branches + "def f(item): ...\n")])).certain


def test_compiled_modules_are_located_and_not_judged(project: Project) -> None:
    """An extension and a module without source have names that only running them tells."""
    root = project(pack__source="def f(item): ...")
    (root / f"pack/fast{EXTENSION_SUFFIXES[0]}").touch()
    py_compile.compile(str(root / "pack/source.py"), cfile=str(root / "pack/old.pyc"))
    for module in ("pack.fast", "pack.old"):
        place = found(locate(f"{module}.f", [root]))
        assert place.module == module
        assert not place.certain


def test_a_module_in_a_zip_archive_is_located(project: Project) -> None:
    """It is found, and not judged: its source is no file."""
    root = project()
    with zipfile.ZipFile(root / "lib.zip", "w") as archive:
        archive.writestr("zipped.py", "def f(item): ...")
    assert not found(locate("zipped.f", [root / "lib.zip"])).certain
    sys.path_importer_cache.pop(str(root / "lib.zip"))


def test_an_editable_install_is_found_through_its_finder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package outside all folders, which a finder of its own knows, is no missing module."""
    root = project(src__pack__init="", src__pack__tasks="def f(item): ...")

    class Editable:
        @staticmethod
        def find_spec(name: str, path: object, target: object = None) -> ModuleSpec | None:
            return PathFinder.find_spec(name, [str(root / "src")]) if name == "pack" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Editable])
    assert found(locate("pack.tasks.f", [root])).certain


def test_the_last_definition_counts(project: Project) -> None:
    """Two functions of one name are one task: the later."""
    place = found(locate("tasks.f", [project(tasks="def f(): ...\n\ndef f(item): ...")]))
    assert (place.line, place.certain) == (3, True)


def test_a_definition_after_a_condition_is_certain(project: Project) -> None:
    """What was bound under a condition before does not matter once the name is bound in any case."""
    text = "if bool():\n    f = 3\nfor f in []:\n    pass\ndef f(item): ..."
    assert found(locate("tasks.f", [project(tasks=text)])).certain


def test_a_file_written_after_a_search_is_found(project: Project) -> None:
    """No listing of a folder is kept from one search to the next."""
    root = project(tasks="")
    assert fault(locate("later.f", [root])).code == "module-missing"
    stamp = root.stat().st_mtime_ns
    project(later="def f(item): ...")
    os.utime(root, ns=(stamp, stamp))
    assert found(locate("later.f", [root])).certain


def test_locating_needs_no_heavy_modules() -> None:
    """`validate` pays for syntax trees, not for asyncio or the metadata of packages."""
    code = (
        "import sys, runner.task; runner.task.locate('jobs.f', [])\n"
        "heavy = ('asyncio', 'importlib.metadata', 'pydantic', 'traceback')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
