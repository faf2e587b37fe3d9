"""`runner init`: a job file from a function and data, or an example that runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.paths import STDIO, near, typed

if TYPE_CHECKING:
    from runner.scaffold.guess import Guess


@click.command()
@click.option(
    "--from", "function", metavar="FUNCTION", help="What to call: module.function, or file.py:function."
)
@click.option(
    "--input",
    "data",
    metavar="FILE",
    help="What to call it on: a file, a glob, or - for standard input.",
)
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), metavar="JOB", help="The job file to write."
)
@click.argument("folder", required=False, type=click.Path(path_type=Path), metavar="[FOLDER]")
def init(function: str | None, data: str | None, target: Path | None, folder: Path | None) -> int:
    """Write a job file, with a few words at each line.

    With --from and --input: for that function and that data, which are read and not run. In a folder
    that holds one function and one data file, these are taken; where there is data and no function yet,
    one is written too. In an empty folder: an example that runs, with its task and its data. Nothing is
    asked, and no file is overwritten.

    Exit code 0: written; 2: not.
    """
    from runner.cli.streams import StdoutBroken
    from runner.cli.words import say
    from runner.errors import InputBroken, UsageError
    from runner.paths import check_current_folder

    try:
        if folder is not None:
            if function or data or target:
                raise UsageError(
                    "FOLDER is for the example; with --from and --input, name the job file with -o"
                )
            if folder.exists() and not folder.is_dir():
                hint = f"; is it the data? runner init --input {typed(folder)}"
                raise UsageError(f"{folder} is a file, not a folder{hint}")
            if not folder.is_absolute():
                check_current_folder()
            folder.mkdir(parents=True, exist_ok=True)
            os.chdir(folder)
        check_current_folder()  # where functions, data and the job file are looked for
        if target is None and function is None and data is None and _is_empty(Path.cwd()):
            return _write_example(folder)
        return _write_job(function, data, target)
    except (UsageError, InputBroken) as error:
        say(f"error: {error}")
    except StdoutBroken:
        raise
    except OSError as error:
        say(f"error: cannot write {error.filename}: {error.strerror}")
    return 2


def _is_empty(folder: Path) -> bool:
    """Whether there is nothing in a folder that a job could be made of."""
    from runner.scaffold.function import functions_in
    from runner.scaffold.guess import find_data

    return not functions_in(folder, folder) and not find_data(folder)


def _write_example(folder: Path | None) -> int:
    from runner.errors import UsageError
    from runner.scaffold.example import FILES

    taken = [name for name in FILES if os.path.lexists(name)]
    if taken:
        raise UsageError(
            f"{' and '.join(taken)} stands here already, and init overwrites nothing; use another folder"
        )
    for name, text in FILES.items():
        _create(Path(name), text)
        click.echo(f"wrote {name if folder is None else folder / name}")
    first = [] if folder is None else [f"cd {typed(folder)}"]
    _tell_next([*first, "runner preview job.yaml", "runner test job.yaml", "runner run job.yaml"])
    return 0


def _write_job(name: str | None, data: str | None, target: Path | None) -> int:
    from runner.errors import UsageError
    from runner.jobfile import find_root
    from runner.jobfile.load import has_mark
    from runner.scaffold import skeleton
    from runner.scaffold.function import find_function
    from runner.scaffold.guess import guess_input
    from runner.scaffold.job_text import doubts, render_job

    root = find_root((target or Path("job.yaml")).absolute())
    if name is None and not _functions_near(root) and not os.path.lexists(root / skeleton.FILE):
        return _write_both(data or _only_data(), root, target)
    name, data = name or _only_function(root), data or _only_data()
    try:
        function = find_function(name, root)
    except UsageError as error:
        if root == Path.cwd() or has_mark(root):
            raise
        hint = (
            f"the project root is {root}, the folder of the job file; mark another with an empty config.yaml"
        )
        raise UsageError(f"{error}\n  {hint}") from None
    guess = guess_input(_from_root(data, root), root)
    target = target or Path(f"{function.dotted.rpartition('.')[2]}.yaml")
    text = render_job(function, guess, stem=target.stem, command=typed(target))
    if target.parent != Path():
        target.parent.mkdir(parents=True, exist_ok=True)
    _create(target, text)
    click.echo(f"wrote {target}: {function.dotted} on {data}, {_kind(guess)}")
    _check(target)
    for doubt in doubts(function, guess):
        click.echo(f"warning: {doubt}", err=True)
    params = "".join(f" -p {each.name}=..." for each in function.arguments if each.default is None)
    job = typed(target)
    _tell_next([f"runner preview {job}{params}", f"runner run {job}{params}"])
    return 0


def _write_both(data: str, root: Path, target: Path | None) -> int:
    """Write a first task for the data beside the job file: there is no function yet."""
    from runner.scaffold import skeleton
    from runner.scaffold.guess import guess_input

    guess = guess_input(_from_root(data, root), root)
    path = root / skeleton.FILE
    _create(path, skeleton.render_task(guess, data))
    click.echo(f"wrote {near(path)}: a function that returns each item as it is; make it do what you want")
    try:
        return _write_job(skeleton.FUNCTION, data, target)
    except BaseException:  # a Ctrl-C too leaves no half of a skeleton
        path.unlink()
        raise


def _check(target: Path) -> None:
    """Show what `runner validate` would say of the file: nothing, or init has a bug."""
    from datetime import UTC, datetime

    from runner.cli.words import show_problems
    from runner.jobfile import load_job

    loaded = load_job(target, environ=os.environ, now=datetime.now(UTC), strict_env=False)
    if loaded.problems:
        show_problems(loaded.problems, {str(target): loaded.text})


def _functions_near(root: Path) -> list[str]:
    """Return the functions that lie in the current folder, or else in the project root."""
    from runner.scaffold.function import functions_in

    here = Path.cwd()
    return (functions_in(here, root) if here.is_relative_to(root) else []) or functions_in(root, root)


def _only_function(root: Path) -> str:
    """Return the one function that lies in the current folder, or else in the project root.

    Raises:
        UsageError: There is none, or there are several.
    """
    from runner.errors import UsageError

    found = _functions_near(root)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"--from is missing: which function is to be called? There is none in {root}; write one, "
            "such as `def work(item): return item` in tasks.py, and name it: --from tasks.work"
        )
    listed = ", ".join(found[:8]) + (" and more" if len(found) > 8 else "")
    raise UsageError(f"--from is missing: which function is to be called? There is {listed}")


def _only_data() -> str:
    """Return the one data file that lies in the current folder; raises UsageError like `_only_function`."""
    from runner.errors import UsageError
    from runner.scaffold.guess import find_data

    found = find_data(Path.cwd())
    if len(found) == 1:
        return found[0]
    there = f"There is {', '.join(found[:8])}" if found else "There is no file here that looks like data"
    raise UsageError(f"--input is missing: what is it to be called on? {there}")


def _from_root(data: str, root: Path) -> str:
    """Return a path as the job file names it: from the project root where it is below it."""
    from runner.errors import UsageError

    if data == STDIO:
        return data
    try:
        data.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{os.fsencode(data)!r} is no name in UTF-8, which a job file could hold: rename the file, or "
            "name it with a glob that finds it, such as data/*.csv"
        ) from None
    path = os.path.normpath(Path.cwd() / data)
    if not Path(path).is_relative_to(root):
        return path
    below = os.path.relpath(path, root)
    return f"./{below}" if below == STDIO else below


def _kind(guess: Guess) -> str:
    fields = f" with {len(guess.fields)} columns" if guess.kind == "csv" and guess.fields else ""
    return f"read as {guess.kind}{fields}"


def _create(path: Path, text: str) -> None:
    from runner.errors import UsageError

    try:
        data = text.encode()  # before there is a file
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError(
            f"{path} stands here already, and init overwrites nothing; name another with -o"
        ) from None


def _tell_next(commands: list[str]) -> None:
    click.echo("\nnext:")
    for command in commands:
        click.echo(f"  {command}")
