"""The power fails after any step, and of what was not synced anything may be missing: the same bytes.

`kill -9` alone finds no missing sync, for the kernel goes on and writes everything. So here the record of
a run is replayed (`power.py`), and what may have been left is put on a disk and run again.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.durability.conftest import Lab
from tests.durability.mutants import MUTANTS, Mutant
from tests.durability.power import Image, Step, lose_power, read_record

IS_LONG = "TORTURE" in os.environ
SCENARIOS = 1000 if IS_LONG else 12
"""Of each recorded run and file system; arbitrary."""
LAYOUTS: dict[str, dict[str, Any]] = {
    "beside": {},
    "elsewhere": {"failures": {"tolerate": "all", "dead_letter": "dead/letters.jsonl"}},
    "gz": {"output": {"type": "jsonl", "path": "out/rows.jsonl.gz"}},
}
RUNS = ("first", "resumed", "restarted")
OLD = b"of an older run\n"
ATTEMPTS = 5
"""Records that a fault is looked for in, before it is said that nobody notices it; arbitrary."""


class Bench:
    """A job that was run undisturbed, and records of its runs."""

    def __init__(self, lab: Lab, layout: str) -> None:
        self.lab = lab
        pool, commit = {"size": 1}, {"every": "15ms"}
        lab.job(**{"input": {"type": "range", "stop": 22}, "pool": pool, "commit": commit, **LAYOUTS[layout]})
        ended = lab.run()
        assert ended.code == 0, ended.err
        self.reference = lab.published()
        self.records: dict[str, tuple[Image, list[Step]]] = {}
        shown = str(lab.output.relative_to(lab.root))
        old = Image({shown: OLD}, {"out"})
        self._record("first", Image() if layout == "elsewhere" else old)
        base, steps = self.records["first"]
        half = next(image for image in self._halves(base, steps) if self._committed(image) > 4)
        self._record("resumed", half)
        self._record("restarted", half, "--restart")

    def _record(self, name: str, base: Image, *flags: str) -> None:
        """Keep the record with the most commits: on a busy machine a run may have hardly any."""
        records = []
        while len(records) < 5 and (not records or _commits(records[-1]) < 5):
            records.append(self.record(base, *flags))
        self.records[name] = base, max(records, key=_commits)

    def record_again(self, name: str) -> None:
        """Put another record of the same run in the place of the one there is."""
        self._record(name, self.records[name][0], *(["--restart"] if name == "restarted" else []))

    def record(self, base: Image, *flags: str, **order: Any) -> list[Step]:
        """Run on this disk to the end, and return what was done to it."""
        self.put(base)
        notes = self.lab.root / "notes"
        notes.unlink(missing_ok=True)
        disk = {"kind": "recording", "notes": str(notes), "root": str(self.lab.root)}
        ended = self.lab.run(*flags, disk=disk, environ={"PAUSE": "0.004"}, **order)
        assert ended.code == 0, ended.err
        assert self.lab.published() == self.reference
        return read_record(notes.read_text().splitlines(), base)

    def _halves(self, base: Image, steps: Sequence[Step]) -> Iterator[Image]:
        for number in range(len(steps) // 2, len(steps)):
            yield lose_power(steps[:number], base, Random(number), is_weak=False)

    def _committed(self, image: Image) -> int:
        for path, data in image.files.items():
            if path.endswith("/ck"):
                return int(json.loads(data.partition(b"\t")[0])["index"])
        return 0

    def put(self, image: Image) -> None:
        """Make the disk hold this and nothing else."""
        for name in ("out", "dead"):
            shutil.rmtree(self.lab.root / name, ignore_errors=True)
        for folder in sorted(image.folders):
            (self.lab.root / folder).mkdir(mode=0o700 if folder.endswith(".run") else 0o755)
        for path, data in image.files.items():
            (self.lab.root / path).write_bytes(data)

    def scenarios(
        self, name: str, steps: Sequence[Step], seed: str, number: int, *, is_weak: bool
    ) -> Iterator[tuple[str, Image, bool, bool]]:
        """Yield what is to be told, the disk, if success was reported, and if a refusal is known."""
        base, seen = self.records[name][0], set()
        chance = Random(seed)
        for _ in range(number):
            for _ in range(50):
                at = len(steps) if chance.random() < 0.06 else chance.randint(1, len(steps))
                image = lose_power(steps[:at], base, chance, is_weak=is_weak)
                if (key := zlib.crc32(repr((image.key(), at == len(steps))).encode())) not in seen:
                    seen.add(key)
                    what = f"{name} run, power lost after step {at} of {len(steps)}, {steps[at - 1].label}"
                    yield what, image, at == len(steps), False
                    break

    def fault_of_state(self, image: Image, *, is_over: bool, is_weak: bool) -> str:
        """Return what a reader of the final paths may hold against this disk."""
        root = self.lab.root
        output, dead = (
            image.files.get(str(path.relative_to(root))) for path in (self.lab.output, self.lab.dead_letter)
        )
        if output not in (None, OLD, self.reference[0]) or dead not in (None, self.reference[1]):
            return "something torn stands at a final path"
        if is_over and (output, dead) != self.reference:
            return "success was reported, and it is not there"
        if is_over and f"{self.lab.work.relative_to(root)}/ck" in image.files:
            return "success was reported, and the next run will take what is left for its own"
        if not is_weak and output == self.reference[0] and dead is None:
            return "the output is shown without its dead letters"
        return ""

    def fault_of_commit(self, image: Image) -> bool:
        """Return whether the checkpoint here speaks of what is not there: a run from here may end badly."""
        work = str(self.lab.work.relative_to(self.lab.root))
        checkpoint = image.files.get(f"{work}/ck")
        if checkpoint is None:
            return False
        try:
            said = json.loads(checkpoint.partition(b"\t")[0])
            json.loads(image.files[f"{work}/manifest.json"])
        except (ValueError, KeyError):
            return True
        for name, reference, size in (
            ("out", self.reference[0], said["output_size"]),
            ("dead", self.reference[1], said["dead_size"]),
        ):
            there = image.files.get(f"{work}/{name}")
            if there is None and said["state"] == "complete":
                continue
            if there is None or there[:size] != reference[:size] or len(there) < size:
                return True
        return False

    def fault_of_rerun(
        self, image: Image, *, may_refuse: bool = False, code: dict[str, str] | None = None, **disk: Any
    ) -> str:
        """Return what is wrong with the end of a run that finds this disk."""
        self.put(image)
        shutil.rmtree(self.lab.root / ".runner", ignore_errors=True)  # logs; the run is kept elsewhere
        ended = self.lab.run("--quiet", disk={"kind": "careless", **disk}, code=code)
        if may_refuse and ended.code == 3:
            ended = self.lab.run("--quiet", "--restart", disk={"kind": "careless", **disk})
        if ended.code != 0:
            return f"exit code {ended.code}: {ended.err}"
        if self.lab.published() != self.reference:
            return "other bytes"
        left = self.lab.leftovers()
        return f"left over: {left}" if left else ""


def _commits(steps: Sequence[Step]) -> int:
    return sum(step.label == "rename ck.tmp" for step in steps)


_benches: dict[str, Bench] = {}


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Give the records of one layout, made once in each process."""
    layout = request.param
    if layout not in _benches:
        _benches[layout] = Bench(Lab(Path(tmp_path_factory.mktemp("power")) / "lab"), layout)
    return _benches[layout]


