"""The live screen of a run, and the screens that open from it."""
