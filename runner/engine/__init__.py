"""The engine: an iterator of items in, an iterator of lists of outcomes out. Knows no file and no job."""
