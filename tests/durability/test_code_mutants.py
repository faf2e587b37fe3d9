"""The code of the protocol, changed in one place: the power-loss model must notice, or it is known why not.

`mutants.py` changes the record of a right run; here the modules of the protocol themselves are changed, a run
is recorded with them, and the disks that a power loss may leave are judged and gone on with by the same code.
Every sync in them is left out in turn: a new one that nobody has thought about fails the last test.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from itertools import product
from random import Random

import pytest

from tests.durability.conftest import REPOSITORY
from tests.durability.power import Step, lose_power
from tests.durability.test_power_loss import ATTEMPTS, Bench, bench
from tests.durability.trouble import PROTOCOL

SOURCES = {name: (REPOSITORY / f"runner/ledger/{name}.py").read_text("utf-8") for name in PROTOCOL}
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
        module: Where.
        old: The text that stands once in the module.
        new: What stands there instead.
        why_not: Why nobody notices; empty where somebody does.
    """

    module: str
    old: str
    new: str
    why_not: str = NOTICED


def syncs() -> dict[str, dict[str, str]]:
    """Return a module without one of its syncs, for each, by class, method and number in it."""
    return {
        f"{owner.name}.{method.name} {number}": {module: _without(source, call)}
        for module, source in SOURCES.items()
        for owner in ast.parse(source).body
        if isinstance(owner, ast.ClassDef)
        for method in owner.body
        if isinstance(method, ast.FunctionDef) and method.name not in ("sync", "sync_folder")
        for number, call in enumerate(_syncs_in(method), 1)
    }


def _syncs_in(method: ast.FunctionDef) -> list[ast.Expr]:
    """Return the calls of a method that sync, in the order of their lines."""
    ends = (".sync", ".sync_folder")
    found = [
        node
        for node in ast.walk(method)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).endswith(ends)
    ]
    return sorted(found, key=lambda node: node.lineno)


def _without(source: str, call: ast.Expr) -> str:
    lines = source.splitlines(keepends=True)
    line = lines[call.lineno - 1]
    lines[call.lineno - 1] = line[: call.col_offset] + "pass\n"
    return "".join(lines)


SYNCS = {
    "Publication.begin 1": "`_clear` has synced that the old checkpoint is gone: no more is at stake",
    "Publication.begin 2": "without its name the work folder is gone: work is lost, no promise",
    "StagedFile.create 1": "the file is empty: each commit syncs what it speaks of, A6 syncs the name",
    "Publication.begin 3": NOTICED,  # A6
    "StagedFile.commit 1": NOTICED,  # C2, C3
    "Publication.publish 1": NOTICED,  # F6
    "Publication.clear 1": NOTICED,  # F8
    "Publication.put 1": "only the receipt is at stake, which promises nothing",
    "StagedFile.finish 1": "F1 has synced the content; only the mode is at stake, which is not recorded",
    "Publication._show_all 1": NOTICED,  # F2
    "Publication._show_all 2": "F8 syncs the same folder before success; until then, work may be lost",
    "Disk.put 1": NOTICED,  # C4, A4
    "Publication._clear 1": NOTICED,  # A3
    "StagedFile._compress 1": NOTICED,
}
"""For each sync in the modules, why leaving it out is not noticed; nothing where it is."""

COMMIT = """\
        tails = {staged.name: staged.commit(size) for staged, size, _ in self._committed(checkpoint)}
        complete = replace(checkpoint, dead_tail=tails["dead_letter"], output_tail=tails.get("output", ""))
        self._put_checkpoint(complete)
"""

ORDERS = {
    "checkpoint before its data": Change(
        "publication",
        COMMIT,
        COMMIT.replace("staged.commit(size)", "self._disk.tail(staged.fd, size)")
        + "        for staged in self._staged():\n            self._disk.sync(staged.fd)\n",
    ),
    "checkpoint written in its place": Change(
        "publication",
        '        self._disk.put(path, numbered.to_bytes(), temporary=path.with_suffix(".tmp"))\n',
        "        self._disk.files.remove(path)\n"
        "        fd = self._disk.files.create(path)\n"
        "        self._disk.files.append(fd, numbered.to_bytes())\n"
        "        self._disk.sync(fd)\n"
        "        self._disk.files.close(fd)\n",
    ),
    "output shown before its dead letters": Change(
        "publication",
        "        for made, staged in ready:\n",
        "        for made, staged in reversed(ready):\n",
    ),
    "shown before it is complete": Change(
        "publication",
        '            checkpoint = replace(checkpoint, state="complete")\n'
        "            self.commit(checkpoint)\n",
        '            checkpoint = replace(checkpoint, state="complete")\n',
    ),
    "nothing cut off at a resumption": Change(
        "staged_file",
        "            self.disk.files.truncate(self.fd, size)\n            self.size = size\n",
        "            self.size = size\n",
    ),
    "first checkpoint before its files": Change(
        "publication",
        "        path = self.folder / MANIFEST\n",
        "        path = self.folder / MANIFEST\n        self._put_checkpoint(Checkpoint())\n",
    ),
    "cleared up before it is synced": Change(
        "publication",
        "        facts = {",
        "        self._disk.files.remove(self.folder / CHECKPOINT)\n        facts = {",
        "without a checkpoint the run starts over: work is lost, no promise",
    ),
}


def _faults(bench: Bench, name: str, code: dict[str, str], scenarios: int, attempt: int) -> list[str]:
    """Record a run with this code, and return the first fault that a power loss brings about."""
    flags = ["--restart"] if name == "restarted" else []
    steps: list[Step] = bench.record(bench.records[name][0], *flags, code=code)
    suspects = 0
    for is_weak in (False, True):
        for what, image, is_over, _ in bench.scenarios(
            name, steps, f"code {attempt}", scenarios, is_weak=is_weak
        ):
            fault = bench.fault_of_state(image, is_over=is_over, is_weak=is_weak)
            if not fault and suspects < 8 and bench.fault_of_commit(image):
                suspects += 1
                fault = bench.fault_of_rerun(image, code=code)
            if fault:
                return [f"{what}: {fault}"]
    base = bench.records[name][0]
    chance = Random(attempt)
    for at in range(len(steps) // 3, len(steps), max(1, len(steps) // 12)):
        image = lose_power(steps[:at], base, chance, is_weak=False)
        if fault := bench.fault_of_rerun(image, code=code):
            return [f"{name} run, power lost after step {at}: {fault}"]
    return []


def _assert_known(bench: Bench, code: dict[str, str], why_not: str) -> None:
    for name, source in code.items():
        compile(source, f"{name}.py", "exec")
        assert source != SOURCES[name]
    number, attempts = (FEW, 1) if why_not else (SCENARIOS, ATTEMPTS)
    faults: list[str] = []
    for attempt, name in product(range(attempts), ("first", "restarted")):
        faults = faults or _faults(bench, name, code, number, attempt)
    print(faults or why_not)  # noqa: T201
    assert bool(faults) != bool(why_not), faults or "nobody has noticed"


@pytest.mark.parametrize(
    ("bench", "key"),
    [("gz" if "_compress" in key else "beside", key) for key in SYNCS],
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
    source = SOURCES[change.module]
    assert source.count(change.old) == 1, "the code has changed: change this, too"
    _assert_known(bench, {change.module: source.replace(change.old, change.new)}, change.why_not)


def test_every_sync_of_the_code_is_known() -> None:
    """Who adds one says here what it is for."""
    assert syncs().keys() == SYNCS.keys()
