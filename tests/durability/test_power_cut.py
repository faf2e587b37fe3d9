"""The power of a real ext4 is cut: what is on its disk then is mounted, and the run gone on with.

The file system lies in a file, and that file, copied at some moment, is the disk after a power loss at that
moment: what the kernel had not written is not in it. The copy is mounted as any disk after a crash is, by
replaying the journal. A disk that loses or reorders what was written without a barrier is not covered here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.durability.conftest import REPOSITORY, Lab
from tests.durability.mounts import Disk

CUTS = 60 if "TORTURE" in os.environ else 6


class PowerLab:
    """A lab whose outputs lie on a disk of their own."""

    def __init__(self, lab: Lab, **keys: Any) -> None:
        self.lab = lab
        self.disk = Disk(lab.root / "disk.img")
        self.folder = lab.root / "disk"
        output = {"type": "jsonl", "path": "disk/out/rows.jsonl"}
        lab.job(**{"input": {"type": "range", "stop": 120}, "output": output, **keys})
        with self.disk.mounted_at(self.folder):  # type: ignore[attr-defined]
            ended = lab.run()
            assert ended.code == 0, ended.err
            self.reference = lab.published()
            assert all(self.reference)
            shutil.rmtree(self.folder / "out")
            os.sync()
        self._empty = self.disk.image.read_bytes()

    def cuts(self, number: int, chance: Random) -> Iterator[tuple[bytes, bool]]:
        """Run on an empty disk; yield the disk at so many moments, and whether success was reported then."""
        self.disk.image.write_bytes(self._empty)
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PAUSE": "0.02"}
        environ |= {"HOME": os.environ["HOME"], "PYTHONDONTWRITEBYTECODE": "1"}
        found: list[tuple[bytes, bool]] = []
        with self.disk.mounted_at(self.folder):  # type: ignore[attr-defined]
            command = [sys.executable, "-m", "runner", "run", "job.yaml", "--quiet"]
            with subprocess.Popen(command, cwd=self.lab.root, env=environ) as process:
                while process.poll() is None:
                    image = self.disk.cut()
                    if image is not None:
                        found.append((image, False))
                    time.sleep(chance.random() * 0.02)
                assert process.returncode == 0
                while (image := self.disk.cut()) is None:
                    pass
        early = found if len(found) <= number else chance.sample(found, number)
        yield from early
        yield image, True

    def fault(self, image: bytes, *, is_over: bool) -> str:
        """Return what is wrong after the power came back and the same command was run; empty for nothing."""
        self.disk.image.write_bytes(image)
        with self.disk.mounted_at(self.folder):  # type: ignore[attr-defined]
            shown = self.lab.published()
            if is_over and shown != self.reference:
                return "success was reported, and it is not there"
            if shown[0] not in (None, self.reference[0]) or shown[1] not in (None, self.reference[1]):
                return "something torn stands at a final path"
            ended = self.lab.run()
            if ended.code != 0:
                return f"exit code {ended.code}: {ended.err}"
            return "" if self.lab.published() == self.reference else "other bytes"


@pytest.mark.parametrize("ordered", [True, False])
def test_a_run_whose_disk_lost_power_is_gone_on_with(lab: Lab, ordered: bool) -> None:
    """The same bytes, nothing torn before, and what was reported as a success is there."""
    bench = PowerLab(lab, pool={"size": 2, "ordered": ordered}, commit={"every": "30ms"})
    chance = Random(ordered)
    done = resumed = 0
    while done < CUTS:
        for image, is_over in bench.cuts(CUTS, chance):
            fault = bench.fault(image, is_over=is_over)
            assert not fault, fault
            done += 1
            resumed += "going on with the unfinished run" in Path(lab.root / "stderr.txt").read_text()
    print(f"{done} power cuts, {resumed} resumptions")  # noqa: T201
    assert resumed


def test_a_run_without_syncs_is_noticed(lab: Lab) -> None:
    """`durability: process` promises nothing after a power loss, and this is how one sees it."""
    bench = PowerLab(lab, durability="process", commit={"every": "30ms"})
    ((image, is_over),) = [cut for cut in bench.cuts(1, Random(1)) if cut[1]]
    assert bench.fault(image, is_over=is_over) == "success was reported, and it is not there"
