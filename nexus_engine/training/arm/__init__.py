"""One arm of a run: its plan, its loop, its switches."""
