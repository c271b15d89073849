"""An exported ONNX file, run by onnxruntime on a CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nexus_engine.exports.extra import required
from nexus_engine.exports.plain_model import Floats
from nexus_engine.model.tokens import Rows

__all__ = ["OnnxEncoder"]

SILENT = 3
"""onnxruntime logs errors alone."""


class OnnxEncoder:
    """Token ids to embeddings of unit length, from the output `sentence_embedding`."""

    def __init__(self, model: bytes | Path, threads: int = 0) -> None:
        """Read `model`, a file's content or path; `threads` 0 lets onnxruntime choose.

        Raises:
            ConfigError: the package `onnxruntime` is not installed.
        """
        runtime = required("onnxruntime", "running ONNX")
        options = runtime.SessionOptions()
        options.log_severity_level = SILENT
        options.intra_op_num_threads = threads
        source = model if isinstance(model, bytes) else str(model)
        self._session = runtime.InferenceSession(
            source, options, providers=["CPUExecutionProvider"]
        )

    def embed(self, ids: Rows, lengths: Rows) -> Floats:
        """Embeddings (n, width) of sentences given end to end: `ids` (t,) and `lengths` (n,)."""
        mask = (np.arange(int(lengths.max(initial=1))) < lengths[:, None]).astype(np.int64)
        padded = np.zeros_like(mask)
        padded[mask.astype(bool)] = ids
        feeds = {
            "input_ids": padded,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(mask),
        }
        vectors: Floats = self._session.run(["sentence_embedding"], feeds)[0]
        return vectors
