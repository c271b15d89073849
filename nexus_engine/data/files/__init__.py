"""What a `--data` SPEC means: files, folders, caches, and what ships with the package."""
