"""The options of `nexus train`, in groups. Each may also be set as NEXUS_NAME or in a TOML file."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from nexus_engine.config import (
    Dendrite,
    Device,
    Grower,
    LossName,
    Nonlinearity,
    Order,
    Precision,
    Rule,
    Schedule,
    SiteName,
)
from nexus_engine.config import Tune as TuneName

MAIN = "What to train"
LENGTH = "How long and how fast"
GROWTH = "Dendrites"
MACHINE = "Machine"
RUN = "Run"


def _option(name: str, help_text: str, panel: str, metavar: str) -> typer.models.OptionInfo:
    """An option with its NEXUS_* variable; `metavar` is empty for a flag."""
    plain_name = name.split("/")[0].strip("-")
    found: typer.models.OptionInfo = typer.Option(
        name,
        help=help_text,
        rich_help_panel=panel,
        metavar=metavar,
        envvar="NEXUS_" + plain_name.replace("-", "_").upper(),
        show_envvar=False,
    )
    return found


def _names(choice: object) -> str:
    return ", ".join(get_args(choice))


DATA = (
    "demo, stsb, a folder with train, dev and test files, or a file: .csv, .tsv, .json, .jsonl "
    "(each also .gz) or .parquet. Columns sentence1, sentence2, score by name, or in this order; "
    "labels 0 and 1 will do. 256 tokens of a text are read."
)
RANGE = (
    "Lowest and highest score, which become the cosines 0 and 1. Left out: the first of 0,1 -1,1 "
    "0,5 0,10 or 0,100 that holds all scores."
)
Data = Annotated[str | None, _option("--data", DATA, MAIN, "SPEC")]
Tune = Annotated[TuneName | None, _option("--tune", f"{_names(TuneName)}.", MAIN, "NAME")]
Recipe = Annotated[str | None, _option("--recipe", "default, fast, best, or test.", MAIN, "NAME")]
Base = Annotated[
    str | None, _option("--base", "Folder of other weights, same architecture.", MAIN, "DIR")
]
Control = Annotated[
    bool | None, _option("--control/--no-control", "Train also without dendrites.", MAIN, "")
]
ScoreRange = Annotated[str | None, _option("--score-range", RANGE, MAIN, "0,5")]
Seed = Annotated[int | None, _option("--seed", "Of order, cuts and new dendrites.", MAIN, "N")]

Epochs = Annotated[
    int | None, _option("--epochs", "Passes over the train pairs, or parts of one.", LENGTH, "N")
]
EpochsPerPass = Annotated[
    int | None, _option("--epochs-per-pass", "Epochs that a pass is cut into.", LENGTH, "N")
]
BatchSize = Annotated[int | None, _option("--batch-size", "Pairs in a step.", LENGTH, "N")]
Lr = Annotated[float | None, _option("--lr", "Learning rate.", LENGTH, "F")]
WeightDecay = Annotated[float | None, _option("--weight-decay", "Of AdamW, 0 to 1.", LENGTH, "F")]
LayerDecay = Annotated[
    float | None, _option("--layer-decay", "With --tune full: rate by depth.", LENGTH, "F")
]
ScheduleOption = Annotated[
    Schedule | None, _option("--schedule", f"{_names(Schedule)}.", LENGTH, "NAME")
]
OrderOption = Annotated[
    Order | None, _option("--order", f"Of the pairs: {_names(Order)}.", LENGTH, "NAME")
]
Loss = Annotated[LossName | None, _option("--loss", f"{_names(LossName)}.", LENGTH, "NAME")]
Dropout = Annotated[float | None, _option("--dropout", "0 to 0.9.", LENGTH, "F")]
Sharpness = Annotated[
    float | None, _option("--sharpness", "Radius of the worst loss; 0: plain.", LENGTH, "F")
]

Dendrites = Annotated[
    bool | None, _option("--dendrites/--no-dendrites", "Grow dendrites, or none.", GROWTH, "")
]
Switches = Annotated[
    int | None,
    _option("--switches", "At most so many sets. Beyond the recipe's: at stalls.", GROWTH, "N"),
]
SwitchEpochs = Annotated[
    str | None,
    _option("--switch-epochs", "Switch after these epochs, not at stalls.", GROWTH, "0,2"),
]
WarmupEpochs = Annotated[
    int | None, _option("--warmup-epochs", "Switch at stalls, from this epoch on.", GROWTH, "N")
]
Patience = Annotated[
    int | None, _option("--patience", "Epochs without gain: a stall.", GROWTH, "N")
]
MinGain = Annotated[float | None, _option("--min-gain", "Gain that a set must bring.", GROWTH, "F")]
Place = Annotated[str | None, _option("--place", f"{_names(SiteName)}.", GROWTH, "q,v")]
Layers = Annotated[str | None, _option("--layers", "Layers, 0 to 5.", GROWTH, "0,1")]
Budget = Annotated[
    str | None, _option("--budget", "Parameters: 0.01% or a number.", GROWTH, "SIZE")
]
Units = Annotated[int | None, _option("--units", "Units on a layer in a set.", GROWTH, "N")]
DendriteLr = Annotated[
    float | None, _option("--dendrite-lr", "Learning rate of dendrites.", GROWTH, "F")
]
NonlinearityOption = Annotated[
    Nonlinearity | None,
    _option("--nonlinearity", f"{_names(Nonlinearity)}.", GROWTH, "NAME"),
]
GrowerOption = Annotated[
    Grower | None, _option("--grower", f"Who grows: {_names(Grower)}.", GROWTH, "NAME")
]
DendriteOption = Annotated[
    Dendrite | None, _option("--dendrite", f"{_names(Dendrite)}.", GROWTH, "NAME")
]
RuleOption = Annotated[
    Rule | None, _option("--rule", f"How units learn: {_names(Rule)}.", GROWTH, "NAME")
]
RuleSteps = Annotated[
    int | None, _option("--rule-steps", "Batches of correlation alone.", GROWTH, "N")
]

DeviceOption = Annotated[Device | None, _option("--device", f"{_names(Device)}.", MACHINE, "NAME")]
PrecisionOption = Annotated[
    Precision | None, _option("--precision", f"{_names(Precision)}.", MACHINE, "NAME")
]
Threads = Annotated[
    int | None, _option("--threads", "CPU threads. All that are allowed if left.", MACHINE, "N")
]

Out = Annotated[
    str | None,
    typer.Option("--out", help="The run folder to make.", metavar="DIR", rich_help_panel=RUN),
]
Resume = Annotated[
    str | None,
    typer.Option(
        "--resume",
        help="Go on with a run: name, folder, latest.",
        metavar="RUN",
        rich_help_panel=RUN,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config", help="These options as TOML.", metavar="FILE.toml", rich_help_panel=RUN
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Events as JSON lines on stdout.", metavar="", rich_help_panel=RUN),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="Also tell of checkpoints.", metavar="", rich_help_panel=RUN),
]
Detach = Annotated[
    bool,
    typer.Option("--detach", help="Go on without this terminal.", metavar="", rich_help_panel=RUN),
]
Forecast = Annotated[
    bool,
    typer.Option(
        "--forecast",
        help="Measure briefly what it will cost; train nothing.",
        metavar="",
        rich_help_panel=RUN,
    ),
]
