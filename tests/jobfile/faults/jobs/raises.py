"""A module that does something when it is imported, and fails."""

raise RuntimeError("there is no table of airports")
