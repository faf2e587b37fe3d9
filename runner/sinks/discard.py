"""`type: none`: rows are not written; what the task does is the point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from runner.sinks.base import SinkOptions


class DiscardSink(SinkOptions):
    """No output: what the task returns is counted and dropped."""

    type: Literal["none"]
    """The kind of output. Example: `none`"""

    def encoder(self, columns: Sequence[str] | None = None) -> None:
        """Return `None`: rows are not written at all."""
