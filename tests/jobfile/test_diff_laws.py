"""The laws of a comparison: no restyling is a change, and no change of a value goes unreported."""

from __future__ import annotations

import json
import random
import re
from copy import deepcopy
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from runner import sinks, sources
from runner.jobfile import Job, Kinds
from runner.jobfile.behaviour import Behaviour, read_behaviour
from runner.jobfile.diff import compare
from runner.jobfile.fingerprint import changes, digest, fingerprint
from runner.jobfile.scalar import UnreadableValue, read_scalar

KINDS = Kinds(sources.KINDS, sinks.KINDS)
BASE: dict[str, Any] = {
    "version": 1,
    "name": "example",
    "description": "What it is: for, # and more.",
    "owner": "no",
    "labels": {"a.b": "12:30", "team": "0x"},
    "timezone": "Europe/Berlin",
    "params": {"size": 3, "names": ["a", "b c", "null"], "share": 0.5, "is_on": True, "given": None},
    "task": {
        "call": "tasks.f",
        "with": {
            "names": "${params.names}",
            "deep": {"a.b": [1, {"c": {}}], "d": None},
            "day": "${run.date}",
        },
    },
    "pool": {"size": "${env.SIZE:-3}", "chunksize": 2, "ordered": True, "window": 77},
    "timeout": "30s",
    "deadline": "2h",
    "rate_limit": {"rate": "100/min", "burst": 5},
    "retry": [{"attempts": 3, "errors": ["OSError"]}, {"backoff": {"initial": "1s"}, "then": "stop"}],
    "failures": {"tolerate": {"count": 5, "percent": 1.5}, "dead_letter": "out/bad.jsonl"},
    "commit": {"every": "2s", "bytes": "1MiB"},
    "durability": "process",
    "unfinished": "refuse",
}
INPUTS = {
    "csv": {"path": ["a.csv", "b/*.csv"]},
    "jsonl": {"path": "a.jsonl"},
    "json": {"path": "a.json"},
    "text": {"path": "${env.DATA}/a.txt"},
    "files": {"path": "scans/*.tif"},
    "items": {"items": [1, "x", {"y": [None]}]},
    "range": {"stop": 9},
    "python": {"call": "tasks.make", "with": {"n": 1}},
    "dead_letter": {"path": "a.failed.jsonl"},
}
OUTPUTS = {
    "jsonl": {"path": "out/a.jsonl"},
    "csv": {"path": "out/a.csv", "columns": ["a", "b"]},
    "text": {"path": "-"},
    "none": {},
}
CANDIDATES: list[Any] = [
    True,
    False,
    None,
    0,
    7,
    77,
    0.7,
    "x7",
    "7s",
    "7MiB",
    "7/s",
    "7%",
    "a.b7",
    "UTC",
    "latin-1",
    ";",
    "${env.SEVEN:-7}",
    ["x7"],
    [{"attempts": 7}],
    {"x": 7},
    {"names": ["x7"]},
    {"TOKEN": {"file": "x7"}},
    {"rate": "7/s"},
    [{"name": "x7", "item": "x7"}],
]
"""Of these, one at least is a value for each key of ours; those of a Literal are added."""


TOGETHER: dict[tuple[str, ...], list[tuple[tuple[str, ...], Any]]] = {
    ("input", "columns"): [(("input", "header"), False)],
    ("input", "header"): [(("input", "columns"), ["a"])],
}
"""Keys that have another value only together with others."""


def job_data(source: str, sink: str) -> dict[str, Any]:
    """Return the data of a job that uses every key of the job itself."""
    blocks = {"input": {"type": source, **INPUTS[source]}, "output": {"type": sink, **OUTPUTS[sink]}}
    return {**deepcopy(BASE), **deepcopy(blocks)}


def read(text: str) -> Behaviour:
    """Return the behaviour of a job file."""
    return read_behaviour(text, "job.yaml", KINDS)


