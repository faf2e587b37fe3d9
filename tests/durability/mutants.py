"""The protocol with one step left out or two exchanged: a test that notices none of them sees nothing.

They change the record of a run and not the runner: what a process does never depends on a sync.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.durability.power import Step


@dataclass(frozen=True)
class Mutant:
    """One wrong protocol.

    Attributes:
        what: What is wrong with it.
        change: Makes the record of a right run into one of a wrong one.
        run: On which of the recorded runs it shows: `first`, `resumed`, `restarted`.
        harmless: Why nothing that was promised is lost; empty where something is.
    """

    what: str
    change: Callable[[list[Step]], list[Step]]
    run: str = "first"
    harmless: str = ""


def without(*labels: str) -> Callable[[list[Step]], list[Step]]:
    """Leave out every step of these labels."""

    def change(steps: list[Step]) -> list[Step]:
        left = [step for step in steps if step.label not in labels]
        assert len(left) < len(steps), f"no {labels} was recorded"
        return left

    return change


def without_at(label: str, which: slice) -> Callable[[list[Step]], list[Step]]:
    """Leave out some of the steps of this label."""

    def change(steps: list[Step]) -> list[Step]:
        found = [number for number, step in enumerate(steps) if step.label == label][which]
        assert found, f"no {label} was recorded"
        return [step for number, step in enumerate(steps) if number not in found]

    return change


def checkpoint_first(steps: list[Step]) -> list[Step]:
    """Put the syncs of the data behind the checkpoint that speaks of them."""
    changed, late = list[Step](), list[Step]()
    for step in steps:
        if step.label in ("sync dead", "sync out"):
            late.append(step)
            continue
        changed.append(step)
        if step.label == "rename ck.tmp":
            changed += late
            late = []
    return changed + late


def output_first(steps: list[Step]) -> list[Step]:
    """Show the output before the dead letters."""
    changed = list(steps)
    dead, out = (
        next(number for number, step in enumerate(steps) if step.label == label)
        for label in ("rename dead", "rename out")
    )
    changed[dead], changed[out] = changed[out], changed[dead]
    return changed


def success_first(steps: list[Step]) -> list[Step]:
    """Put the first checkpoint's folder sync, and every later one, at the end: after success is told."""
    return [step for step in steps if step.kind != "sync_folder"]


WORK = "sync_folder .rows.jsonl.run"
MUTANTS: dict[str, Mutant] = {
    "C2": Mutant("dead letters are not synced", without("sync dead")),
    "C3": Mutant("output is not synced", without("sync out")),
    "C4": Mutant("the checkpoint is not synced before its rename", without("sync ck.tmp")),
    "A4": Mutant("the manifest is not synced before its rename", without("sync manifest.tmp")),
    "A6": Mutant("the work folder is not synced after its files were made", without_at(WORK, slice(0, 1))),
    "F2": Mutant("the work folder is not synced before the first rename", without_at(WORK, slice(1, None))),
    "F5-and-F8": Mutant(
        "the folder of the output is not synced before success",
        without_at("sync_folder out", slice(-2, None)),
    ),
    "F8": Mutant(
        "the removal of the work folder is not synced before success",
        without_at("sync_folder out", slice(-1, None)),
    ),
    "folders": Mutant("the folder of a new folder is not synced", without("sync_folder .")),
    "no-folder": Mutant("no folder is ever synced", success_first),
    "C5-before-C2": Mutant("the checkpoint is renamed before its data is synced", checkpoint_first),
    "F4-before-F3": Mutant("the output is shown before its dead letters", output_first),
    "A3-restart": Mutant(
        "the old checkpoint's removal is not synced before the new files are made",
        without_at(WORK, slice(0, 1)),
        run="restarted",
    ),
    "C2-resumed": Mutant("dead letters are not synced after a resumption", without("sync dead"), "resumed"),
    "C3-resumed": Mutant("output is not synced after a resumption", without("sync out"), "resumed"),
    "A3": Mutant(
        "the new work folder's name is not synced",
        without_at("sync_folder out", slice(0, 1)),
        harmless="without the folder everything is gone, and the run starts over: work is lost, no promise",
    ),
    "A5": Mutant(
        "the empty files are not synced",
        without_at("sync dead", slice(0, 1)),
        harmless="they are empty: each commit syncs what it speaks of, and A6 syncs their names",
    ),
    "F5": Mutant(
        "the folder of the output is not synced before the work folder is removed",
        without_at("sync_folder out", slice(-2, -1)),
        harmless="F8 syncs it before success; till then, work may be lost and done again, no promise",
    ),
    "F2-content": Mutant(
        "the content is not synced once more after the mode was set",
        lambda steps: without_at("sync out", slice(-1, None))(
            without_at("sync dead", slice(-1, None))(steps)
        ),
        harmless="F1 has synced the content; only the file mode is at stake, and that is not recorded",
    ),
}
