"""The encoder's forward and backward pass, written out for a CPU.

It computes the same function as `nexus_engine.model.encoder`, the reference that tests compare it
with. The differences:

- Sentences are packed into bins of few widths, in which attention runs (`layout`).
- oneDNN computes the products (`products`).
- A grown layer is one product: the units' outputs are further input columns (`grown_linear`).
- Frozen weights get no gradient, and no activations are saved for them.
- Dropout masks come from a pool (`mask_pool`).
"""

from nexus_engine.model.cpu.fast_encoder import FastEncoder
from nexus_engine.model.cpu.layout import Layout, lay_out

__all__ = ["FastEncoder", "Layout", "lay_out"]
