"""The `tests:` of job files: an item through the real task, under the job's policies; no input, no output."""
