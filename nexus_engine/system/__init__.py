"""The operating system: processes, users, their paths, and shortages of memory and disk."""
