"""Loads a task: imports its module, finds the function, and says what is wrong in the user's terms."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, cast

from runner.item import ValueKind
from runner.raised import said_of
from runner.task.fault import TaskFault, TaskRejected, nearest
from runner.task.form import is_async, is_generator, open_task
from runner.task.frames import user_frames
from runner.task.interrupt import interrupts
from runner.task.locate import Located, check_grammar, form_fault, locate, module_fault
from runner.task.policy import Policy
from runner.task.schema import read_schema
from runner.task.signature import check_call

if TYPE_CHECKING:
    from runner.task.columns import Columns
    from runner.task.record import Record

TaskFunction = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Task:
    """A function or a class that is ready to be opened by workers and called with items.

    Attributes:
        dotted: Its dotted path in the job file.
        function: The function, or the class.
        with_: Keyword arguments for every call, or for building the class. The values are shared
            between calls, as those of `functools.partial` are.
        convert: Turns a decoded item into what the function takes, or raises `ItemRefused`; `None`
            where nothing is to be done.
        item: The fields of what the function takes, where its annotation names a type with fields.
        result: The columns of what it returns, likewise.
        warnings: What is not as somebody may think it is.
        is_many: Whether it is a generator, which yields the rows of an item.
        context: Name of the parameter that takes the `runner.Context`, `None` where there is none.
    """

    dotted: str
    function: TaskFunction
    with_: Mapping[str, object] = field(default_factory=dict, repr=False)  # secrets may be in it
    convert: Callable[[object], object] | None = None
    item: Record | None = None
    result: Columns | None = None
    warnings: tuple[TaskFault, ...] = ()
    is_many: bool = False
    context: str | None = None

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns of its rows, as the annotation of its result has them; `None` where it does not."""
        return self.result.names if self.result is not None else None

    @property
    def is_class(self) -> bool:
        """Whether every worker builds an instance of its own."""
        return isinstance(self.function, type)

    def open(self) -> tuple[Callable[..., object], Callable[[], object] | None]:
        """Return what one worker calls with an item (and a context), and what closes it, or `None`.

        Called in the worker's own thread; what a class raises goes through.
        """
        return open_task(self.function, dict(self.with_), self.context)


def load_task(
    dotted: str,
    *,
    root: Path,
    policy: Policy,
    with_: Mapping[str, object] | None = None,
    values: ValueKind = "object",
) -> Task:
    """Import a task: a function, a generator function or a class.

    The project root is put first on `sys.path`, where it stays.

    What the module prints or starts while it is imported is its own affair. Called by the main
    thread, before any worker runs.

    Args:
        dotted: Its dotted path.
        root: The project root.
        policy: What may be a task.
        with_: The keyword arguments for every call.
        values: What the items are made of, which decides how they are converted.

    Raises:
        TaskRejected: The task is not allowed, cannot be imported, is none of these forms, or cannot
            be called with an item and `with_`, also for their types. Nothing is imported where the path
            alone is at fault.
        KeyboardInterrupt: The user interrupted the import.
    """
    fault = check_grammar(dotted) or policy.check_path(dotted)
    if fault is not None:
        raise TaskRejected([fault])
    _put_first(root)
    found = _resolve(dotted)
    fault = _check_callable(dotted, found) or policy.check_loaded(dotted, found) or _check_form(dotted, found)
    if fault is not None:
        raise TaskRejected([fault])
    return make_task(dotted, cast("TaskFunction", found), with_ or {}, values=values)


def make_task(
    dotted: str, function: TaskFunction, with_: Mapping[str, object], *, values: ValueKind = "object"
) -> Task:
    """Return the task that a function or class makes with the arguments of `with:`; see `load_task`.

    Raises:
        TaskRejected: It cannot be called with an item and `with_`, also for their types.
    """
    given = dict(with_)
    faults = check_call(function, given)
    at_fault = {fault.argument for fault in faults if fault.argument is not None}
    schema = read_schema(function, given, values=values, skip=at_fault)
    faults += [fault for fault in schema.faults if not fault.is_warning]
    if faults:
        raise TaskRejected(faults)
    warnings = tuple(fault for fault in schema.faults if fault.is_warning)
    return Task(
        dotted,
        function,
        schema.with_,
        schema.convert,
        schema.item,
        schema.result,
        warnings,
        is_many=is_generator(function),
        context=schema.context,
    )


