"""pydantic's errors in our words, at the place where the user wrote the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

from runner.jobfile.codes import CODES
from runner.jobfile.keys import LATER_KINDS, Kinds, advise, keys_of
from runner.jobfile.locate import Fault, is_model
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath, Problem, format_path, in_words, nearest
from runner.jobfile.scalar import clip, show_value
from runner.options import describe

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "null",
    "finite_number": "a finite number",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_LENGTHS = {"string_too_short", "string_too_long", "too_short", "too_long"}
_NEED = {
    "version": "version: 1",
    "name": "name: my-job",
    "input": "input: {type: ...}",
    "task": "task: package.module.function",
}
_BOOLEANS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
_PLAIN_NUMBER = re.compile(r"-?[1-9]\d{0,17}", re.ASCII)
_FROM_PYDANTIC = {"default_factory_not_called"}  # said of a value only because another one is at fault


@dataclass(frozen=True, slots=True)
class Explainer:
    """Turns the faults of one job file into problems.

    Attributes:
        data: The content of the file, references resolved.
        kinds: The registries.
        blocks: Keys by the dotted path of their block.
        places: Where values stand.
    """

    data: Mapping[str, Any]
    kinds: Kinds
    blocks: Mapping[str, list[str]]
    places: Places

    def explain(self, faults: Iterable[Fault]) -> list[Problem]:
        """Return a problem for each fault that the user can do something about."""
        problems = []
        for group in _grouped(faults):
            fault = group[0]
            kind = fault.error["type"]
            if kind in _FROM_PYDANTIC or not self.places.is_known(fault.path):
                continue
            if kind == "extra_forbidden":
                problems.append(self._unknown_key(fault))
            elif kind == "missing":
                problems.append(self._missing_key(fault))
            elif len(group) > 1:
                problems.append(self._wrong_type(fault, in_words(dict.fromkeys(map(_wanted, group)))))
            else:
                problems.append(self._bad_value(fault))
        return problems

    def _unknown_key(self, fault: Fault) -> Problem:
        key, block = str(fault.path[-1]), fault.path[:-1]
        keys = keys_of(fault.annotation)
        advice = advise(key, block, keys, self.blocks, self.kinds)
        where = f" in `{format_path(block)}`" if block else ""
        messages = {
            "unknown-key": f"unknown key `{clip(key)}`{where}",
            "misplaced-key": f"`{clip(key)}` does not belong {where.strip() or 'at the top of a job'}",
            "not-built-yet": f"`{clip(key)}` is not built yet",
        }
        notes: tuple[str, ...] = ()
        if advice.code != "not-built-yet":
            notes = (f"{self._block_name(block)} takes {', '.join(keys)}",)
        return self.places.problem(
            advice.code, messages[advice.code], fault.path, is_key=True, hint=advice.hint, notes=notes
        )

    def _missing_key(self, fault: Fault) -> Problem:
        key, block = str(fault.path[-1]), fault.path[:-1]
        owner = f"`{format_path(block)}`" if block else "the job"
        hint = f"add `{_NEED.get(key, f'{key}: ...') if not block else f'{key}: ...'}`"
        fields = fault.annotation.model_fields
        name = next((name for name, field in fields.items() if key in (field.alias, name)), None)
        text = describe(fault.annotation).get(name) if name is not None else None
        notes = (f"`{key}`: {text.meaning.partition('. ')[0].rstrip('.')}",) if text else ()
        return self.places.problem(
            "missing-key", f"{owner} needs the key `{key}`", block, is_key=True, hint=hint, notes=notes
        )

    def _wrong_type(self, fault: Fault, wanted: str) -> Problem:
        message = f"{_subject(fault.path)} must be {wanted}, got {self._got(fault)}"
        problem = self._at_value("wrong-type", message, fault, self._type_hint(fault, wanted))
        if is_model(fault.annotation):
            takes = f"{self._block_name(fault.path)} takes {', '.join(keys_of(fault.annotation))}"
            return replace(problem, notes=(*problem.notes, takes))
        return problem

    def _bad_value(self, fault: Fault) -> Problem:
        error, kind, ctx = fault.error, fault.error["type"], fault.error.get("ctx", {})
        subject = _subject(fault.path)
        if kind in _WANTED:
            return self._wrong_type(fault, _WANTED[kind])
        if kind == "literal_error":
            return self._no_choice(fault)
        if kind in _LIMITS:
            words, bound = _LIMITS[kind]
            limit = show_value(ctx[bound]).removesuffix(".0")
            message = f"{subject} must be {words} {limit}, got {self._got(fault)}"
            return self._at_value("out-of-range", message, fault)
        if kind in _LENGTHS:
            return self._at_value("bad-value", f"{subject} {_length(fault.value, ctx)}", fault)
        if kind in CODES:
            return self._at_value(kind, self._sentence(fault, ctx["message"]), fault, ctx["hint"])
        if kind == "value_error":
            text = str(ctx["error"])
        else:
            text = (
                re.sub(r"^(Input|String|Value) should", "must", error["msg"])
                + f", got {show_value(fault.value)}"
            )
        return self._at_value("bad-value", self._sentence(fault, text), fault)

    def _no_choice(self, fault: Fault) -> Problem:
        subject, choices, value = _subject(fault.path), _choices(fault), fault.value
        if fault.path == ("pool", "engine") and isinstance(value, str) and value in LATER_KINDS["pool"]:
            message = f"{subject} {show_value(value)} is not built yet"
            return self._at_value("not-built-yet", message, fault, f"there is {in_words(choices)}")
        near = nearest(value, choices) if isinstance(value, str) else None
        message = f"{subject} must be {in_words(choices)}, got {self._got(fault)}"
        return self._at_value("bad-value", message, fault, f"did you mean `{near}`?" if near else None)

    def _at_value(self, code: str, message: str, fault: Fault, hint: str | None = None) -> Problem:
        path, places = fault.path, self.places
        notes: tuple[str, ...] = ()
        if path in places.environment:
            hint = None  # it may be made of the value, which is not ours to show
        elif path in places.references:
            notes = (f"the value comes from {clip(places.references[path])}",)
        if not self._is_discreet(message, path):
            message = f"{_subject(path)} has a value that does not fit"
        return places.problem(code, message, path, hint=hint, notes=notes)

    def _got(self, fault: Fault) -> str:
        if fault.path in self.places.environment:
            return f"the text of {clip(self.places.references[fault.path])}"
        return show_value(fault.value)

    def _sentence(self, fault: Fault, text: str) -> str:
        """Return the words of a validator as a sentence about the value."""
        if fault.path in self.places.environment:
            text = f"{text.partition(', got ')[0]}, got {self._got(fault)}"
        name = f"`{fault.path[-1]}` " if fault.path else ""  # some validators name their field themselves
        text = text.removeprefix(name).removesuffix(".")
        return f"{_subject(fault.path)}{'' if text.startswith('must ') else ':'} {text}"

    def _is_discreet(self, message: str, path: KeyPath) -> bool:
        """Return whether a message shows nothing of what the environment brought in at `path` or near it."""
        for other, value in self.places.environment.items():
            shared = min(len(other), len(path))
            text = str(value)
            # As with logs, what is shorter than 6 characters is too common in any text to be looked for.
            if other[:shared] == path[:shared] and len(text) >= 6 and text[:12] in message:
                return False
        return True

    def _type_hint(self, fault: Fault, wanted: str) -> str | None:
        if wanted == "text" and isinstance(fault.value, bool | int | float):
            written = self._written(fault.path)
            return f'quote it: "{clip(written)}"' if written else None
        return _other_spelling(fault.value, wanted)

    def _written(self, path: KeyPath) -> str:
        """Return a value of one line as it stands in the file: `1.10`, where the number is 1.1."""
        if self.places.flag_of(path) is not None or path in self.places.references:
            return ""
        span = self.places.document.value_span(path)
        line = self.places.document.line(span.line)
        return line[span.column - 1 : span.end_column - 1] if span.end_line == span.line else ""

    def _block_name(self, block: KeyPath) -> str:
        if not block:
            return "a job"
        kind = (
            self.data[str(block[0])].get("type")
            if len(block) == 1 and block[0] in {"input", "output"}
            else None
        )
        return f"`{format_path(block)}`" + (f" ({kind})" if kind else "")


def _grouped(faults: Iterable[Fault]) -> list[list[Fault]]:
    """Return the faults, those of one union's branches together, as far as they say something of the value.

    Where a branch got further into the value than its type, the others are beside the point.
    """
    groups: dict[Any, list[Fault]] = {}
    for number, fault in enumerate(faults):
        groups.setdefault(number if fault.union is None else fault.union, []).append(fault)
    result = []
    for group in groups.values():
        deeper = [fault for fault in group if fault.path != fault.union or not _wanted(fault)]
        result += [[fault] for fault in deeper] if deeper else [group]
    return result


def _wanted(fault: Fault) -> str:
    """Return what a fault says that the value must be, or nothing where it says something else."""
    kind = fault.error["type"]
    return in_words(_choices(fault)) if kind == "literal_error" else _WANTED.get(kind, "")


def _choices(fault: Fault) -> list[str]:
    """Return what a literal allows; pydantic's list where the annotation does not show it."""
    if get_origin(fault.annotation) is Literal:
        return [show_value(choice).strip("`") for choice in get_args(fault.annotation)]
    return re.findall(r"'([^']*)'", str(fault.error.get("ctx", {}).get("expected", ""))) or ["something else"]


def _other_spelling(value: Any, wanted: str) -> str | None:
    """Return how to write what a value of the wrong type most likely means."""
    if value is None:
        return "give it a value, or remove the key"
    if wanted == "true or false" and isinstance(value, str) and value.lower() in _BOOLEANS:
        return f"write {_BOOLEANS[value.lower()]}, without quotes"
    if wanted == "a whole number" and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"write {int(value)}"
    if wanted in {"a whole number", "a number"} and isinstance(value, str):
        digits = value.replace("_", "").replace(",", "").strip()
        return f"write {digits}, without quotes" if _PLAIN_NUMBER.fullmatch(digits) else None
    if wanted == "a list" and isinstance(value, str | int | float):
        return f"write [{clip(str(value))}]"
    return None


def _length(value: Any, ctx: Mapping[str, Any]) -> str:
    bound = f"at least {ctx['min_length']}" if "min_length" in ctx else f"at most {ctx['max_length']}"
    unit = "characters" if isinstance(value, str) else "items"
    return f"must have {bound} {unit}, got {len(value) if isinstance(value, str | list | dict) else 0}"


def _subject(path: KeyPath) -> str:
    return f"`{format_path(path)}`" if path else "the job"
