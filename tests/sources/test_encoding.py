"""Which codecs can be the encoding of lines."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from runner.sources.encoding import Encoding, check_encoding, is_part_of_characters


@pytest.mark.parametrize("name", ["utf-8", "UTF8", "latin-1", "cp1252", "ascii", "big5", "euc_jp", "koi8-r"])
def test_codecs_that_contain_ascii_pass(name: str) -> None:
    """The name stays as it was written."""
    assert check_encoding(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "utf-16",
        "utf-16-le",
        "utf-32",
        "utf-7",
        "cp037",
        "iso2022_jp",
        "hz",
        "unicode_escape",
        "idna",
        "punycode",
    ],
)
def test_codecs_with_other_bytes_for_ascii_are_faults(name: str) -> None:
    """The sentence says to convert the file, and how."""
    with pytest.raises(ValidationError, match=rf"convert the file first \(iconv -f {name} -t utf-8\)"):
        TypeAdapter(Encoding).validate_python(name)


@pytest.mark.parametrize("name", ["utf-9", "", "rot13", "hex", "zip", "a\0b", "ü"])
def test_what_is_no_text_encoding_is_a_fault(name: str) -> None:
    """So are codecs that turn bytes into bytes."""
    with pytest.raises(ValidationError, match=r"there is no text encoding named"):
        TypeAdapter(Encoding).validate_python(name)


def test_a_byte_that_ends_other_characters_is_known() -> None:
    """`|` is the second byte of some characters of Shift-JIS and GBK, of none in UTF-8 and Latin-1."""
    assert is_part_of_characters("|", "shift_jis")
    assert is_part_of_characters("|", "gbk")
    assert not is_part_of_characters(",", "shift_jis")
    assert not is_part_of_characters("|", "utf-8")
    assert not is_part_of_characters("|", "latin-1")
