"""Which keys there are, and where a key belongs that stands in the wrong place or has the wrong name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from runner.jobfile.model import Job
from runner.jobfile.problem import KeyPath, format_path, in_words, is_same_word, nearest
from runner.options import Options
from runner.sinks.base import SinkOptions
from runner.sources.base import SourceOptions

SYNONYMS = {
    "args": "task.with",
    "batch_size": "pool.chunksize",
    "concurrency": "pool.size",
    "func": "task",
    "function": "task",
    "jobs": "pool.size",
    "kind": "type",
    "kwargs": "task.with",
    "max_failures": "failures.tolerate",
    "max_workers": "pool.size",
    "on_error": "failures",
    "parallelism": "pool.size",
    "sink": "output",
    "source": "input",
    "tags": "labels",
    "threads": "pool.size",
    "vars": "params",
    "workers": "pool.size",
}
"""What other tools call it, and the path it has here."""

LATER_KEYS = frozenset({"schedule", "notify"})
"""Keys of the job that are designed and not built."""

LATER_KINDS: Mapping[str, frozenset[str]] = {
    "input": frozenset({"parquet", "sql"}),
    "output": frozenset({"files", "parquet", "python", "sql"}),
    "pool": frozenset({"processes", "asyncio", "dask", "ray"}),
}
"""Kinds, and engines of the pool, that are designed; refused as not built where they are not there."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of inputs and outputs that there are."""

    sources: Mapping[str, type[SourceOptions]]
    sinks: Mapping[str, type[SinkOptions]]

    def of(self, block: str) -> Mapping[str, type[Options]]:
        """Return the registry of `input` or `output`; any other block has no kinds."""
        return {"input": self.sources, "output": self.sinks}.get(block, {})


@dataclass(frozen=True, slots=True)
class Advice:
    """What to say about an unknown key."""

    code: str
    hint: str | None


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys of a block as a job file has them: `type`, its own, those it shares with others."""
    shared = {name for base in model.__bases__ if issubclass(base, BaseModel) for name in base.model_fields}
    names = sorted(model.model_fields, key=lambda name: (name != "type", name in shared))
    return [model.model_fields[name].alias or name for name in names]


def advise(
    key: str, block: KeyPath, keys: Iterable[str], blocks: Mapping[str, list[str]], kinds: Kinds
) -> Advice:
    """Return where an unknown `key` in `block` belongs, or which of the block's `keys` it stands for.

    Args:
        key: The unknown key.
        block: Path of the block it stands in.
        keys: The keys this block takes.
        blocks: Keys of all blocks of the job by their dotted path; the job itself is the empty one.
        kinds: The registries; a key of another kind is recognised.
    """
    here, known = format_path(block), list(keys)
    for candidate in known:
        if is_same_word(key, candidate):
            return Advice("unknown-key", f"did you mean `{candidate}`?")
    if not here and key in LATER_KEYS:
        return Advice("not-built-yet", "it comes in a later version; remove it")
    others = [kind for kind, model in kinds.of(here).items() if key in keys_of(model)]
    homes = [name for name, keys in blocks.items() if name != here and key in keys]
    if others and all(kinds.of(home) for home in homes):
        return Advice("unknown-key", f"`{key}` is a key of {here} of type {in_words(others, last='and')}")
    if homes:
        return Advice("misplaced-key", _move(key, homes))
    near = nearest(key, known)
    if near:
        return Advice("unknown-key", f"did you mean `{near}`?")
    synonym = SYNONYMS.get(key.lower().replace("-", "_"))
    if synonym and (synonym in known or "." in synonym or synonym in blocks[""]):
        return Advice("unknown-key", f"it is called `{synonym}` here" if synonym != here else None)
    home = next(
        (name for name in blocks if name != here and any(is_same_word(key, k) for k in blocks[name])), None
    )
    if home is not None:
        right = next(k for k in blocks[home] if is_same_word(key, k))
        return Advice(
            "misplaced-key", f"did you mean `{format_path((*home.split('.'), right)) if home else right}`?"
        )
    return Advice("unknown-key", None)


def blocks_of(chosen: Mapping[str, type[Options]]) -> dict[str, list[str]]:
    """Return the keys of every block of a job, with the kinds of input and output that were `chosen`."""
    blocks = {"": keys_of(Job)}
    for name, field in Job.model_fields.items():
        model = chosen.get(name) or field.annotation
        if isinstance(model, type) and issubclass(model, Options):
            blocks[name] = keys_of(model)
    return blocks


def _move(key: str, homes: list[str]) -> str:
    if homes == [""]:
        return f"`{key}` is a key of the job itself; move it to the left margin"
    where = in_words([f"`{home}`" if home else "the job itself" for home in homes], last="and")
    return f"`{key}` is a key of {where}; move it there"
