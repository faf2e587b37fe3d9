"""What a change of a job file does: the changes of behaviour between two files, the gravest first.

Both sides are compared value by value with their defaults (`runner.jobfile.behaviour`), never as text. Every
value that differs is in exactly one change: the sentences are made by `runner.jobfile.wording`, and a
value that it has no sentence for gets a plain one. Whether an unfinished run can still be gone on with
is asked of the ledger's own rule (`runner.jobfile.fingerprint`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.jobfile.behaviour import Behaviour
from runner.jobfile.fingerprint import changes, decides, digest
from runner.jobfile.weight import Weight, rank, weigh
from runner.jobfile.wording import RULES, plain_sentence

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of behaviour.

    Attributes:
        weight: How grave it is.
        message: What is now, and what was, in a sentence without a full stop.
        keys: The dotted paths of the values that differ, the one that matters first.
    """

    weight: Weight
    message: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared.

    Attributes:
        changes: By weight, then in the order in which a reviewer would ask.
        decisive: The keys for which an unfinished run of the old side is refused by the new one.
    """

    changes: tuple[Change, ...]
    decisive: tuple[str, ...]

    @property
    def culprits(self) -> tuple[str, ...]:
        """Return one key of `decisive` for each change that has any, and those that are in no change."""
        decisive = set(self.decisive)
        told = [[key for key in change.keys if key in decisive] for change in self.changes]
        untold = decisive.difference(*told)
        return (*(keys[0] for keys in told if keys), *sorted(untold))


def compare(old: Behaviour, new: Behaviour) -> Comparison:
    """Return what differs between two jobs that have no errors."""
    assert old.job is not None
    assert new.job is not None
    before, now = old.values, new.values
    differing = _differing(before, now)
    left = dict.fromkeys(sorted(differing, key=rank))
    found = []
    for rule in RULES:
        keys = rule.claim(left, before, now)
        if not keys:
            continue
        for key in keys:
            del left[key]
        message = rule.sentence(before, now)
        if message is not None:
            found.append(Change(weigh(keys[0]), message, keys))
    found += [Change(weigh(key), plain_sentence(key, before, now), (key,)) for key in left]
    found.sort(key=lambda change: (change.weight, rank(change.keys[0])))
    return Comparison(tuple(found), tuple(key for key in differing if decides(key)))


def _differing(before: Values, now: Values) -> list[str]:
    """Return the keys whose values differ.

    An empty mapping that was filled is told by what is in it.
    """
    keys = changes(
        {key: digest(value) for key, value in before.items()},
        {key: digest(value) for key, value in now.items()},
    )
    return [key for key in keys if not _is_told_below(key, before, now)]


def _is_told_below(key: str, before: Values, now: Values) -> bool:
    one, other = (before, now) if key in before else (now, before)
    return key not in other and one[key] == {} and any(below.startswith(f"{key}.") for below in other)
