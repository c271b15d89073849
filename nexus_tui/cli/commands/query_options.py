"""The options that the commands share which ask a model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["PrecisionOption"]

PrecisionOption = Annotated[
    Literal["fp32", "bf16"],
    typer.Option(
        "--precision",
        help="bf16 is twice as fast where the CPU multiplies it, and off by about 0.001.",
    ),
]
