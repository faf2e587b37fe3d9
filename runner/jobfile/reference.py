"""Every key of a job file by its dotted path: what `runner explain`, the documents and the schema say of it.

Read from the models, so that none of them can say something else than what is validated. A key of a kind
has the kind in its path: `input.csv.delimiter`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from runner.jobfile.keys import Kinds, keys_of
from runner.jobfile.model import Job
from runner.jobfile.problem import in_words
from runner.options import FieldText, Options, describe
from runner.units import DURATION_SCHEMA, SIZE_SCHEMA, format_size, write_duration

_PAGE = "docs/job-file.md"
_PAGE_OF_KINDS = "docs/inputs-outputs.md"
_CHAPTERS = {
    "task": "task",
    "pool": "pool",
    "failures": "failures",
    "commit": "commit",
    "rate_limit": "timeout-rate_limit-retry",
    "retry": "timeout-rate_limit-retry",
}
"""Blocks that have a chapter of their own in the page."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key, or one kind of input or output.

    Attributes:
        path: Its dotted path.
        meaning: What it means, in sentences.
        default: Its default in words: a value in backquotes, or what happens without it.
        allowed: What it takes, in words.
        example: A value as a job file has it.
        page: Where in the documents it stands.
        below: The keys in it, in the order of the documents.
        schema: What it takes as JSON Schema, references to other parts resolved.
        choices: For a key that chooses: what each value means.
    """

    path: str
    meaning: str
    default: str
    allowed: str
    example: str | None
    page: str
    below: tuple[str, ...]
    schema: Mapping[str, Any]
    choices: Mapping[str, str]


def all_keys(kinds: Kinds) -> dict[str, Key]:
    """Return every key by its path; blocks stand before what is in them."""
    keys = {key.path: key for key in _keys(Job, "", kinds)}
    for block in ("input", "output"):
        for name, model in kinds.of(block).items():
            kind = _kind(block, name, model)
            keys[kind.path] = kind
            keys.update({key.path: key for key in _keys(model, kind.path, kinds)})
    return keys


def block_in(annotation: object) -> type[Options] | None:
    """Return the model in `Model`, `Model | None` and `list[Model]`; `None` for what holds no model."""
    members = [each for each in get_args(annotation) if each is not NoneType]
    inner = members[0] if len(members) == 1 else annotation
    return inner if isinstance(inner, type) and issubclass(inner, Options) else None


def values_in(annotation: object) -> type[Options] | None:
    """Return the model in `dict[str, Model]`, whose keys are the user's own; `None` for anything else."""
    arguments = get_args(annotation)
    if get_origin(annotation) is not dict:
        return None
    value = get_args(arguments[1])[0] if get_origin(arguments[1]) is Annotated else arguments[1]
    return value if isinstance(value, type) and issubclass(value, Options) else None


def schemas_of(model: type[Options]) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each key of a model, as pydantic writes it, without `$ref` and titles."""
    whole = model.model_json_schema(by_alias=True)
    definitions = whole.get("$defs", {})
    return {key: _resolved(schema, definitions) for key, schema in whole["properties"].items()}


def _keys(model: type[Options], prefix: str, kinds: Kinds) -> Iterator[Key]:
    texts, schemas = describe(model), schemas_of(model)
    fields = {field.alias or name: (name, field) for name, field in model.model_fields.items()}
    for key in fields if model is Job else keys_of(model):
        name, field = fields[key]
        path = f"{prefix}.{key}" if prefix else key
        registry = kinds.of(path)
        block = None if registry else block_in(field.annotation)
        yield Key(
            path=path,
            meaning=texts[name].meaning,
            default=_default(field, texts[name], schemas[key], block),
            allowed=_allowed(schemas[key], block, is_kind=bool(registry)),
            example=texts[name].example,
            page=_page(path),
            below=tuple(registry) if registry else tuple(keys_of(block)) if block else (),
            schema=schemas[key],
            choices={kind: _first_sentence(each) for kind, each in registry.items()},
        )
        if block is not None:
            yield from _keys(block, path, kinds)
        values = values_in(field.annotation)
        if values is not None:
            yield from _keys(values, f"{path}.NAME", kinds)


def _kind(block: str, name: str, model: type[Options]) -> Key:
    return Key(
        path=f"{block}.{name}",
        meaning=_first_sentence(model),
        default="none",
        allowed=f"a mapping with `type: {name}`",
        example=None,
        page=_page(f"{block}.{name}"),
        below=tuple(keys_of(model)),
        schema={},
        choices={},
    )


def _page(path: str) -> str:
    block, _, rest = path.partition(".")
    if block in ("input", "output"):
        kind = rest.partition(".")[0]
        of_kind = f"{kind}-output" if block == "output" and kind else kind or f"{block}s"
        return f"{_PAGE_OF_KINDS}#{of_kind}"
    chapter = _CHAPTERS.get(block) if rest or block == "task" else None
    return f"{_PAGE}#{chapter or 'the-job-itself'}"


def _default(
    field: FieldInfo, text: FieldText, schema: Mapping[str, Any], block: type[Options] | None
) -> str:
    if text.default is not None:
        return text.default
    if field.is_required():
        return "must be given"
    if block is not None:
        return "see below"
    value = field.default
    if value is None:
        return "none"
    return f"`{write_default(value, schema)}`"


def write_default(value: object, schema: Mapping[str, Any]) -> Any:
    """Return a default as a job file has it: `16MiB` for its bytes, `true` for True."""
    pattern = schema.get("pattern")
    if pattern == SIZE_SCHEMA["pattern"] and isinstance(value, int):
        return format_size(value)
    if pattern == DURATION_SCHEMA["pattern"] and isinstance(value, int | float):
        return write_duration(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _allowed(schema: Mapping[str, Any], block: type[Options] | None, *, is_kind: bool) -> str:
    if is_kind:
        return "a mapping with `type`"
    if block is not None:
        if schema.get("or_one"):
            return "a rule, or a list of rules: the first that fits decides"
        keys = "a mapping of the keys below"
        if schema.get("type") == "array":
            keys = "a list of mappings of the keys below"
        return f"{block.SHORT_FORM['description']}, or {keys}" if block.SHORT_FORM else keys
    return _in_words(schema)


def _in_words(schema: Mapping[str, Any]) -> str:
    """Return what a schema takes as the documents say it."""
    if "description" in schema:
        return str(schema["description"])
    if "anyOf" in schema:
        members = [each for each in schema["anyOf"] if each.get("type") != "null"]
        return in_words(map(_in_words, members))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _limits(schema) or ("a whole number" if kind == "integer" else "a number")
    names = {"string": "text", "boolean": "`true`, `false`", "array": "a list"}
    if kind == "object":
        inner = schema.get("additionalProperties")
        if not isinstance(inner, dict) or not inner:
            return "any values by name"
        if inner.get("properties"):
            return f"by name, a mapping with {in_words([f'`{key}`' for key in inner['properties']])}"
        return "text by key" if inner.get("type") == "string" else f"{_in_words(inner)}, by name"
    return names.get(str(kind), "any value")


def _limits(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"at least {least}" if least is not None else f"at most {most}" if most is not None else ""


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_resolved(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_resolved(definitions[schema["$ref"].rpartition("/")[2]], definitions), **rest}
    # A key may be called `title`: only pydantic's own titles are texts.
    return {
        key: _resolved(value, definitions)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def _first_sentence(model: type[Options]) -> str:
    return " ".join((model.__doc__ or "").split()).partition(". ")[0].rstrip(".") + "."
