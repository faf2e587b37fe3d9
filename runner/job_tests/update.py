"""Puts what really came of an item into the `tests:` of a job file, and leaves every other byte as it was.

The text is cut at the offsets that the document's own tree has of each key and value: comments, order,
quotes and indentation stand because nobody writes them again. (A library that reads and writes YAML
again, ruamel.yaml, was looked at: it keeps comments, but sets its own indentation and line width, and
it reads some scalars as something else than `runner.jobfile.document` does.) What comes out is read again
before it is used, and must say what was to be said and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.errors import RunnerError
from runner.files import Files
from runner.job_tests.judge import Verdict
from runner.job_tests.run import Got
from runner.jobfile import Document, read_document
from runner.jobfile.emit import entry, flow
from runner.jobfile.tree import MappingNode, Node, SequenceNode

_OUTCOMES = ("row", "rows", "error")


class UpdateFailed(RunnerError):
    """The file could not be changed so that it says what it should; it was left alone."""


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def update_text(document: Document, verdicts: Iterable[Verdict]) -> str:
    """Return the text of a job file in which the tests say what came of their items.

    Only tests that are wrong or say nothing are changed.

    Raises:
        UpdateFailed: YAML cannot hold what came of one, or it holds a secret.
    """
    wanted = json.loads(json.dumps(document.data))
    edits: list[_Edit] = []
    for verdict in verdicts:
        if verdict.got is None or verdict.status not in ("failed", "unfilled"):
            continue
        if verdict.has_secrets:
            raise UpdateFailed(f"what came of `{verdict.test.name}` holds a secret, which belongs in no file")
        changes = _changes(verdict, verdict.got)
        edits += _edit(document, verdict.number, changes)
        _apply(wanted["tests"][verdict.number], changes)
    text = document.text
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    again = read_document(text, document.file)
    if again.problems or json.dumps(again.data) != json.dumps(wanted):
        raise UpdateFailed("the tests of this file are written in a way that cannot be changed in place")
    return text


def _changes(verdict: Verdict, got: Got) -> dict[str, object]:
    """Return the keys that a test must have, `None` for one that it must not."""
    changes: dict[str, object] = {}
    test, failure = verdict.test, got.failure
    if failure is not None:
        expected = test.error
        error: dict[str, Any] = {"type": failure.type}
        if failure.stage != "task":
            error["stage"] = failure.stage
        if expected is None or expected.message is None or expected.message not in failure.message:
            error["message"] = failure.message
        else:
            error["message"] = expected.message
        changes = {"error": error}
    elif test.expects == "rows" or len(got.rows) != 1:
        changes = {"rows": got.rows}
    else:
        changes = {"row": got.rows[0]}
    if test.attempts is not None:
        changes["attempts"] = len(got.starts)
    if test.expects is not None and test.expects not in changes:
        changes[test.expects] = None
    return changes


def _apply(test: dict[str, Any], changes: dict[str, object]) -> None:
    """Change the data of a test as `_edit` changes its text: a key that replaces another takes its place."""
    new = next((key for key in changes if key in _OUTCOMES and changes[key] is not None), None)
    old = next((key for key, value in changes.items() if value is None), None)
    before = list(test.items())
    test.clear()
    for key, value in before:
        if key == old and new is not None:
            test[new] = changes[new]
        else:
            test[key] = changes.get(key, value)
    for key, value in changes.items():
        if value is not None:
            test[key] = value


def _edit(document: Document, number: int, changes: dict[str, object]) -> list[_Edit]:
    test = _test_node(document, number)
    is_flow = document.text[test.start] == "{"
    old = next((key for key, value in changes.items() if value is None), None)
    edits, added = [], []
    for key, value in changes.items():
        if value is None:
            continue
        place = key if key in test.entries else old if key in _OUTCOMES else None
        if place is None:
            added.append((key, value))
            continue
        name, node = test.entries[place]
        text = _text(document, test, key, value, is_flow=is_flow)
        edits.append(_Edit(name.start, max(document.end_of(node), document.end_of(name) + 1), text))
    if added:
        edits.append(_addition(document, test, added, is_flow=is_flow))
    return edits


def _addition(
    document: Document, test: MappingNode, added: Sequence[tuple[str, object]], *, is_flow: bool
) -> _Edit:
    """Return the edit that puts keys behind the last one of a test."""
    last_name, last = list(test.entries.values())[-1]
    end = max(document.end_of(last), document.end_of(last_name) + 1)
    if is_flow:
        return _Edit(end, end, "".join(f", {_text(document, test, *each, is_flow=True)}" for each in added))
    line_end = document.text.find("\n", end)
    end = len(document.text) if line_end < 0 else line_end  # behind a comment on that line
    if document.text[end - 1] == "\r":
        end -= 1
    line = _line_break(document)
    pad = " " * _column(document, test)
    text = "".join(f"{line}{pad}{_text(document, test, *each, is_flow=False)}" for each in added)
    return _Edit(end, end, text)


def _text(document: Document, test: MappingNode, key: str, value: object, *, is_flow: bool) -> str:
    try:
        text = f"{key}: {flow(value)}" if is_flow else entry(key, value, _column(document, test))
    except ValueError as error:
        raise UpdateFailed(f"what came of an item cannot be written as YAML: {error}") from error
    return text.replace("\n", _line_break(document))


def _test_node(document: Document, number: int) -> MappingNode:
    root = document.root
    assert isinstance(root, MappingNode)
    tests: Node = root.entries["tests"][1]
    assert isinstance(tests, SequenceNode)
    node = tests.items[number]
    assert isinstance(node, MappingNode)
    return node


def _column(document: Document, node: Node) -> int:
    """Return in which column, from 0, the keys of a block mapping stand."""
    return document.span(node.start, node.start).column - 1


def _line_break(document: Document) -> str:
    return "\r\n" if "\r\n" in document.text else "\n"


def rewrite(path: Path, before: bytes, text: str) -> None:
    """Put `text` in the place of the file, in one step, with its mode; a link stays a link.

    Raises:
        UpdateFailed: It is no longer what it was `before`.
        OSError: It cannot be written.
    """
    files, target = Files(), path.resolve()
    if target.read_bytes() != before:
        raise UpdateFailed("it was changed meanwhile")
    mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
    staged = target.with_name(f".{target.name}.update")
    files.remove(staged)
    fd = files.create(staged)
    try:
        files.append(fd, mark + text.encode())
        files.copy_mode(fd, target)
        files.sync(fd)
    finally:
        files.close(fd)
    files.rename(staged, target)
