"""The exceptions that a retry rule names: looked at without importing anything, then found for real.

A name without a dot is one of Python's built-in exceptions. A dotted one is imported like a task, the
project root first; the standard library is welcome here (`urllib.error.URLError`), since an exception
is only compared with. Under an allow-list a module must be allowed, of the standard library, ours, or
already imported by the task: naming an exception must not run a module that a task could not.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from runner.raised import is_a, message_of, said_of
from runner.task.fault import TaskFault, nearest
from runner.task.frames import user_frames
from runner.task.interrupt import interrupts
from runner.task.locate import locate
from runner.task.policy import Policy, is_stdlib

_BUILT_IN = {
    name: each
    for name, each in vars(builtins).items()
    if isinstance(each, type) and issubclass(each, BaseException)
}
_NOT_THERE = frozenset({"module-missing", "attribute-missing", "syntax-error"})


def review_exception(name: str, search: Sequence[Path]) -> TaskFault | None:
    """Return what is wrong with the name of an exception, as far as it shows without importing anything.

    Args:
        name: A built-in name or a dotted path.
        search: Folders in which top-level modules are looked for, the project root first.
    """
    if "." not in name:
        return None if name in _BUILT_IN else _no_built_in(name)
    if is_stdlib(name) or name.startswith("runner."):
        return None
    located = locate(name, search)
    if isinstance(located, TaskFault) and located.code in _NOT_THERE:
        return TaskFault("unknown-exception", located.message, located.hint, located.notes)
    return None


def find_exception(name: str, policies: Sequence[Policy]) -> type[BaseException] | TaskFault:
    """Return the class of an exception, imported where it must be, or what is wrong with the name.

    Called after the task was imported, so that the project root is on `sys.path`.
    """
    if "." not in name:
        return _BUILT_IN.get(name) or _no_built_in(name)
    parts = name.split(".")
    fault = _forbidden(name, parts, policies)
    if fault is not None:
        return fault
    with interrupts() as interrupt:
        try:
            found: object = import_module(parts[0])
            for depth, part in enumerate(parts[1:], 2):
                if hasattr(found, "__path__") and not hasattr(found, part):
                    import_module(".".join(parts[:depth]))
                found = getattr(found, part)
        except interrupt:
            raise
        except BaseException as error:  # a module may call sys.exit(), too
            return _not_found(name, error)
    if isinstance(found, type) and issubclass(found, BaseException):
        return found
    kind = "a class" if isinstance(found, type) else f"a value of type {type(found).__name__}"
    return TaskFault("unknown-exception", f"`{name}` is {kind}, not an exception")


def _forbidden(name: str, parts: Sequence[str], policies: Sequence[Policy]) -> TaskFault | None:
    if is_stdlib(name) or parts[0] == "runner" or ".".join(parts[:-1]) in sys.modules:
        return None
    return next((fault for policy in policies if (fault := policy.check_path(name))), None)


def _not_found(name: str, error: BaseException) -> TaskFault:
    if is_a(error, ModuleNotFoundError, AttributeError):
        missing = f"no module `{error.name}`" if type(error) is ModuleNotFoundError else message_of(error)
        return TaskFault("unknown-exception", f"there is no exception `{name}`: {missing}")
    what = f"`{name}` cannot be imported: {said_of(error)}"
    return TaskFault("import-failed", what, None, (user_frames(error),))


def _no_built_in(name: str) -> TaskFault:
    close = nearest(name, sorted(_BUILT_IN))
    hint = f"did you mean `{close}`?" if close else f"write its dotted path: `MODULE.{name}`"
    return TaskFault("unknown-exception", f"Python has no built-in exception `{name}`", hint)
