"""YAML text to a document; the only importer of yaml.

Only the parser of PyYAML is used (libyaml's where it was built in, several times as fast), not its
composer and constructor: building the tree from events keeps the stack flat whatever the text nests,
refuses aliases before anything can multiply, and goes on after a fault that has a place.

Offsets are taken from the parser and lines counted in `tree`, because YAML 1.1 also breaks lines at
U+0085 and U+2028, where no editor does.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from runner.jobfile.problem import KeyPath, Span
from runner.jobfile.scalar import UnreadableValue, clip, read_scalar
from runner.jobfile.syntax import Complaint, explain_syntax
from runner.jobfile.tree import Document, MappingNode, Node, SequenceNode

MAX_BYTES = 2**20
MAX_DEPTH = 64
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Listing what is refused compiles in a tenth of the time that listing what YAML allows takes.
_BAD_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_document(source: str | bytes, file: str, *, parser: Any = _PARSER) -> Document:
    """Read one YAML document; what is wrong with it is in its `problems`, nothing is raised.

    Args:
        source: The text, or the bytes of the file (UTF-8, with or without a byte order mark).
        file: The name to show in problems.
        parser: A loader class of PyYAML.
    """
    raw = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    document = Document(raw[: MAX_BYTES + 1].decode("utf-8", "replace").removeprefix("\ufeff"), file)
    if len(raw) > MAX_BYTES:
        document.report("file-too-large", "the file is larger than 1 MiB", document.span(0, 0))
    elif _is_text(document, raw):
        _Composer(document, parser).compose()
    return document


def read_value(text: str) -> Any:
    """Return the value of a flag: a list, mapping or quoted text if it begins like one, else a plain scalar.

    Raises:
        UnreadableValue: It cannot be read; the message says why.
    """
    if text.lstrip()[:1] not in {"[", "{", '"', "'"}:
        return read_scalar(text)
    document = read_document(text, "")
    if document.problems:
        problem = document.problems[0]
        raise UnreadableValue(problem.code, problem.message, problem.hint)
    return document.data


def _is_text(document: Document, raw: bytes) -> bool:
    """Report the first byte that is no UTF-8 or the first character that no text holds."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        at = len(raw[: error.start].decode("utf-8").removeprefix("\ufeff"))
        encoding = "UTF-16" if raw.startswith(_UTF_16_MARKS) else "not UTF-8"
        message = f"the file is {encoding}: byte {raw[error.start]:#04x} is no text"
        document.report("bad-encoding", message, document.span(at, at + 1), hint="save it as UTF-8")
        return False
    match = _BAD_CHARACTER.search(document.text)
    if match is None:
        return True
    message = f"a text file holds no U+{ord(match[0]):04X}"
    hint = 'remove it; inside double quotes it can be written as "\\u' + f'{ord(match[0]):04x}"'
    document.report("bad-encoding", message, document.span(match.start(), match.end()), hint=hint)
    return False


