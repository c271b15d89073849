"""Questions with their answers among passages: recognised, numbered, split without leaks."""
