"""Where a run publishes: paths resolved, and proven not to be in the way of anything."""

from __future__ import annotations

import errno
import glob
import os
import stat
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b, file_digest
from pathlib import Path

from runner.config import Config
from runner.errors import JobInvalid, OutputBroken, Refused
from runner.files import Files, describe
from runner.jobfile import Job, LoadedJob, Problem
from runner.jobfile.model import dead_letter_beside
from runner.jobfile.problem import Severity
from runner.ledger.checkpoint import Checkpoint
from runner.ledger.lock import seeming_holder
from runner.ledger.manifest import Manifest
from runner.ledger.publication import CHECKPOINT, MANIFEST, Publication
from runner.ledger.receipt import Receipt
from runner.paths import near
from runner.sinks.base import STDOUT, FileSinkOptions


@dataclass(frozen=True, slots=True)
class Destination:
    """The final paths of a run.

    Attributes:
        root: The project root.
        shown: The output as the job file names it; `None` where rows are not written.
        output: Its final path; `None` for standard output and for no output.
        dead_letter: Final path of the dead letters.
        folder: Where a job without an output path works.
        receipt: Where the receipt of its last run lies.
        may_replace: Whether a file at `output` may be replaced.
        may_replace_dead: Whether dead letters that stand at `dead_letter` may be replaced.
        is_durable: Whether what is committed must survive a power loss.
    """

    root: Path
    shown: str | None
    output: Path | None
    dead_letter: Path
    folder: Path
    receipt: Path
    may_replace: bool
    may_replace_dead: bool
    is_durable: bool

    @property
    def is_stdout(self) -> bool:
        """Whether rows go to standard output."""
        return self.shown == STDOUT

    @property
    def called(self) -> str | None:
        """The output for a person, who can type it where they are; `None` where rows are not written."""
        if self.shown is None:
            return None
        return "standard output" if self.is_stdout else near(self.shown, self.root)

    def publication(self, files: Files) -> Publication:
        """Return what writes and publishes there."""
        return Publication(
            files,
            output=self.output,
            dead_letter=self.dead_letter,
            folder=self.folder,
            replace=self.may_replace,
            replace_dead=self.may_replace_dead,
            to_stdout=self.is_stdout,
            durable=self.is_durable,
        )


def find_destination(loaded: LoadedJob, config: Config, *, limit: int | None) -> Destination:
    """Return where the job publishes.

    Raises:
        JobInvalid: An output path is a directory, or output and dead letters are one file.
    """
    job = loaded.job
    assert job is not None
    options = job.output
    shown = options.path if isinstance(options, FileSinkOptions) else None
    output = None if shown is None or shown == STDOUT else _resolve(loaded, "output.path", shown)
    folder = config.state / "jobs" / job.name
    if job.failures.dead_letter is not None:
        dead = _resolve(loaded, "failures.dead_letter", job.failures.dead_letter)
    else:
        dead = Path(dead_letter_beside(output)) if output is not None else folder / f"{job.name}.failed.jsonl"
    if dead == output:
        raise fault(loaded, "failures.dead_letter", "must not be the output", code="path-clash")
    if_exists = options.if_exists if isinstance(options, FileSinkOptions) else None
    return Destination(
        root=loaded.root,
        shown=shown,
        output=output,
        dead_letter=dead,
        folder=folder,
        receipt=folder / "receipts" / _receipt_name(output or dead, loaded.root),
        may_replace=if_exists == "replace" and limit is None,
        may_replace_dead=if_exists != "fail" and limit is None,
        is_durable=job.durability == "power",
    )


def check_dead_letters(loaded: LoadedJob, config: Config) -> list[Problem]:
    """Return a warning where a run would replace dead letters that another job has published.

    Whose it is, the receipts know; what cannot be looked at is left to the run.
    """
    assert loaded.job is not None
    try:
        destination = find_destination(loaded, config, limit=None)
        theirs = _rival(destination, config.state, loaded.job.name)
    except (JobInvalid, OutputBroken, OSError):
        return []
    if theirs is None:
        return []
    message = f"this run will replace the dead letters of job `{theirs.job}` (run {theirs.run_id})"
    hint = "give each job a file of its own"
    key = "failures.dead_letter" if loaded.job.failures.dead_letter is not None else "output.path"
    return [_problem(loaded, key, message, code="same-output", hint=hint)]


def _rival(destination: Destination, state: Path, job: str) -> Receipt | None:
    """Return the receipt of another job whose dead letters, more than none, stand where this one's will."""
    path = destination.dead_letter
    if not path.is_file() or not path.stat().st_size:
        return None
    own, digest = Receipt.read(destination.receipt), None
    for receipt in map(Receipt.read, sorted((state / "jobs").glob("*/receipts/*.json"))):
        if receipt is None or receipt.job == job or receipt.dead_letter["path"] != str(path):
            continue
        if own is not None and own.dead_letter == receipt.dead_letter:
            continue  # the same content: nothing is lost
        if digest is None:
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
        if receipt.dead_letter.get("sha256") == digest:
            return receipt
    return None


