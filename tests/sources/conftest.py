"""What the tests of sources share: opening a source as a job file would, and reading all of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import MalformedRecord
from runner.item import BrokenRecord, Item
from runner.sources import KINDS


@dataclasses.dataclass
class Reading:
    """A source that was read to its end."""

    source: Any
    items: list[Item]

    @property
    def raws(self) -> list[Any]:
        """The raw of each item."""
        return [item.raw for item in self.items]

    @property
    def lines(self) -> list[int | None]:
        """The line of each item."""
        return [item.where.line for item in self.items]

    def values(self) -> list[Any]:
        """Decode all items; what is malformed or broken stands as the text of its fault."""
        return [self.value(item) for item in self.items]

    def value(self, item: Item) -> Any:
        """Decode one item."""
        if isinstance(item.raw, BrokenRecord):
            return f"broken: {item.raw.reason}"
        try:
            return self.source.decode(item)
        except MalformedRecord as error:
            return f"malformed: {error}"


def open_kind(kind: str, root: Path, *, block_bytes: int | None = None, **keys: Any) -> Any:
    """Open an input of `kind` as a job file with these keys would."""
    source = KINDS[kind].model_validate({"type": kind, **keys}).open(root)
    return source if block_bytes is None else dataclasses.replace(source, block_bytes=block_bytes)


@pytest.fixture(scope="session")
def open_source() -> Callable[..., Any]:
    """Open a source below a root."""
    return open_kind


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Reading]:
    """Write one file and read it as an input of some kind."""
    root = tmp_path_factory.mktemp("inputs")

    def read(kind: str, content: bytes, *, name: str = "input", **keys: Any) -> Reading:
        (root / name).write_bytes(content)
        source = open_kind(kind, root, path=name, **keys)
        return Reading(source, list(source.items()))

    return read


@pytest.fixture(scope="session")
def assert_tiles() -> Callable[..., None]:
    """Assert that items of lines stand exactly where they say, and cover all but blank lines."""

    def check(reading: Reading, content: bytes) -> None:
        end = 3 if content.startswith(b"\xef\xbb\xbf") else 0
        for index, item in enumerate(reading.items):
            assert item.index == index
            raw, (_, line, offset) = item.raw, item.where
            assert not content[end:offset].strip(), "only white space may lie between two items"
            assert line == 1 + content.count(b"\n", 0, offset)
            if isinstance(raw, BrokenRecord):
                assert content.startswith(raw.head, offset)
                assert raw.lines == content.count(b"\n", offset, offset + raw.length)
                end = offset + raw.length
            else:
                assert content[offset : offset + len(raw)] == raw
                end = offset + len(raw)
        assert not content[end:].strip()

    return check
