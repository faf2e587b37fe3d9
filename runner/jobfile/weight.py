"""How grave a change of each key is, and in which order a reviewer would ask about it."""

from __future__ import annotations

from enum import IntEnum


class Weight(IntEnum):
    """How grave a change is, the gravest first."""

    DATA = 0
    LOAD = 1
    RESOURCES = 2
    COMFORT = 3

    @property
    def title(self) -> str:
        """What a group of such changes is called."""
        return _TITLES[self]


_TITLES = {
    Weight.DATA: "can lose or change data",
    Weight.LOAD: "load on others",
    Weight.RESOURCES: "resources of this machine",
    Weight.COMFORT: "for people only",
}

# In the order in which a reviewer would ask. What is not in it counts as the gravest, so that a new key is
# never played down.
_ORDER = {
    "output.path": Weight.DATA,
    "output.type": Weight.DATA,
    "output.if_exists": Weight.DATA,
    "output": Weight.DATA,
    "input.type": Weight.DATA,
    "input.path": Weight.DATA,
    "input": Weight.DATA,
    "task.call": Weight.DATA,
    "task": Weight.DATA,
    "params": Weight.DATA,
    "secrets": Weight.DATA,
    "timezone": Weight.DATA,
    "pool.ordered": Weight.DATA,
    "failures.tolerate": Weight.DATA,
    "failures": Weight.DATA,
    "timeout": Weight.DATA,
    "deadline": Weight.DATA,
    "name": Weight.DATA,
    "unfinished": Weight.DATA,
    "durability": Weight.DATA,
    "version": Weight.DATA,
    "pool.engine": Weight.LOAD,
    "pool.size": Weight.LOAD,
    "rate_limit": Weight.LOAD,
    "retry": Weight.LOAD,
    "pool.window": Weight.RESOURCES,
    "pool.window_bytes": Weight.RESOURCES,
    "pool.chunksize": Weight.RESOURCES,
    "pool": Weight.RESOURCES,
    "commit": Weight.RESOURCES,
    "tests": Weight.COMFORT,
    "description": Weight.COMFORT,
    "owner": Weight.COMFORT,
    "labels": Weight.COMFORT,
}
_PLACES = {prefix: place for place, prefix in enumerate(_ORDER)}


def weigh(key: str) -> Weight:
    """Return how grave a change of the key is."""
    prefix = _known_prefix(key)
    return _ORDER[prefix] if prefix is not None else Weight.DATA


def rank(key: str) -> tuple[int, str]:
    """Return what keys are sorted by; one that nobody knows comes first."""
    prefix = _known_prefix(key)
    return (_PLACES[prefix] if prefix is not None else -1), key


def _known_prefix(key: str) -> str | None:
    """Return the longest key of `_ORDER` that is `key` or stands above it."""
    while key not in _ORDER:
        key, dot, _ = key.rpartition(".")
        if not dot:
            return None
    return key