@pytest.mark.parametrize("is_weak", [False, True], ids=["ordered", "weak"])
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("bench", LAYOUTS, indirect=True)
def test_a_run_that_lost_power_is_gone_on_with(bench: Bench, name: str, is_weak: bool) -> None:
    """Nothing torn, the same bytes from the same command, and a success that was reported is there."""
    steps = bench.records[name][1]
    assert _commits(steps) >= 3, "too few commits"
    number = 0
    for what, image, is_over, is_gap in bench.scenarios(name, steps, name, SCENARIOS, is_weak=is_weak):
        number += 1
        fault = bench.fault_of_state(image, is_over=is_over, is_weak=is_weak)
        fault = fault or bench.fault_of_rerun(image, may_refuse=is_gap)
        assert not fault, f"{what}: {fault}\n{sorted(image.files)}"
    print(f"{name} {'weak' if is_weak else 'ordered'}: {number} scenarios of {len(steps)} steps")  # noqa: T201
    assert number >= SCENARIOS * 0.8


@pytest.mark.parametrize(
    ("bench", "key"),
    [("elsewhere" if key == "folders" else "beside", key) for key in MUTANTS],
    indirect=["bench"],
)
def test_a_wrong_protocol_is_noticed(bench: Bench, key: str) -> None:
    """Each sync that is left out, each exchange of two steps; the harmless ones are known as such."""
    mutant = MUTANTS[key]
    faults = _faults(bench, mutant)
    for _ in range(0 if mutant.harmless else ATTEMPTS - 1):
        if not faults:  # whether it shows depends on where the commits of the record were, which time decides
            bench.record_again(mutant.run)
            faults = _faults(bench, mutant)
    print(f"{key}: {faults}")  # noqa: T201
    assert bool(faults) != bool(mutant.harmless), faults or "nobody has noticed"


def _faults(bench: Bench, mutant: Mutant) -> list[str]:
    """Return what a power loss under this protocol brings about, at most one fault for each file system."""
    steps = mutant.change(bench.records[mutant.run][1])
    assert steps != bench.records[mutant.run][1]
    faults, suspects = [], 0
    for is_weak in (False, True):
        scenarios = bench.scenarios(mutant.run, steps, "mutant", 1000, is_weak=is_weak)
        for what, image, is_over, is_gap in scenarios:
            fault = bench.fault_of_state(image, is_over=is_over, is_weak=is_weak)
            if not fault and not is_gap and suspects < 8 and bench.fault_of_commit(image):
                suspects += 1
                fault = bench.fault_of_rerun(image)
            if fault:
                faults.append(f"{what}: {fault}")
                break
    return faults


@pytest.mark.parametrize("bench", ["beside"], indirect=True)
def test_a_resumption_that_cuts_nothing_off_is_noticed(bench: Bench) -> None:
    """The one step of the recovery itself."""
    base, steps = bench.records["first"]
    chance = Random(1)
    halves = [
        lose_power(steps[:at], base, chance, is_weak=False) for at in range(len(steps) // 2, len(steps), 3)
    ]
    assert any(bench.fault_of_rerun(image, cuts=False) for image in halves)
