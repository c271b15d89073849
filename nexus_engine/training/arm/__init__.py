"""One arm of a run: its plan, loop and switches."""
