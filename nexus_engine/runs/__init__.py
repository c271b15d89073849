"""A run on disk: its folder, event log, checkpoints and saved model, and the readers of these."""
