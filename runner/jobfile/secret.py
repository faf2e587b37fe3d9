"""Looks up the secrets that a job file names: in the environment, or in the files that `secrets:` says.

A run reads their values, when nothing else of the file is left to look at. `runner validate` only looks
whether they are there: a build machine has no production secrets, and no business reading them.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runner.jobfile.model import SECRET_NAME, SecretSource
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath, Problem, nearest
from runner.jobfile.tree import Document, MappingNode, Node
from runner.masking import LEAST, NO_SECRETS, Secrets

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
        declared = data.get("secrets")
        declared = declared if isinstance(declared, dict) else {}
        problems: list[Problem] = []
        values: dict[str, str] = {}
        for name in dict.fromkeys([*declared, *used]):
            is_declared = name in declared
            path = ("secrets", name) if is_declared else used[name]
            source = _source(name, declared)
            is_told = any(other[: len(path)] == path for other in places.unknown)
            if source is None or is_told or not places.is_known(path):
                continue  # with the other faults of the file
            if is_declared:
                path = (*path, "env" if source.env is not None else "file")
            span = None if is_declared else places.document.reference_span(path, f"${{secret.{name}}}")
            try:
                value = self._read(source)
                if value is not None:
                    values[name] = value
                is_short = len(value) < LEAST if value is not None else self._seems_short(source)
            except _Missing as error:
                near = None if is_declared else nearest(name, declared)
                hint = f"did you mean `${{secret.{near}}}`?" if near else error.hint
                message = f"the secret `{name}` has no value: {error}"
                severity = "error" if self.is_strict else "warning"
                problems.append(
                    places.problem("unset-secret", message, path, span=span, hint=hint, severity=severity)  # type: ignore[arg-type]
                )
                continue
            if is_short:
                message = f"the secret `{name}` has less than {LEAST} characters: it cannot be masked in logs"
                problems.append(places.problem("short-secret", message, path, span=span, severity="warning"))
        self.secrets = Secrets(values)
        return problems

    def _read(self, source: SecretSource) -> str | None:
        """Return the value, or `None` where it is there and not to be read."""
        if source.env is not None:
            return self._read_variable(source.env)
        assert source.file is not None
        data = self._read_file(source.file)
        if data is None:
            return None
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise _Missing(f"{source.file} is no UTF-8 text", "a binary key can be kept as base64") from None
        text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
        if not text:
            raise _Missing(f"{source.file} is empty", "write the secret into it")
        return text

    def _read_variable(self, name: str) -> str:
        value = self.environ.get(name)
        hint = f"set {name}, or name another place under `secrets`"
        if not value:
            state = "not set" if value is None else "empty"
            raise _Missing(f"the environment variable `{name}` is {state}", hint)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise _Missing(f"the environment variable `{name}` is no UTF-8 text", hint)
        return value

    def _read_file(self, file: str) -> bytes | None:
        hint = "let it be a file that the user of this process can read"
        try:
            path = self.root / file
            if not self.is_strict:
                status = path.stat()
                if not os.access(path, os.R_OK):
                    raise PermissionError(13, os.strerror(13))
                data = None
            else:
                # Opening a pipe that nobody writes to would wait forever.
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                with os.fdopen(descriptor, "rb") as stream:
                    status = os.fstat(descriptor)
                    data = stream.read(MOST_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
        except OSError as error:
            raise _Missing(f"{file}: {error.strerror}", hint) from None
        except ValueError as error:  # a NUL in the path
            raise _Missing(f"{file!r}: {error}", hint) from None
        if not stat.S_ISREG(status.st_mode):
            raise _Missing(f"{file} is no plain file", hint)
        if max(status.st_size, len(data or b"")) > MOST_BYTES:
            raise _Missing(f"{file} has more than {MOST_BYTES // 1024} KiB", "a secret is a short text")
        if status.st_size == 0 and not data:
            raise _Missing(f"{file} is empty", "write the secret into it")
        return data

    def _seems_short(self, source: SecretSource) -> bool:
        """Return whether a file that was not read holds too little, its line end included."""
        assert source.file is not None
        try:
            return (self.root / source.file).stat().st_size < LEAST
        except OSError:
            return False


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
