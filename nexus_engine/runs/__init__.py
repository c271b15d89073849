"""A run on disk: its folder, log, checkpoints and saved model, and what is read back from them."""
