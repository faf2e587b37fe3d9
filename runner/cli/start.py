"""Starting without a search for garbage.

What modules are made of lives as long as the process. All the same Python searches it for garbage, at every
700 new objects and once more at the end: a tenth of what `runner validate` took.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Import in this block what a command needs, and nothing of the user's.

    The search rests so long. Afterwards it goes on as before, but passes over all that is there by then.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
