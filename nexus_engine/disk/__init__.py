"""Files on disk: atomic writes, safe opens, locks, logs that grow."""
