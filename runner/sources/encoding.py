"""The `encoding:` of text formats: any codec in which the bytes of ASCII mean ASCII."""

from __future__ import annotations

import codecs
from typing import Annotated

from pydantic import AfterValidator

from runner.errors import MalformedRecord

# Text in ASCII that a codec gives itself away by, when it treats a backslash, a plus, a tilde, an
# escape sequence or a label specially; and every byte of ASCII once.
_PROBES = (b"\\n\\x41\\u0041 +AGE- ~{", b"\x1b$B0!\x1b(B", b"xn--tda", bytes(range(128)))


def check_encoding(name: str) -> str:
    """Return `name` when it is an ASCII-compatible codec; raise ValueError with a sentence otherwise."""
    try:
        codecs.lookup(name)
        is_compatible = all(probe.decode(name) == probe.decode("ascii") for probe in _PROBES)
    except UnicodeError:
        is_compatible = False
    except (LookupError, ValueError) as error:
        raise ValueError(
            f"there is no text encoding named {name!r}; utf-8, latin-1 and cp1252 are some"
        ) from error
    if not is_compatible:
        raise ValueError(
            f"the encoding {name} cannot be cut into lines, for its bytes are not those of ASCII; "
            f"convert the file first (iconv -f {name} -t utf-8)"
        )
    return name


def is_part_of_characters(char: str, encoding: str) -> bool:
    """Return whether the byte of `char` is also the second byte of some character, as `|` in Shift-JIS."""
    for lead in range(128, 256):
        try:
            text = bytes((lead, ord(char))).decode(encoding)
        except UnicodeError:
            continue
        if not text.endswith(char):
            return True
    return False


def undecodable(error: UnicodeError, encoding: str) -> MalformedRecord:
    """Return what to raise for a record whose bytes are no text in `encoding`."""
    if isinstance(error, UnicodeDecodeError):
        found = f"{error.reason} 0x{error.object[error.start]:02x} at byte {error.start}"
        return MalformedRecord(f"not valid {encoding}: {found}")
    return MalformedRecord(f"not valid {encoding}: {error}")


Encoding = Annotated[str, AfterValidator(check_encoding)]
"""A field that names an ASCII-compatible codec of Python."""
