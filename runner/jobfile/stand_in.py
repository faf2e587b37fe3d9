"""Values that fit, in the place of references that nobody can resolve: for reading a job that does not run.

`size: ${env.WORKERS:-8}` is text until there is an environment, and a model that wants a number refuses
it. Something that fits stands in for it, so that the rest of the job is validated and gets its
defaults; what is then shown and compared at that path is the reference (`runner.jobfile.behaviour`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.jobfile.locate import Fault
from runner.jobfile.plain import put
from runner.jobfile.problem import KeyPath
from runner.jobfile.scalar import UnreadableValue, read_scalar

_DEFAULT = re.compile(r"\$\{env\.\w+:-([^{}]*)\}", re.ASCII)
_CANDIDATES: tuple[object, ...] = (1, 1024, True, "1s", "1B", "1/s", "1%", "UTC", "a.b", ["a"])
"""One for each type that a key of ours takes; 1024 where 1 is too small beside another key. No mapping:
neither the environment nor a parameter can hold one."""


class StandIns:
    """Tries what fits, one value after the other, until no fault is left at a hole.

    Args:
        holes: The values with unresolved references, by path.
    """

    def __init__(self, holes: Mapping[KeyPath, str]) -> None:
        self._holes = dict(holes)
        self._left: dict[KeyPath, Iterator[object]] = {}

    def fill(self, data: dict[str, Any], faults: Iterable[Fault]) -> bool:
        """Put the next value at each hole that a fault is about; return whether there was any."""
        about = self._about([fault for fault in faults if fault.error["type"] != "missing"])
        has_changed = False
        for path, fault in about.items():
            if path not in self._left:
                self._left[path] = _candidates(self._holes[path], fault)
            # Where nothing fits, the text stands there again, and the fault is told of that.
            candidate = next(self._left[path], self._holes[path])
            put(data, path, candidate)
            has_changed = has_changed or candidate is not self._holes[path]
        return has_changed

    def _about(self, faults: list[Fault]) -> dict[KeyPath, Fault]:
        """Return the holes at or above the place of a fault; if there are none, those below one.

        A block can be at fault for how two of its values go together.
        """
        found = {hole: fault for fault in faults for hole in self._holes if fault.path[: len(hole)] == hole}
        return found or {
            hole: fault for fault in faults for hole in self._holes if hole[: len(fault.path)] == fault.path
        }


def _candidates(text: str, fault: Fault) -> Iterator[object]:
    default = _DEFAULT.fullmatch(text)
    if default:
        try:
            yield read_scalar(default[1])
        except UnreadableValue:
            pass
        yield default[1]
    # pydantic names what a Literal takes: 'replace', 'fail' or 'skip'.
    yield from re.findall(r"'([^']*)'", str(fault.error.get("ctx", {}).get("expected", "")))
    yield from _CANDIDATES
