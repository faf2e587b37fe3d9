"""What a function says of itself in its source: what it wants from an item, its arguments, its rows.

Only read, never run: importing a module runs it, and nobody who asks for a job file has asked for that. What
the source does not show (a decorator, a name that is imported) is left open.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.errors import UsageError
from runner.task import Located, TaskFault, locate
from runner.task.form import CONTEXT_NAMES

Rows = Literal["json", "text", "none"]
_RECORDS = frozenset({"BaseModel", "TypedDict", "NamedTuple"})
_PLAIN = frozenset({"Any", "Mapping", "bool", "dict", "float", "int", "object", "str"})
"""Annotations that say nothing about the fields of an item."""
_MANY = frozenset({"Iterator", "Iterable", "Generator"})


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument that `with:` gives.

    Attributes:
        name: Its name.
        annotation: Its type as it is written, or `None`.
        default: Its default as it is written; `None` where it must be given.
        value: The default as YAML can say it; `None` also where it cannot.
        is_known: Whether `value` is the default.
    """

    name: str
    annotation: str | None
    default: str | None
    value: object = None
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A task, by its source.

    Attributes:
        dotted: Its dotted path.
        place: `file:line`, as far as it is known.
        summary: The first sentence of its docstring, or empty.
        item: Name of the parameter that takes the item, `None` where the signature is not known.
        item_type: Its annotation as it is written.
        wants: The fields that an item must have, as its type or its code says; `None` where neither does.
        arguments: What `with:` may or must give.
        rows: What it returns, by its annotation.
    """

    dotted: str
    place: str
    summary: str = ""
    item: str | None = None
    item_type: str | None = None
    wants: tuple[str, ...] | None = None
    arguments: tuple[Argument, ...] = ()
    rows: Rows = "json"

    @property
    def has_own_type(self) -> bool:
        """Whether the item is annotated with something else than what every item is anyhow."""
        kind = (self.item_type or "object").strip("'\"").partition("[")[0].rpartition(".")[2]
        return kind not in _PLAIN


def find_function(name: str, root: Path) -> Function:
    """Return the function that `name` means: a dotted path, `file.py`, `file.py:f` or `module:f`.

    Raises:
        UsageError: There is none; the message says what there is.
    """
    dotted = _as_dotted(name, root)
    located = locate(dotted, [root, *map(Path, sys.path)])
    if isinstance(located, TaskFault):
        hint = f"; {located.hint}" if located.hint else ""
        if not hint and located.code == "attribute-missing" and located.notes:
            has = ", ".join(_functions_of(Path(located.notes[0])))
            raise UsageError(f"--from {name}: {located.message}; it has {has or 'no public function'}")
        notes = "".join(f"\n  {note}" for note in located.notes)
        raise UsageError(f"--from {name}: {located.message}{hint}{notes}")
    return _read(located)


def functions_in(folder: Path, root: Path) -> list[str]:
    """Return the dotted paths of the public functions in the modules of a folder, which is in `root`."""
    found: list[str] = []
    package = folder.resolve().relative_to(root.resolve()).parts
    if not all(part.isidentifier() for part in package):
        return found
    for path in sorted(folder.glob("*.py")):
        if path.stem.isidentifier() and not path.stem.startswith(("_", "test_")) and path.stem != "conftest":
            found += [".".join([*package, path.stem, name]) for name in _functions_of(path)]
    return found


def _as_dotted(name: str, root: Path) -> str:
    path, _, function = name.replace("::", ":").partition(":")
    if not path.endswith(".py"):
        return name.replace("::", ".").replace(":", ".").removesuffix("()")
    file = Path(path).resolve()
    if not file.is_file():
        raise UsageError(f"--from {name}: there is no file {path}")
    if not file.is_relative_to(root):
        raise UsageError(f"--from {name}: {path} is not below the project root, {root}")
    if not function:
        names = list(_functions_of(file))
        if len(names) != 1:
            listed = f"it has {', '.join(names)}" if names else "it has no public function"
            raise UsageError(f"--from {name}: name one function, as {path}:{(names or ['f'])[0]}; {listed}")
        function = names[0]
    return ".".join([*file.relative_to(root).with_suffix("").parts, function.removesuffix("()")])


def _functions_of(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _item_of(node.args):
            yield node.name


def _read(located: Located) -> Function:
    place = f"{located.file}:{located.line}" if located.line else str(located.file)
    node, tree = _definition(located)
    if node is None or tree is None:
        return Function(located.dotted, place)
    call = _method(node, "__call__") if isinstance(node, ast.ClassDef) else node
    built = _method(node, "__init__") if isinstance(node, ast.ClassDef) else None
    if call is None:
        return Function(located.dotted, place)
    parameters = _plain(call.args)[1:] if isinstance(node, ast.ClassDef) else _plain(call.args)
    item = parameters[0] if parameters else call.args.vararg
    given = call.args if not isinstance(node, ast.ClassDef) else built.args if built is not None else None
    return Function(
        located.dotted,
        place,
        _summary(node),
        item.arg if item else None,
        ast.unparse(item.annotation) if item is not None and item.annotation else None,
        _wants(tree, call, item),
        tuple(_arguments(given, tree)) if given is not None else (),
        _rows(call.returns),
    )


def _definition(located: Located) -> tuple[ast.FunctionDef | ast.ClassDef | None, ast.Module | None]:
    if located.file is None or located.line is None or located.arguments is None:
        return None, None
    tree = ast.parse(located.file.read_bytes())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.lineno == located.line:
            return node, tree
    return None, tree


def _method(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == name), None)


def _plain(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args]


def _item_of(arguments: ast.arguments) -> ast.arg | None:
    return next(iter(_plain(arguments)), arguments.vararg)


def _summary(node: ast.FunctionDef | ast.ClassDef) -> str:
    text = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
    return text.replace("`", "") if len(text) <= 200 else ""


def _arguments(arguments: ast.arguments, tree: ast.Module) -> Iterator[Argument]:
    """Yield the arguments behind the first one, which is the item, or `self`."""
    plain = _plain(arguments)
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(plain, defaults, strict=True)][1:]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for argument, default in pairs:
        annotation = None if argument.annotation is None else ast.unparse(argument.annotation)
        if (annotation or "").strip("'\"") in CONTEXT_NAMES or argument in arguments.posonlyargs:
            continue
        if default is None:
            yield Argument(argument.arg, annotation, None)
            continue
        try:
            value, is_known = _value(default, tree), True
        except ValueError:
            value, is_known = None, False
        yield Argument(argument.arg, annotation, ast.unparse(default), value, is_known)


def _value(node: ast.expr, tree: ast.Module) -> object:
    """Return what a default is, where it is a literal or a name of the module that is one."""
    if isinstance(node, ast.Name):
        bound = [
            each
            for each in tree.body
            if isinstance(each, ast.Assign | ast.AnnAssign) and _binds(each, node.id)
        ]
        if len(bound) != 1 or bound[0].value is None:
            raise ValueError(node.id)
        node = bound[0].value
    return _sayable(ast.literal_eval(node))


def _binds(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _sayable(value: object) -> object:
    """Return a value that YAML can say and the function would get back as it was, or raise ValueError."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list):
        return [_sayable(each) for each in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _sayable(each) for key, each in value.items()}
    raise ValueError("a job file cannot say it")


