"""Find the files that a `--data` SPEC means, in folders, caches and the shipped assets."""
