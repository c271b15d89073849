"""The export of a run, at the keys."""
