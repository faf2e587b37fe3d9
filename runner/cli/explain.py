"""`runner explain`: a page for every code of a fault, every key of a job file and every flag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runner.cli.complete import complete_word
from runner.paths import document

if TYPE_CHECKING:
    from runner.jobfile.reference import Key


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("word", required=False, metavar="[CODE|KEY|FLAG]", shell_complete=complete_word)
@click.pass_context
def explain(context: click.Context, word: str | None) -> int:
    """Explain a code, such as unknown-key, a key of a job file, such as pool.size, or a flag, such as -j.

    Without an argument, list them all. Exit code 2: there is no such code, key or flag.
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
    if len({keys[path].meaning for path in found}) == 1:  # the same in several kinds: any of them says it
        click.echo(render_key(keys[found[0]], keys), nl=False)
        return 0
    flags = _flags(context, word if word.startswith("-") else f"--{word}")
    if flags and not found:
        click.echo("\n\n".join(flags))
        return 0
    what = "flag" if word.startswith("-") else "code and no key"
    say(f"error: there is no {what} {word}{_suggestion(word, found, keys)}")
    return 2


def key_to_set(word: str) -> str | None:
    """Return the one key that a word most likely means, as `--set` takes it, or `None`."""
    from runner import sinks, sources
    from runner.jobfile.keys import SYNONYMS, Kinds
    from runner.jobfile.problem import is_same_word
    from runner.jobfile.reference import all_keys

    settable: set[str] = set()
    for path, key in all_keys(Kinds(sources.KINDS, sinks.KINDS)).items():
        block, *names = path.split(".")
        if not key.below:  # a key of a kind is set without the kind: `input.delimiter`
            settable.add(".".join([block, *names[1:]] if block in ("input", "output") else [block, *names]))
    word = SYNONYMS.get(word, word)
    found = [path for path in settable if word == path or is_same_word(word, path.rpartition(".")[2])]
    return found[0] if len(found) == 1 else None


def _flags(context: click.Context, flag: str) -> list[str]:
    """Return what each command says of a flag that it has; commands that say the same stand together."""
    from textwrap import fill

    root = context.find_root()
    assert isinstance(root.command, click.Group)
    said: dict[str, list[str]] = {}
    for name, command in root.command.commands.items():
        for each in command.params:
            record = each.get_help_record(context) if flag in each.opts else None
            if record is not None:
                text = f"{record[0]}\n\n{fill(record[1], 100)}"
                said.setdefault(text, []).append(f"runner {name}")
    return [f"{text}\n\nof       {', '.join(names)}" for text, names in said.items()]


def render_key(key: Key, keys: dict[str, Key]) -> str:
    """Return the page of a key as text for a terminal."""
    from textwrap import fill

    rows = [("takes", key.allowed), ("default", key.default)]
    if key.default == "see below":
        rows.pop()
    name = key.path.rpartition(".")[2]
    if key.example is not None:
        rows.append(("example", f"{name}: {key.example}"))
    page = document(key.page)
    rows += [("more", page)] if page is not None else []
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
    if word.startswith("-"):
        from runner.cli.near_misses import instead_of

        instead = instead_of(word, {"-j", "-p", "-n", "--set", "--limit", "--resume", "--restart"})
        return f"; it is {instead[0]} here" if instead else "; runner run --help lists those of a run"
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
