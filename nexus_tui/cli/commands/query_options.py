"""Options shared by the commands that query or evaluate a model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["PrecisionOption", "ScoreRangeOption", "SplitOption"]

SplitOption = Annotated[
    Literal["test", "dev", "train", "all"],
    typer.Option("--split", help="The part of the pairs to use."),
]
ScoreRangeOption = Annotated[
    str | None,
    typer.Option("--score-range", help="Lowest and highest possible score.", metavar="LOW,HIGH"),
]

PrecisionOption = Annotated[
    Literal["fp32", "bf16"],
    typer.Option(
        "--precision",
        help="bf16 is twice as fast on CPUs that have it, and off by about 0.001.",
    ),
]