class _Composer:
    """Builds the tree of a document from the parser's events, and reports what is not allowed in it."""

    def __init__(self, document: Document, parser: Any) -> None:
        self.document = document
        self.parser = parser
        self.stack: list[MappingNode | SequenceNode] = []

    def compose(self) -> None:
        document = self.document
        try:
            # Events are made one by one: what lies below a fault that stops us is never read.
            for event in yaml.parse(document.text, Loader=self.parser):
                if not self.take(event):
                    return
        except yaml.MarkedYAMLError as error:
            self.report_syntax(error)
            return
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
            document.report("yaml-syntax", f"this is no YAML: {error}", document.span(0, 0))
            return
        document.data = document.root.value if document.root else None
        document.is_readable = True

    def take(self, event: yaml.Event) -> bool:
        """Add one event to the tree; return whether to go on."""
        match event:
            case yaml.DocumentStartEvent() if self.document.root is not None:
                self.report(
                    "second-document",
                    "a second document begins here",
                    event,
                    hint="make it a file of its own",
                )
                return False
            case yaml.AliasEvent():
                message = f"aliases are not read: `*{clip(str(event.anchor))}`"
                self.report("yaml-alias", message, event, hint="write the value out")
                self.attach(Node(*_extent(event), is_sound=False))
            case yaml.ScalarEvent():
                self.attach(self.scalar(event))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent() if len(self.stack) == MAX_DEPTH:
                self.report("too-deep", f"mappings and lists are nested more than {MAX_DEPTH} deep", event)
                return False
            case yaml.MappingStartEvent():
                is_sound = self.check_properties(event)
                self.stack.append(MappingNode(*_extent(event), {}, is_sound))
            case yaml.SequenceStartEvent():
                is_sound = self.check_properties(event)
                self.stack.append(SequenceNode(*_extent(event), [], is_sound))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                node = self.stack.pop()
                # A bracket has an extent; a block ends where the next token begins, lines further down.
                start, end = _extent(event)
                if end > start:
                    node.end = end
                self.attach(node)
        return True

    def scalar(self, event: yaml.ScalarEvent) -> Node:
        is_plain = event.style in (None, "")
        is_sound = self.check_properties(event)
        node = Node(*_extent(event), event.value, is_sound, is_plain)
        if node.start and self.document.text[node.start - 1] == "?":
            # In braces: the key `?a` to YAML 1.2, the key `a` to libyaml.
            node.is_sound = is_sound = False
            message = f"`?{clip(event.value)}` is read differently by different readers"
            self.report("yaml-syntax", message, event, hint="put a space after the `?`, or quote the text")
        if is_plain and is_sound:
            try:
                node.value = read_scalar(event.value)
            except UnreadableValue as error:
                node.is_sound = False
                if not self.expects_key():
                    self.report(error.code, str(error), event, hint=error.hint)
        elif _SURROGATE.search(event.value):  # libyaml refuses the escape, the pure parser lets it pass
            node.value, node.is_sound = "", False
            self.report("bad-encoding", "half of a surrogate pair is no character", event)
        return node

    def check_properties(self, event: Any) -> bool:
        """Report an anchor or a tag; return whether the value can be taken as it stands."""
        if event.anchor is not None:
            message = f"anchors are not read: `&{clip(event.anchor)}`"
            self.report("yaml-alias", message, event, hint="write the value out where it is needed")
        if event.tag is not None:
            tag = clip(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self.report(
                "yaml-tag", f"tags are not read: `{tag}`", event, hint="remove it, or quote the value"
            )
        return event.tag is None

    def expects_key(self) -> bool:
        top = self.stack[-1] if self.stack else None
        return isinstance(top, MappingNode) and top.key is None

    def attach(self, node: Node) -> None:
        """Put a finished node where it belongs: the top, a list, or a mapping as key or value."""
        parent = self.stack[-1] if self.stack else None
        if parent is None:
            self.document.root = node
        else:
            parent.end = max(parent.end, self.document.end_of(node))
            if isinstance(parent, SequenceNode):
                parent.items.append(node)
                parent.value.append(node.value)
            elif parent.key is None:
                parent.key = node
            else:
                key, parent.key = parent.key, None
                self.add_entry(parent, key, node)

    def add_entry(self, parent: MappingNode, key: Node, node: Node) -> None:
        document, name = self.document, key.value
        span = document.span_of(key)
        shown = clip(document.text[key.start : document.end_of(key)])
        if key.is_plain and name == "<<":
            message, hint = "merge keys are not read: `<<`", "write the keys out"
            document.report("yaml-alias", message, span, hint=hint, path=self.path())
        elif not isinstance(name, str) or (key.is_plain and not key.is_sound):
            hint = f'quote it: "{shown}"' if shown and not isinstance(key, MappingNode | SequenceNode) else ""
            message = f"keys must be text, got {f'`{shown}`' if shown else 'nothing'}"
            document.report("bad-key", message, span, hint=hint or None, path=self.path())
        elif name in parent.entries:
            first = document.span_of(parent.entries[name][0])
            note = f"first given on line {first.line}, column {first.column}"
            message, path = f"`{clip(name)}` is given twice", (*self.path(), name)
            document.report(
                "duplicate-key", message, span, hint="remove one of them", path=path, notes=(note,)
            )
        else:
            parent.entries[name] = (key, node)
            parent.value[name] = node.value

    def path(self) -> KeyPath:
        """Return the path of the value that is being built."""
        path: list[str | int] = []
        for node in self.stack:
            if isinstance(node, SequenceNode):
                path.append(len(node.items))
            elif isinstance(node, MappingNode) and node.key is not None:
                path.append(str(node.key.value))
        return tuple(path)

    def report(self, code: str, message: str, event: yaml.Event, *, hint: str | None = None) -> None:
        span = self.document.span(*_extent(event))
        self.document.report(code, message, span, hint=hint, path=self.path())

    def report_syntax(self, error: yaml.MarkedYAMLError) -> None:
        document, began = self.document, error.context_mark
        mark = error.problem_mark or began
        explained = explain_syntax(
            Complaint(
                text=document.text,
                context=error.context or "",
                context_at=began.index if began else None,
                problem=error.problem or "",
                problem_at=mark.index if mark else 0,
            )
        )
        notes: tuple[str, ...] = ()
        if explained.began_at is not None:
            place: Span = document.span(explained.began_at, explained.began_at)
            notes = (f"opened on line {place.line}, column {place.column}",)
        span = document.span(explained.at, explained.at + 1)
        document.report("yaml-syntax", explained.message, span, hint=explained.hint, notes=notes)


def _extent(event: yaml.Event) -> tuple[int, int]:
    """Return the offsets of an event's text; every event of the parsers used here has both marks."""
    start, end = event.start_mark, event.end_mark
    return (start.index if start else 0), (end.index if end else 0)
