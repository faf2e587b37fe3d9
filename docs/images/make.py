"""Makes `captures.md` and `run.svg` from real runs in real terminals.

python docs/images/make.py          needs tmux; takes two minutes
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SOCKET = f"runner-captures-{os.getpid()}"
MARGIN = 8
INTRODUCTION = """\
# What a run looks like

Made by `python docs/images/make.py`: each picture is what `tmux capture-pane` gave of a real run of
[ask.yaml](ask.yaml) (task: [questions.py](questions.py)). The figures are of the machine that it ran on.
"""


def main() -> None:
    """Run the job in terminals and in a pipe, and write the two files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("ask.yaml", "questions.py"):
            shutil.copy(HERE / part, folder)
        write_command(folder)
        early, middle, end = watch(folder, "runner run ask.yaml", at=(2, 4, 9))
        pages = [INTRODUCTION, *section("On a terminal", "runner run ask.yaml", early, middle, end)]
        command = "NO_COLOR=1 runner run ask.yaml"
        pages += section("Without colour", command, *watch(folder, command, at=(4, 9)))
        command = "runner run ask.yaml"
        shots = watch(folder, command, at=(4, 9), columns=40)
        pages += section("In a terminal of 40 columns", command, *shots)
        command = "runner run ask.yaml -p head=8"
        pages += section("Item 0 takes eight seconds", command, *watch(folder, command, at=(8, 14)))
        command = "runner run ask.yaml -p items=12000 2>&1 | cat"
        pages += section("In a pipe", command, piped(folder, command))
        (HERE / "captures.md").write_text("\n".join(pages), "utf-8")
        (HERE / "run.svg").write_text(picture(middle, end), "utf-8")


def write_command(folder: Path) -> None:
    """Write a `runner` that runs the code of this repository."""
    command = folder / "bin" / "runner"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -P -m runner "$@"\n')
    command.chmod(0o755)


def surroundings(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing but the command itself asks for colour or none."""
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR", "TMUX")}
    return {**kept, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}


def watch(folder: Path, command: str, *, at: tuple[float, ...], columns: int = 96) -> list[str]:
    """Type `command` into a new terminal and return the screen, with its colours, at so many seconds."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    tmux = ("tmux", "-L", SOCKET, "-f", "/dev/null")
    shell = "PS1='$ ' exec bash --norc --noprofile"
    size = ("-x", str(columns), "-y", "24")
    subprocess.run(
        [*tmux, "new-session", "-d", *size, shell], cwd=folder, env=surroundings(folder), check=True
    )
    try:
        time.sleep(0.5)
        subprocess.run([*tmux, "send-keys", command, "Enter"], check=True)
        start, shots = time.monotonic(), []
        for moment in at:
            time.sleep(max(0.0, start + moment - time.monotonic()))
            shot = subprocess.run(
                [*tmux, "capture-pane", "-e", "-p"], check=True, capture_output=True, text=True
            )
            shots.append(shot.stdout.rstrip())
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
    return shots


def piped(folder: Path, command: str) -> str:
    """Return what `command` writes when nobody watches."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=surroundings(folder),
        check=True,
        capture_output=True,
        text=True,
    )
    return f"$ {command}\n{done.stdout.rstrip()}"


def section(title: str, command: str, *shots: str) -> list[str]:
    """Return the lines of a chapter with a block for each shot, colours left out."""
    lines = [f"## {title}", "", f"`{command}`", ""]
    for shot in shots:
        lines += ["```text", *(line.rstrip() for line in Text.from_ansi(shot).plain.splitlines()), "```", ""]
    return lines


def picture(*shots: str) -> str:
    """Return the shots below each other as one SVG that loads nothing from elsewhere."""
    frames, width, height = [], 0.0, 0.0
    for number, shot in enumerate(shots):
        console = Console(record=True, width=96, file=StringIO(), force_terminal=True, legacy_windows=False)
        console.print(Text.from_ansi(shot.removesuffix("\n$")))
        frame = console.export_svg(
            title="while it runs" if number == 0 else "at the end", unique_id=f"f{number}"
        )
        frame = re.sub(r"@font-face \{.*?\}", "", frame, flags=re.DOTALL).strip()
        size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', frame)
        assert size is not None
        opening = f'<svg y="{height:g}" width="{size[1]}" height="{size[2]}" class="rich-terminal"'
        frames.append(frame.replace('<svg class="rich-terminal"', opening, 1))
        width, height = max(width, float(size[1])), height + float(size[2]) + MARGIN
    # Without xml:space, librsvg takes the space away that a text begins with.
    size_of_all = f'xml:space="preserve" viewBox="0 0 {width:g} {height - MARGIN:g}"'
    text = "\n".join([f'<svg {size_of_all} xmlns="http://www.w3.org/2000/svg">', *frames, "</svg>"])
    return re.sub(r"[ \t]+\n", "\n", text) + "\n"


if __name__ == "__main__":
    main()
