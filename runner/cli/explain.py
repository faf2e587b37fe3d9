"""`runner explain`: a page for every code of a fault and for every key of a job file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli.complete import complete_word

if TYPE_CHECKING:
    from runner.jobfile.reference import Key


@click.command()
@click.argument("word", required=False, metavar="[CODE|KEY]", shell_complete=complete_word)
def explain(word: str | None) -> int:
    """Explain a code, such as unknown-key, or a key of the job file, such as pool.size.

    Without an argument, list them all. Exit code 2: there is no such code or key.
    """
    from runner import sinks, sources
    from runner.cli.words import say
    from runner.jobfile.codes import CODES
    from runner.jobfile.keys import Kinds
    from runner.jobfile.pages import read_pages, render_page
    from runner.jobfile.reference import all_keys

    if word is not None and word in CODES:
        click.echo(render_page(read_pages()[word]), nl=False)
        return 0
    keys = all_keys(Kinds(sources.KINDS, sinks.KINDS))
    if word is None:
        click.echo(_list(list(CODES), keys), nl=False)
        return 0
    if word in keys:
        click.echo(render_key(keys[word], keys), nl=False)
        return 0
    found = _meant(word, keys)
    if len(found) == 1:
        click.echo(render_key(keys[found[0]], keys), nl=False)
        return 0
    say(f"error: there is no code and no key {word}{_suggestion(word, found, keys)}")
    return 2


def render_key(key: Key, keys: dict[str, Key]) -> str:
    """Return the page of a key as text for a terminal."""
    from textwrap import fill

    rows = [("takes", key.allowed), ("default", key.default)]
    if key.default == "see below":
        rows.pop()
    name = key.path.rpartition(".")[2]
    if key.example is not None:
        rows.append(("example", f"{name}: {key.example}"))
    rows.append(("more", key.page))
    blocks = [key.path, fill(key.meaning, 100), "\n".join(f"{title:9}{text}" for title, text in rows)]
    if key.below:
        width = max(map(len, key.below))
        below = [f"  {each:{width}}  {keys[f'{key.path}.{each}'].meaning}" for each in key.below]
        blocks.append("\n".join([f"{'Kinds' if key.choices else 'Keys'} of `{key.path}`:", *below]))
    return "\n\n".join(blocks) + "\n"


def _meant(word: str, keys: dict[str, Key]) -> list[str]:
    """Return the keys that a word names without its whole path: `chunksize`, `input.delimiter`."""
    if "." not in word:
        return [path for path in keys if path.rpartition(".")[2] == word]
    block, _, name = word.rpartition(".")
    return [path for path in keys if path.startswith(f"{block}.") and path.endswith(f".{name}")]


def _suggestion(word: str, found: list[str], keys: dict[str, Key]) -> str:
    from runner.jobfile.codes import CODES
    from runner.jobfile.keys import SYNONYMS
    from runner.jobfile.problem import in_words, nearest

    if found:
        return f"; there is {in_words(found[:12])}"
    if word in SYNONYMS:
        return f"; it is called {SYNONYMS[word]} here"
    names = {path.rpartition(".")[2]: path for path in reversed(keys)}
    near = nearest(word, [*CODES, *keys]) or nearest(word, names)
    return f"; did you mean {names.get(near, near)}?" if near else "; runner explain lists them all"


def _list(codes: list[str], keys: dict[str, Key]) -> str:
    from runner.jobfile.codes import WARNINGS

    errors = [code for code in codes if code not in WARNINGS]
    lines = ["Errors:", *(f"  {code}" for code in errors), ""]
    lines += ["Warnings:", *(f"  {code}" for code in codes if code in WARNINGS), ""]
    return "\n".join([*lines, "Keys:", *(f"  {path}" for path in keys)]) + "\n"