def _wants(tree: ast.Module, call: ast.FunctionDef, item: ast.arg | None) -> tuple[str, ...] | None:
    """Return the fields an item must have: those of its type, else those that the code takes by name."""
    if item is None:
        return None
    annotation = item.annotation
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            annotation = None
    if isinstance(annotation, ast.Name):
        record = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == annotation.id), None)
        if record is not None:
            return _fields_of(record)
    taken = {
        node.slice.value: None
        for node in ast.walk(call)
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == item.arg
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    }
    return tuple(taken) or None


def _fields_of(record: ast.ClassDef) -> tuple[str, ...] | None:
    """Return the fields without a default of a model, dataclass or the like; `None` if unsure."""
    bases = {ast.unparse(base).rpartition(".")[2] for base in record.bases}
    marks = {ast.unparse(mark).partition("(")[0].rpartition(".")[2] for mark in record.decorator_list}
    is_record = bases <= _RECORDS and (bases or marks == {"dataclass"})
    if not is_record or record.keywords or any(_is_renamed(each) for each in record.body):
        return None
    return tuple(
        each.target.id
        for each in record.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and each.value is None
        and not ast.unparse(each.annotation).rpartition(".")[2].startswith(("ClassVar", "NotRequired"))
    )


def _is_renamed(node: ast.stmt) -> bool:
    """Return whether a field may be called otherwise outside: an alias, or a configuration that makes one."""
    return isinstance(node, ast.Assign | ast.AnnAssign) and ("alias" in ast.unparse(node))


def _rows(returns: ast.expr | None) -> Rows:
    """Return what the annotation of a result says that rows are."""
    if returns is None:
        return "json"
    if isinstance(returns, ast.Constant) and returns.value is None:
        return "none"
    if isinstance(returns, ast.Subscript):
        kind = ast.unparse(returns.value).rpartition(".")[2]
        inner = returns.slice.elts[0] if isinstance(returns.slice, ast.Tuple) else returns.slice
        return _rows(inner) if kind in _MANY or kind == "Optional" else "json"
    if isinstance(returns, ast.BinOp) and isinstance(returns.op, ast.BitOr):
        parts = {_rows(returns.left), _rows(returns.right)} - {"none"}
        return parts.pop() if len(parts) == 1 else "json"
    return "text" if isinstance(returns, ast.Name) and returns.id == "str" else "json"
