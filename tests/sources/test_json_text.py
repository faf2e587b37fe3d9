"""JSON text to a value, and the sentence when it is none."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.errors import MalformedRecord
from runner.sources.json_text import UNREADABLE, json_decoder, malformed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def decode(raw: bytes) -> Any:
    """Decode as a source does."""
    try:
        return json_decoder()(raw)
    except UNREADABLE as error:
        raise malformed(raw, error) from error


@settings(deadline=None)  # the first example imports what the others find there
@given(VALUES, st.booleans())
@example(2**64, True)
@example(-(10**4000), True)
def test_what_json_writes_reads_back_equal(value: Any, is_ascii: bool) -> None:
    """Integers of up to 4,300 digits and floats are exact."""
    assert decode(json.dumps(value, ensure_ascii=is_ascii).encode()) == value


@settings(deadline=None)  # the first example imports what the others find there
@given(st.binary(max_size=40) | st.text('[]{}",:\\u0123dD8e-.N\n ', max_size=30).map(str.encode))
def test_no_bytes_raise_anything_but_a_malformed_record(raw: bytes) -> None:
    """Garbage fails its own item, in a sentence of one line."""
    try:
        decode(raw)
    except MalformedRecord as error:
        message = str(error)
    else:
        return
    assert message.startswith("not ")
    assert message.isprintable()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a": tru}', "^not valid JSON: invalid character at byte 10$"),
        (b'{"a" 1}', "^not valid JSON: expected ':' at byte 5$"),
        (b'{"a": NaN}', "^not valid JSON: invalid character at byte 6$"),
        (b"Infinity", "^not valid JSON: invalid character at byte 0$"),
        (b"1 2", "^not valid JSON: trailing characters at byte"),
        (b'{"a": [1,', "^not valid JSON: it ends too early$"),
        (b"", "^not valid JSON: there is no value$"),
        (b'"\\ud800"', "^not valid JSON: it ends too early, or has half of a surrogate pair"),
        (b'{"key": "\xc3("}', "^not valid UTF-8: invalid continuation byte 0xc3 at byte 9$"),
        (b"1e400", "^not readable JSON: a number is too large"),
        (b"9" * 5000, "^not readable JSON: a number is too large"),
        (b"[" * 100_000 + b"]" * 100_000, "^not readable JSON: nested too deep$"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "^not readable JSON: nested too deep$"),
    ],
)
def test_the_message_says_what_is_wrong_and_where(raw: bytes, message: str) -> None:
    """For a person, with the place as a byte of the record."""
    with pytest.raises(MalformedRecord, match=message) as caught:
        decode(raw)
    assert caught.value.__cause__ is not None


def test_of_a_key_that_stands_twice_the_last_value_counts() -> None:
    """As the standard library does; the manual says so."""
    assert decode(b'{"a": 1, "a": 2}') == {"a": 2}


def test_one_decoder_serves_many_threads() -> None:
    """Nothing of one record reaches another."""
    parse = json_decoder()
    values = [{"number": number, "list": list(range(number % 50))} for number in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(parse, (json.dumps(value).encode() for value in values))) == values
