"""What a run leaves on the disk: lock, staged files, dead letters, and how they are published."""
