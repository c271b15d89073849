"""The record of the training settings: one annotated field per setting.

To add a setting, add its field here and its values in `nexus_engine.recipes`. The option of
`nexus train`, the `NEXUS_*` variable, the key in nexus.toml, the row of `nexus config show`, the
range check and docs/settings.md follow from it; so does the row of the New-run form, if it has a
`form`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from nexus_engine.settings.setting import FormField, Setting, config_record, settings_of

__all__ = ["GROUPS", "SETTINGS", "Nonlinearity", "Settings", "TrainConfig", "Tune"]

Tune = Literal["dendrites", "adapter", "full"]
SiteName = Literal["q", "k", "v", "o", "up", "down"]
Task = Literal["auto", "pairs", "retrieval"]
LossName = Literal["cosine-mse", "cosine-mse-pearson", "cosent", "ranking"]
Nonlinearity = Literal["gelu", "sigmoid", "tanh", "relu", "linear"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]
Schedule = Literal["linear", "phase", "constant", "warmup"]
Order = Literal["random", "length", "neighbours"]
Rule = Literal["gradient", "correlation"]
Grower = Literal["native", "perforatedai"]
Dendrite = Literal["unit", "full"]

MAIN = "What to train"
LENGTH = "How long and how fast"
GROWTH = "Dendrites"
MACHINE = "Machine"
GROUPS = (MAIN, LENGTH, GROWTH, MACHINE)
"""The headings of the help, in order."""

DATA_HELP = (
    "demo, stsb, a folder with train, dev and test files, or a file: .csv, .tsv, .json, .jsonl "
    "(each also .gz) or .parquet. Columns sentence1, sentence2, score, by name or in this order; a "
    "score can be a label 0 or 1. The model reads 256 tokens of each text."
)
SCORE_RANGE_HELP = (
    "Lowest and highest score; they become the cosines 0 and 1. By default the first of 0,1 -1,1 "
    "0,5 0,10 and 0,100 that contains all scores."
)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Complete settings, as a run uses them and its folder records them.

    A field without a `Setting` is derived from the others by `nexus_engine.config.resolve`. The
    default of a field (`= VALUE`) is the value of runs recorded before the field existed.

    - `fit` lists the settings that the user left open and that little data may change.
    - `lr` is the peak learning rate of everything but dendrites, `dendrite_lr` that of dendrites.
    - `switch_epochs` None means that switches follow stalls.
    - `budget_parameters` limits the dendrites of all switches together.
    - `dendrite` says whether all neurons share a dendrite's weight row (`unit`) or each neuron has
      its own (`full`, as in the published project).
    - `sharpness` is the radius in which a step looks for the highest loss (see
      `nexus_engine.training.steps.sharpness`); 0 means plain steps.
    - `rule_steps` is the number of batches for which only the input weights of a new set learn,
      under the rule `correlation`.
    - `epochs_per_pass` epochs make one pass over the train pairs.
    - `warmup_after_first_set` matters if only dendrites are trained, so that the first set grows
      before training. If True, `warmup_epochs` applies to later sets; if False, as in runs of
      earlier versions, to none.
    """

    # fmt: off
    data: Annotated[str, Setting(
        group=MAIN, default="demo", metavar="SPEC", help=DATA_HELP,
        form=FormField("Data", "file or folder of pairs or questions", row=1))]
    task: Annotated[Task, Setting(
        group=MAIN, default="auto", metavar="TASK",
        help="pairs: graded pairs, judged by Spearman. retrieval: questions with passages, judged "
        "by nDCG@10. auto: what the data holds.")] = "pairs"
    columns: Annotated[str | None, Setting(
        group=MAIN, metavar="ROLE=NAME,...",
        help="Names of columns, such as question=prompt,positive=answer.")] = None
    skip_bad: Annotated[bool, Setting(
        group=MAIN, default=False, help="Leave out rows that cannot be used, and count them.")
        ] = False
    corpus: Annotated[str | None, Setting(
        group=MAIN, metavar="DOCS",
        help="Rank the questions of a label file, or of a file of questions, among the passages of "
        "these documents: a folder, demo-search, or corpus.jsonl.")] = None
    eval_corpus: Annotated[int | None, Setting(
        group=MAIN, min=100, max=100_000_000, metavar="N",
        help="Rank questions among N passages, a sample; by default among all.")] = None
    train_share: Annotated[float, Setting(
        group=MAIN, min=0.001, max=1,
        help="Train on this share of the training data, the same in every run, to see what more "
        "data brings.")] = 1.0
    max_length: Annotated[int, Setting(
        group=MAIN, min=32, max=512, help="Tokens that the model reads of a text, {range}.")] = 256
    keep_general: Annotated[str, Setting(
        group=MAIN, default="auto", metavar="MODE",
        help="Rehearse general sentences so that general quality stays: off, auto (as far as the "
        "guard needs it), or a fixed weight.",
        form=FormField("Keep general", "off, auto, or a weight of the rehearsal", row=13))] = "off"
    tune: Annotated[Tune, Setting(
        group=MAIN, default="dendrites", help="What to train: {choices}.",
        form=FormField("Regime", "full also trains the encoder's own weights", row=2))]
    recipe: Annotated[str, Setting(
        group=MAIN, default="default", metavar="NAME",
        help="Settings by name: default, fast, best, test.",
        form=FormField("Recipe", "fills the fields that you leave blank below", row=3))]
    base: Annotated[str | None, Setting(
        group=MAIN, metavar="NAME|DIR",
        help="Base model: a name of `nexus models`, or a folder with an encoder of BERT's shape.")]
    dendrites: Annotated[bool, Setting(
        group=GROWTH, default=True, help="Grow dendrites, on or off.")]
    control: Annotated[bool, Setting(
        group=MAIN, default=False, help="Also train a control without dendrites.",
        form=FormField("Control", "also run the training without dendrites", row=12))]
    epochs: Annotated[int, Setting(
        group=LENGTH, min=1, max=1000,
        help="Number of epochs; one is a pass over the training pairs, or a part of it.",
        form=FormField("Epochs", "passes over the pairs, or parts of one", row=4))]
    epochs_per_pass: Annotated[int, Setting(
        group=LENGTH, min=1, max=1000, help="Epochs per pass over the training pairs.")] = 1
    passes_per_epoch: Annotated[int, Setting(
        group=LENGTH, min=1, max=100, help="Passes over the questions in an epoch.")] = 1
    batch_size: Annotated[int, Setting(
        group=LENGTH, min=2, max=4096, help="Pairs per training step.",
        form=FormField("Batch size", "pairs per step; smaller for little data", row=5))]
    fit: tuple[str, ...]
    lr: Annotated[float, Setting(
        group=LENGTH, min=1e-9, max=1, max_fitted=3, help="Learning rate.",
        form=FormField("Learning rate", "peak rate; larger for little data", row=6))]
    dendrite_lr: Annotated[float, Setting(
        group=GROWTH, after="units", min=1e-9, max=1, max_fitted=3,
        help="Learning rate of the dendrites.")]
    weight_decay: Annotated[float, Setting(
        group=LENGTH, min=0, max=1, help="Weight decay of AdamW, {range}.")]
    layer_decay: Annotated[float, Setting(
        group=LENGTH, min=0.01, max=1,
        help="Layer-wise decay of the learning rate, with --tune full.")]
    schedule: Annotated[Schedule, Setting(group=LENGTH,
        help="Learning-rate schedule: {choices}.")]
    order: Annotated[Order, Setting(group=LENGTH, help="Order of the pairs: {choices}.")]
    loss: Annotated[LossName, Setting(group=LENGTH, help="Loss function: {choices}.")]
    weak_epochs: Annotated[int, Setting(
        group=LENGTH, min=0, max=1000,
        help="Epochs at the start on pairs that documents hold by themselves, if there are some.")
        ] = 0
    hard_negatives: Annotated[int, Setting(
        group=LENGTH, min=0, max=16,
        help="Hard negatives for each question in a step, mined anew each epoch.")] = 0
    negative_margin: Annotated[float | None, Setting(
        group=LENGTH, min=-1, max=1,
        help="Mine no passage nearer than the answer less this cosine: it may be an answer.")
        ] = None
    dims: Annotated[tuple[int, ...] | None, Setting(
        group=LENGTH, min=8, max=4096, example="48,96,192",
        help="Also train the vectors' first numbers, so that they can be cut to these sizes.")
        ] = None
    dropout: Annotated[float, Setting(group=LENGTH, min=0, max=0.9,
        help="Dropout probability, {range}.")]
    sharpness: Annotated[float, Setting(
        group=LENGTH, min=0, max=100,
        help="Radius of sharpness-aware steps; 0 for plain steps.")] = 0.0
    warmup_epochs: Annotated[int, Setting(
        group=GROWTH, after="switch_epochs", min=0, max=1000,
        help="First epoch at which a stall may add a set.",
        form=FormField("Warm-up", "switch at stalls, not before this epoch", row=8))]
    switches: Annotated[int, Setting(
        group=GROWTH, min=0, max=32,
        help="Maximum number of sets. Above the recipe's, each stall adds one.",
        form=FormField("Switches", "maximum number of sets of dendrites", row=7))]
    switch_epochs: Annotated[tuple[int, ...] | None, Setting(
        group=GROWTH, min=0, below="epochs", example="0,2",
        help="Grow a set after each of these epochs, instead of at stalls.")]
    patience: Annotated[int, Setting(
        group=GROWTH, min=1, max=1000, help="Epochs without a gain that count as a stall.")]
    min_gain: Annotated[float, Setting(
        group=GROWTH, min=0, max=1, help="A set is kept if its gain on dev is above this.")]
    place: Annotated[tuple[SiteName, ...], Setting(
        group=GROWTH, example="q,v", help="Linear layers that grow units: {choices}.",
        form=FormField("Placement", "any of q, k, v, o, up, down, such as v,up", row=9))]
    layers: Annotated[tuple[int, ...], Setting(
        group=GROWTH, min=0, max=47, example="0,1,2", metavar="0,1",
        help="Encoder layers that grow units, from 0.")]
    budget_parameters: Annotated[int | None, Setting(
        group=GROWTH, name="budget", type=str, metavar="SIZE",
        help="Maximum parameters to add: a share such as 0.01%, or a number.",
        form=FormField("Budget", "maximum parameters: 0.01% or a number", row=10))]
    units: Annotated[int, Setting(
        group=GROWTH, min=1, max=64, help="Units that a set grows on each linear layer.")]
    nonlinearity: Annotated[Nonlinearity, Setting(group=GROWTH,
        help="Nonlinearity of a unit: {choices}.")]
    dendrite: Annotated[Dendrite, Setting(group=GROWTH, after="grower",
        help="Form of a dendrite: {choices}.")]
    grower: Annotated[Grower, Setting(
        group=GROWTH, default="native", help="What grows the dendrites: {choices}.")]
    rule: Annotated[Rule, Setting(
        group=GROWTH, default="gradient", help="Learning rule of new units: {choices}.")]
    rule_steps: Annotated[int, Setting(
        group=GROWTH, min=1, max=100_000,
        help="Batches in which a new set learns by correlation alone.")]
    seed: Annotated[int, Setting(
        group=MAIN, default=1, min=0, max=2**31 - 1,
        help="Seed of the order, the splits and new dendrites.",
        form=FormField("Seed", "of order, splits and new dendrites", row=11))]
    score_range: Annotated[tuple[float, float] | None, Setting(
        group=MAIN, after="control", min=-1e30, max=1e30, example="0,5", help=SCORE_RANGE_HELP)]
    device: Annotated[Device, Setting(group=MACHINE, default="auto", help="Device: {choices}.")]
    precision: Annotated[Precision, Setting(group=MACHINE, default="auto",
        help="Number format: {choices}.")]
    threads: Annotated[int | None, Setting(
        group=MACHINE, min=1, max=1024, help="CPU threads; by default all that are available.")]
    warmup_after_first_set: bool = False
    # fmt: on

    @property
    def rehearses(self) -> bool:
        """Whether the run may rehearse general sentences."""
        return self.keep_general != "off"

    @property
    def planned_switches(self) -> int:
        """The number of switches without requests; an upper bound if they follow stalls."""
        if not self.dendrites:
            return 0
        fixed = self.switch_epochs
        return self.switches if fixed is None else min(self.switches, len(fixed))

    @property
    def fitted(self) -> frozenset[str]:
        """The settings of `fit` and those that follow them: data may still change their values."""
        return frozenset(self.fit) | ({"dendrite_lr"} if "lr" in self.fit else set())


SETTINGS = settings_of(Settings)
"""Every setting, by the name under which the user sets it."""

if TYPE_CHECKING:

    class TrainConfig(msgspec.Struct, frozen=True, kw_only=True):
        """What the user sets: a field for each of `SETTINGS`, by its name."""

        def __init__(self, **values: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
else:
    TrainConfig = config_record(
        "TrainConfig",
        SETTINGS,
        module=__name__,
        doc="What the user sets: a field for each of `SETTINGS`, None if it is left open.",
    )
