"""The screen of a live run and those that open from it."""
