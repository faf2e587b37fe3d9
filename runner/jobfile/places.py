"""From the path of a value to where the user wrote it: in the file, or in a flag of the command line."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.jobfile.problem import KeyPath, Problem, Severity, Span, format_path
from runner.jobfile.tree import Document


@dataclass(frozen=True, slots=True)
class Places:
    """The document, and what came over it.

    Attributes:
        document: The file.
        flags: `--set` by the path it set.
        references: The text of the file by the path of a value that had references in it.
        environment: Resolved values that came from the environment, by path; never to be shown.
        holes: By path, values with references in them that only a run can resolve; see `stand_in`.
        unknown: Paths whose value is not known: its text is at fault, or what it refers to is not set.
    """

    document: Document
    flags: dict[KeyPath, str] = field(default_factory=dict)
    references: dict[KeyPath, str] = field(default_factory=dict)
    environment: dict[KeyPath, object] = field(default_factory=dict)
    holes: dict[KeyPath, str] = field(default_factory=dict)
    unknown: set[KeyPath] = field(default_factory=set)

    def problem(
        self,
        code: str,
        message: str,
        path: KeyPath,
        *,
        span: Span | None = None,
        is_key: bool = False,
        severity: Severity = "error",
        hint: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> Problem:
        """Return a problem at the value of `path`, at its key, or at `span`; names the flag that set it."""
        flag = self.flag_of(path)
        if flag is not None:
            message, place = f"{message} (from {flag})", {}
        else:
            document = self.document
            span = span or (document.key_span(path) if is_key else document.value_span(path))
            place = span._asdict()
        return Problem(
            code=code,
            message=message,
            file=self.document.file,
            severity=severity,
            hint=hint,
            path=format_path(path),
            notes=notes,
            **place,
        )

    def flag_of(self, path: KeyPath) -> str | None:
        """Return the flag that set the value at `path` or above it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.flags:
                return self.flags[path[:length]]
        return None

    def of_members(self, key: str, count: int) -> list[KeyPath]:
        """Return where each member of the list under `key` stands: a single one may be written without it."""
        below = [path[1] for path in self.flags if path[0] == key and len(path) > 1]
        is_single = isinstance(self.document.data.get(key), dict) or any(isinstance(k, str) for k in below)
        if is_single and (key,) not in self.flags:  # which took the place of what the file has
            return [(key,)]
        return [(key, number) for number in range(count)]

    def is_known(self, path: KeyPath) -> bool:
        """Return whether the value at `path` is what the user meant, so that a fault in it is the user's."""
        if any(path[:length] in self.unknown for length in range(len(path) + 1)):
            return False
        return self.flag_of(path) is not None or self.document.is_sound(path)