class Style:
    """Writes data as YAML, each time in another way: order, quotes, brackets, comments, line breaks."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def file(self, data: dict[str, Any]) -> str:
        """Return a whole file."""
        start = self.chance.choice(["", "---\n", "# A job.\n\n", "\ufeff"])
        text = start + self.block(data, "")
        return text.replace("\n", "\r\n") if self.chance.random() < 0.2 else text

    def block(self, data: dict[str, Any], margin: str) -> str:
        """Return a mapping in block style, its keys in any order."""
        lines = []
        for key in self.chance.sample(list(data), len(data)):
            value, name = data[key], self.scalar(key, in_flow=False)
            if isinstance(value, dict | list) and value and self.chance.random() < 0.6:
                lines.append(f"{margin}{name}:{self.comment()}")
                inner = f"{margin}{' ' * self.chance.randint(1, 4)}"
                lines.append(
                    self.block(value, inner) if isinstance(value, dict) else self.items(value, inner)
                )
            else:
                lines.append(f"{margin}{name}: {self.flow(value, in_flow=False)}{self.comment()}")
            if self.chance.random() < 0.1:
                lines.append("")
        return "".join(f"{line}\n" for line in "\n".join(line.rstrip("\n") for line in lines).split("\n"))

    def items(self, values: list[Any], margin: str) -> str:
        """Return a list in block style."""
        return "".join(f"{margin}- {self.flow(value, in_flow=False)}{self.comment()}\n" for value in values)

    def flow(self, value: Any, *, in_flow: bool = True) -> str:
        """Return a value on one line."""
        if isinstance(value, dict):
            keys = self.chance.sample(list(value), len(value))
            pairs = (f"{self.scalar(key, in_flow=True)}: {self.flow(value[key])}" for key in keys)
            return f"{{{', '.join(pairs)}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self.flow, value))}]"
        return self.scalar(value, in_flow=in_flow)

    def scalar(self, value: Any, *, in_flow: bool) -> str:
        """Return a scalar: plain where that says the same, else in one of the two kinds of quotes."""
        if value is None:
            return self.chance.choice(["null", "~", "Null"])
        if isinstance(value, bool):
            return self.chance.choice([str(value), str(value).lower(), str(value).upper()])
        if isinstance(value, float):
            return self.chance.choice([repr(value), f"{value:e}"])
        if isinstance(value, int):
            return self.chance.choice([str(value), hex(value)]) if value >= 0 else str(value)
        quoted = [json.dumps(value), "'" + value.replace("'", "''") + "'"]
        return self.chance.choice([*quoted, value] if _is_plain(value, in_flow=in_flow) else quoted)

    def comment(self) -> str:
        """Return a comment or none."""
        return self.chance.choice(["", "", "", "  # why", " #", " # x: {y: 1}"])


def _is_plain(text: str, *, in_flow: bool) -> bool:
    if in_flow and "$" in text:
        return False
    try:
        return bool(re.fullmatch(r"[\w$][\w./${}:-]*", text)) and isinstance(read_scalar(text), str)
    except UnreadableValue:
        return False


@given(
    source=st.sampled_from(sorted(INPUTS)),
    sink=st.sampled_from(sorted(OUTPUTS)),
    left_out=st.sets(
        st.sampled_from([key for key in BASE if key not in {"version", "name", "task", "params"}])
    ),
    chance=st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_restyling_is_no_change(source, sink, left_out, chance):
    """Order of keys, quotes, brackets, comments, line ends: the same job, and the same textconv."""
    data = {key: value for key, value in job_data(source, sink).items() if key not in left_out}
    style = Style(chance)
    one, other = style.file(data), style.file(data)
    before, now = read(one), read(other)
    assert before.job is not None, (before.problems, one)
    assert now.job is not None, (now.problems, other)
    comparison = compare(before, now)
    assert comparison.changes == ()
    assert comparison.decisive == ()
    assert before.values == now.values


def paths_of(model: type[BaseModel], data: dict[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple]:
    """Return the path of every key of a model, and of the models in it, with its annotation."""
    found = []
    for name, field in model.model_fields.items():
        path = (*prefix, field.alias or name)
        if len(path) == 1 and path[0] in ("input", "output"):
            kind = KINDS.of(path[0])[data[path[0]]["type"]]
            found += [entry for entry in paths_of(kind, data, path) if entry[0][-1] != "type"]
            continue
        inner = field.annotation
        found.append((path, inner))
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += paths_of(inner, data, path)
    return [(path, inner) for path, inner in found if path != ("version",)]


def with_value(data: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return the data with another value at a path, and with what must go together with it."""
    data = deepcopy(data)
    for place, new in [*TOGETHER.get(path, []), (path, value)]:
        holder = data
        for part in place[:-1]:
            if not isinstance(holder.setdefault(part, {}), dict):
                holder[part] = {}  # an edit before this one has put something else there
            holder = holder[part]
        holder[place[-1]] = new
    return data


