"""Finds a task without importing anything: the file by Python's own finders, the name by its syntax.

`importlib.util.find_spec("a.b")` imports `a`, so the path is walked here folder by folder. Finders
are made afresh and not taken from `sys.path_importer_cache`: a listing that was cached before a
file was written would say that it is not there.

What only running the module could tell is no fault: a name that is imported, decorated, star
imported, bound under a condition, or made by `__getattr__` is located with `certain` false.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    BuiltinImporter,
    ExtensionFileLoader,
    FileFinder,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from keyword import iskeyword
from pathlib import Path
from typing import cast

from runner.task.fault import TaskFault, nearest
from runner.task.policy import is_stdlib, stdlib_fault

_LOADERS: list[tuple[type, list[str]]] = [
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (SourceFileLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
]
_MOST_FOLDERS = 3  # arbitrary: how many searched folders are shown
_MAKES_NAMES = frozenset({"globals", "vars", "locals", "exec", "eval", "setattr"})
_LITERALS = (
    ast.Constant,
    ast.JoinedStr,
    ast.List,
    ast.Tuple,
    ast.Dict,
    ast.Set,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


@dataclass(frozen=True, slots=True)
class Located:
    """Where a task is.

    Attributes:
        dotted: The path as the job file has it.
        module: Name of the module, such as `jobs.airports`.
        file: File of the module, `None` where it has none (a namespace package).
        line: 1-based line of the definition, or of what binds the name; `None` where not known.
        arguments: Parameters of the function, `None` where they are not known.
        certain: Whether running the module could not say anything else.
    """

    dotted: str
    module: str
    file: Path | None
    line: int | None = None
    arguments: ast.arguments | None = None
    certain: bool = False


def locate(dotted: str, search: Sequence[Path]) -> Located | TaskFault:
    """Return where `dotted` is defined, or what is wrong with it.

    Args:
        dotted: Dotted path of a callable.
        search: Folders in which top-level modules are looked for, the project root first.
    """
    fault = check_grammar(dotted) or stdlib_fault(dotted, dotted)
    if fault is not None:
        return fault
    parts = dotted.split(".")
    folders = [str(folder) for folder in search]
    found = _find_top(parts[0], folders)
    if found is None:
        return _module_missing(parts[0], dotted, folders)
    for depth in range(1, len(parts) + 1):
        module = _Module(".".join(parts[:depth]), found)
        fault = module.read()
        if fault is not None:
            return fault
        if depth == len(parts):
            return _is_a_module(dotted, module)
        submodule = _find(parts[depth], module.folders)
        if submodule is None:
            return _in_module(dotted, module, parts[depth:])
        found = submodule
    raise AssertionError("the loop returns at its last part")


def check_grammar(dotted: str) -> TaskFault | None:
    """Return why `dotted` is no dotted path of a callable in a module, or `None`."""
    parts = dotted.split(".")
    bad = next((part for part in parts if not part.isidentifier() or iskeyword(part)), None)
    if bad is None and len(parts) > 1 and not any(part.startswith("_") for part in parts):
        return None
    hint = None
    if bad is not None:
        message = f"`{_short(dotted)}` is no dotted path of names, such as `jobs.airports.nearest_hub`"
        hint = _as_dotted(dotted)
    elif len(parts) == 1:
        message = f"`{_short(dotted)}` names no module: a task is a function in a module"
        hint = "write `MODULE.FUNCTION`, such as `jobs.airports.nearest_hub`"
    else:
        private = next(part for part in parts if part.startswith("_"))
        message = (
            f"`{_short(dotted)}` goes through `{_short(private)}`, and a leading underscore means private"
        )
    return TaskFault("bad-dotted-path", message, hint)


class _Module:
    """A module that was found and not run: its file, the folders of its submodules, its syntax."""

    def __init__(self, name: str, spec: ModuleSpec) -> None:
        self.name = name
        self.folders = list(spec.submodule_search_locations or ())
        self.file = Path(spec.origin) if spec.has_location and spec.origin else None
        self.tree: ast.Module | None = None

    def read(self) -> TaskFault | None:
        """Parse the source, where there is one; return why that is not possible."""
        if self.file is None or self.file.suffix not in SOURCE_SUFFIXES:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about escapes in strings: Python's to say when it runs
                self.tree = ast.parse(self.file.read_bytes(), str(self.file))
        except SyntaxError as error:
            place = f"{self.file}:{error.lineno}" if error.lineno else str(self.file)
            line = (error.text or "").strip()
            return TaskFault(
                "syntax-error",
                f"`{self.name}` is no valid Python: {error.msg}",
                notes=(f"{place}: {line}" if line else place,),
            )
        except (OSError, ValueError, RecursionError, MemoryError) as error:
            return TaskFault(
                "syntax-error", f"`{self.name}` cannot be read: {error}", notes=(str(self.file),)
            )
        return None

    def submodules(self) -> list[str]:
        """Return the names of the modules in the folders of a package."""
        return sorted(set(_names_in(self.folders)))


def _find(name: str, folders: Iterable[str]) -> ModuleSpec | None:
    """Return the spec of a module by the rules of Python's path finder, without its caches."""
    portions: list[str] = []
    for folder in folders:
        if Path(folder).is_file():  # a zip archive
            spec = PathFinder.find_spec(name, [folder])
        else:
            spec = FileFinder(folder, *_LOADERS).find_spec(name)
        if spec is None:
            continue
        if spec.loader is not None:
            return spec
        portions.extend(spec.submodule_search_locations or ())
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def _find_top(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    found = _find(name, folders)
    if found is not None:
        return found
    # Editable installs bring finders of their own, which know packages outside all folders.
    for finder in sys.meta_path:
        if finder in (BuiltinImporter, FrozenImporter, PathFinder) or not hasattr(finder, "find_spec"):
            continue
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None


def _in_module(dotted: str, module: _Module, rest: Sequence[str]) -> Located | TaskFault:
    """Return what the first name of `rest` is in a module that has no submodule of that name."""
    if module.tree is None:
        if module.file is not None:  # compiled: its names are known only when it runs
            return Located(dotted, module.name, module.file)
        return _submodule_missing(dotted, module, rest[0])
    bindings = Bindings(module.tree)
    nodes = bindings.of(rest[0])
    if nodes:
        return _judge(dotted, module, nodes, rest)
    if bindings.are_open:
        return Located(dotted, module.name, module.file)
    if module.folders and len(rest) > 1:
        return _submodule_missing(dotted, module, rest[0])
    close = nearest(rest[0], [*bindings.public(), *module.submodules()])
    return TaskFault(
        "attribute-missing",
        f"`{module.name}` has no `{rest[0]}`",
        close and f"did you mean `{module.name}.{close}`?",
        notes=(str(module.file),),
    )


def _judge(
    dotted: str, module: _Module, bindings: Sequence[tuple[ast.AST, bool]], rest: Sequence[str]
) -> Located | TaskFault:
    """Return what is known of a name by the last statement that binds it."""
    node, is_sure = bindings[-1]
    line = getattr(node, "lineno", None)
    uncertain = Located(dotted, module.name, module.file, line)
    imported = [_imported_from(each, rest[0]) for each, _ in bindings]
    if all(source is not None and is_stdlib(source) for source in imported):
        home = ".".join([imported[-1] or "", *rest[1:]])
        fault = stdlib_fault(dotted, home, note=f"{module.file}:{line}")
        if fault is not None:
            return fault
    if not is_sure or len(rest) > 1:
        return uncertain
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return _judge_value(uncertain, node.value)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.decorator_list:
        form = form_of(node)
        if form is not None:
            return form_fault(dotted, form, note=f"{module.file}:{line}")
        if isinstance(node, ast.FunctionDef):
            return Located(dotted, module.name, module.file, line, node.args, certain=True)
    return uncertain


def _judge_value(uncertain: Located, value: ast.expr | None) -> Located | TaskFault:
    if isinstance(value, ast.Lambda):
        return Located(
            uncertain.dotted, uncertain.module, uncertain.file, uncertain.line, value.args, certain=True
        )
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    if isinstance(value, _LITERALS):
        return TaskFault(
            "not-callable",
            f"`{uncertain.dotted}` is a value, not a function",
            notes=(f"{uncertain.file}:{uncertain.line}",),
        )
    return uncertain


def form_of(node: ast.AST) -> str | None:
    """Return the form of a definition that is no plain function, as `form_fault` takes it."""
    if isinstance(node, ast.AsyncFunctionDef):
        return "async"
    if isinstance(node, ast.ClassDef):
        return "class"
    if isinstance(node, ast.FunctionDef) and any(
        isinstance(inner, ast.Yield | ast.YieldFrom) for inner in _own_nodes(node)
    ):
        return "generator"
    return None


def form_fault(dotted: str, form: str, *, note: str | None = None) -> TaskFault:
    """Return the fault of a task that is `async`, a `class` or a `generator`: known, and not built."""
    notes = () if note is None else (note,)
    if form == "async":
        return TaskFault(
            "async-task",
            f"`{dotted}` is `async def`, which comes in a later version",
            "write a plain function; it may call asyncio.run",
            notes,
        )
    what = {"class": "a class", "generator": "a generator function"}[form]
    return TaskFault(
        "task-form",
        f"`{dotted}` is {what}, which comes in a later version",
        "write a function that takes an item and returns a row",
        notes,
    )


class Bindings:
    """The names that a module binds at its top level, by its syntax alone.

    Each comes with the statements that bind it, in the order of the file, and whether they do so
    in any case: a binding under `if`, `try`, `for` or `with`, or by `del` or `global`, may not happen.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._found: dict[str, list[tuple[ast.AST, bool]]] = {}
        self.are_open = False
        """Whether the module may have other names too: by a star import, `__getattr__`, `globals()`."""
        # With a list of its own instead of recursion: a chain of a thousand `elif` is valid Python.
        waiting: list[tuple[ast.AST, bool]] = [(statement, True) for statement in tree.body]
        while waiting:
            node, is_sure = waiting.pop()
            waiting.extend((inner, False) for inner in self._add(node, is_sure))
        self._look_everywhere(tree)
        for nodes in self._found.values():
            nodes.sort(key=lambda found: getattr(found[0], "lineno", 0))

    def of(self, name: str) -> list[tuple[ast.AST, bool]]:
        """Return what binds `name`, and whether it does so in any case."""
        return self._found.get(name, [])

    def public(self) -> list[str]:
        """Return the names without a leading underscore."""
        return [name for name in self._found if not name.startswith("_")]

    def functions(self) -> list[str]:
        """Return the public names that are bound by `def`, in the order of the file."""
        return [name for name in self.public() if isinstance(self._found[name][-1][0], ast.FunctionDef)]

    def _add(self, node: ast.AST, is_sure: bool) -> Iterator[ast.AST]:
        """Record what one statement binds, and yield what it holds that may bind more."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._bind(node.name, node, is_sure)
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                self._bind(alias.asname or alias.name.partition(".")[0], node, is_sure)
            return
        if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
            for target in node.targets:
                self._bind(cast("ast.Name", target).id, node, is_sure)
            yield node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.value is not None:
                self._bind(node.target.id, node, is_sure)
                yield node.value
        else:
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self._bind(node.id, node, False)
            elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
                self._bind(node.name, node, False)
            yield from ast.iter_child_nodes(node)

    def _look_everywhere(self, tree: ast.Module) -> None:
        """Find what binds top-level names from inside functions, and what makes names from text."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                for name in node.names:
                    self._bind(name, node, False)
            elif isinstance(node, ast.Name):
                self.are_open |= node.id in _MAKES_NAMES
            elif isinstance(node, ast.Attribute):
                self.are_open |= node.attr == "modules"  # sys.modules[__name__] = …
        if "*" in self._found or "__getattr__" in self._found:
            self.are_open = True

    def _bind(self, name: str, node: ast.AST, is_sure: bool) -> None:
        self._found.setdefault(name, []).append((node, is_sure))


def _imported_from(node: ast.AST, name: str) -> str | None:
    """Return the full path of what an import binds to `name`, `None` for other statements."""
    if isinstance(node, ast.ImportFrom) and not node.level:
        source = next((each.name for each in node.names if (each.asname or each.name) == name), name)
        return f"{node.module}.{source}"
    if isinstance(node, ast.Import):
        # `import a.b` binds `a`, `import a.b as c` binds `a.b`.
        return next((each.name if each.asname else name for each in node.names if each.asname == name), name)
    return None


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function's own body, without those of functions and classes in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _is_a_module(dotted: str, module: _Module) -> TaskFault:
    names = [] if module.tree is None else Bindings(module.tree).functions()
    return TaskFault(
        "not-callable",
        f"`{dotted}` is a module: a task is a function in it",
        f"write `{dotted}.{names[0]}`" if len(names) == 1 else None,
        notes=(f"it has {', '.join(names)}",) if len(names) > 1 else (),
    )


def _module_missing(name: str, dotted: str, folders: Sequence[str]) -> TaskFault:
    close = nearest(name, sorted(set(_names_in(folders[:1])))) or nearest(
        name, sorted(set(_names_in(folders)))
    )
    return TaskFault(
        "module-missing",
        f"there is no module `{name}`",
        close and f"did you mean `{close}.{dotted.partition('.')[2]}`?",
        notes=(_searched(folders),),
    )


def _submodule_missing(dotted: str, module: _Module, name: str) -> TaskFault:
    names = module.submodules()
    if module.tree is not None:
        names += Bindings(module.tree).public()
    close = nearest(name, names)
    return TaskFault(
        "module-missing",
        f"there is no module `{name}` in `{module.name}`",
        close and f"did you mean `{module.name}.{close}`?",
        notes=(_searched(module.folders),),
    )


def _searched(folders: Sequence[str]) -> str:
    more = f" and {len(folders) - _MOST_FOLDERS} more" if len(folders) > _MOST_FOLDERS else ""
    return f"searched in {', '.join(folders[:_MOST_FOLDERS])}{more}"


def _names_in(folders: Iterable[str]) -> Iterator[str]:
    """Yield the names of modules and packages in some folders."""
    for folder in folders:
        try:
            entries = list(Path(folder).iterdir())
        except OSError:
            continue
        for entry in entries:
            name = entry.name.partition(".")[0]
            if name.isidentifier() and not name.startswith("_") and _could_be_module(entry):
                yield name


def _could_be_module(entry: Path) -> bool:
    return entry.suffix in (*SOURCE_SUFFIXES, *BYTECODE_SUFFIXES, ".so") or (
        "." not in entry.name and entry.is_dir()
    )


def _as_dotted(text: str) -> str | None:
    """Return the dotted path that a file path, a `module:function` or a call was meant to be."""
    guess = text.strip().removesuffix("()").replace(".py:", ".").replace(":", ".")
    guess = guess.removeprefix("./").removesuffix(".py").replace("/", ".")
    parts = guess.split(".")
    if guess == text or not all(part.isidentifier() and not part.startswith("_") for part in parts):
        return None
    return f"write `{guess}.FUNCTION`" if text.strip().endswith(".py") else f"write `{guess}`"


def _short(text: str) -> str:
    shown = text if len(text) <= 80 else text[:80] + "…"
    return shown if shown.isprintable() else ascii(shown)[1:-1]
