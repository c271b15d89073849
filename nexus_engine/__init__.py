"""NEXUS's engine: fine-tunes a sentence-embedding model by growing dendrites, headless.

config → training loop (a generator of events) → session (one worker thread) → {run folder, bus}
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
