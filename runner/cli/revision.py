"""Job files as git knows them: `REV:path`, and a file as it is at HEAD."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from runner.errors import UsageError
from runner.jobfile.document import MAX_BYTES
from runner.paths import check_current_folder


def read_revision(spec: str) -> bytes:
    """Return the file at `REV:path`; the path starts at the top of the repository, `./path` here, as in git.

    A path that is not there from the top is looked for from here too.

    Raises:
        UsageError: git finds no such thing, or is not there itself.
    """
    revision, _, path = spec.partition(":")
    try:
        return _blob(spec, Path())
    except UsageError:
        if path.startswith(("./", "../", "/")) or not path:
            raise
        try:
            return _blob(f"{revision}:./{path}", Path())
        except UsageError:
            pass
        raise


def read_head(path: Path) -> bytes:
    """Return a file as it is at HEAD.

    Raises:
        UsageError: It is not, or its folder is in no repository.
    """
    try:
        if not path.is_absolute():
            check_current_folder()
        # Where a link leads is what was read on the other side.
        target = path.resolve()
        return _blob(f"HEAD:./{target.name}", target.parent)
    except UsageError as error:
        raise UsageError(f"{error}; name two files, or REV:path and a file, to compare those") from error


def _blob(spec: str, folder: Path) -> bytes:
    if spec.startswith("-"):
        raise UsageError(f"{spec} is no revision: it begins with `-`")
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        # Not `git show`, which may run a filter of the repository (textconv: perhaps ourselves).
        done = subprocess.run(
            ["git", "cat-file", "blob", spec],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot read {spec}: git cannot be run here ({reason})") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[0].removeprefix("fatal: ") if said else f"git ended with {done.returncode}"
        raise UsageError(f"git has no {spec}: {reason}")
    return done.stdout[: MAX_BYTES + 1]
