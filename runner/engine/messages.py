"""What the parts of the engine send each other.

At chunksize 1 a *task* is `(sequence, item, weight)`: the number of the item, the item, its bytes; and
a *result* `(sequence, result, weight)`. Above, a task is `(sequence, items, weight)`: the number of its
first item, the items of a chunk, their bytes; and a result `(sequence, results, weight)`, in any
division of the chunk: order is restored from the sequence and the number of results alone, so a pool
may split a chunk, or bring back fewer results than there were items (it stopped within it: in ordered
mode nothing after them is delivered). Negative sequences are messages from the parts to the consumer.
The two forms are worth their code: a list around each item costs 0.2 µs on the way.
"""

from __future__ import annotations

from typing import Any

Task = tuple[int, Any, int]
Message = tuple[int, Any, Any]

END = -1
"""The reader has ended: `(END, number of items drawn or None, error of the input or None)`.

The number is `None` when the reader was stopped before it saw the end of the input: then nobody knows how
many items there are, and a run that has delivered all that were drawn is not complete.
"""
EXITED = -2
"""A worker has ended: `(EXITED, None, error or None)`; an error is a bug of the pool."""
WAKE = -3
"""Look again: somebody asked to stop."""

LONGEST_GRACE = 1e8
"""Seconds, about three years: what the system's own waits can take, and longer than anybody means."""
