"""Secrets: sealed text that shows names, and masking by value in every form that leaks in practice."""

from __future__ import annotations

import copy
import html
import io
import json
import pickle
import sys
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.masking import LEAST, NO_SECRETS, MaskedStream, Sealed, Secrets, mask_streams, spell

VALUE = "p4ss/w+rd \"q\" 'é' \\ end"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\nshort\n-----END KEY-----"
T = "${secret.T}"


def plain(**values: str) -> Secrets:
    """Return secrets of these values."""
    return Secrets(values)


def test_sealed_text_reads_as_its_references():
    """It is text wherever text is wanted, and holds no value to forget about."""
    text = Sealed(("Bearer ", "T", "!"))
    assert isinstance(text, str)
    assert (text, repr(text), json.dumps(text)) == (f"Bearer {T}!", f"'Bearer {T}!'", f'"Bearer {T}!"')
    assert text.names == ("T",)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda text: pickle.loads(pickle.dumps(text))]
)
def test_a_copy_of_sealed_text_is_sealed(duplicate):
    """Models and defaults are copied; what comes out can still be revealed."""
    assert plain(T="value").reveal(duplicate(Sealed(("<", "T", ">")))) == "<value>"


def test_values_are_revealed_however_deep_and_nothing_else_is():
    """Text that only looks like a reference stays: it was written as `$${...}` or came from a parameter."""
    secrets = plain(T="value", U="other")
    given_ = {"a": [Sealed(("", "T", "-", "U", ""))], "b": T, "c": 5, "d": {"e": Sealed(("", "U", ""))}}
    revealed = secrets.reveal(given_)
    assert revealed == {"a": ["value-other"], "b": T, "c": 5, "d": {"e": "other"}}
    assert type(revealed["a"][0]) is str
    spelled = spell(given_)
    assert spelled["a"] == ["${secret.T}-${secret.U}"]
    assert type(spelled["a"][0]) is str
    assert isinstance(given_["a"][0], Sealed)


def test_secrets_show_only_their_names():
    """A traceback with locals, a debugger, an assertion of a test."""
    assert repr(plain(T=VALUE, U="x")) == "Secrets(T, U)"


