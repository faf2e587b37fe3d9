"""A declarative batch-job runner: many items, one Python function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.engine.mapping import Results, imap
    from runner.errors import AttemptTimeout, RunnerError, TaskFailed
    from runner.item import Context

__version__ = "0.1.0"

__all__ = ["AttemptTimeout", "Context", "Results", "RunnerError", "TaskFailed", "imap"]

_HOMES = {
    "AttemptTimeout": "runner.errors",
    "Context": "runner.item",
    "Results": "runner.engine.mapping",
    "RunnerError": "runner.errors",
    "TaskFailed": "runner.errors",
    "imap": "runner.engine.mapping",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `runner --help` must not pay for the engine.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'runner' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
