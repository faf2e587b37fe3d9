"""The code of the protocol, changed in one place: the power-loss model must notice, or it is known why not.

`mutants.py` changes the record of a right run; here `runner/ledger/publication.py` itself is changed, a run
is recorded with it, and the disks that a power loss may leave are judged and gone on with by the same code.
Every sync in the file is left out in turn: a new one that nobody has thought about fails the last test.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from random import Random

import pytest

from tests.durability.conftest import REPOSITORY
from tests.durability.power import Step, lose_power
from tests.durability.test_power_loss import Bench, bench

SOURCE = (REPOSITORY / "runner/ledger/publication.py").read_text("utf-8")
__all__ = ["bench"]

NOTICED = ""
IS_LONG = "TORTURE" in os.environ
SCENARIOS = 500
"""Of each file system, until a fault is found; arbitrary."""
FEW = SCENARIOS if IS_LONG else 60
"""The same where none is expected."""


@dataclass(frozen=True)
class Change:
    """One changed place.

    Attributes:
        old: The text that stands once in the module.
        new: What stands there instead.
        why_not: Why nobody notices; empty where somebody does.
    """

    old: str
    new: str
    why_not: str = NOTICED


def syncs() -> dict[str, str]:
    """Return the module without one of its syncs, for each, by method and number in it."""
    found: dict[str, str] = {}
    lines = SOURCE.splitlines(keepends=True)
    (publication,) = (
        node
        for node in ast.parse(SOURCE).body
        if isinstance(node, ast.ClassDef) and node.name == "Publication"
    )
    for method in publication.body:
        if not isinstance(method, ast.FunctionDef) or method.name in ("_sync", "_sync_folder"):
            continue
        calls = [
            node
            for node in ast.walk(method)
            if isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) in ("self._sync", "self._sync_folder")
        ]
        for number, call in enumerate(sorted(calls, key=lambda node: node.lineno), 1):
            changed = list(lines)
            line = changed[call.lineno - 1]
            changed[call.lineno - 1] = line[: call.col_offset] + "pass\n"
            found[f"{method.name} {number}"] = "".join(changed)
    return found


SYNCS = {
    "begin 1": "`_clear` has synced that the old checkpoint is gone, and nothing else is at stake",
    "begin 2": "without its name the work folder is gone, and the run starts over: work is lost, no promise",
    "begin 3": "the files are empty: each commit syncs what it speaks of, and A6 syncs their names",
    "begin 4": NOTICED,  # A6
    "commit 1": NOTICED,  # C2, C3
    "publish 1": NOTICED,  # F6
    "clear 1": NOTICED,  # F8
    "put 1": "only the receipt is at stake, which promises nothing",
    "_show_all 1": "F1 has synced the content; only the mode is at stake, which is not recorded",
    "_show_all 2": NOTICED,  # F2
    "_show_all 3": "F8 syncs the same folder before success; in between, work may be lost and done again",
    "_write 1": NOTICED,  # C4, A4
    "_clear 1": NOTICED,  # A3
    "_compress 1": NOTICED,
}
"""For each sync in the module, why leaving it out is not noticed; nothing where it is."""

ORDERS = {
    "checkpoint before its data": Change(
        """                self._sync(staged.fd)
                tails[staged is self._dead] = self._tail(staged.fd, size)
        complete = replace(checkpoint, dead_tail=tails[True], output_tail=tails.get(False, ""))
        self._put_checkpoint(complete)
""",
        """                tails[staged is self._dead] = self._tail(staged.fd, size)
        complete = replace(checkpoint, dead_tail=tails[True], output_tail=tails.get(False, ""))
        self._put_checkpoint(complete)
        for staged, size, _ in self._committed(checkpoint):
            self._sync(staged.fd)
""",
    ),
    "checkpoint written in its place": Change(
        "        self._write(self.folder / f\"{name.partition('.')[0]}.tmp\", self.folder / name, data)\n",
        "        self._files.remove(self.folder / name)\n"
        "        fd = self._files.create(self.folder / name)\n"
        "        self._files.append(fd, data)\n"
        "        self._sync(fd)\n"
        "        self._files.close(fd)\n",
    ),
    "output shown before its dead letters": Change(
        "        for shown, staged in ready:\n", "        for shown, staged in reversed(ready):\n"
    ),
    "shown before it is complete": Change(
        '            checkpoint = replace(checkpoint, state="complete")\n'
        "            self.commit(checkpoint)\n",
        '            checkpoint = replace(checkpoint, state="complete")\n',
    ),
    "nothing cut off at a resumption": Change(
        "                self._files.truncate(staged.fd, size)\n                staged.size = size\n",
        "                staged.size = size\n",
    ),
    "first checkpoint before its files": Change(
        "        self._put(MANIFEST, manifest.to_bytes())\n",
        "        self._put(MANIFEST, manifest.to_bytes())\n        self._put_checkpoint(Checkpoint())\n",
    ),
    "cleared up before it is synced": Change(
        "        facts = {",
        "        self._files.remove(self.folder / CHECKPOINT)\n        facts = {",
        "without a checkpoint the run starts over: work is lost, no promise",
    ),
}


def _faults(bench: Bench, name: str, code: str, scenarios: int) -> list[str]:
    """Record a run with this code, and return the first fault that a power loss brings about."""
    flags = ["--restart"] if name == "restarted" else []
    steps: list[Step] = bench.record(bench.records[name][0], *flags, code=code)
    suspects = 0
    for is_weak in (False, True):
        for what, image, is_over, _ in bench.scenarios(name, steps, "code", scenarios, is_weak=is_weak):
            fault = bench.fault_of_state(image, is_over=is_over, is_weak=is_weak)
            if not fault and suspects < 8 and bench.fault_of_commit(image):
                suspects += 1
                fault = bench.fault_of_rerun(image, code=code)
            if fault:
                return [f"{what}: {fault}"]
    base = bench.records[name][0]
    chance = Random(1)
    for at in range(len(steps) // 3, len(steps), max(1, len(steps) // 12)):
        image = lose_power(steps[:at], base, chance, is_weak=False)
        if fault := bench.fault_of_rerun(image, code=code):
            return [f"{name} run, power lost after step {at}: {fault}"]
    return []


def _assert_known(bench: Bench, code: str, why_not: str) -> None:
    compile(code, "publication.py", "exec")
    assert code != SOURCE
    number = FEW if why_not else SCENARIOS
    faults = _faults(bench, "first", code, number) or _faults(bench, "restarted", code, number)
    print(faults or why_not)  # noqa: T201
    assert bool(faults) != bool(why_not), faults or "nobody has noticed"


@pytest.mark.parametrize(
    ("bench", "key"),
    [("gz" if key.startswith("_compress") else "beside", key) for key in SYNCS],
    indirect=["bench"],
)
def test_a_sync_that_is_left_out_of_the_code_is_noticed(bench: Bench, key: str) -> None:
    """Or it is known why it makes no difference to what is promised."""
    _assert_known(bench, syncs()[key], SYNCS[key])


@pytest.mark.parametrize("bench", ["beside"], indirect=True)
@pytest.mark.parametrize("key", ORDERS)
def test_a_step_that_is_out_of_order_in_the_code_is_noticed(bench: Bench, key: str) -> None:
    """Or it is known why it makes no difference to what is promised."""
    change = ORDERS[key]
    assert SOURCE.count(change.old) == 1, "the code has changed: change this, too"
    _assert_known(bench, SOURCE.replace(change.old, change.new), change.why_not)


def test_every_sync_of_the_code_is_known() -> None:
    """Who adds one says here what it is for."""
    assert syncs().keys() == SYNCS.keys()
