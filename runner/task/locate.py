"""Finds a task without importing anything: the file by Python's own rules, the name by its syntax.

What only running the module could tell is no fault: a name that is imported, decorated, star
imported, bound under a condition, or made by `__getattr__` is located with `certain` false.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword
from pathlib import Path

from runner.task.bindings import Bindings, form_of, imported_from
from runner.task.fault import TaskFault, nearest
from runner.task.form import CONTEXT_NAMES
from runner.task.module import FoundModule, find, find_top, names_in
from runner.task.policy import is_stdlib, stdlib_fault

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
_MOST_FOLDERS = 3  # arbitrary: how many searched folders are shown
_MOST_FUNCTIONS = 10  # arbitrary: how many functions of a module are shown


@dataclass(frozen=True, slots=True)
class Located:
    """Where a task is.

    Attributes:
        dotted: The path as the job file has it.
        module: Name of the module, such as `jobs.airports`.
        file: File of the module, `None` where it has none (a namespace package).
        line: 1-based line of the definition, or of what binds the name; `None` where not known.
        arguments: Parameters of the function, `None` where they are not known.
        returns: Annotation of what the function returns, `None` for none.
        certain: Whether running the module could not say anything else.
        built: Parameters for building it, where it is a class, and `arguments` are those of its `__call__`.
        context_names: What the module calls `runner.Context`.
    """

    dotted: str
    module: str
    file: Path | None
    line: int | None = None
    arguments: ast.arguments | None = None
    returns: ast.expr | None = None
    certain: bool = False
    built: ast.arguments | None = None
    context_names: frozenset[str] = frozenset()


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
    found = find_top(parts[0], folders)
    if found is None:
        return _module_missing(parts[0], dotted, folders)
    for depth in range(1, len(parts) + 1):
        module = FoundModule(".".join(parts[:depth]), found)
        fault = module.read()
        if fault is not None:
            return fault
        if depth == len(parts):
            return module_fault(dotted, [] if module.tree is None else Bindings(module.tree).functions())
        submodule = find(parts[depth], module.folders)
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


def _in_module(dotted: str, module: FoundModule, rest: Sequence[str]) -> Located | TaskFault:
    """Return what the first name of `rest` is in a module that has no submodule of that name."""
    if module.tree is None:
        if module.file is not None:  # compiled: its names are known only when it runs
            return Located(dotted, module.name, module.file)
        return _submodule_missing(dotted, module, rest[0])
    bindings = Bindings(module.tree)
    nodes = bindings.of(rest[0])
    if nodes:
        found = _judge(dotted, module, nodes, rest)
        if isinstance(found, TaskFault) or found.arguments is None:
            return found
        # A name that comes from elsewhere may be ours all the same.
        return replace(found, context_names=CONTEXT_NAMES.union(*map(bindings.called, CONTEXT_NAMES)))
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
    dotted: str, module: FoundModule, bindings: Sequence[tuple[ast.AST, bool]], rest: Sequence[str]
) -> Located | TaskFault:
    """Return what is known of a name by the last statement that binds it."""
    node, is_sure = bindings[-1]
    line = getattr(node, "lineno", None)
    uncertain = Located(dotted, module.name, module.file, line)
    imported = [imported_from(each, rest[0]) for each, _ in bindings]
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
            return Located(dotted, module.name, module.file, line, node.args, node.returns, certain=True)
        if isinstance(node, ast.ClassDef) and not node.bases and not node.keywords:
            return _judge_class(uncertain, node)
    return uncertain


def _judge_class(uncertain: Located, node: ast.ClassDef) -> Located:
    """Return what is known of a class without bases and decorators: how it is built and called."""
    methods = {
        each.name: each.args
        for each in node.body
        if isinstance(each, ast.FunctionDef) and not each.decorator_list
    }
    if "__call__" not in methods or not _is_simple(node):
        return uncertain
    nothing = ast.arguments([], [], None, [], [], None, [])
    built = _without_self(methods["__init__"]) if "__init__" in methods else nothing
    return replace(uncertain, arguments=_without_self(methods["__call__"]), built=built, certain=True)


def _is_simple(node: ast.ClassDef) -> bool:
    """Return whether a class is made by nothing but plain methods and attributes of no consequence."""
    return not any(
        isinstance(each, ast.FunctionDef) and each.name in ("__new__", "__init_subclass__")
        for each in node.body
    ) and not any(
        isinstance(target, ast.Name) and target.id in ("__init__", "__call__")
        for each in node.body
        if isinstance(each, ast.Assign)
        for target in each.targets
    )


def _without_self(arguments: ast.arguments) -> ast.arguments:
    return ast.arguments(
        arguments.posonlyargs[1:],
        arguments.args if arguments.posonlyargs else arguments.args[1:],
        arguments.vararg,
        arguments.kwonlyargs,
        arguments.kw_defaults,
        arguments.kwarg,
        arguments.defaults,
    )


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


def form_fault(dotted: str, form: str, *, note: str | None = None) -> TaskFault:
    """Return the fault of a task that is `async`, or a `class` whose instances cannot be called."""
    notes = () if note is None else (note,)
    if form == "async":
        return TaskFault(
            "async-task",
            f"`{dotted}` is `async def`, which comes in a later version",
            "write a plain function; it may call asyncio.run",
            notes,
        )
    return TaskFault(
        "task-form",
        f"`{dotted}` is a class whose instances cannot be called",
        "give it `def __call__(self, item)`, which returns a row",
        notes,
    )


def module_fault(dotted: str, functions: Sequence[str]) -> TaskFault:
    """Return the fault of a task that is a module, with the functions that it defines."""
    names = [name for name in functions if not name.startswith("_")]
    shown = ", ".join(names[:_MOST_FUNCTIONS]) + (" and more" if len(names) > _MOST_FUNCTIONS else "")
    return TaskFault(
        "not-callable",
        f"`{dotted}` is a module: a task is a function in it",
        f"write `{dotted}.{names[0]}`" if len(names) == 1 else None,
        notes=(f"it has {shown}",) if len(names) > 1 else (),
    )


def _module_missing(name: str, dotted: str, folders: Sequence[str]) -> TaskFault:
    # Nothing of the standard library may be a task, so none of it is what was meant.
    own, every = (
        sorted(each for each in set(names_in(where)) if not is_stdlib(each))
        for where in (folders[:1], folders)
    )
    close = nearest(name, own) or nearest(name, every)
    return TaskFault(
        "module-missing",
        f"there is no module `{name}`",
        close and f"did you mean `{close}.{dotted.partition('.')[2]}`?",
        notes=(_searched(folders),),
    )


def _submodule_missing(dotted: str, module: FoundModule, name: str) -> TaskFault:
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
