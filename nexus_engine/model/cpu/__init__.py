"""The encoder's forward and backward pass written out for a CPU.

The same function as `nexus_engine.model.encoder`, which stays the reference that tests compare
with. What is different: sentences are sorted by length and attention runs on groups of like
length, so that nothing is padded; products go to oneDNN; a grown layer is one product, its units'
outputs being further input columns; frozen weights have no gradient and keep no activations;
dropout reads its masks from a pool.
"""

from nexus_engine.model.cpu.fast_encoder import FastEncoder
from nexus_engine.model.cpu.layout import Layout, lay_out

__all__ = ["FastEncoder", "Layout", "lay_out"]
