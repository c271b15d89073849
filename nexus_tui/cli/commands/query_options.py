"""Options shared by the commands that query or evaluate a model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from nexus_engine.system.processor import cpu_has_bf16
from nexus_tui.terminal.failures import warning_line

__all__ = [
    "ByOption",
    "ColumnsOption",
    "EvalCorpusOption",
    "MaxLengthOption",
    "PrecisionOption",
    "ScoreRangeOption",
    "SkipBadOption",
    "SplitOption",
    "TaskOption",
]


def _warn_of_emulation(precision: str) -> str:
    """Say on standard error that this CPU emulates bf16."""
    if precision == "bf16" and not cpu_has_bf16():
        warning_line("this CPU does not multiply bfloat16: on it, fp32 is many times faster")
    return precision


SplitOption = Annotated[
    Literal["test", "dev", "train", "all"],
    typer.Option("--split", help="The part of the data to use."),
]
ScoreRangeOption = Annotated[
    str | None,
    typer.Option("--score-range", help="Lowest and highest possible score.", metavar="LOW,HIGH"),
]

TaskOption = Annotated[
    Literal["auto", "pairs", "retrieval"],
    typer.Option("--task", help="What the data is for; auto tells it from the data."),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns",
        help="Names of columns, such as question=prompt,positive=answer.",
        metavar="ROLE=NAME,...",
    ),
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out rows that cannot be used, and count them.")
]
ByOption = Annotated[
    Literal["passage", "document"],
    typer.Option("--by", help="Rank passages, or documents by their best passage."),
]
EvalCorpusOption = Annotated[
    int | None,
    typer.Option("--eval-corpus", help="Rank questions among N passages, a sample.", min=100),
]
MaxLengthOption = Annotated[
    int | None,
    typer.Option(
        "--max-length",
        help="Tokens of a text that are read. Default: as the model was trained, 256 for base.",
        min=32,
        max=512,
    ),
]
PrecisionOption = Annotated[
    Literal["fp32", "bf16"],
    typer.Option(
        "--precision",
        help="bf16 is twice as fast on CPUs that have it, and off by about 0.001.",
        callback=_warn_of_emulation,
    ),
]
DeviceOption = Annotated[
    Literal["cpu", "cuda", "mps"],
    typer.Option("--device", help="What embeds the texts. cuda needs a build of torch for it."),
]
