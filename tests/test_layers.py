"""Who may import whom in `runner`, as DESIGN 2 draws it, read from the source without importing it.

A *room* is what stands directly in `runner/`: the ground modules together, each folder, each
other module. Imports inside functions and under `TYPE_CHECKING` count like any other, except that
only what runs when a module is imported can close a cycle.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

RUNNER = Path(__file__).parents[1] / "runner"

GROUND = {"errors", "item", "outcome", "clock", "files", "paths", "units", "options", "sizing", "masking"}
GROUND |= {"raised"}
SIDES = {"task", "sources", "sinks", "policies", "ledger", "observers"}
INSIDE = {"ground", "engine", "jobfile", "config", "review", "first_items", "lint", "destination"} | SIDES

ALLOWED = {
    "ground": {"ground"},
    **{side: {"ground", side} for side in SIDES},
    "engine": {"ground", "policies", "engine"},
    "jobfile": {"ground", "sources", "sinks", "policies", "jobfile"},
    "config": {"ground", "jobfile"},
    "review": {"ground", "jobfile", "config", "sources", "policies", "task"},
    "first_items": {"ground", "jobfile", "sources", "task"},
    "lint": {"ground", "jobfile", "config", "review", "first_items", "task"},
    "destination": {"ground", "jobfile", "config", "sinks", "ledger"},
    "run": INSIDE,
    "failures": INSIDE | {"run"},
    "delivery": INSIDE | {"run", "failures"},
    "ends": INSIDE | {"run"},
    "resumption": INSIDE | {"run", "ends"},
    "workers": INSIDE | {"run", "failures", "delivery"},
    "scaffold": {"ground", "jobfile", "sources", "task", "scaffold"},
    "preview": INSIDE | {"preview"},
    "job_tests": INSIDE | {"testing", "job_tests"},
    "testing": INSIDE | {"testing"},
    "pipeline": INSIDE | {"run", "ends", "delivery", "resumption", "workers"},
    "plan": INSIDE | {"run", "resumption"},
    "__init__": INSIDE | {"pipeline"},
    "cli": INSIDE
    | {"run", "pipeline", "plan", "delivery", "scaffold", "preview", "job_tests", "cli", "__init__"},
    "__main__": {"pipeline", "cli", "__init__"},
}
"""For each room, the rooms that it may import from."""

THIRD_PARTY = {
    "yaml": ("runner.jobfile.document",),
    "structlog": ("runner.observers.log",),
    "click": ("runner.cli",),
    "rich": ("runner.cli", "runner.observers"),
}
"""For some packages, the only modules (and folders) that may import them."""


class Import(NamedTuple):
    """One imported module: its dotted name, the line, and whether importing the importer runs it."""

    target: str
    line: int
    runs: bool


class Module(NamedTuple):
    """One file of the tree: its imports, and whether it is a kind (its options have a `type:`)."""

    imports: list[Import]
    is_kind: bool


def read_tree(folder: Path) -> dict[str, Module]:
    """Return every module below `folder`, the root package, by dotted name."""
    paths = {dotted_name(path, folder): path for path in sorted(folder.rglob("*.py"))}
    return {name: read_module(name, path, known=paths.keys()) for name, path in paths.items()}


def dotted_name(path: Path, folder: Path) -> str:
    """Return `runner.engine` for `runner/engine/__init__.py`, `runner.item` for `runner/item.py`."""
    parts = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_module(name: str, path: Path, *, known: Container[str]) -> Module:
    """Parse one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports = [
        Import(resolve(target, known), node.lineno, runs)
        for node, runs in walk(tree, runs=True)
        for target in targets(node, package)
    ]
    is_kind = any(
        isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id == "type"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for field in node.body
    )
    return Module(imports, is_kind)


