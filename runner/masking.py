"""Secrets: named where they are written, plain for the code that is given them, masked wherever they leak.

Two lines of defence, because either alone has failed elsewhere:

- A value of the job file with a secret in it is `Sealed` text. It reads as its references, `Bearer
  ${secret.TOKEN}`, and holds no value; models, faults, the fingerprint and the manifest are made of it.
  What forgets about secrets shows a name. Only `Secrets.reveal` turns it into plain text, for one call:
  that of the task or of a `python` input.
- From then on the user's code may say the value: in an exception, a log line, a print. `Secrets.mask`
  takes it out again, by value, once at each way out: standard output and error (`mask_streams`), the log,
  a failure on its way to the ledger, a fault of the task, the report.

A masked value becomes its reference and not asterisks: that tells which secret it was, and the text stays
the same when the value is changed, so that dead letters of a resumed run are those of an undisturbed one.

What is masked: the value; each line of one with several; these as URLs, JSON, HTML and `repr` spell them; the
whole in hexadecimal and in base64, also within a longer text (as in `Authorization: Basic`); and the
beginning or end of any of these beside the `…` or `...` of a text that was cut. Values under 6 characters
are not looked for: they stand in too many words. What was hashed, encrypted, compressed or split elsewhere
is not found.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TextIO, cast

LEAST = 6
"""Characters that a text must have to be looked for."""
_CUT = re.compile(r"…|\.{3,}")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")


class Sealed(str):
    """Text with secrets in it that are not looked up: it reads as its references.

    Attributes:
        pieces: Plain text and names of secrets in turn, plain text first and last.
    """

    pieces: tuple[str, ...]

    def __new__(cls, pieces: Sequence[str]) -> Self:
        """Return the text of these pieces."""
        self = super().__new__(cls, "".join(_marker(p) if n % 2 else p for n, p in enumerate(pieces)))
        self.pieces = tuple(pieces)
        return self

    def __getnewargs__(self) -> tuple[tuple[str, ...]]:  # type: ignore[override]  # for copy and pickle
        return (self.pieces,)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its secrets."""
        return self.pieces[1::2]


