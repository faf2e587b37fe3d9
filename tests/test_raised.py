"""What is said of exceptions whose classes do what they can against it: nothing raises."""

from __future__ import annotations

import traceback

import pytest

from runner.raised import full_name, is_a, message_of, said_of, short_name, show, trace_of, type_name


class Payload(Exception):
    """As people write it around the answer of a service."""

    def __init__(self, payload: dict[str, str]) -> None:
        super().__init__(payload["message"])
        self.payload = payload

    def __getattr__(self, name: str) -> str:
        return self.payload[name]


def raising(*names: str, base: type[BaseException] = Exception) -> type[BaseException]:
    """Return an exception with properties that raise."""

    def refuse(self: object) -> object:
        raise RuntimeError("not for you")

    return type("Refusing", (base,), {name: property(refuse) for name in names})


class Everything(Exception):
    """No attribute of it can be read."""

    def __getattribute__(self, name: str) -> object:
        raise SystemExit(name)


class Meta(type):
    """A class of exceptions about which nothing can be known by asking."""

    def __getattribute__(cls, name: str) -> object:
        if name.startswith("__"):
            raise KeyError(name)
        return super().__getattribute__(name)


def masked() -> BaseException:
    """Return an exception that has a name all the same; pytest would ask a class in the module."""

    class Masked(Exception, metaclass=Meta): ...

    return Masked("x")


class Text(str):
    """A text with methods of its own."""

    def __len__(self) -> int:
        raise LookupError("no length")

    encode = splitlines = __len__  # type: ignore[assignment]


class SaysText(Exception):
    """Its text is of a class of the user's."""

    def __str__(self) -> str:
        return Text("said")


class BadField:
    """A field of a SyntaxError that cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __int__ = __index__ = __str__  # type: ignore[assignment]


def syntax_error(**fields: object) -> SyntaxError:
    """Return a SyntaxError with such fields."""
    error = SyntaxError("bad grammar")
    for name, value in {"filename": "x.py", "lineno": 3, "offset": 1, "text": "a b", **fields}.items():
        setattr(error, name, value)
    return error


Half = type("Half", (Exception,), {})
Half.__qualname__ = "Half\ud800"
Odd = type("Odd", (Exception,), {"__module__": 5})

HOSTILE = [
    (Payload({"message": "gone"}), "Payload", "gone"),
    (raising("__notes__")("x"), "Refusing", "x"),
    (raising("__suppress_context__")("x"), "Refusing", "x"),
    (raising("__class__")("x"), "Refusing", "x"),
    (raising("__traceback__", "__cause__", "__context__")("x"), "Refusing", "x"),
    (
        raising("exceptions", base=ExceptionGroup)("x", [ValueError("inner")]),
        "Refusing",
        "x (1 sub-exception)",
    ),
    (Everything("x"), "Everything", "x"),
    (masked(), "Masked", "x"),
    (SaysText(), "SaysText", "said"),
    (Half("x"), "Half", "x"),
    (Odd("x"), "Odd", "x"),
    (syntax_error(lineno="many", offset=[], text=7, end_lineno={}), "SyntaxError", "bad grammar"),
    (syntax_error(lineno=BadField()), "SyntaxError", "bad grammar"),
    (syntax_error(filename=BadField()), "SyntaxError", "bad grammar"),
    (syntax_error(offset=BadField(), end_offset=BadField()), "SyntaxError", "bad grammar"),
]


@pytest.mark.parametrize(
    ("error", "name", "message"), HOSTILE, ids=[str(number) for number in range(len(HOSTILE))]
)
def test_type_message_and_traceback_are_had_of_every_exception(
    error: BaseException, name: str, message: str
) -> None:
    """And are text that can be written; the frame in which it was raised is shown."""
    try:
        raise error
    except BaseException:
        shown = show(error)  # asserted outside, or pytest would show the exception too
    assert type_name(error).replace("\\ud800", "").endswith(name)
    assert message_of(error).startswith(message)
    assert short_name(type(error)) == name
    assert said_of(error).startswith(f"{name}: {message}")
    assert name in shown
    assert message in shown or name == "SyntaxError"
    assert "raise error" in shown
    assert (type_name(error) + message_of(error) + shown).encode()
    assert type(message_of(error)) is str


def test_causes_notes_and_parts_are_shown_where_python_cannot() -> None:
    """Of a chain in which one refuses, and of a group."""
    cause = ValueError("the cause")
    cause.add_note("a note")
    cause.__cause__ = cause
    group = raising("exceptions", base=BaseExceptionGroup)("both", [cause, KeyError("other")])
    with pytest.raises(RuntimeError):
        traceback.format_exception(group)
    shown = show(group)
    for text in ("Refusing: both (2 sub-exceptions)", "ValueError: the cause", "a note", "KeyError: 'other'"):
        assert text in shown
    try:
        raise Payload({"message": "outer"}) from cause
    except Payload as error:
        shown = show(error)
    assert shown.index("ValueError: the cause") < shown.index("direct cause") < shown.index("Payload: outer")


def test_a_chain_of_any_length_is_shown() -> None:
    """Not deeper than is of use."""
    error: BaseException = Payload({"message": "0"})
    for number in range(2000):
        outer = Payload({"message": str(number)})
        outer.__cause__, error = error, outer
    assert "Payload: 1999" in show(error)[-100:]  # Python 3.13 adds that it could not get the notes


def test_what_python_can_show_is_shown_as_python_does() -> None:
    """The line of a SyntaxError included."""
    error = syntax_error()
    assert show(error) == "".join(traceback.format_exception(error)).rstrip()
    assert "    a b" in show(error)


def test_a_class_is_told_without_asking_it() -> None:
    """As `except` does; `isinstance` would ask `__class__`."""
    error = raising("__class__", base=KeyError)()
    assert is_a(error, ValueError, LookupError)
    assert not is_a(error, ValueError, OSError)
    assert not is_a(None, Exception)
    assert full_name(ValueError) == "ValueError"
    assert trace_of(error) is None
