"""The training settings: one annotated record, what is derived from it, and its checks."""
