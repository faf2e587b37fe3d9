"""Tracebacks as the author of a task wants them: their own frames, not ours and not the importer's."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from runner.raised import show

if TYPE_CHECKING:
    from traceback import FrameSummary

_NOT_THEIRS = (
    "<frozen ",  # the importer proper
    str(Path(importlib.__file__).parent) + "/",
    str(Path(__file__).parent.parent) + "/",
)
_MOST_TEXT = 16 * 2**10  # arbitrary: a log line that people still scroll through


def user_frames(error: BaseException, mask: Callable[[str], str] = str) -> str:
    """Return the traceback of `error`, causes included, without frames of runner and importlib.

    It is what Python prints otherwise, the source of each frame included, and at most 16 KiB long.
    `mask` takes secrets out of it before it is cut.
    """
    text = mask(show(error, _is_users))
    if len(text) <= _MOST_TEXT:
        return text
    half = _MOST_TEXT // 2
    return f"{text[:half]}\n  … {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _is_users(frame: FrameSummary) -> bool:
    return not frame.filename.startswith(_NOT_THEIRS)