def walk(node: ast.AST, *, runs: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node below `node`, and whether it runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        inner = runs and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for branch, branch_runs in ((child.body, False), (child.orelse, inner)):
                yield from walk(ast.Module(branch, []), runs=branch_runs)
        else:
            yield child, inner
            yield from walk(child, runs=inner)


def targets(node: ast.AST, package: str) -> list[str]:
    """Return what `node` imports, as dotted names of modules or of something in them."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom():
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            return [f"{base}.{alias.name}" for alias in node.names]
        case ast.Call(
            func=ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(str(target)), *_],
        ):
            return [target]
    return []


def resolve(target: str, known: Container[str]) -> str:
    """Cut `target` down to the module that it stands in: `runner.item` for `runner.item.Item`."""
    if target.partition(".")[0] != "runner":
        return target
    while target not in known and "." in target:
        target = target.rpartition(".")[0]
    return target


def room(name: str) -> str:
    """Return the room that a module of ours belongs to."""
    head = name.split(".")[1] if "." in name else "__init__"
    return "ground" if head in GROUND else head


def find_forbidden(tree: Mapping[str, Module]) -> list[str]:
    """Return one sentence for each import that goes the wrong way, and for each unknown room."""
    found = []
    for name, module in tree.items():
        if room(name) not in ALLOWED:
            found.append(f"{name} is no room of DESIGN 2: give it a place in ALLOWED")
            continue
        for target, line, _ in module.imports:
            if reason := why_forbidden(name, target, tree):
                found.append(f"{name}:{line} imports {target}: {reason}")
    return found


def why_forbidden(name: str, target: str, tree: Mapping[str, Module]) -> str | None:
    """Return what is wrong with `name` importing `target`, or `None`."""
    package = target.partition(".")[0]
    if package != "runner":
        homes = THIRD_PARTY.get(package)
        if homes is None or any(name == home or name.startswith(f"{home}.") for home in homes):
            return None
        return f"only {' and '.join(homes)} may"
    if room(target) not in ALLOWED[room(name)]:
        return f"{room(name)} may import {', '.join(sorted(ALLOWED[room(name)]))}"
    siblings = room(name) in ("sources", "sinks") and room(name) == room(target) and name != target
    if siblings and tree[name].is_kind and tree[target].is_kind:
        return "a kind never imports another kind"
    return None


def find_cycle(tree: Mapping[str, Module]) -> list[str]:
    """Return the modules of one import cycle, the first one again at its end, or an empty list.

    The packages that contain an imported module are not followed: the directions keep rooms from
    closing a cycle, and inside a folder its `__init__` may import modules that import `base`.
    """
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done or name not in tree:
            return []
        for target, _, runs in tree[name].imports:
            if runs and (cycle := visit(target, [*trail, name])):
                return cycle
        done.add(name)
        return []

    for name in tree:
        if cycle := visit(name, []):
            return cycle
    return []


def find_shadows(tree: Mapping[str, Module]) -> list[str]:
    """Return the modules whose last name is that of a module of the standard library."""
    return [
        name
        for name in tree
        if name.rpartition(".")[2] in sys.stdlib_module_names and not name.endswith("__main__")
    ]


def write_tree(tmp_path: Path, files: Mapping[str, str]) -> dict[str, Module]:
    """Write a small `runner` package of these files and read it."""
    for name, text in {"__init__.py": "", **files}.items():
        path = tmp_path / "runner" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_tree(tmp_path / "runner")


@pytest.fixture(scope="module")
def tree() -> dict[str, Module]:
    """Read the real package."""
    return read_tree(RUNNER)


def test_the_real_tree_is_read(tree: dict[str, Module]) -> None:
    """The checks below look at all of `runner/`, and see its imports."""
    assert len(tree) == len(list(RUNNER.rglob("*.py")))
    assert "runner.item" in [found.target for found in tree["runner.sources.base"].imports]


def test_imports_keep_to_the_directions(tree: dict[str, Module]) -> None:
    """No module imports a room, a kind or a third-party package that it must not know."""
    assert find_forbidden(tree) == []


def test_no_import_cycle(tree: dict[str, Module]) -> None:
    """No chain of imports that run at import time comes back to where it began."""
    assert find_cycle(tree) == []


def test_no_module_is_named_like_one_of_the_standard_library(tree: dict[str, Module]) -> None:
    """`import csv` means one thing, wherever it stands and whatever folder Python was started in."""
    assert find_shadows(tree) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {"item.py": "import runner.engine.window", "engine/__init__.py": "", "engine/window.py": ""},
            "runner.item:1 imports runner.engine.window: ground may import ground",
            id="ground imports a room",
        ),
        pytest.param(
            {
                "engine/__init__.py": "",
                "engine/window.py": "from runner.sources import base",
                "sources/base.py": "",
            },
            "runner.engine.window:1 imports runner.sources.base: engine may import",
            id="engine knows a source",
        ),
        pytest.param(
            {"sinks/base.py": "\nfrom ..sources.base import Source", "sources/base.py": "Source = 1"},
            "runner.sinks.base:2 imports runner.sources.base: sinks may import",
            id="relative import of a side",
        ),
        pytest.param(
            {
                "ledger/lock.py": "def hold():\n    from runner.policies.retry import Retry",
                "policies/retry.py": "",
            },
            "runner.ledger.lock:2 imports runner.policies.retry: ledger may import",
            id="inside a function",
        ),
        pytest.param(
            {
                "task/load.py": "import typing\nif typing.TYPE_CHECKING:\n    import runner.jobfile.model",
                "jobfile/model.py": "",
            },
            "runner.task.load:3 imports runner.jobfile.model: task may import",
            id="under TYPE_CHECKING",
        ),
        pytest.param(
            {
                "sources/open.py": "import importlib\nimportlib.import_module('runner.cli.main')",
                "cli/main.py": "",
            },
            "runner.sources.open:2 imports runner.cli.main: sources may import",
            id="through importlib",
        ),
        pytest.param(
            {
                "sources/rows.py": "from runner.sources.lines import Lines\nclass Rows:\n    type: str",
                "sources/lines.py": "class Lines:\n    type: str",
            },
            "runner.sources.rows:1 imports runner.sources.lines: a kind never imports another kind",
            id="a kind imports a kind",
        ),
        pytest.param(
            {"engine/window.py": "from runner.pipeline import run_job", "pipeline.py": ""},
            "runner.engine.window:1 imports runner.pipeline: engine may import",
            id="pipeline from below",
        ),
        pytest.param(
            {"pipeline.py": "from runner.cli.main import main", "cli/main.py": ""},
            "runner.pipeline:1 imports runner.cli.main: pipeline may import",
            id="pipeline imports cli",
        ),
        pytest.param(
            {"cli/main.py": "import runner.testing", "testing.py": ""},
            "runner.cli.main:1 imports runner.testing: cli may import",
            id="testing from the product",
        ),
        pytest.param(
            {"engine/threads.py": "from runner import imap"},
            "runner.engine.threads:1 imports runner: engine may import",
            id="the front door from inside",
        ),
        pytest.param(
            {"config.py": "import yaml"},
            "runner.config:1 imports yaml: only runner.jobfile.document may",
            id="yaml elsewhere",
        ),
        pytest.param(
            {"pipeline.py": "from structlog.stdlib import get_logger"},
            "runner.pipeline:1 imports structlog.stdlib.get_logger: only runner.observers.log may",
            id="structlog elsewhere",
        ),
        pytest.param(
            {"observers/progress.py": "from click import echo"},
            "runner.observers.progress:1 imports click.echo: only runner.cli may",
            id="click elsewhere",
        ),
        pytest.param(
            {"sinks/table.py": "import rich.table"},
            "runner.sinks.table:1 imports rich.table: only runner.cli and runner.observers may",
            id="rich elsewhere",
        ),
        pytest.param({"utils.py": ""}, "runner.utils is no room of DESIGN 2", id="a new room"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    """Each direction, broken in a small tree, is reported once, with its module and line."""
    (found,) = find_forbidden(write_tree(tmp_path, files))
    assert found.startswith(expected)


def test_what_is_allowed_is_not_reported(tmp_path: Path) -> None:
    """The ordinary ways between rooms, and what is none of ours, pass."""
    tree = write_tree(
        tmp_path,
        {
            "__init__.py": "def __getattr__(name):\n    from runner.pipeline import run_job",
            "__main__.py": "from runner.cli.main import main",
            "item.py": "from runner.units import Size\nimport csv",
            "units.py": "import pydantic",
            "sources/__init__.py": "from runner.sources.rows import Rows",
            "sources/rows.py": "from .base import Source\nfrom .cut import cut\nclass Rows:\n    type: str",
            "sources/base.py": "from runner.item import Item",
            "sources/cut.py": "",
            "jobfile/document.py": "import yaml",
            "jobfile/model.py": "from runner.sources.rows import Rows",
            "config.py": "from runner.jobfile import document",
            "pipeline.py": "from runner import config, sources",
            "cli/main.py": "import click\nimport rich.console\nfrom runner import __version__, pipeline",
        },
    )
    assert find_forbidden(tree) == []
    assert find_cycle(tree) == []


def test_a_cycle_is_found(tmp_path: Path) -> None:
    """A cycle over three modules is reported, in its order."""
    tree = write_tree(
        tmp_path,
        {
            "clock.py": "try:\n    import runner.item\nexcept ImportError:\n    pass",
            "item.py": "from runner.units import Size",
            "units.py": "from .clock import now",
        },
    )
    assert find_cycle(tree) == ["runner.clock", "runner.item", "runner.units", "runner.clock"]


@pytest.mark.parametrize(
    "back",
    [
        "def later():\n    import runner.clock",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import runner.clock",
    ],
    ids=["inside a function", "under TYPE_CHECKING"],
)
def test_an_import_that_does_not_run_closes_no_cycle(tmp_path: Path, back: str) -> None:
    """What is imported later, or only by a type checker, cannot meet a half-made module."""
    assert find_cycle(write_tree(tmp_path, {"clock.py": "import runner.item", "item.py": back})) == []


def test_a_shadowing_name_is_found(tmp_path: Path) -> None:
    """Also deep in the tree."""
    assert find_shadows(write_tree(tmp_path, {"sources/csv.py": "", "__main__.py": ""})) == [
        "runner.sources.csv"
    ]