def check_laws(before: Behaviour, now: Behaviour) -> set[str]:
    """See that each value that differs is in exactly one change; return the keys."""
    assert before.job is not None
    assert now.job is not None
    differing = changes(
        {key: digest(value) for key, value in before.values.items()},
        {key: digest(value) for key, value in now.values.items()},
    )
    comparison = compare(before, now)
    told = [key for change in comparison.changes for key in change.keys]
    assert len(told) == len(set(told))
    # An empty mapping that is filled is told by what is in it; where no item may fail, no percentage matters.
    untold = set(differing) - set(told)
    assert all(_is_filled(key, before, now) or key.startswith("failures.tolerate.") for key in untold)
    assert [change.weight for change in comparison.changes] == sorted(c.weight for c in comparison.changes)
    for change in comparison.changes:
        was, _, is_now = change.message.partition(": was ")
        assert was != is_now
        assert change.message.count("`") % 2 == 0
    assert set(told) == {key for change in compare(now, before).changes for key in change.keys}
    return set(told)


def _is_filled(key: str, before: Behaviour, now: Behaviour) -> bool:
    return any(other.startswith(f"{key}.") for other in before.values.keys() | now.values.keys())


KINDS_TO_TRY = [
    *((kind, "jsonl") for kind in INPUTS),
    *(("range", kind) for kind in OUTPUTS if kind != "jsonl"),
]


def test_every_kind_is_tried():
    """A new one has to be put into the tables above."""
    assert set(INPUTS) == set(sources.KINDS)
    assert set(OUTPUTS) == set(sinks.KINDS)


@pytest.mark.parametrize(("source", "sink"), KINDS_TO_TRY, ids=lambda kind: kind)
def test_every_change_of_a_key_is_reported(source, sink):
    """Whatever key of whatever model takes another value: a change names it, once, in both directions."""
    data = job_data(source, sink)
    before = read(json.dumps(data))
    assert before.job is not None, before.problems
    for path, annotation in paths_of(Job, data):
        if path[0] not in ("input", "output") and (source, sink) != KINDS_TO_TRY[0]:
            continue  # it does not depend on the kinds
        tried = 0
        literals = [
            option for part in _parts(annotation) for option in get_args(part) if get_origin(part) is Literal
        ]
        for candidate in [*literals, *CANDIDATES]:
            now = read(json.dumps(with_value(data, path, candidate)))
            if now.job is None or now.values == before.values:
                continue
            tried += 1
            told = check_laws(before, now)
            key = ".".join(path)
            assert any(other == key or other.startswith(f"{key}.") for other in told), (path, candidate, told)
        is_block = isinstance(annotation, type) and issubclass(annotation, BaseModel)  # its keys are tried
        assert tried or is_block or len(literals) == 1, f"no candidate is another value for {path}: add one"


def _parts(annotation: Any) -> list[Any]:
    return [
        annotation,
        *(part for inner in get_args(annotation) for part in _parts(inner) if not isinstance(inner, str)),
    ]


@pytest.mark.parametrize("source", INPUTS)
@pytest.mark.parametrize("other", INPUTS)
def test_another_kind_of_input_is_reported(source, other):
    """Its own options come and go with it, and are all told by that one change."""
    before, now = (read(json.dumps(job_data(kind, "jsonl"))) for kind in (source, other))
    told = check_laws(before, now)
    assert ("input.type" in told) == (source != other)


@given(chance=st.randoms(use_true_random=False), source=st.sampled_from(sorted(INPUTS)))
@settings(max_examples=100, deadline=None)
def test_whether_a_run_can_be_resumed_is_what_the_ledger_says(chance, source):
    """The keys that are named are those whose hash differs, whatever has been edited."""
    data = job_data(source, "jsonl")
    del data["params"]["given"], data["pool"]["size"]
    data["input"] = {"type": "range", "stop": 3} if source == "text" else data["input"]
    data["task"]["with"]["day"] = "monday"
    edited = data
    for _ in range(chance.randint(1, 4)):
        path, _ = chance.choice(paths_of(Job, data))
        edited = with_value(edited, path, chance.choice(CANDIDATES[:-8]))
    before, now = read(json.dumps(data)), read(json.dumps(edited))
    assert before.job is not None, before.problems
    if now.job is None or "$" in json.dumps(edited["pool"]) or "${env" in json.dumps(edited):
        return
    refused = changes(fingerprint(before.job, limit=None), fingerprint(now.job, limit=None))
    decisive = compare(before, now).decisive
    assert set(decisive) <= set(refused)
    assert bool(decisive) == bool(refused)
