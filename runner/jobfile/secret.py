"""Looks up the secrets that a job file names: in the environment, or in the files that `secrets:` says.

A run reads their values, when nothing else of the file is left to look at. `runner validate` only looks
whether they are there: a build machine has no production secrets, and no business reading them.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.jobfile.model import SecretSource
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath, Problem, Severity, Span, nearest
from runner.jobfile.scalar import clip
from runner.jobfile.tree import Document, MappingNode, Node
from runner.jobfile.values import SECRET_NAME
from runner.masking import LEAST, NO_SECRETS, Secrets

_READABLE = "let it be a file that the user of this process can read"
MOST_BYTES = 64 * 2**10
"""Of a file; arbitrary, and ample for a chain of certificates with its key."""


class _Missing(Exception):
    """A secret that has no value; with what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(slots=True)
class SecretReader:
    """Looks up the secrets of one job file.

    Attributes:
        environ: The environment.
        root: Folder from which relative paths start.
        is_strict: Whether values are read, and a secret without one is an error; else a warning.
        secrets: The values that were found.
    """

    environ: Mapping[str, str] = field(repr=False)
    root: Path
    is_strict: bool
    secrets: Secrets = NO_SECRETS

    def look_up(self, data: Mapping[str, Any], used: Mapping[str, KeyPath], places: Places) -> list[Problem]:
        """Look up what is declared and what is referred to; return what is wrong with them.

        Args:
            data: The content of the file, references resolved.
            used: Where each secret is first referred to.
            places: Where values stand.
        """
        block = data.get("secrets")
        declared = block if isinstance(block, dict) else {}
        values: dict[str, str] = {}
        problems = []
        for name in dict.fromkeys([*declared, *used]):
            source = _source(name, declared)
            path = ("secrets", name) if name in declared else used[name]
            is_told = any(other[: len(path)] == path for other in places.unknown)
            if source is None or is_told or not places.is_known(path):
                continue  # with the other faults of the file
            if name in declared:
                path = (*path, "env" if source.env is not None else "file")
            try:
                value, is_short = self._read(source, shown=places.references.get(path))
            except _Missing as error:
                problems.append(self._missing(name, error, declared, path, places))
                continue
            if value is not None:
                values[name] = value
            if is_short:
                problems.append(_short(name, path, places))
        self.secrets = Secrets(values)
        return problems

    def _missing(
        self, name: str, error: _Missing, declared: Mapping[str, Any], path: KeyPath, places: Places
    ) -> Problem:
        near = nearest(name, declared) if name not in declared else None
        hint = f"did you mean `${{secret.{near}}}`?" if near else error.hint
        message = f"the secret `{name}` has no value: {error}"
        severity: Severity = "error" if self.is_strict else "warning"
        span = _span(name, path, places)
        return places.problem("unset-secret", message, path, span=span, hint=hint, severity=severity)

    def _read(self, source: SecretSource, *, shown: str | None) -> tuple[str | None, bool]:
        """Return the value, `None` where it is there and not to be read, and whether it is short.

        `shown` is how a path is called that came from a reference: the environment is not ours to show.
        """
        if source.env is not None:
            value = self._read_variable(source.env)
            return value, len(value) < LEAST
        assert source.file is not None
        shown = shown or clip(source.file)
        try:
            if not self.is_strict:
                return None, self._look_at(self.root / source.file, shown) < LEAST
            text = self._read_file(self.root / source.file, shown).decode()
        except OSError as error:
            raise _Missing(f"{shown}: {error.strerror}", _READABLE) from None
        except UnicodeDecodeError:
            raise _Missing(f"{shown} is no UTF-8 text", "a binary key can be kept as base64") from None
        except ValueError:
            raise _Missing(f"{shown} cannot be the path of a file", _READABLE) from None
        if text.endswith("\n"):
            text = text[:-1].removesuffix("\r")
        if not text:
            raise _Missing(f"{shown} is empty", "write the secret into it")
        return text, len(text) < LEAST

    def _read_variable(self, name: str) -> str:
        value = self.environ.get(name)
        hint = f"set {name}, or name another place under `secrets`"
        if not value:
            state = "not set" if value is None else "empty"
            raise _Missing(f"the environment variable `{name}` is {state}", hint)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise _Missing(f"the environment variable `{name}` is no UTF-8 text", hint)
        return value

    def _look_at(self, path: Path, shown: str) -> int:
        """Return the size of a file that could be read."""
        status = path.stat()
        _check_file(status, shown)
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return status.st_size

    def _read_file(self, path: Path, shown: str) -> bytes:
        # Opening a pipe that nobody writes to would wait forever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check_file(os.fstat(descriptor), shown)
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                return stream.read(MOST_BYTES + 1)
        finally:
            os.close(descriptor)


def _check_file(status: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _Missing(f"{shown} is no plain file", _READABLE)
    if status.st_size > MOST_BYTES:
        raise _Missing(f"{shown} has more than {MOST_BYTES // 1024} KiB", "a secret is a short text")
    if status.st_size == 0:
        raise _Missing(f"{shown} is empty", "write the secret into it")


def _short(name: str, path: KeyPath, places: Places) -> Problem:
    message = f"the secret `{name}` has less than {LEAST} characters: it cannot be masked in logs"
    span = _span(name, path, places)
    return places.problem("short-secret", message, path, span=span, severity="warning")


def _span(name: str, path: KeyPath, places: Places) -> Span:
    """Return the place of the reference, or of the value at `path` where it holds none."""
    return places.document.reference_span(path, f"${{secret.{name}}}")


def _source(name: str, declared: Mapping[str, Any]) -> SecretSource | None:
    """Return where a secret is; `None` where what is said of it is at fault."""
    if name not in declared:
        return SecretSource(env=name)
    try:
        return SecretSource.model_validate(declared[name])
    except ValidationError:
        return None


def blank_values(document: Document) -> str:
    """Return the text of a job file with stars for what stands below `secrets` and is no place of a secret.

    Somebody may have written the secret itself there. Every place in the text stays what it was.
    """
    secrets = document.root.entries.get("secrets") if isinstance(document.root, MappingNode) else None
    text = document.text
    for node in _doubtful(secrets[1]) if secrets is not None else ():
        text = text[: node.start] + re.sub(r"\S", "*", text[node.start : node.end]) + text[node.end :]
    return text


def _doubtful(block: Node) -> Iterator[Node]:
    sources = [node for _, node in block.entries.values()] if isinstance(block, MappingNode) else [block]
    for source in sources:
        if not isinstance(source, MappingNode):
            yield source
            continue
        for key, (_, node) in source.entries.items():
            is_name = key == "env" and isinstance(node.value, str) and SECRET_NAME.fullmatch(node.value)
            if not (is_name or key == "file"):
                yield node
