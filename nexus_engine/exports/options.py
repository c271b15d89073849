"""What an export can be asked for: its formats, and the loss that is allowed without a word."""

from __future__ import annotations

from typing import Literal

__all__ = ["FORMATS", "MAX_LOSS", "Format"]

Format = Literal["st", "onnx", "onnx-int8", "gguf", "delta"]
FORMATS: tuple[Format, ...] = ("st", "onnx", "onnx-int8", "gguf", "delta")
MAX_LOSS = 0.005
"""What an export may lose of the deciding metric on dev, unless the user allows another loss."""
