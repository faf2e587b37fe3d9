"""The Nth file operation fails: the run says so and stops, nothing is torn, and the same command goes on."""

from __future__ import annotations

import errno
import json
import os
from typing import Any

import pytest

from tests.durability.conftest import Lab

IS_LONG = "TORTURE" in os.environ
STRIDE = 3 if IS_LONG else 18
"""Of each of the three sweeps, which begin at steps of their own."""
MOST_STEPS = 400
"""Arbitrary: a run of `_small` has fewer."""


def _small(lab: Lab, **keys: Any) -> tuple[Any, Any]:
    """Set up a small job with failures and several commits; return what it publishes undisturbed."""
    lab.job(
        **{"input": {"type": "range", "stop": 16}, "commit": {"every": "0s"}, "pool": {"size": 1}, **keys}
    )
    return lab.undisturbed()


def _sweep(
    lab: Lab, reference: tuple[Any, Any], number: int, *, persists: bool, stride: int, start: int
) -> int:
    """Let the Nth operation fail for one N after the other; return how many runs noticed."""
    noticed = 0
    for at in range(start, MOST_STEPS, stride):
        notes = lab.root / "notes"
        notes.unlink(missing_ok=True)
        for path in (lab.output, lab.dead_letter):
            path.unlink(missing_ok=True)
        lab.output.parent.mkdir(exist_ok=True)
        lab.output.write_bytes(b"old\n")
        old = lab.published()[0]
        disk = {
            "kind": "failing",
            "at": at,
            "notes": str(notes),
            "number_of_error": number,
            "persists": persists,
        }
        ended = lab.run("--json", disk=disk, environ={"PAUSE": "0.002"})
        book = [json.loads(line) for line in notes.read_text().splitlines()]
        failed = [note for note in book if "failed" in note]
        what = f"{at}: {failed[:1]}: {ended.code} {ended.err}"
        assert ended.code in (0, 4), what
        assert "Traceback" not in ended.err, what
        if ended.code == 4:
            noticed += 1
            assert os.strerror(number) in ended.report["message"], what
            assert str(lab.root) in ended.report["message"], what
        first = next((note["number"] for note in failed if note["failed"].startswith("sync ")), None)
        if first is not None:
            assert not [note for note in book if note.get("synced") and note["number"] > first], what
        output, dead = lab.published()
        assert output in (old, reference[0]), what
        assert dead in (None, reference[1]), what
        if ended.code == 0:
            assert (output, dead) == reference, what
        again = lab.run()
        assert again.code == 0, f"{what}\nthen: {again.code} {again.err}"
        assert lab.published() == reference, what
        assert not lab.leftovers(), what
        if not failed:
            break
    else:
        pytest.fail("the run has more steps than this test expects")
    return noticed


@pytest.mark.parametrize("persists", [False, True], ids=["once", "from-then-on"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("start", [1, 2, 3] if IS_LONG else [1, 8, 14])
def test_whichever_operation_fails_the_run_can_be_gone_on_with(
    lab: Lab, number: int, persists: bool, start: int
) -> None:
    """Exit code 4 with path and cause (0 where it did no harm), nothing torn, no sync after a failed one."""
    reference = _small(lab)
    assert _sweep(lab, reference, number, persists=persists, stride=STRIDE, start=start) >= (
        6 if IS_LONG else 1
    )


@pytest.mark.parametrize(
    "keys",
    [
        {
            "output": {"type": "csv", "path": "out/rows.csv.gz"},
            "failures": {"tolerate": "all", "dead_letter": "dead/x.jsonl"},
        },
        {"output": {"type": "jsonl", "path": "out/rows.jsonl"}, "pool": {"size": 3, "ordered": False}},
    ],
    ids=["gz-and-dead-letters-elsewhere", "unordered"],
)
def test_whichever_operation_fails_in_another_layout_the_run_can_be_gone_on_with(
    lab: Lab, keys: dict[str, Any]
) -> None:
    """Compressed output, two work folders, and results as they finish."""
    reference = _small(lab, **keys)
    assert _sweep(lab, reference, errno.EIO, persists=False, stride=2 if IS_LONG else 12, start=1) >= (
        6 if IS_LONG else 1
    )


def test_short_writes_change_no_byte(lab: Lab) -> None:
    """Of each write one byte, a third or all arrives, in turn."""
    reference = _small(lab)
    ended = lab.run(disk={"kind": "stuttering"})
    assert ended.code == 0, ended.err
    assert lab.published() == reference


def test_a_limit_on_the_size_of_files_ends_the_run_and_a_higher_one_lets_it_go_on(lab: Lab) -> None:
    """`ulimit -f`: the same as a full disk."""
    reference = _small(lab, input={"type": "range", "stop": 400})
    ended = lab.run("--json", limit=12_000)
    assert ended.code == 4, ended.err
    assert "ulimit -f" in ended.report["message"]
    assert str(lab.work) in ended.report["message"]
    assert lab.published() == (None, None)
    assert lab.run().code == 0
    assert lab.published() == reference


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("text", ['"index":5', '"n":9,', '"n":3,'], ids=["dead-letter", "row", "first-row"])
def test_what_arrived_of_a_list_of_results_that_broke_off_is_not_committed(
    lab: Lab, text: str, ordered: bool
) -> None:
    """Rows without their items would be written twice by a resumption, items without their rows never."""
    lab.write(
        "tasks.py",
        "import time\n\ndef work(item):\n"
        "    if item == 3:\n        time.sleep(0.15)  # all behind it are delivered in one list\n"
        "    if item == 5:\n        raise ValueError('no')\n"
        "    return {'n': item, 'x': 0}\n",
    )
    lab.job(
        input={"type": "range", "stop": 16}, pool={"size": 4, "ordered": ordered}, commit={"every": "60s"}
    )
    reference = lab.undisturbed()
    ended = lab.run(disk={"kind": "refusing", "text": text})
    assert ended.code == 4, ended.err
    assert "Input/output error" in ended.err
    assert lab.run().code == 0
    assert lab.published() == reference
