"""What a job file may name as its task: the operator's allow-list, and never the standard library.

`os.system` is callable, and that is the trouble: a job file that could name it would be a shell
script that nobody reviews as one. So the standard library and the builtins are refused twice: by
the path before anything is imported, and by the home of what was found after loading, because
`jobs.airports.os.system` is the same function. A list of the dangerous ones was not tried: those
of others were bypassed as long as they were lists (research: Hydra, NeMo).

An allow-list holds for the home as well as for the path, so that an allowed module that imports
`requests` does not allow `requests.get`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from runner.task.fault import TaskFault


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows.

    Attributes:
        allow: Patterns of dotted paths, such as `jobs.*`, where `*` matches anything; `None`
            allows every path outside the standard library, an empty tuple none.
    """

    allow: tuple[str, ...] | None = None

    def check_path(self, dotted: str) -> TaskFault | None:
        """Return what speaks against a dotted path as it is written; nothing is imported for it."""
        fault = stdlib_fault(dotted, dotted)
        if fault is None and not self._allows(dotted):
            fault = self._refusal(f"`{dotted}`")
        return fault

    def check_loaded(self, dotted: str, loaded: object) -> TaskFault | None:
        """Return what speaks against the object found at `dotted`: that it lives elsewhere.

        What lives in the module of the path itself is allowed with the path: a lambda, or what a
        decorator of that module made.
        """
        beside = dotted.rpartition(".")[0] + "."
        home = home_of(loaded)
        fault = stdlib_fault(dotted, home)
        if fault is None and not home.startswith(beside) and not self._allows(home):
            fault = self._refusal(f"`{dotted}` is `{home}`, which")
        return fault

    def _allows(self, dotted: str) -> bool:
        return self.allow is None or any(fnmatchcase(dotted, pattern) for pattern in self.allow)

    def _refusal(self, subject: str) -> TaskFault:
        return TaskFault(
            "task-not-allowed",
            f"{subject} is not among the tasks that the operator allows",
            notes=(f"`tasks.allow` of config.yaml allows {', '.join(self.allow or ()) or 'nothing'}",),
        )


def is_stdlib(dotted: str) -> bool:
    """Return whether a dotted path begins in the standard library or the builtins."""
    return dotted.partition(".")[0] in sys.stdlib_module_names


def home_of(loaded: object) -> str:
    """Return the dotted path of where a callable, or what a partial calls, was defined.

    What has no home of its own, such as an instance, is at home where its class is.
    """
    while isinstance(loaded, partial):
        loaded = loaded.func
    module, name = _own(loaded, "__module__"), _own(loaded, "__qualname__")
    if isinstance(module, str) and isinstance(name, str):
        return f"{module}.{name}"
    owner = _own(loaded, "__objclass__") or _own(loaded, "__self__")  # methods written in C
    if owner is None:
        owner = loaded
    kind = owner if isinstance(owner, type) else type(owner)
    return f"{kind.__module__}.{kind.__qualname__}"


def _own(loaded: object, name: str) -> object:
    try:
        return getattr(loaded, name, None)
    except Exception:  # an attribute of the user's may raise anything; then it is none that we can go by
        return None


def stdlib_fault(dotted: str, home: str, *, note: str | None = None) -> TaskFault | None:
    """Return the fault of a task whose `home` is in the standard library, `None` where it is not."""
    if not is_stdlib(home):
        return None
    if home == dotted:
        subject = f"`{dotted}`"
        note = f"a module of your own cannot be called `{home.partition('.')[0]}`: Python's comes first"
    else:
        subject = f"`{dotted}` is `{home}`, which"
    return TaskFault(
        "stdlib-task",
        f"{subject} belongs to Python's standard library, which a job file may not name as its task",
        "write a function of your own that calls it",
        notes=() if note is None else (note,),
    )