def is_to_skip(job: Job, destination: Destination, *, limit: int | None, will_exist: bool = False) -> bool:
    """Return whether the output stands there already and the run is to be skipped for it.

    `will_exist` says that it will stand there when the run looks.

    Raises:
        Refused: It stands there, and the run may neither replace it nor be skipped.
    """
    options, output = job.output, destination.output
    if_exists = options.if_exists if isinstance(options, FileSinkOptions) else None
    if output is not None and (will_exist or output.exists()):
        if if_exists == "fail":
            receipt = Receipt.read(destination.receipt)
            told = f" ({receipt.told()})" if receipt is not None else ""
            raise Refused(f"{destination.called} exists and `output.if_exists` is `fail`; move it away{told}")
        if if_exists == "replace" and limit is not None:
            raise Refused(f"{destination.called} exists and --limit never replaces an output; move it away")
        return if_exists == "skip"
    if not destination.may_replace_dead and not _is_empty(destination.dead_letter):
        why = "--limit never replaces them" if limit is not None else "`output.if_exists` is `fail`"
        dead = near(destination.dead_letter)
        raise Refused(f"{dead} holds dead letters of an earlier run, and {why}; move it away")
    return False


def _is_empty(path: Path) -> bool:
    """Return whether there is nothing in the file, or no file."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return True


@dataclass(frozen=True, slots=True)
class UnfinishedDate:
    """An unfinished run of a job under another date than today's.

    Attributes:
        date: Its date.
        folder: Its work folder.
        items: How many items are committed.
    """

    date: date
    folder: Path
    items: int


PROBE = date.min
"""A date that no run has: where a path contains it, it contains `${run.date}`."""


def find_other_dates(probe: LoadedJob, config: Config, *, limit: int | None) -> list[UnfinishedDate]:
    """Return the unfinished runs of a job whose output path has the date in it, in their order.

    Those that somebody seems to work on at the moment are left out. `probe` is the job with `PROBE` for
    its date, so today's run is among them. Only for a hint: what cannot be read is left out, too.
    """
    assert probe.job is not None
    folder = str(find_destination(probe, config, limit=limit).publication(Files()).folder)
    mark = PROBE.isoformat()
    if mark not in folder:
        return []
    pattern = glob.escape(folder).replace(mark, "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]")
    found = []
    for name in glob.glob(pattern):
        try:
            manifest = Manifest.from_bytes((Path(name) / MANIFEST).read_bytes())
            checkpoint = Checkpoint.from_bytes((Path(name) / CHECKPOINT).read_bytes())
            day = date.fromisoformat(manifest.date)
        except (OSError, ValueError):
            continue
        is_unfinished = checkpoint.state == "complete" or (
            checkpoint.state == "running" and not checkpoint.is_empty
        )
        is_ours = manifest.job == probe.job.name and folder.replace(mark, manifest.date) == name
        if is_ours and is_unfinished and not seeming_holder(Path(name.removesuffix(".run") + ".lock")):
            found.append(UnfinishedDate(day, Path(name), checkpoint.items))
    return sorted(found, key=lambda run: run.date)


def shorten(path: Path, root: Path) -> str:
    """Return the path from the project root where it is below it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _receipt_name(path: Path, root: Path) -> str:
    """Return a name that says which output it is about, and is its own also where two have one name."""
    mark = blake2b(os.fsencode(shorten(path, root)), digest_size=5).hexdigest()
    return f"{path.name[:80]}.{mark}.json"


def _resolve(loaded: LoadedJob, key: str, name: str) -> Path:
    if "\0" in name:
        raise fault(loaded, key, "must not hold a NUL character")
    mode = None
    path = loaded.root / name
    if _is_of_a_process(path):
        what = f"must be a file, and {name} is what a process has open"
        raise fault(loaded, key, f"{what}; standard output is `-`")
    try:
        path = path.resolve()
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        pass
    except RuntimeError:  # before Python 3.13, pathlib's own for a loop of links
        raise fault(loaded, key, f"must be a file, and {name} is a link to itself") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise fault(loaded, key, f"must be the path of a file: {error.strerror}") from error
        raise OutputBroken(describe(error, path, "look at"), path=path) from error
    if (mode is not None and stat.S_ISDIR(mode)) or name.endswith("/"):
        raise fault(loaded, key, f"must be a file, and {name} is a directory")
    if mode is not None and not stat.S_ISREG(mode):
        raise fault(loaded, key, f"must be a plain file, and {name} is a device, a pipe or a socket")
    if key != "output.path" and path.suffix == ".gz":
        raise fault(loaded, key, "is written plain: leave out `.gz`")
    return path


def _is_of_a_process(path: Path) -> bool:
    """Return whether the path leads through what a process has open (`/dev/stdout`), whatever that is.

    To replace the file behind it would take from its owner what is in it.
    """
    text = os.path.normpath(path)
    for _ in range(40):  # as many links as Linux follows
        if text.startswith(("/proc/", "/dev/fd/")) or text in ("/dev/stdin", "/dev/stdout", "/dev/stderr"):
            return True
        try:
            text = os.path.normpath(os.path.join(os.path.dirname(text), os.readlink(text)))
        except OSError:
            return False  # it is no link
    return False


def fault(loaded: LoadedJob, key: str, message: str, *, code: str = "bad-value") -> JobInvalid:
    """Return what to raise for a path that cannot be: `message` follows the key."""
    return JobInvalid([_problem(loaded, key, f"`{key}` {message}", code=code)])


def _problem(loaded: LoadedJob, key: str, message: str, *, code: str, hint: str | None = None) -> Problem:
    severity: Severity = "error" if hint is None else "warning"
    return loaded.places.problem(code, message, tuple(key.split(".")), severity=severity, hint=hint)
