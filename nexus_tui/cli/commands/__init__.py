"""One command a file. The engine is imported inside the functions: `--help` loads no torch."""
