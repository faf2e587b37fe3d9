"""A YAML text that was read: plain data, and the place of every key and value in the text.

Places are made when they are asked for. A job file has a hundred values and mostly no fault, and an
index of places made in advance costs more than everything else that is done with the file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runner.jobfile.problem import KeyPath, Problem, Span, format_path, line_starts


@dataclass(slots=True)
class Node:
    """A value: the offsets of its text, and whether that text says what the value is."""

    start: int
    end: int
    value: Any = None
    is_sound: bool = True
    is_plain: bool = False


@dataclass(slots=True)
class MappingNode(Node):
    """A mapping; `key` is the one whose value is still to come."""

    entries: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    key: Node | None = None


@dataclass(slots=True)
class SequenceNode(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


class Document:
    """A document, its problems, and the places of both.

    Attributes:
        file: The file as the user named it.
        text: What was read, without a byte order mark; bytes that are no UTF-8 are replaced.
        data: Plain mappings, lists and scalars; `None` where the file is empty or not readable.
        is_readable: Whether there is data to go on with, whatever problems it has.
        problems: In the order in which they were met.
        root: The tree, as far as it was built.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.text = text
        self.problems: list[Problem] = []
        self.data: Any = None
        self.is_readable = False
        self.root: Node | None = None
        self._starts = line_starts(text)
        self._last = len(text.rstrip("\r\n"))

    def key_span(self, path: KeyPath) -> Span:
        """Return where the key of `path` stands, or that of its nearest ancestor that exists.

        An item of a list has no key: its value is taken. The top of the document has the place of
        its first character.
        """
        key, _ = self._find(path)
        return self.span_of(key) if key else self._top()

    def value_span(self, path: KeyPath) -> Span:
        """Return where the value of `path` stands; an empty value has the place of its key.

        Where the path does not exist, it is the key of its nearest ancestor, or that ancestor's
        value if it is a scalar, because then the path was derived from it.
        """
        key, node = self._find(path)
        if node is not None and node.end > node.start:
            return self.span_of(node)
        return self.span_of(key) if key else self._top()

    def reference_span(self, path: KeyPath, reference: str) -> Span:
        """Return where `reference` first stands in the text at `path`, or where that whole value does."""
        _, node = self._find(path)
        at = self.text.find(reference, node.start, node.end) if type(node) is Node else -1
        return self.span(at, at + len(reference)) if at >= 0 else self.value_span(path)

    def is_sound(self, path: KeyPath) -> bool:
        """Return whether nothing has been found wrong with the text of the value at `path` or above it."""
        return all(node.is_sound for _, node in self._walk(path))

    def line(self, number: int) -> str:
        """Return the text of a line, counted from 1."""
        ends = [*self._starts[1:], len(self.text) + 1]
        return self.text[self._starts[number - 1] : ends[number - 1]].rstrip("\r\n")

    def span_of(self, node: Node) -> Span:
        """Return the place of a node."""
        return self.span(node.start, self.end_of(node))

    def span(self, start: int, end: int) -> Span:
        """Return the place of a stretch of the text; never a line after the last one that holds anything."""
        start = min(start, self._last)
        return Span(*self._position(start), *self._position(min(max(start, end), len(self.text))))

    def end_of(self, node: Node) -> int:
        """Return the offset after a node's text; the parser ends a block scalar on the line below it."""
        return node.start + len(self.text[node.start : node.end].rstrip())

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        hint: str | None = None,
        path: KeyPath = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        """Add a problem."""
        self.problems.append(
            Problem(
                code=code,
                message=message,
                hint=hint,
                file=self.file,
                path=format_path(path),
                notes=notes,
                **span._asdict(),
            )
        )

    def _walk(self, path: KeyPath) -> Iterator[tuple[Node | None, Node]]:
        """Yield key and value at each step of `path`, from the top, as far as it exists."""
        node = self.root
        if node is None:
            return
        yield None, node
        for part in path:
            if isinstance(node, MappingNode) and isinstance(part, str) and part in node.entries:
                key, node = node.entries[part]
                yield key, node
            elif isinstance(node, SequenceNode) and isinstance(part, int) and 0 <= part < len(node.items):
                node = node.items[part]
                yield node, node
            else:
                return

    def _find(self, path: KeyPath) -> tuple[Node | None, Node | None]:
        """Return key and value of `path`; of its nearest ancestor only the key, unless that is a scalar."""
        steps = list(self._walk(path))
        if not steps:
            return None, None
        key, node = steps[-1]
        exists = len(steps) == len(path) + 1
        return key, node if exists or type(node) is Node else None

    def _top(self) -> Span:
        start = self.root.start if self.root else 0
        return self.span(start, start)

    def _position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1
