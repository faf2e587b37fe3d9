"""JSON Schema (draft 7) of a job file, for editors: completion, help on every key, faults while typing.

It is wider than `runner validate` where a schema cannot see, and never narrower: a reference may stand
wherever a value may, and short forms are there beside the long ones. Two choices are for editors alone,
measured with yaml-language-server. A kind is an `enum` with an `if`/`then` for each, because of a `oneOf`
it completes only the first member, and says the wrong thing about a fault in any of them. And types that
a value may have stand in one schema (`type: [integer, string]`) wherever they can, not in an `anyOf`,
whose members it reports all at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.jobfile.interpolate import is_written_out
from runner.jobfile.keys import Kinds
from runner.jobfile.model import Job
from runner.jobfile.reference import Key, all_keys, block_in, values_in, write_default
from runner.options import OR_ONE, Options

_REFERENCE = r"\$\{"
_ONLY_OURS = ("description", "default", *OR_ONE)


def job_schema(kinds: Kinds) -> dict[str, Any]:
    """Return the schema of a job file with these kinds of inputs and outputs."""
    keys = all_keys(kinds)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Job file of runner",
        "description": "One batch job: where items come from, what is called on each, where the results go.",
        **_mapping(Job, "", keys, kinds),
        "required": ["version", "name", "input", "task"],
    }


def _mapping(model: type[Options], prefix: str, keys: Mapping[str, Key], kinds: Kinds) -> dict[str, Any]:
    """Return the schema of a block: its keys and no others."""
    properties, required = {}, []
    for name, field in model.model_fields.items():
        alias = field.alias or name
        key = keys[f"{prefix}.{alias}" if prefix else alias]
        if field.is_required():
            required.append(alias)
        if key.choices:
            schema = _choice(key, keys, kinds)
        else:
            block = block_in(field.annotation)
            values = values_in(field.annotation)
            schema = _block(block, key, keys, kinds) if block else _value(key.schema, key.path)
            if values is not None:
                schema["additionalProperties"] = _mapping(values, f"{key.path}.NAME", keys, kinds)
        if not field.is_required() and not block_in(field.annotation) and field.default is not None:
            default = write_default(field.default, key.schema)
            if field.default_factory is None:
                schema["default"] = field.default if isinstance(field.default, bool) else default
        if "pattern" in schema:
            schema["patternErrorMessage"] = (
                f"must be {key.allowed.replace('`', '')}, or a reference: ${{...}}"
            )
            if is_written_out(key.path):
                schema["patternErrorMessage"] = f"must be {key.allowed.replace('`', '')}"
        properties[alias] = {**_description(key), **schema, **_examples(key)}
    found: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**found, "required": required} if required else found


def _block(model: type[Options], key: Key, keys: Mapping[str, Key], kinds: Kinds) -> dict[str, Any]:
    schema = _mapping(model, key.path, keys, kinds)
    if key.schema.get("or_one"):
        rule = dict(schema)
        schema = {**schema, "type": ["object", "array"], "items": rule}
    elif key.schema.get("type") == "array":
        return {"type": "array", "items": _or_short(model, schema, key.path)}
    if _takes_null(key.schema):
        schema["type"] = [*_types(schema), "null"]
    return _or_short(model, schema, key.path)


def _or_short(model: type[Options], schema: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the schema of a block that has a short form, with that."""
    if model.SHORT_FORM is None:
        return schema
    short = {name: value for name, value in model.SHORT_FORM.items() if name not in _ONLY_OURS}
    short = _with_reference(short, path)
    return {**short, **schema, "type": [*_types(short), *_types(schema)]}


def _choice(key: Key, keys: Mapping[str, Key], kinds: Kinds) -> dict[str, Any]:
    """Return the schema of a block whose `type` decides about its other keys."""
    branches = []
    for kind, model in kinds.of(key.path).items():
        inner = _mapping(model, f"{key.path}.{kind}", keys, kinds)
        inner["properties"]["type"] = {"const": kind}
        is_kind = {"properties": {"type": {"const": kind}}, "required": ["type"]}
        branches.append({"if": is_kind, "then": {"title": f"{kind} {key.path}", **inner}})
    kind_key = {
        "description": f"What kind of {key.path} it is: the other keys depend on it.",
        "type": "string",
        "enum": list(key.choices),
        "enumDescriptions": list(key.choices.values()),
    }
    return {"type": "object", "properties": {"type": kind_key}, "required": ["type"], "allOf": branches}


def _value(schema: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the schema of a value, references allowed, the types that it may have in one where possible."""
    return _with_reference(_plain(schema, path), path)


def _plain(schema: Mapping[str, Any], path: str) -> dict[str, Any]:
    plain = {key: value for key, value in schema.items() if key not in _ONLY_OURS}
    if "items" in plain:
        plain["items"] = _value(plain["items"], path)
    if isinstance(plain.get("additionalProperties"), dict) and path != "params":
        plain["additionalProperties"] = _value(plain["additionalProperties"], path)
    if "anyOf" in plain:
        plain.update(_merged([_plain(each, path) for each in plain.pop("anyOf")]))
    return plain


def _merged(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one schema for several: keywords of one type say nothing about values of another."""
    if any("enum" in each or "const" in each or "anyOf" in each for each in members):
        flat: list[dict[str, Any]] = []
        for each in members:
            flat += [one for one in each.get("anyOf", [each]) if one not in flat]
        return {"anyOf": flat}
    merged: dict[str, Any] = {}
    types: list[str] = []
    patterns = [each.get("pattern") for each in members if "string" in _types(each)]
    for each in members:
        types += [name for name in _types(each) if name not in types]
        merged.update(each)
    if None in patterns:  # any text will do
        merged.pop("pattern", None)
    return {**merged, "type": types[0] if len(types) == 1 else types}


def _with_reference(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a schema that takes a reference, too, where one may stand."""
    if is_written_out(path) or not schema or "object" in _types(schema):
        return schema
    if "anyOf" in schema or "enum" in schema or "const" in schema:
        reference = {"type": "string", "pattern": _REFERENCE}
        members = schema.pop("anyOf") if "anyOf" in schema else [schema]
        members = [each for each in members if each != reference]
        return {**({} if schema in members else schema), "anyOf": [*members, reference]}
    types = _types(schema)
    if "string" not in types:
        return {**schema, "type": [*types, "string"], "pattern": _REFERENCE}
    if "pattern" in schema and _REFERENCE not in schema["pattern"]:
        return {**schema, "pattern": f"{schema['pattern']}|{_REFERENCE}"}
    return schema


def _types(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def _takes_null(schema: Mapping[str, Any]) -> bool:
    return {"type": "null"} in schema.get("anyOf", [])


def _description(key: Key) -> dict[str, str]:
    """Return the help on a key, plain, and for those editors that read it with its code marked."""
    parts = [key.meaning]
    if key.default not in ("none", "see below"):
        parts.append("Must be given." if key.default == "must be given" else f"Default: {key.default}.")
    text = "\n\n".join(parts)
    plain = {"description": text.replace("`", "")}
    return {**plain, "markdownDescription": text} if "`" in text else plain


def _examples(key: Key) -> dict[str, Any]:
    """Return the example as data, for an editor to show."""
    if key.example is None or key.choices:
        return {}
    from runner.jobfile.document import read_document

    return {"examples": [read_document(key.example, "").data]}


def write_schema(schema: Mapping[str, Any]) -> str:
    """Return the text of the file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
