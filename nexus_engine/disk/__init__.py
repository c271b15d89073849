"""Files on disk: whole writes, safe opens, locks, lines that grow."""
