"""What a YAML reader's complaint means to somebody who has never read the YAML specification.

libyaml and PyYAML's own parser word the same complaint differently; both are recognised by what
they have in common, and by the character they stopped at.
"""

from __future__ import annotations

from typing import NamedTuple


class Complaint(NamedTuple):
    """A complaint of the reader: its own words and where it stands, offsets into `text`."""

    text: str
    context: str
    context_at: int | None
    problem: str
    problem_at: int


class Explanation(NamedTuple):
    """A sentence, what to do about it, where to point, and where the broken thing began if elsewhere."""

    message: str
    hint: str | None
    at: int
    began_at: int | None = None


def explain_syntax(complaint: Complaint) -> Explanation:
    """Return what is wrong in words for a person; falls back on the reader's own."""
    text, context, context_at, problem, at = complaint
    character = text[at : at + 1]
    if "quoted scalar" in context and "end of stream" in problem:
        return Explanation("this quote is never closed", None, at if context_at is None else context_at)
    if "quoted scalar" in context or "double-quoted" in context:
        return Explanation(
            "this backslash sequence is none that YAML knows",
            "write the text in single quotes, where a backslash is a backslash",
            at,
        )
    if "tab character" in problem or (character == "\t" and "cannot start any token" in problem):
        return Explanation("a tab cannot indent in YAML", "use spaces", at)
    if "scanning an alias" in context or "scanning an anchor" in context:
        at = at if context_at is None else context_at
        mark = text[at : at + 1]
        return Explanation(
            f"a plain value cannot begin with `{mark}`", "quote it: " + _quoted_value(text, at), at
        )
    if "cannot start any token" in problem:
        return Explanation(
            f"a plain value cannot begin with `{character}`", "quote it: " + _quoted_value(text, at), at
        )
    if "flow" in context:
        return _explain_flow(complaint, character)
    return _explain_block(complaint, character)


def _explain_flow(complaint: Complaint, character: str) -> Explanation:
    text, context, began_at, problem, at = complaint
    if character == "{" and text[at - 1 : at] == "$":
        return Explanation(
            "a `${...}` inside { } or [ ] has to be quoted", 'write "${...}" with its quotes', at - 1
        )
    if "node content" in problem:
        return Explanation("a value is missing here", None, at)
    opening, closing = ("{", "}") if "mapping" in context else ("[", "]")
    return Explanation(f"the `{opening}` is not closed: expected `,` or `{closing}` here", None, at, began_at)


def _explain_block(complaint: Complaint, character: str) -> Explanation:
    text, context, _, problem, at = complaint
    if "mapping values are not allowed" in problem:
        if _is_on_first_key_of_its_line(text, at):
            return Explanation(
                "this key does not fit the lines above it",
                "indent it like its neighbours; a key above it may lack its `:` or the space after it",
                at,
            )
        return Explanation(
            "a second `: ` on one line", "quote the value if the `: ` belongs to it, or begin a new line", at
        )
    if "sequence entries are not allowed" in problem:
        return Explanation("a list cannot begin on the line of its key", "put `- ` on the next line", at)
    if "could not find expected ':'" in problem:
        at = at if complaint.context_at is None else complaint.context_at
        return Explanation("this line is no `key: value`", "write a `:` and a space after the key", at)
    if "block scalar" in context:
        return Explanation(
            "after `|` or `>` the text begins on the next line",
            "quote the text if it begins with `|` or `>`",
            at,
        )
    if "node content" in problem:
        return Explanation(f"a plain value cannot begin with `{character}`", "quote it", at)
    if "document start" in problem:
        return Explanation(
            "there is text after the end of the document", "remove the `...` or what follows it", at
        )
    if "undefined tag handle" in problem:
        return Explanation("tags are not read", "quote a value that begins with `!`", at)
    if "incompatible YAML document" in problem or "directive" in f"{context}{problem}":
        return Explanation("this `%` line is no directive that is read here", "remove it", at)
    if "collection" in context or "block mapping" in context or "block sequence" in context:
        if text[:at].rstrip(" ")[-1:] in {'"', "'"}:
            return Explanation(
                "there is text after the closing quote",
                "quote the whole value; inside single quotes write a quote twice",
                at,
            )
        return Explanation(
            "this line does not fit the lines above it",
            "check how far it and its neighbours are indented",
            at,
        )
    return Explanation(f"this is no YAML: {problem}", None, at)


def _is_on_first_key_of_its_line(text: str, colon: int) -> bool:
    """Return whether no other `: ` stands before the one at `colon` on its line."""
    start = max(text.rfind("\n", 0, colon), text.rfind("\r", 0, colon)) + 1
    before = text[start:colon]
    return ": " not in before and not before.startswith("---")


def _quoted_value(text: str, at: int) -> str:
    """Return the rest of the line in quotes, as far as it can be the value that was meant."""
    end = at
    while end < len(text) and end - at < 40 and text[end] not in "\r\n,]}#":
        end += 1
    value = text[at:end].strip()
    return f"'{value}'" if "'" not in value else f'"{value}"'
