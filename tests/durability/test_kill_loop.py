"""Kill a run at any moment, run the same command again: the same bytes, however often."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.durability.conftest import KILLED, REPOSITORY, Lab

KILLS = int(os.environ.get("TORTURE_KILLS", "0"))
"""Kills over all cases; 0 is the default suite's share."""
SEED = int(os.environ.get("TORTURE_SEED", "1"))
ITEMS = 240


def _jsonl(start: int, stop: int) -> str:
    rows = [json.dumps({"n": number, "pad": "p" * (number % 11)}) for number in range(start, stop)]
    rows[len(rows) // 3] = '{"n": '  # malformed
    rows[len(rows) // 2] = ""  # blank
    return "\n".join(rows) + "\n"


def _csv(start: int, stop: int) -> str:
    rows = [
        f'{number},"a ""b""\n{number}"' if number % 9 == 0 else f"{number},x" for number in range(start, stop)
    ]
    rows[len(rows) // 3] = "1,2,3"  # a cell too many
    return "n,note\n" + "\n".join(rows) + "\n"


def _make(lab: Lab) -> None:
    lab.write("in.jsonl", _jsonl(0, ITEMS))
    lab.write("in.jsonl.gz", gzip.compress(_jsonl(0, ITEMS).encode(), mtime=0))
    lab.write("in.csv", _csv(0, ITEMS))
    for part in range(3):
        lab.write(f"parts/{part}.csv", _csv(part * 80, part * 80 + 80))
    lab.write("in.json", json.dumps([{"n": number} for number in range(ITEMS)], indent=1))
    lab.write("in.txt", "".join(f"{number}\r\n" if number % 5 else f"{number}\n" for number in range(ITEMS)))


RETRY = [
    # What times out on a busy machine without being told to is tried until it does not.
    {"errors": ["TimeoutError"], "attempts": 50, "backoff": {"initial": "2ms", "max": "8ms"}},
    {"errors": ["ConnectionError"], "attempts": 4, "backoff": {"initial": "2ms", "max": "8ms"}},
]

CASES: dict[str, dict[str, Any]] = {
    "jsonl": {"input": {"type": "jsonl", "path": "in.jsonl"}},
    "jsonl-unordered": {"input": {"type": "jsonl", "path": "in.jsonl"}, "pool": {"ordered": False}},
    "jsonl-gz": {
        "input": {"type": "jsonl", "path": "in.jsonl.gz"},
        "output": {"type": "jsonl", "path": "out/rows.jsonl.gz"},
    },
    "csv-learnt": {
        "input": {"type": "csv", "path": "in.csv"},
        "output": {"type": "csv", "path": "out/rows.csv"},
        "failures": {"tolerate": "all", "dead_letter": "dead/letters.jsonl"},
    },
    "csv-declared-unordered": {
        "input": {"type": "csv", "path": "in.csv"},
        "output": {"type": "csv", "path": "out/rows.csv", "columns": ["square", "text", "n"]},
        "pool": {"ordered": False},
    },
    "csv-glob": {"input": {"type": "csv", "path": "parts/*.csv"}},
    "csv-glob-unordered": {"input": {"type": "csv", "path": "parts/*.csv"}, "pool": {"ordered": False}},
    "json": {"input": {"type": "json", "path": "in.json"}, "durability": "process"},
    "text": {
        "input": {"type": "text", "path": "in.txt"},
        "task": "tasks.text",
        "output": {"type": "text", "path": "out/rows.txt.gz"},
    },
    "python": {"input": {"type": "python", "call": "tasks.numbers", "with": {"stop": ITEMS}}},
    "python-unordered": {
        "input": {"type": "python", "call": "tasks.numbers", "with": {"stop": ITEMS}},
        "pool": {"ordered": False},
        "failures": {"tolerate": "all", "dead_letter": "dead/letters.jsonl"},
    },
    "class-retry-timeout-unordered": {
        "input": {"type": "csv", "path": "in.csv"},
        "task": {"call": "tasks.Flaky", "with": {"hang": 0.35}},
        "output": {"type": "csv", "path": "out/rows.csv", "columns": ["square", "text", "n"]},
        "pool": {"ordered": False},
        "retry": RETRY,
        "timeout": "250ms",
    },
    "generator-retry-limit": {
        "input": {"type": "jsonl", "path": "in.jsonl"},
        "task": "tasks.Several",
        "retry": RETRY,
        "rate_limit": {"rate": "600/s", "burst": 5},
    },
    "generator-retry-csv-learnt": {
        "input": {"type": "csv", "path": "parts/*.csv"},
        "task": "tasks.Several",
        "output": {"type": "csv", "path": "out/rows.csv"},
        "retry": RETRY,
        "timeout": "30s",
    },
}


def _vary(lab: Lab, case: dict[str, Any], chance: random.Random) -> None:
    """Write the job file with another pool and another commit interval, as one may between attempts."""
    # More hung threads than workers end a run: with one worker, two attempts that are late are too many.
    size = chance.choice([4, 8] if "timeout" in case else [1, 2, 4, 8])
    chunksize = chance.choice([1, 1, 3, 10])
    window = chance.choice([None, max(size * chunksize, 16), 64])
    pool = {**case.get("pool", {}), "size": size, "chunksize": chunksize}
    if window is not None:
        pool["window"] = window
    lab.job(**{**case, "pool": pool, "commit": {"every": chance.choice(["20ms", "0s", "3ms", "50ms"])}})


def _reference(lab: Lab, case: dict[str, Any]) -> tuple[Any, Any, float]:
    """Run undisturbed; return output, dead letters and the seconds it took."""
    lab.job(**{**case, "pool": {**case.get("pool", {}), "size": 4}})
    ended = lab.run(environ={"PAUSE": "0.003"})
    assert ended.code == 0, ended.err
    return *lab.published(), ended.seconds


def _torture(
    lab: Lab, case: dict[str, Any], kills: int, chance: random.Random, attempt: Callable[..., int]
) -> int:
    """Kill runs until enough were killed; return how many. Everything that may be seen is checked."""
    _make(lab)
    output, dead, seconds = _reference(lab, case)
    assert dead, "the case has no failures"
    done = 0
    while done < kills:
        old = chance.choice([None, b"what an older run has left\n"])
        for path in (lab.output, lab.dead_letter):
            path.unlink(missing_ok=True)
        if old is not None:
            lab.output.write_bytes(old)
        stood = lab.published()[0]
        while True:
            _vary(lab, case, chance)
            moment = chance.random() ** chance.choice([1, 1, 0.3]) * seconds * 1.1
            code = attempt(lab, moment)
            now = lab.published()
            if code == 0:
                break
            assert code == KILLED, (lab.root / "stderr.txt").read_text()
            done += 1
            assert now[0] in (stood, output), "something torn stands at the final path"
            assert now[1] in (None, dead), "something torn stands at the final path of the dead letters"
            if now[0] == output != stood:
                stood = now[0]
        assert now == (output, dead)
        assert not lab.leftovers()
    return done


def _forked(lab: Lab, moment: float) -> int:
    return lab.run("--quiet", signals=[(moment, signal.SIGKILL)], environ={"PAUSE": "0.003"}).code


@pytest.mark.parametrize("name", CASES)
def test_a_run_killed_at_any_moment_ends_with_the_same_bytes(lab: Lab, name: str) -> None:
    """Whatever the format, the order and the pool, and however often."""
    kills = -(-KILLS // len(CASES)) if KILLS else 6
    chance = random.Random(f"{SEED} {name}")
    done = _torture(lab, CASES[name], kills, chance, _forked)
    print(f"{name}: {done} kills")  # noqa: T201


def test_a_started_process_killed_at_any_moment_ends_with_the_same_bytes(lab: Lab) -> None:
    """The command as a user types it, its start-up included."""

    def start(lab: Lab, moment: float) -> int:
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PAUSE": "0.003"}
        environ |= {"HOME": os.environ["HOME"], "PYTHONDONTWRITEBYTECODE": "1"}
        with Path(lab.root / "stderr.txt").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "runner", "run", "job.yaml", "--quiet"],
                cwd=lab.root,
                env=environ,
                stderr=errors,
            )
            try:
                return process.wait(timeout=moment * 3 + 0.05)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                return process.wait()

    chance = random.Random(f"{SEED} process")
    assert _torture(lab, CASES["jsonl"], 3, chance, start) >= 3
