"""What the outside sees of a run: its log, its progress, its summary."""
