"""A declarative batch-job runner: many items, one Python function."""