FORMS = {
    "itself": VALUE,
    "url": quote(VALUE, safe=""),
    "url path": quote(VALUE),
    "url query": quote_plus(VALUE),
    "url in lower case": quote(VALUE, safe="").replace("%2F", "%2f").replace("%C3%A9", "%c3%a9")
    .replace("%2B", "%2b").replace("%5C", "%5c"),
    "json": json.dumps({"a": VALUE})[7:-2],
    "json in utf-8": json.dumps(VALUE, ensure_ascii=False)[1:-1],
    "repr": repr(VALUE)[1:-1],
    "repr of bytes": repr(VALUE.encode())[2:-1],
    "ascii": ascii(VALUE)[1:-1],
    "html": html.escape(VALUE),
    "hexadecimal": VALUE.encode().hex(),
    "HEXADECIMAL": VALUE.encode().hex().upper(),
    "base64": b64encode(VALUE.encode()).decode(),
    "base64 without padding": b64encode(VALUE.encode()).decode().rstrip("="),
    "base64 for urls": urlsafe_b64encode(VALUE.encode()).decode(),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_value_is_masked_in_every_form_that_leaks_in_practice(form):
    """In a URL, in JSON, in a `repr`, in a header."""
    assert plain(T=VALUE).mask(f"got <{form}> back") == f"got <{T}> back"


@pytest.mark.parametrize("user", ["u", "me", "ann", "anna"])
@pytest.mark.parametrize("value", ["hunter2-hunter2", "hunter2-hunter2!", "hunter2-hunter2!?"])
@pytest.mark.parametrize("tail", ["", "t", "tail", "longer"])
def test_base64_of_a_longer_text_shows_nothing_of_the_value(user, value, tail):
    """`Authorization: Basic` holds it at any of three places; what is left depends on the rest alone."""

    def header(password: str) -> str:
        return plain(T=password).mask(f"Basic {b64encode(f'{user}:{password}{tail}'.encode()).decode()}.")

    other = value.replace("hunter2", "Q7%zzz_")
    assert T in header(value)
    assert header(value) == header(other)
    assert len(header(value)) <= len(f"Basic {T}.") + 4 * (len(user) + len(tail) + 1)


def test_each_line_of_a_value_is_masked():
    """A library may show the third line of a key; a line that is too short is not looked for."""
    secrets = plain(T=KEY)
    assert secrets.mask(f"cannot read {KEY}") == f"cannot read {T}"
    assert secrets.mask("line 2: MIIEvQIBADANBg?") == f"line 2: {T}?"
    assert secrets.mask("a short line") == "a short line"


def test_of_overlapping_values_nothing_is_left():
    """The longer one goes whole, and so do two that share some characters in the text."""
    secrets = plain(A="abcdef-123", B="123-uvwxyz", C="abcdef-123-long")
    assert secrets.mask("x abcdef-123-long y") == "x ${secret.C} y"
    assert secrets.mask("x abcdef-123-uvwxyz y") == "x ${secret.A} y"
    assert secrets.mask("abcdef-123abcdef-123") == "${secret.A}${secret.A}"
    assert plain(P="xyxyxy").mask("-xyxyxyxy-") == "-${secret.P}-"


def test_short_values_are_not_looked_for():
    """A secret of one letter would make the log unreadable and be guessed from it."""
    secrets = plain(A="a", B="12345")
    assert not secrets
    assert secrets.mask("a 12345") == "a 12345"


@pytest.mark.parametrize("mark", ["…", "...", "… (9,000 bytes in all)", "....."])
def test_what_was_cut_does_not_show_the_rest(mark):
    """A message is cut where it is long, and the cut may go through a value."""
    secrets = plain(T="hunter2-hunter2")
    assert secrets.mask(f"bad hunter2-hun{mark}") == f"bad {T}{mark}"
    assert secrets.mask(f"...ter2-hunter2 {mark}") == f"...{T} {mark}"
    assert secrets.mask(f"a hunt{mark}") == f"a hunt{mark}"


def test_data_are_masked_in_keys_texts_and_numbers():
    """A log line as data: what is a number may be a secret that somebody has converted."""
    secrets = plain(T="12345678")
    data = {"12345678": ["x12345678", 12345678, 5, True, None, 0.5]}
    assert secrets.mask_all(data, numbers=True) == {T: [f"x{T}", T, 5, True, None, 0.5]}
    assert secrets.mask_all(data)[T][1] == 12345678


def test_nothing_is_done_where_there_are_no_secrets():
    """The very same object comes back."""
    text = "x" * 1000
    assert not NO_SECRETS
    assert NO_SECRETS.mask(text) is text


def test_a_stream_is_masked_and_otherwise_itself():
    """What prints to it need not know; the length returned is that of what was given."""
    inner = io.StringIO()
    stream = MaskedStream(inner, plain(T="hunter2-hunter2"))
    assert stream.write("a hunter2-hunter2\n") == 18
    print("b", "hunter2-hunter2", file=stream)
    stream.writelines(["hunter2-hunter2", "!"])
    assert inner.getvalue() == f"a {T}\nb {T}\n{T}!"
    assert stream.isatty() is False
    assert not stream.closed


def test_streams_are_wrapped_once_and_only_for_secrets(monkeypatch):
    """A second call, as for another date, takes the place of the first."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    mask_streams(NO_SECRETS)
    assert (sys.stdout, sys.stderr) == (out, err)
    mask_streams(plain(T="hunter2-hunter2"))
    mask_streams(plain(U="hunter2-hunter2"))
    sys.stdout.write("hunter2-hunter2\n")
    assert out.getvalue() == "${secret.U}\n"
    assert sys.stdout.stream is out


@given(
    st.lists(st.text("ab01", min_size=LEAST, max_size=9), min_size=1, max_size=3),
    st.text("ab01 ", max_size=60),
)
def test_no_value_survives(values, text):
    """Whatever the text and however the values overlap in it."""
    secrets = Secrets({chr(ord("P") + number): value for number, value in enumerate(values)})
    masked = secrets.mask(text)
    assert not any(value in masked for value in values)
    if not any(value in text for value in values):
        assume(not any(value.encode().hex() in text for value in values))
        assert masked == text
