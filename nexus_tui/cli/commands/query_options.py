"""The options that the commands share which query or judge a model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["PrecisionOption", "ScoreRangeOption", "Split", "SplitOption"]

Split = Literal["test", "dev", "train", "all"]
SplitOption = Annotated[Split, typer.Option("--split", help="Which part of the pairs.")]
ScoreRangeOption = Annotated[
    str | None,
    typer.Option("--score-range", help="LOW,HIGH of the scores.", metavar="LOW,HIGH"),
]

PrecisionOption = Annotated[
    Literal["fp32", "bf16"],
    typer.Option(
        "--precision",
        help="bf16 is twice as fast where the CPU multiplies it, and off by about 0.001.",
    ),
]
