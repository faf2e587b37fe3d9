"""Tasks that take what they say, and things that are no tasks."""

import os

RADIUS = 500


def near(row: dict, *, radius_km: int, unit: str = "km") -> dict:
    """Need a radius."""
    return row


def nothing():
    """Take no item."""


async def later(row):
    """Cannot be called yet."""
    return row


class Session:
    """A task that is built once, which is not built yet."""


def with_context(row: dict, context: "runner.Context" = None) -> dict:
    """Read the parameters themselves."""
    return row
