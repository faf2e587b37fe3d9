"""The protocol with one step left out or two exchanged: a test that notices none of them sees nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One wrong protocol.

    Attributes:
        what: What is wrong with it.
        apply: Makes this process run by it.
    """

    what: str
    apply: Callable[[], None]


MUTANTS: dict[str, Mutant] = {}


def kill_at_lock_step(number: int) -> None:
    """Let this process die before step `number` of the lock."""
    import types

    import runner.ledger.lock as lock
    from tests.durability.disks import die

    count = [0]

    def counted(module: object) -> types.SimpleNamespace:
        def wrap(real: Callable[..., object]) -> Callable[..., object]:
            def step(*arguments: object, **options: object) -> object:
                count[0] += 1
                if count[0] == number:
                    die()
                return real(*arguments, **options)

            return step

        names = {name: getattr(module, name) for name in dir(module)}
        for name in ("open", "close", "flock", "fstat", "ftruncate", "pwrite", "unlink"):
            if name in names:
                names[name] = wrap(names[name])
        return types.SimpleNamespace(**names)

    lock.os, lock.fcntl = counted(os), counted(lock.fcntl)  # type: ignore[assignment]
