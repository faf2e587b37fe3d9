"""References in the values of a job file: `${params.x}`, `${env.X}`, `${secret.X}`, `${run.date}`.

They are resolved in parsed values, never in text, so a value can break neither the syntax of the file
nor change what its keys are. What a reference brings in is not looked at again: a parameter that holds
`${env.HOME}` stays that text. A secret is only named: the value becomes `runner.masking.Sealed` text.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from runner.jobfile.places import Places
from runner.jobfile.plain import texts_in
from runner.jobfile.problem import MOST_SHOWN, KeyPath, Problem, Severity, format_path, nearest
from runner.jobfile.scalar import clip, show_value
from runner.jobfile.values import SECRET_NAME
from runner.masking import Sealed

_NAMESPACES = ("params", "env", "secret", "run")
_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_WRITTEN_OUT: frozenset[KeyPath] = frozenset(
    {("version",), ("name",), ("task", "call"), ("input", "type"), ("output", "type"), ("pool", "engine")}
)
_TAKES_SECRETS: frozenset[KeyPath] = frozenset({("task", "with"), ("input", "with")})
"""What code is called with. Everything else is shown somewhere, is a path, or becomes data."""


STANDS = object()
"""In the place of a value: the reference stands for itself, because only a run knows what it is."""


def is_written_out(path: str) -> bool:
    """Return whether no reference may stand in the value at a dotted path, be it one of a kind."""
    block, _, rest = path.partition(".")
    is_kind = block in ("input", "output") and (rest == "type" or rest.endswith(".type"))
    return path == "task" or block in ("params", "tests") or is_kind or tuple(path.split(".")) in _WRITTEN_OUT


class _Unresolved(Exception):
    """A reference that has no value; with what to report, or nothing if that was reported elsewhere."""

    def __init__(
        self, code: str | None, message: str, *, hint: str | None = None, is_warning: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.severity: Severity = "warning" if is_warning else "error"


@dataclass(slots=True)
class Interpolation:
    """Resolves the references of one job file.

    Attributes:
        params: Values of the parameters; a name that has no known value is in `unknown_params`.
        unknown_params: Parameters whose value is not known; that has been reported.
        environ: The environment; `None` where nobody runs the job: then references to the environment,
            to the date and to parameters without a value stand for themselves (`places.holes`).
        today: What `${run.date}` stands for.
        strict_env: Whether an unset variable is an error or only a warning.
        places: Where values stand; learns what came from where.
        secrets: The secrets that are referred to, and where each is first.
        problems: What was found.
    """

    params: Mapping[str, Any] | None
    unknown_params: frozenset[str]
    environ: Mapping[str, str] | None
    today: datetime.date
    strict_env: bool
    places: Places
    secrets: dict[str, KeyPath] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def resolve(self, value: Any, path: KeyPath = ()) -> Any:
        """Return `value` with every reference in it replaced by what it refers to."""
        if path == ("tests",):
            return value  # literal: see `runner.jobfile.job_tests`
        if isinstance(value, dict):
            for key in value:
                self._check_no_reference(key, (*path, key), "a key", is_key=True)
            if path == ("params",):
                for inner, text in texts_in(value, path):
                    self._check_no_reference(text, inner, "a default of `params`")
                return value
            return {key: self.resolve(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        if len(self.problems) >= MOST_SHOWN:
            self.places.unknown.add(path)
            return value
        if path in _WRITTEN_OUT or path == ("task",):
            self._check_no_reference(value, path, "`" + ".".join(map(str, path)) + "`")
            return value
        return self._resolve_text(value, path)

    def _check_no_reference(self, text: str, path: KeyPath, what: str, *, is_key: bool = False) -> None:
        flag = self.places.flag_of(path)
        if "${" not in text or (flag is not None and flag.startswith("-p ")):
            return
        self.places.unknown.add(path)
        message = f"{what} must be written out, got {show_value(text)}"
        self.problems.append(self.places.problem("reference-not-allowed", message, path, is_key=is_key))

    def _resolve_text(self, text: str, path: KeyPath) -> Any:
        parts: list[str] = []
        pieces: list[str] = []  # plain text and names of secrets in turn; `parts` become the next text
        failed: set[str] = set()
        is_environment = has_reference = is_hole = False
        end = 0
        for match in _REFERENCE.finditer(text):
            parts.append(text[end : match.start()])
            end = match.end()
            reference = match[0]
            if reference == "$${":
                parts.append("${")
                continue
            has_reference = True
            is_environment = is_environment or (match[1] or "").startswith("env.")
            try:
                if (match[1] or "").startswith("secret."):
                    pieces += ["".join(parts), self._name_secret(match[1].removeprefix("secret."), path)]
                    parts = []
                    continue
                value = self._look_up(match[1])
                is_hole = is_hole or value is STANDS
                value = reference if value is STANDS else value
                if reference == text:
                    self._remember(path, text, value, is_environment=is_environment, is_hole=is_hole)
                    return deepcopy(value)
                parts.append(_as_text(value, reference))
            except _Unresolved as error:
                if reference not in failed:
                    self._report(error, path, reference)
                failed.add(reference)
                if len(self.problems) >= MOST_SHOWN:
                    break
        if failed:
            self.places.unknown.add(path)
            return text
        last = "".join([*parts, text[end:]])
        result = Sealed([*pieces, last]) if pieces else last
        if has_reference:
            self._remember(path, text, result, is_environment=is_environment, is_hole=is_hole)
        return result

    def _remember(self, path: KeyPath, text: str, value: Any, *, is_environment: bool, is_hole: bool) -> None:
        self.places.references[path] = text
        if is_hole:
            self.places.holes[path] = value
        elif is_environment:
            self.places.environment[path] = value

    def _report(self, error: _Unresolved, path: KeyPath, reference: str) -> None:
        if error.code is None:
            return
        span = self.places.document.reference_span(path, reference)
        self.problems.append(
            self.places.problem(
                error.code, str(error), path, span=span, hint=error.hint, severity=error.severity
            )
        )

    def _look_up(self, inner: str | None) -> Any:
        """Return what `${inner}` refers to."""
        if inner is None:
            hint = "write `$${` for a literal `${`; references do not nest"
            raise _Unresolved("bad-reference", "this `${` is never closed", hint=hint)
        namespace, dot, name = inner.partition(".")
        if namespace == "params" and dot:
            return self._look_up_param(name)
        if namespace == "env" and dot:
            return self._look_up_env(name)
        if inner == "run.date":
            return STANDS if self.environ is None else self.today.isoformat()
        raise _unknown_reference(inner, namespace)

    def _name_secret(self, name: str, path: KeyPath) -> str:
        """Return the name of a secret that may stand at `path`."""
        if not SECRET_NAME.fullmatch(name):
            plain, colon, _ = name.partition(":-")
            if colon and SECRET_NAME.fullmatch(plain):
                hint = f"write `${{secret.{plain}}}`; whatever runs the job must have the secret"
                raise _Unresolved("bad-reference", "a secret has no default", hint=hint)
            message = f"`{clip(name)}` cannot be the name of a secret"
            raise _Unresolved("bad-reference", message, hint="write `${secret.NAME}`")
        if len(path) < 3 or path[:2] not in _TAKES_SECRETS:
            where = f"`{format_path(path)}`" if path else "the job"
            hint = "a secret can only be given to code, by `with` of `task` or of a `python` input"
            if path in _TAKES_SECRETS:
                hint = f"name the argument that it is for: {{token: ${{secret.{name}}}}}"
            raise _Unresolved("reference-not-allowed", f"{where} must not hold a secret", hint=hint)
        self.secrets.setdefault(name, path)
        return name

    def _look_up_param(self, name: str) -> Any:
        if self.environ is None and self.params is not None and self.params.get(name, "") is None:
            return STANDS
        if self.params is None or name in self.unknown_params:
            raise _Unresolved(None, "")
        if name in self.params:
            return self.params[name]
        near = nearest(name, self.params)
        if near:
            hint = f"did you mean `${{params.{near}}}`?"
        else:
            hint = (
                f"`params` declares {', '.join(self.params)}" if self.params else "declare it under `params`"
            )
        raise _Unresolved("unknown-param", f"this job has no parameter `{clip(name)}`", hint=hint)

    def _look_up_env(self, expression: str) -> object:
        name, has_default, default = expression.partition(":-")
        if not _ENV_NAME.fullmatch(name):
            message = f"`{clip(name)}` cannot be the name of an environment variable"
            raise _Unresolved("bad-reference", message, hint="write `${env.NAME}` or `${env.NAME:-default}`")
        if self.environ is None:
            return STANDS
        value = self.environ.get(name)
        if value or (value is not None and not has_default):
            return value
        if has_default:
            return default
        message = f"the environment variable `{name}` is not set"
        hint = f"set it, or write `${{env.{name}:-default}}`"
        raise _Unresolved("unset-env", message, hint=hint, is_warning=not self.strict_env)


def _unknown_reference(inner: str, namespace: str) -> _Unresolved:
    forms = "`${params.NAME}`, `${env.NAME}`, `${secret.NAME}` or `${run.date}`"
    message = f"`${{{clip(inner)}}}` refers to nothing"
    near = nearest(namespace, _NAMESPACES)
    if inner.startswith("run."):
        return _Unresolved("bad-reference", message, hint="did you mean `${run.date}`?")
    if inner.isidentifier() and inner.isupper():
        return _Unresolved("bad-reference", message, hint=f"did you mean `${{env.{inner}}}`?")
    if near and near != namespace:
        return _Unresolved(
            "bad-reference", message, hint=f"did you mean `${{{near}{clip(inner[len(namespace) :])}}}`?"
        )
    return _Unresolved("bad-reference", message, hint=f"write {forms}, or `$${{` for a literal `${{`")


def _as_text(value: Any, reference: str) -> str:
    """Return a value as it stands inside a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    message = f"`{reference}` is {show_value(value)}, which cannot stand inside a text"
    raise _Unresolved("bad-reference", message, hint="a reference to it must be the whole value")
