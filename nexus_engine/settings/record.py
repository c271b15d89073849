"""The record of the training settings: one annotated line tells all about a setting.

To add a setting, add its line here and its values in `nexus_engine.recipes`. The option of
`nexus train`, the `NEXUS_*` variable, the key in nexus.toml, the row of `nexus config show`, the
range check and docs/settings.md follow from it, and a row in the New-run form if it has a `form`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from nexus_engine.settings.setting import FormField, Setting, config_record, settings_of

__all__ = ["GROUPS", "SETTINGS", "Nonlinearity", "Settings", "TrainConfig", "Tune"]

Tune = Literal["dendrites", "adapter", "full"]
SiteName = Literal["q", "k", "v", "o", "up", "down"]
LossName = Literal["cosine-mse", "cosine-mse-pearson", "cosent"]
Nonlinearity = Literal["gelu", "sigmoid", "tanh", "relu", "linear"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]
Schedule = Literal["linear", "phase", "constant"]
Order = Literal["random", "length"]
Rule = Literal["gradient", "correlation"]
Grower = Literal["native", "perforatedai"]
Dendrite = Literal["unit", "full"]

MAIN = "What to train"
LENGTH = "How long and how fast"
GROWTH = "Dendrites"
MACHINE = "Machine"
GROUPS = (MAIN, LENGTH, GROWTH, MACHINE)
"""The headings of the help, from top to bottom."""

DATA_HELP = (
    "demo, stsb, a folder with train, dev and test files, or a file: .csv, .tsv, .json, .jsonl "
    "(each also .gz) or .parquet. Columns sentence1, sentence2, score by name, or in this order; "
    "labels 0 and 1 will do. 256 tokens of a text are read."
)
SCORE_RANGE_HELP = (
    "Lowest and highest score, which become the cosines 0 and 1. Left out: the first of 0,1 -1,1 "
    "0,5 0,10 or 0,100 that holds all scores."
)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A complete configuration: what a run uses and what its folder records.

    A field without a `Setting` is worked out from the others by `nexus_engine.config.resolve`.
    `= VALUE` behind a field is what runs used that were recorded before the field existed.

    `fit` names the settings that little data may change, since the user left them open. `lr` is the
    peak rate of what is not a dendrite, `dendrite_lr` of what is. `switch_epochs` None means that a
    switch follows a stall. `budget_parameters` bounds the dendrites of all switches together.
    `dendrite`: a dendrite's weight row is shared by the neurons (`unit`), or each neuron has its
    own (`full`, as published). `sharpness` is the radius in which a step looks for the worst loss
    (see `nexus_engine.training.steps.sharpness`), 0 for plain steps. With the rule `correlation` a
    new set's input weights learn alone for `rule_steps` batches. An epoch is a pass over the train
    pairs, or a part of one: there are `epochs_per_pass` in a pass. Where nothing but dendrites is
    trained, the first set grows before training and `warmup_epochs` holds for those after it;
    without `warmup_after_first_set`, as in runs of earlier versions, it holds for none.
    """

    # fmt: off
    data: Annotated[str, Setting(
        group=MAIN, default="demo", metavar="SPEC", help=DATA_HELP,
        form=FormField("Data", "demo, stsb, a file of pairs, or a folder", row=1))]
    tune: Annotated[Tune, Setting(
        group=MAIN, default="dendrites", help="What to train: {choices}.",
        form=FormField("Regime", "dendrites and adapter leave the encoder as it is", row=2))]
    recipe: Annotated[str, Setting(
        group=MAIN, default="default", metavar="NAME",
        help="Settings by name: default, fast, best, test.",
        form=FormField("Recipe", "what is left blank below comes from it", row=3))]
    base: Annotated[str | None, Setting(
        group=MAIN, metavar="DIR", help="Folder of other base weights of the same architecture.")]
    dendrites: Annotated[bool, Setting(
        group=GROWTH, default=True, help="Grow dendrites, or grow none.")]
    control: Annotated[bool, Setting(
        group=MAIN, default=False, help="Also train a control without dendrites.",
        form=FormField("Control", "the same training without dendrites, to compare", row=12))]
    epochs: Annotated[int, Setting(
        group=LENGTH, min=1, max=1000, help="Passes over the training pairs, or parts of a pass.",
        form=FormField("Epochs", "passes over the pairs, or parts of one", row=4))]
    epochs_per_pass: Annotated[int, Setting(
        group=LENGTH, min=1, max=1000, help="Epochs in one pass over the training pairs.")] = 1
    batch_size: Annotated[int, Setting(
        group=LENGTH, min=2, max=4096, help="Pairs in a step.",
        form=FormField("Batch size", "pairs in a step; little data gets fewer", row=5))]
    fit: tuple[str, ...]
    lr: Annotated[float, Setting(
        group=LENGTH, min=1e-9, max=1, max_fitted=3, help="Learning rate.",
        form=FormField("Learning rate", "the peak rate; little data gets a larger one", row=6))]
    dendrite_lr: Annotated[float, Setting(
        group=GROWTH, after="units", min=1e-9, max=1, max_fitted=3,
        help="Learning rate of the dendrites.")]
    weight_decay: Annotated[float, Setting(
        group=LENGTH, min=0, max=1, help="Weight decay of AdamW, {range}.")]
    layer_decay: Annotated[float, Setting(
        group=LENGTH, min=0.01, max=1, help="With --tune full: layer-wise decay of the rate.")]
    schedule: Annotated[Schedule, Setting(group=LENGTH,
        help="Schedule of the learning rate: {choices}.")]
    order: Annotated[Order, Setting(group=LENGTH, help="Order of the pairs: {choices}.")]
    loss: Annotated[LossName, Setting(group=LENGTH, help="Loss function: {choices}.")]
    dropout: Annotated[float, Setting(group=LENGTH, min=0, max=0.9,
        help="Dropout probability, {range}.")]
    sharpness: Annotated[float, Setting(
        group=LENGTH, min=0, max=100,
        help="Radius of sharpness-aware steps; 0 for plain steps.")] = 0.0
    warmup_epochs: Annotated[int, Setting(
        group=GROWTH, after="switch_epochs", min=0, max=1000,
        help="Switch at stalls, from this epoch on.",
        form=FormField("Warm-up", "no switch before this epoch, then at a stall", row=8))]
    switches: Annotated[int, Setting(
        group=GROWTH, min=0, max=32,
        help="Most sets of dendrites. Those beyond the recipe's are added at stalls.",
        form=FormField("Switches", "at most so many sets of dendrites", row=7))]
    switch_epochs: Annotated[tuple[int, ...] | None, Setting(
        group=GROWTH, min=0, below="epochs", example="0,2",
        help="Add a set after each of these epochs, not at stalls.")]
    patience: Annotated[int, Setting(
        group=GROWTH, min=1, max=1000, help="Epochs without gain that make a stall.")]
    min_gain: Annotated[float, Setting(
        group=GROWTH, min=0, max=1, help="Gain in dev Spearman that a set must bring.")]
    place: Annotated[tuple[SiteName, ...], Setting(
        group=GROWTH, example="q,v", help="Linear layers that grow units: {choices}.",
        form=FormField("Placement", "of q, k, v, o, up, down, as v,up", row=9))]
    layers: Annotated[tuple[int, ...], Setting(
        group=GROWTH, min=0, max=5, example="0,1,2", metavar="0,1",
        help="Encoder layers that grow units, {range}.")]
    budget_parameters: Annotated[int | None, Setting(
        group=GROWTH, name="budget", type=str, metavar="SIZE",
        help="Parameters to add: a share such as 0.01%, or a number.",
        form=FormField("Budget", "or parameters: 0.01% or a number", row=10))]
    units: Annotated[int, Setting(
        group=GROWTH, min=1, max=64, help="Units per linear layer in a set.")]
    nonlinearity: Annotated[Nonlinearity, Setting(group=GROWTH,
        help="Nonlinearity of a unit: {choices}.")]
    dendrite: Annotated[Dendrite, Setting(group=GROWTH, after="grower",
        help="Form of a dendrite: {choices}.")]
    grower: Annotated[Grower, Setting(
        group=GROWTH, default="native", help="Code that grows dendrites: {choices}.")]
    rule: Annotated[Rule, Setting(
        group=GROWTH, default="gradient", help="How new units learn: {choices}.")]
    rule_steps: Annotated[int, Setting(
        group=GROWTH, min=1, max=100_000, help="Batches that learn by correlation alone.")]
    seed: Annotated[int, Setting(
        group=MAIN, default=1, min=0, max=2**31 - 1,
        help="Seed of order, splits and new dendrites.",
        form=FormField("Seed", "of order, cuts and new dendrites", row=11))]
    score_range: Annotated[tuple[float, float] | None, Setting(
        group=MAIN, after="control", min=-1e30, max=1e30, example="0,5", help=SCORE_RANGE_HELP)]
    device: Annotated[Device, Setting(group=MACHINE, default="auto", help="Device: {choices}.")]
    precision: Annotated[Precision, Setting(group=MACHINE, default="auto",
        help="Number format: {choices}.")]
    threads: Annotated[int | None, Setting(
        group=MACHINE, min=1, max=1024, help="CPU threads; by default all that are allowed.")]
    warmup_after_first_set: bool = False
    # fmt: on

    @property
    def planned_switches(self) -> int:
        """How many switches the run makes by itself; the most where they follow stalls."""
        if not self.dendrites:
            return 0
        fixed = self.switch_epochs
        return self.switches if fixed is None else min(self.switches, len(fixed))

    @property
    def fitted(self) -> frozenset[str]:
        """The settings of `fit`, and those that change with them: their values are only planned."""
        return frozenset(self.fit) | ({"dendrite_lr"} if "lr" in self.fit else set())


SETTINGS = settings_of(Settings)
"""Every setting by the name that the user gives it."""

if TYPE_CHECKING:

    class TrainConfig(msgspec.Struct, frozen=True, kw_only=True):
        """What the user gives: a field for each of `SETTINGS`, by its name."""

        def __init__(self, **values: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...
else:
    TrainConfig = config_record(
        "TrainConfig",
        SETTINGS,
        module=__name__,
        doc="What the user gives: a field for each of `SETTINGS`, None where nothing is given.",
    )
