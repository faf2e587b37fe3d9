"""Killed before each file operation in turn, and again during the recovery: the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
from typing import Any

import pytest

from tests.durability.conftest import KILLED, Lab

STRIDE = 1 if "TORTURE" in os.environ else 5
"""Of the sweep over all steps: the default suite takes one step of so many."""
MOST_STEPS = 400
"""Arbitrary: the jobs here have fewer."""

JOBS: dict[str, dict[str, Any]] = {
    "jsonl": {},
    "gz-and-dead-letters-elsewhere": {
        "output": {"type": "csv", "path": "out/rows.csv.gz"},
        "failures": {"tolerate": "all", "dead_letter": "dead/letters.jsonl"},
    },
    "unordered": {"pool": {"size": 3, "ordered": False, "window": 6}},
    "never-replaced": {"output": {"type": "jsonl", "path": "out/rows.jsonl", "if_exists": "fail"}},
}
EVERY_STEP = (
    "make_folders out",
    "make_private_folder .rows.jsonl.run",
    "create manifest.tmp",
    "append manifest.tmp",
    "sync manifest.tmp",
    "rename manifest.tmp",
    "create dead",
    "create out",
    "append out",
    "append dead",
    "sync dead",
    "sync out",
    "create ck.tmp",
    "append ck.tmp",
    "sync ck.tmp",
    "rename ck.tmp",
    "sync_folder .rows.jsonl.run",
    "rename dead",
    "rename out",
    "sync_folder out",
    "make_folders receipts",
    "create rows.jsonl.{mark}.json.tmp",
    "rename rows.jsonl.{mark}.json.tmp",
    "sync_folder receipts",
    "remove manifest.json",
    "remove ck",
    "remove_folder .rows.jsonl.run",
)
"""The numbered steps of the protocol, as the disk sees them."""


def _prepare(lab: Lab, name: str) -> tuple[Any, Any]:
    """Write the job, run it undisturbed, clear up, return what it published."""
    lab.job(**{"input": {"type": "range", "stop": 12}, "pool": {"size": 1}, **JOBS[name]})
    return lab.undisturbed()


def _clear(lab: Lab) -> None:
    for path in (lab.output, lab.dead_letter):
        path.unlink(missing_ok=True)


def _die_at(lab: Lab, step: int) -> tuple[bool, str]:
    """Run with a disk that kills before `step`; return whether it did, and before which operation."""
    notes = lab.root / "notes"
    notes.unlink(missing_ok=True)
    is_over = lab.published()[0] is not None and not lab.work.exists()
    ended = lab.run(disk={"kind": "killing", "at": step, "notes": str(notes)}, environ={"PAUSE": "0.002"})
    is_refused = is_over and ended.code == 3 and "`output.if_exists` is `fail`" in ended.err
    assert ended.code in (0, KILLED) or is_refused, ended.err
    text = notes.read_text()
    return ended.code == KILLED, json.loads(text)["died_before"] if text else ""


def _recover(lab: Lab, reference: tuple[Any, Any], what: str) -> None:
    if lab.published() != reference or lab.work.exists():
        # In the very last step nothing is left that says that the run is over but its receipt.
        is_over = lab.published() == reference and not list(lab.work.iterdir())
        ended = lab.run()
        is_refused = is_over and ended.code == 3 and "finished on" in ended.err
        assert ended.code == 0 or is_refused, f"{what}: {ended.err}"
    assert lab.published() == reference, what
    for path in (lab.output, lab.dead_letter):  # the locks of a run that was killed at its very end
        (path.parent / f".{path.name}.lock").unlink(missing_ok=True)
    assert not lab.leftovers(), what
    _clear(lab)


@pytest.mark.parametrize("name", JOBS)
def test_a_run_killed_before_any_operation_is_gone_on_with(lab: Lab, name: str) -> None:
    """Every step from the first folder to the last removal; the final path is never torn."""
    reference = _prepare(lab, name)
    spared = 0
    for step in range(random.Random(name).randint(1, STRIDE), MOST_STEPS, STRIDE):
        was_killed, operation = _die_at(lab, step)
        output, dead = lab.published()
        assert output in (None, reference[0]), operation
        assert dead in (None, reference[1]), operation
        _recover(lab, reference, f"{step}: {operation}")
        # Commits are timed, so one run has more steps than another, and the more so on a busy machine.
        spared = 0 if was_killed else spared + 1
        if spared == (12 if STRIDE == 1 else 1):
            break
    else:
        pytest.fail("the job has more steps than this test expects")


@pytest.mark.parametrize("operation", EVERY_STEP)
def test_a_run_killed_before_a_step_of_the_protocol_is_gone_on_with(lab: Lab, operation: str) -> None:
    """Each of them, whenever it comes for the first time."""
    reference = _prepare(lab, "jsonl")
    (receipt,) = (lab.root / ".runner/jobs/example/receipts").iterdir()
    shutil.rmtree(lab.root / ".runner")
    lab.output.parent.rmdir()
    operation = operation.replace("{mark}", receipt.suffixes[-2].removeprefix("."))
    notes = str(lab.root / "notes")
    ended = lab.run(disk={"kind": "killing_before", "operation": operation, "notes": notes})
    assert ended.code == KILLED, ended.err
    output, dead = lab.published()
    assert output in (None, reference[0])
    assert dead in (None, reference[1])
    _recover(lab, reference, operation)


@pytest.mark.parametrize("name", JOBS)
def test_a_run_killed_again_while_it_recovers_is_gone_on_with(lab: Lab, name: str) -> None:
    """Pairs, and triples, of moments, drawn at random."""
    reference = _prepare(lab, name)
    chance = random.Random(name)
    for _ in range(12 if STRIDE == 1 else 4):
        deaths = [_die_at(lab, chance.randint(8, 110)), _die_at(lab, chance.randint(1, 25))]
        if chance.random() < 0.4:
            deaths.append(_die_at(lab, chance.randint(1, 12)))
        _recover(lab, reference, str(deaths))


def test_a_run_killed_around_the_steps_of_its_lock_is_gone_on_with(lab: Lab) -> None:
    """While it takes the lock, writes its name into it, removes it and lets go."""
    reference = _prepare(lab, "jsonl")
    for step in range(1, 40):
        ended = lab.run(lock_step=step)
        _recover(lab, reference, f"lock step {step}")
        if ended.code == 0:
            assert step > 6
            return
    pytest.fail("the lock has more steps than this test expects")
