"""What a module binds at its top level, read from its syntax: the names, and what each is."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from typing import cast

_MAKES_NAMES = frozenset({"globals", "vars", "locals", "exec", "eval", "setattr"})


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
        waiting: deque[tuple[ast.AST, bool]] = deque((statement, True) for statement in tree.body)
        while waiting:
            node, is_sure = waiting.popleft()
            waiting.extend((inner, False) for inner in self._add(node, is_sure))
        self._look_everywhere(tree)
        for nodes in self._found.values():
            nodes.sort(key=lambda found: getattr(found[0], "lineno", 0))

    def of(self, name: str) -> list[tuple[ast.AST, bool]]:
        """Return what binds `name`, and whether it does so in any case."""
        return self._found.get(name, [])

    def called(self, full: str) -> set[str]:
        """Return how this module calls what has the full name `a.b.c`, by the imports that surely happen."""
        parts = full.split(".")
        by_source = {".".join(parts[:depth]): parts[depth:] for depth in range(1, len(parts) + 1)}
        return {
            ".".join([name, *by_source[source]])
            for name, nodes in self._found.items()
            for node, is_sure in nodes
            if is_sure and (source := imported_from(node, name)) in by_source
        }

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


def imported_from(node: ast.AST, name: str) -> str | None:
    """Return the full path of what an import binds to `name`, `None` for other statements."""
    if isinstance(node, ast.ImportFrom) and not node.level:
        source = next((each.name for each in node.names if (each.asname or each.name) == name), name)
        return f"{node.module}.{source}"
    if isinstance(node, ast.Import):
        # `import a.b` binds `a`, `import a.b as c` binds `a.b`.
        return next((each.name for each in node.names if each.asname == name), name)
    return None


def form_of(node: ast.AST) -> str | None:
    """Return the form of a definition that cannot be a task, as `form_fault` takes it."""
    if isinstance(node, ast.AsyncFunctionDef):
        return "async"
    if isinstance(node, ast.ClassDef) and not node.bases and not node.keywords and not node.decorator_list:
        names = {getattr(each, "name", None) for each in node.body}
        call = next((each for each in node.body if getattr(each, "name", None) == "__call__"), None)
        if isinstance(call, ast.AsyncFunctionDef):
            return "async"
        is_plain = all(isinstance(each, ast.FunctionDef | ast.Expr | ast.AnnAssign) for each in node.body)
        return "class" if is_plain and "__call__" not in names else None
    return None
