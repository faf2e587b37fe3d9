"""Verdicts as text, as JUnit's XML and as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.job_tests.judge import Verdict
from runner.observers.summary import escape

_MARKS = {"passed": "ok  ", "failed": "FAIL", "unfilled": "NEW ", "broken": "FAIL"}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


UPDATED = ("updated",)
"""What is said of a test that passes because its expectation has been filled in."""
_WORDS = ("passed", "updated", "failed", "without an expectation")
_NO_TESTS = """\
no tests in {files}. A test is an item, and what must come of it:

  tests:
    - name: the first one
      item: ...

An item is what `runner preview {file}` shows of it; `runner test {file} --update` fills in what comes of it.
More: runner explain tests"""


@dataclass(frozen=True, slots=True)
class FileReport:
    """How the tests of one job file went; `fault` is why none could be run, or empty."""

    file: str
    job: str
    verdicts: Sequence[Verdict]
    fault: str = ""


def render_verdict(file: str, verdict: Verdict) -> str:
    """Return a test in one line, and what is wrong with it in some more."""
    where = escape(f"{file}:{verdict.line}")
    lines = [f"{_MARKS[verdict.status]} {where}  {escape(verdict.test.name)}"]
    lines += [f"       {escape(sentence, 1000)}" for sentence in verdict.said]
    return "\n".join(lines)


def render_total(reports: Sequence[FileReport], seconds: float, *, only: str = "") -> str:
    """Return how many tests went how; where none was run, what to do about it."""
    counts = Counter(_word(verdict) for report in reports for verdict in report.verdicts)
    parts = [f"{counts[word]} {word}" for word in _WORDS if counts[word]]
    if parts or any(report.fault for report in reports):
        return f"{', '.join(parts) or 'no test was run'} in {seconds:.1f} s"
    if only:
        return f"no test has `{only}` in its name"
    files = f"the {len(reports)} job files" if len(reports) > 1 else reports[0].file
    return _NO_TESTS.format(files=files, file=reports[0].file)


def _word(verdict: Verdict) -> str:
    if verdict.status == "passed":
        return "updated" if verdict.said == UPDATED else "passed"
    return "without an expectation" if verdict.status == "unfilled" else "failed"


def as_json(reports: Sequence[FileReport]) -> list[dict[str, Any]]:
    """Return the tests as plain data, one after the other."""
    return [
        {
            "file": report.file,
            "job": report.job,
            "line": verdict.line,
            "name": verdict.test.name,
            "status": verdict.status,
            "said": list(verdict.said),
            "rows": verdict.got.rows if verdict.got is not None else None,
            "error": _error(verdict),
            "attempts": len(verdict.got.starts) if verdict.got is not None else None,
            "seconds": round(verdict.seconds, 6),
        }
        for report in reports
        for verdict in report.verdicts
    ]


def as_junit(reports: Sequence[FileReport]) -> str:
    """Return the XML that CI services read; the dialect of the Jenkins JUnit plugin.

    A job file that could not be read is a suite with one error.
    """
    from xml.etree import ElementTree as Tree

    suites = Tree.Element("testsuites", name="runner test")
    for report in reports:
        wrong = sum(verdict.status != "passed" for verdict in report.verdicts)
        suite = Tree.SubElement(
            suites,
            "testsuite",
            name=_xml(report.file),
            tests=str(len(report.verdicts) or int(bool(report.fault))),
            failures=str(wrong),
            errors=str(int(bool(report.fault))),
            time=f"{sum(verdict.seconds for verdict in report.verdicts):.3f}",
        )
        if report.fault:
            case = Tree.SubElement(suite, "testcase", name="the job file", classname=_xml(report.file))
            Tree.SubElement(case, "error", message="it has faults").text = _xml(report.fault)
        for verdict in report.verdicts:
            case = Tree.SubElement(
                suite,
                "testcase",
                name=_xml(verdict.test.name),
                classname=_xml(report.job),
                file=_xml(report.file),
                line=str(verdict.line),
                time=f"{verdict.seconds:.3f}",
            )
            if verdict.status != "passed":
                said = _xml("\n".join(verdict.said))
                Tree.SubElement(case, "failure", message=said.split("\n")[0]).text = said
    Tree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Tree.tostring(suites, encoding="unicode") + "\n"


def _error(verdict: Verdict) -> dict[str, str] | None:
    failure = verdict.got.failure if verdict.got is not None else None
    return failure and {"stage": failure.stage, "type": failure.type, "message": failure.message}


def _xml(text: str) -> str:
    """Return a text without the characters that no XML may hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