def load_factory(dotted: str, *, root: Path, policy: Policy) -> Callable[..., Iterable[object]]:
    """Import the function (or class) that makes the items of a `python` input; like `load_task`.

    Raises:
        TaskRejected: As for a task, except that a class and a generator function are welcome and no
            parameter for an item is needed. Its arguments are checked when it is called.
    """
    fault = check_grammar(dotted) or policy.check_path(dotted)
    if fault is not None:
        raise TaskRejected([fault])
    _put_first(root)
    found = _resolve(dotted)
    fault = _check_callable(dotted, found) or policy.check_loaded(dotted, found)
    if fault is not None:
        raise TaskRejected([fault])
    return cast("Callable[..., Iterable[object]]", found)


def _put_first(root: Path) -> None:
    text = str(root)
    if sys.path[:1] != [text]:
        if text in sys.path:
            sys.path.remove(text)
        sys.path.insert(0, text)


def _resolve(dotted: str) -> object:
    """Import as many parts as are modules, then go on by attributes, as `pkgutil.resolve_name` does."""
    parts = dotted.split(".")
    found: object = _import(parts[0], dotted)
    if found is None:
        raise TaskRejected([_explained(dotted, parts[0])])
    depth = 1
    while depth < len(parts) and hasattr(found, "__path__"):
        submodule = _import(".".join(parts[: depth + 1]), dotted)
        if submodule is None:
            break
        found = submodule
        depth += 1
    for position, name in enumerate(parts[depth:], depth):
        found = _attribute(found, name, dotted, ".".join(parts[:position]))
    return found


def _import(name: str, dotted: str) -> ModuleType | None:
    """Return a module, or `None` where there is none of that name."""
    with interrupts() as interrupt:
        try:
            return import_module(name)
        except interrupt:
            raise
        except BaseException as error:  # a module may call sys.exit(), too
            if type(error) is ModuleNotFoundError and error.name == name:
                return None
            raise TaskRejected([_import_failed(name, dotted, error)]) from error


def _import_failed(name: str, dotted: str, error: BaseException) -> TaskFault:
    hint = None
    if type(error) is ModuleNotFoundError and error.name:
        missing = error.name.partition(".")[0]
        if missing != dotted.partition(".")[0]:
            hint = f"install what provides `{missing}`, or see whether the right environment is active"
    what = f"`{name}` cannot be imported: {said_of(error)}"
    return TaskFault("import-failed", what, hint, (user_frames(error),))


def _attribute(owner: object, name: str, dotted: str, path: str) -> object:
    try:
        return getattr(owner, name)
    except AttributeError:
        raise TaskRejected([_explained(dotted, path, owner, name)]) from None
    except Exception as error:  # a module's `__getattr__` is the user's code
        fault = TaskFault(
            "import-failed",
            f"`{path}.{name}` cannot be read: {said_of(error)}",
            None,
            (user_frames(error),),
        )
        raise TaskRejected([fault]) from error


def _explained(dotted: str, path: str, owner: object = None, name: str = "") -> TaskFault:
    """Return why nothing was found, in the words of `locate` where it sees the same."""
    located = locate(dotted, [Path(entry) for entry in sys.path])
    if not isinstance(located, Located):
        return located
    if owner is None:
        return TaskFault("module-missing", f"there is no module `{path}`")
    close = nearest(name, [each for each in dir(owner) if not each.startswith("_")])
    return TaskFault(
        "attribute-missing", f"`{path}` has no `{name}`", close and f"did you mean `{path}.{close}`?"
    )


def _check_callable(dotted: str, found: object) -> TaskFault | None:
    if callable(found):
        return None
    if isinstance(found, ModuleType):
        return module_fault(dotted, [name for name, each in vars(found).items() if _is_own(each, found)])
    return TaskFault("not-callable", f"`{dotted}` is a value of type {type(found).__name__}, not a function")


def _is_own(value: object, module: ModuleType) -> bool:
    return isinstance(value, FunctionType) and value.__module__ == module.__name__


def _check_form(dotted: str, found: object) -> TaskFault | None:
    if isinstance(found, type) and not any("__call__" in vars(each) for each in found.__mro__):
        return form_fault(dotted, "class")
    if is_async(cast("TaskFunction", found)):
        return form_fault(dotted, "async")
    return None
