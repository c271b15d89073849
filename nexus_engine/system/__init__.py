"""The operating system: processes, users and their paths, and what runs out."""
