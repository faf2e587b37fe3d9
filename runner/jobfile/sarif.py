"""Problems as SARIF 2.1.0, for GitHub code scanning and other tools that keep findings.

Warnings that a comment ignores are results too, with a suppression of the kind `inSource` and the
comment's reason: so a reviewer of findings sees what was waved through, and why (SARIF 2.1.0, 3.35).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from runner.jobfile.codes import CODES, WARNINGS
from runner.jobfile.ignores import Ignored
from runner.jobfile.problem import Problem
from runner.jobfile.render import encodable

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(problems: Sequence[Problem], ignored: Sequence[Ignored] = ()) -> dict[str, Any]:
    """Return one run of one tool with a result for each problem."""
    from importlib.metadata import PackageNotFoundError, version

    driver: dict[str, Any] = {"name": "runner", "rules": []}
    try:
        driver["version"] = version("declarative-batch-runner")
    except PackageNotFoundError:  # a source tree that is not installed
        pass
    found = [*((problem, None) for problem in problems), *((each.problem, each.reason) for each in ignored)]
    codes = sorted({problem.code for problem, _ in found})
    driver["rules"] = [_rule(code) for code in codes]
    results = [_result(problem, reason, codes.index(problem.code)) for problem, reason in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    text = CODES.get(code, code)
    return {
        "id": code,
        "shortDescription": {"text": text.partition(". ")[0].rstrip(".") + "."},
        "fullDescription": {"text": text},
        "help": {"text": f"runner explain {code}"},
        "defaultConfiguration": {"level": "warning" if code in WARNINGS else "error"},
    }


def _result(problem: Problem, reason: str | None, rule: int) -> dict[str, Any]:
    text = "; ".join(part for part in (problem.message, problem.hint) if part)
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(problem.file)}}
    if problem.line is not None:
        location["region"] = {
            "startLine": problem.line,
            "startColumn": problem.column,
            "endLine": problem.end_line,
            "endColumn": problem.end_column,
        }
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity,
        "message": {"text": encodable(text)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"runner/v1": _fingerprint(problem)},
    }
    if reason is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": encodable(reason)}]
    return result


def _uri(file: str) -> str:
    path = PurePath(file)
    text = path.as_uri() if path.is_absolute() else quote(str(path), safe="/", errors="backslashreplace")
    return text.replace("%3Cstdin%3E", "stdin")


def _fingerprint(problem: Problem) -> str:
    """Return what stays the same where lines move: the file, the code, the key and the words."""
    words = "\0".join((problem.file, problem.code, problem.path, problem.message))
    return blake2b(words.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()
