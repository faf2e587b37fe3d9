"""Tasks of the broken job files beside this folder."""


class Busy(Exception):
    """The service has no time."""


def nearest_hub(row, **given):
    """Take anything."""
    return row
