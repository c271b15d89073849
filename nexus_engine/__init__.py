"""The NEXUS engine: fine-tunes a sentence-embedding model by growing dendrites. It has no UI.

config → training loop (a generator of events) → session (a worker thread) → subscriptions
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
