"""Problems for GitHub and for tools that read SARIF."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema.validators import validator_for

from runner.jobfile import Problem
from runner.jobfile.annotations import render_github
from runner.jobfile.ignores import Ignored
from runner.jobfile.sarif import to_sarif
from tests.npm import Unavailable, install

ERROR = Problem(
    code="unknown-key",
    message="unknown key `a`",
    hint="did you mean `b`?",
    file="jobs/a b.yaml",
    line=3,
    column=5,
    end_line=3,
    end_column=8,
    path="pool.a",
)
WARNING = Problem(
    code="no-items",
    message="empty",
    file="jobs/b.yaml",
    severity="warning",
    line=1,
    column=1,
    end_line=2,
    end_column=1,
)
NOWHERE = Problem(code="bad-flag", message="no such path (from --set a=1)", file="jobs/a.yaml")


def test_an_annotation_marks_the_key_and_says_what_to_write():
    """The last column is the last one that is marked."""
    assert render_github([ERROR]) == (
        "::error file=jobs/a b.yaml,line=3,col=5,title=unknown-key,endLine=3,endColumn=7::"
        "unknown key `a`; did you mean `b`?\n"
    )


def test_errors_come_first():
    """GitHub shows ten of a step."""
    lines = render_github([WARNING, NOWHERE, ERROR]).splitlines()
    assert [line.split()[0] for line in lines] == ["::error", "::error", "::warning"]
    assert lines[0] == "::error file=jobs/a.yaml,title=bad-flag::no such path (from --set a=1)"


@pytest.mark.parametrize("text", ["100%\n::set-output name=x::y", "a\r\n::error::b", "\x1b[2J", "a,b:c%0Ad"])
def test_a_file_cannot_give_commands_to_github(text):
    """Neither its name nor what it holds ends a line or a property."""
    hostile = Problem(code="bad-key", message=text, file=text, line=1, column=1, end_line=1, end_column=1)
    (line,) = render_github([hostile]).splitlines()
    properties, message = re.fullmatch(r"::error (.*?)::(.*)", line).groups()
    assert properties.count(",") == 5
    assert line.isprintable()
    assert "%" not in re.sub(r"%(25|3A|2C)", "", properties + message)


def test_sarif_has_what_code_scanning_reads():
    """SARIF 2.1.0: rules of the codes, results with their regions, a suppression for what is ignored."""
    log = to_sarif([ERROR, WARNING, NOWHERE], [Ignored(WARNING, "a template")])
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == ["bad-flag", "no-items", "unknown-key"]
    assert all(
        rule["shortDescription"]["text"] in rule["fullDescription"]["text"] + "." for rule in driver["rules"]
    )
    first, second, third, fourth = run["results"]
    assert driver["rules"][first["ruleIndex"]]["id"] == first["ruleId"] == "unknown-key"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "jobs/a%20b.yaml"},
        "region": {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 8},
    }
    assert (first["level"], second["level"]) == ("error", "warning")
    assert "region" not in third["locations"][0]["physicalLocation"]
    assert "suppressions" not in second
    assert fourth["suppressions"] == [{"kind": "inSource", "justification": "a template"}]


def test_a_finding_is_the_same_one_when_lines_move():
    """Else every edit would close and open all findings below it."""
    moved = Problem(
        **{**{name: getattr(ERROR, name) for name in ERROR.__slots__}, "line": 30, "end_line": 30}
    )
    first, second = (to_sarif([each])["runs"][0]["results"][0] for each in (ERROR, moved))
    assert first["partialFingerprints"] == second["partialFingerprints"]
    assert first["partialFingerprints"] != to_sarif([WARNING])["runs"][0]["results"][0]["partialFingerprints"]


@pytest.mark.slow
def test_sarif_is_valid_by_the_published_schema():
    """That of SARIF 2.1.0 (OASIS), which a package of Microsoft's carries."""
    try:
        folder = install("@microsoft/jest-sarif", "1.0.0-beta.0")
    except Unavailable as reason:
        pytest.skip(f"no schema of SARIF: {reason}")
    schema = json.loads((folder / "lib" / "schemas" / "sarif-2.1.0-rtm.5.json").read_text("utf-8"))
    validator = validator_for(schema)(schema)
    assert not validator.is_valid({"version": "2.1.0", "runs": [{}]})
    hostile = Problem(
        code="bad-key",
        message="\udcff\n\x1b",
        file="/a \udcff/b%.yaml",
        line=1,
        column=1,
        end_line=1,
        end_column=1,
    )
    for log in (to_sarif([]), to_sarif([ERROR, WARNING, NOWHERE, hostile], [Ignored(WARNING, "a template")])):
        assert [error.message for error in validator.iter_errors(json.loads(json.dumps(log)))] == []