class Secrets:
    """Values of secrets by name. True where there is one to be masked.

    What it shows of itself, also in a traceback with locals, are names.
    """

    __slots__ = ("_cores", "_needles", "_values")

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        found: dict[str, str] = {}
        for name, value in self._values.items():
            for form in _forms(value):
                found.setdefault(form, name)
        self._needles = tuple(found.items())
        self._cores = frozenset(core for value in self._values.values() for core in _cores(value))

    def __bool__(self) -> bool:
        return bool(self._needles)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self._values)})"

    def can_reveal(self, value: object) -> bool:
        """Return whether the value of every secret in a value, however deep, is known."""
        names: set[str] = set()

        def remember(text: Sealed) -> str:
            names.update(text.names)
            return text

        _opened(value, remember)
        return names <= self._values.keys()

    def reveal(self, value: object) -> Any:
        """Return a value with every sealed text in it, however deep, as plain text."""
        values = self._values
        return _opened(
            value, lambda text: "".join(values[p] if n % 2 else p for n, p in enumerate(text.pieces))
        )

    def mask(self, text: str) -> str:
        """Return `text` with the reference in the place of each value; the very text where there is none.

        Where values overlap in the text, all of it goes.
        """
        if not self._needles:
            return text
        found: list[tuple[int, int, str]] = []
        for needle, name in self._needles:
            at = text.find(needle)
            while at >= 0:
                found.append((*self._whole(text, at, at + len(needle), needle), name))
                at = text.find(needle, at + 1)
        if "…" in text or "..." in text:
            found += self._beside_cuts(text)
        return _replaced(text, found) if found else text

    def mask_all(self, value: Any, *, numbers: bool = False) -> Any:
        """Return data as JSON has it with every text in it masked, keys included.

        Args:
            value: Mappings, lists and scalars.
            numbers: Whether a whole number whose digits are a secret becomes a text that names it.
        """
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            return {self.mask(key): self.mask_all(inner, numbers=numbers) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.mask_all(inner, numbers=numbers) for inner in value]
        if numbers and isinstance(value, int) and not isinstance(value, bool):
            masked = self.mask(str(value))
            return value if masked == str(value) else masked
        return value

    def _whole(self, text: str, start: int, end: int, needle: str) -> tuple[int, int]:
        """Return where a needle stands, and for base64 the character beside it that has bits of the value."""
        if needle in self._cores:
            start -= text[start - 1 : start] in _BASE64
            end += text[end : end + 1] in _BASE64
            while text[end : end + 1] == "=":
                end += 1
        return start, end

    def _beside_cuts(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield beginnings of needles that end at the mark of a cut, and ends that begin behind one."""
        cuts = [cut.span() for cut in _CUT.finditer(text)]
        before = [start for start, _ in cuts]
        behind = [len(text) - end for _, end in reversed(cuts)]
        backwards = text[::-1]
        for needle, name in self._needles:
            for start, end in _up_to(text, needle, before):
                yield start, end, name
            for start, end in _up_to(backwards, needle[::-1], behind):
                yield len(text) - end, len(text) - start, name


NO_SECRETS = Secrets()


class MaskedStream:
    """A text stream that masks what is written to it, call by call; all else is the stream's own.

    A value that is written in several calls is not found.
    """

    def __init__(self, stream: TextIO, secrets: Secrets) -> None:
        self.stream = stream
        self._secrets = secrets

    def write(self, text: str) -> int:
        """Write the text without secrets; return the length of what was given."""
        self.stream.write(self._secrets.mask(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def spell(value: object) -> Any:
    """Return a value with every sealed text in it, however deep, as plain text that shows its references."""
    return _opened(value, lambda text: "".join(text))


def mask_streams(secrets: Secrets) -> None:
    """Mask what this process writes to `sys.stdout` and `sys.stderr` from now on; nothing for no secrets.

    There is no way back: a task that hangs may write until the process is gone. What does not
    go through these objects (their `buffer`, descriptors, child processes) is not masked.
    """
    if secrets:
        sys.stdout, sys.stderr = (_masked(stream, secrets) for stream in (sys.stdout, sys.stderr))


def _masked(stream: TextIO, secrets: Secrets) -> TextIO:
    inner = stream.stream if isinstance(stream, MaskedStream) else stream
    return cast("TextIO", MaskedStream(inner, secrets))


def _opened(value: object, open_: Callable[[Sealed], str]) -> Any:
    if isinstance(value, Sealed):
        return open_(value)
    if isinstance(value, dict):
        return {key: _opened(inner, open_) for key, inner in value.items()}
    if isinstance(value, list):
        return [_opened(inner, open_) for inner in value]
    return value


def _marker(name: str) -> str:
    return f"${{secret.{name}}}"


def _replaced(text: str, found: list[tuple[int, int, str]]) -> str:
    found.sort(key=lambda each: (each[0], -each[1]))
    parts: list[str] = []
    shown_to = 0
    start, end, name = found[0]
    for next_start, next_end, next_name in found[1:]:
        if next_start < end:
            end = max(end, next_end)
            continue
        parts += (text[shown_to:start], _marker(name))
        shown_to = end
        start, end, name = next_start, next_end, next_name
    return "".join([*parts, text[shown_to:start], _marker(name), text[end:]])


def _up_to(text: str, needle: str, ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield where `text` holds the beginning of `needle`, `LEAST` characters or more, up to one of `ends`."""
    at = text.find(needle[:LEAST])
    while at >= 0:
        for number in range(bisect_left(ends, at + LEAST), len(ends)):
            if not needle.startswith(text[at : ends[number]]):
                break
            yield at, ends[number]
        at = text.find(needle[:LEAST], at + 1)


def _forms(value: str) -> Iterator[str]:
    """Yield every text that is looked for because of one value."""
    if len(value) < LEAST:
        return
    for text in dict.fromkeys([value, value.strip(), *(line.strip() for line in value.splitlines())]):
        yield from (form for form in _spellings(text) if len(text) >= LEAST)
    yield from (value.encode().hex(), value.encode().hex().upper())
    yield from _cores(value)


def _spellings(text: str) -> Iterator[str]:
    import html
    import json
    from urllib.parse import quote, quote_plus

    yield text
    for quoted in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), quoted)
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield from (repr(text)[1:-1], ascii(text)[1:-1], repr(text.encode())[2:-1])
    # Inside a longer text that holds both quotes, `repr` escapes the single ones.
    yield repr(f"'\"{text}")[4:-1]
    yield html.escape(text)


def _cores(value: str) -> Iterator[str]:
    """Yield what base64 makes of a value at each of the three places that a longer text can have it.

    A character of base64 holds bits of two bytes. Where one of them is not of the value, the character
    depends on the text around and is left out.
    """
    from base64 import b64encode, urlsafe_b64encode

    data = value.encode()
    for encode in (b64encode, urlsafe_b64encode):
        for shift in range(3):
            text = encode(bytes(shift) + data).decode()
            core = text[(0, 2, 3)[shift] : len(text) - (0, 3, 2)[(shift + len(data)) % 3]]
            if len(value) >= LEAST <= len(core):
                yield core
