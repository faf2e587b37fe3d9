"""`type: text`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(deadline=None)  # the first example imports what the others find there
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"))),
    st.sampled_from(["\n", "\r\n"]),
)
def test_lines_come_back_as_they_were_written(
    read: Callable[..., Any], lines: list[str], ending: str
) -> None:
    """Empty ones too, and with every character that other programs take for a line end."""
    content = "".join(line + ending for line in lines).encode()
    if content.startswith(b"\xef\xbb\xbf"):
        lines[0] = lines[0][1:]
    for block_bytes in (1, 5, 2**20):
        assert read("text", content, block_bytes=block_bytes).values() == lines


def test_only_the_line_ending_is_taken_away(read: Callable[..., Any]) -> None:
    """White space and a CR inside stay; the last line needs no ending."""
    assert read("text", b" a \r\r\n\tb\n\n\r\nc\rd\r").values() == [" a \r", "\tb", "", "", "c\rd\r"]


def test_a_line_that_is_no_text_fails_alone(read: Callable[..., Any]) -> None:
    """The message has the encoding, the byte and its place."""
    assert read("text", b"a\nb\xff\nc\n").values() == [
        "a",
        "malformed: not valid utf-8: invalid start byte 0xff at byte 1",
        "c",
    ]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "koi8-r", "gb18030", "shift_jis", "utf-8-sig"])
def test_any_codec_that_contains_ascii_is_an_encoding(read: Callable[..., Any], encoding: str) -> None:
    """By the name that Python has for it."""
    text = "a,Ж" if encoding == "koi8-r" else "a,ü" if encoding in ("latin-1", "cp1252") else "a,ア"
    assert read("text", f"{text}\nb\n".encode(encoding), encoding=encoding).values() == [text, "b"]
