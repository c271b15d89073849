"""Batch size, epochs, units and learning rates for little data, unless the user has set them."""

from __future__ import annotations

from typing import Any

import msgspec

from nexus_engine.config import Settings
from nexus_engine.data import PairData
from nexus_engine.data.questions.question_data import QuestionData

__all__ = ["fit_to_data", "fit_to_documents", "fit_to_labels"]

MIN_STEPS = 69
"""Data is little if a pass over it has fewer steps than this; smaller batches then learn more. On
the demo set, 5 epochs in batches of 16 reach dev 0.534, in batches of 64 0.511 (one seed)."""

MIN_BATCH = 16

FEW_PAIRS = MIN_STEPS * MIN_BATCH
EPOCHS_OF_FEW = 6
UNITS_OF_FEW = 4
"""So few pairs get more epochs and units where the recipe fits them. The demo set (1,104 pairs, 5
seeds, H200, rehearsal at 0.3): dev 0.5401, test 0.5532, guard 0.9143; by 3 epochs of 2 units
0.5255, 0.5427 and 0.9070. 1,000 pairs of the STS Benchmark: dev 0.8845 and 0.8849 (one seed, CPU).
"""

RATE_STEPS = 400
MAX_RATE_FACTOR = 3.0
"""On little data a run has few steps, so its learning rates are multiplied by the square root of
`RATE_STEPS` / steps, by `MAX_RATE_FACTOR` at most (docs/recipes.md)."""


def fit_to_data(settings: Settings, train_pairs: int) -> Settings:
    """`settings` with smaller batches, more epochs and higher rates if `train_pairs` are few.

    Changes only what `settings.fit` names, since the user has not set it; `lr` there stands for
    both learning rates.
    """
    if settings.task == "retrieval":
        return _fit_to_questions(settings, train_pairs)
    batch_size, epochs, units, factor = settings.batch_size, settings.epochs, settings.units, 1.0
    if train_pairs >= batch_size * MIN_STEPS:
        return settings
    if "batch_size" in settings.fit:
        while batch_size // 2 >= MIN_BATCH and train_pairs < batch_size * MIN_STEPS:
            batch_size //= 2
    if train_pairs <= FEW_PAIRS:
        epochs = max(epochs, EPOCHS_OF_FEW) if "epochs" in settings.fit else epochs
        units = max(units, UNITS_OF_FEW) if "units" in settings.fit else units
    if "lr" in settings.fit:
        passes = epochs / settings.epochs_per_pass
        steps = passes * max(1, -(-train_pairs // batch_size))
        factor = min(MAX_RATE_FACTOR, max(1.0, (RATE_STEPS / steps) ** 0.5))
    return msgspec.structs.replace(
        settings,
        batch_size=batch_size,
        epochs=epochs,
        units=units,
        lr=settings.lr * factor,
        dendrite_lr=settings.dendrite_lr * factor,
        fit=(),
    )


MIN_QUESTION_BATCH = 32
BATCHES_PER_PASS = 4
QUESTION_STEPS = 36
LARGE_BATCH = 128
LARGE_BATCH_STEPS = 64
MAX_PASSES = 15
"""With few questions the batches get smaller, down to 32, until a pass has four; and a run makes as
many passes, up to 15 and then to the end of an epoch, as give 36 steps, or 64 of 128 questions and
more. 300 questions of MedQuAD reach test nDCG@10 0.813 by 36 steps and 0.817 by 56, which take half
as long again (3 seeds), 1,000 questions 0.817 by 32 and 0.848 by 64 (one seed). Learning rates
shrink with the square root of the batch: on the shipped demo, 16 units at 8e-3 in batches of 64 end
below the base model, at 3e-3 0.07 above it (dev nDCG@10, one seed; docs/retrieval.md)."""


def _fit_to_questions(settings: Settings, examples: int) -> Settings:
    """`settings` with smaller batches and more epochs if the questions are few."""
    if not examples:  # weak pairs are all there is
        return msgspec.structs.replace(settings, fit=())
    batch_size, epochs = settings.batch_size, settings.epochs
    if "batch_size" in settings.fit:
        while batch_size > MIN_QUESTION_BATCH and examples < batch_size * BATCHES_PER_PASS:
            batch_size = max(MIN_QUESTION_BATCH, batch_size // 2)
    if "epochs" in settings.fit:
        steps = -(-examples // batch_size)
        per_pass, per_epoch = settings.epochs_per_pass, settings.passes_per_epoch
        wanted = LARGE_BATCH_STEPS if batch_size >= LARGE_BATCH else QUESTION_STEPS
        passes = min(MAX_PASSES, round(wanted / steps))
        epochs = max(settings.epochs, -(-passes * per_pass // per_epoch))
    factor = (batch_size / settings.batch_size) ** 0.5 if "lr" in settings.fit else 1.0
    return msgspec.structs.replace(
        settings,
        batch_size=batch_size,
        epochs=epochs,
        lr=settings.lr * factor,
        dendrite_lr=settings.dendrite_lr * factor,
        fit=(),
    )


DOCUMENTS_ALONE: dict[str, Any] = {
    "units": 4,
    "lr": 2e-3,
    "dendrite_lr": 2e-3,
    "epochs": 4,
    "epochs_per_pass": 4,
    "passes_per_epoch": 1,
}
"""Where nobody asked a question, less is learned before it turns wrong: MedQuAD, four units, test
nDCG@10 0.761 after a pass in batches of similar first sentences, the base model 0.687 (one seed,
H200)."""


def fit_to_documents(settings: Settings, data: PairData | QuestionData) -> Settings:
    """`settings` for documents without questions, as far as the user left them open."""
    if isinstance(data, PairData) or len(data.train) or not settings.fit:
        return settings
    changes = {name: DOCUMENTS_ALONE[name] for name in settings.fit if name in DOCUMENTS_ALONE}
    if "lr" in settings.fit:
        changes["dendrite_lr"] = DOCUMENTS_ALONE["dendrite_lr"]
    if "units" in changes:
        changes["units"] = min(settings.units, DOCUMENTS_ALONE["units"])  # a budget may allow fewer
    return msgspec.structs.replace(settings, **changes)


FEW_TAUGHT = 100
"""Answers of questions in a label file: so few are taught in one epoch of 15 passes."""
TAUGHT: dict[str, Any] = {
    "batch_size": 32,
    "units": 4,
    "epochs": 1,
    "epochs_per_pass": 1,
    "passes_per_epoch": 15,
    "hard_negatives": 4,
}
TAUGHT_RATES = {"dendrites": 2.8e-3, "adapter": 1e-3, "full": 3e-5}
"""Every setting puts all marked answers first; what differs is how much other questions lose. 20
verdicts on 6 questions of the demo documents, change in the nDCG@10 of the 554 others, mean of 4
simulated users: -0.003 by 4 units, -0.029 by 16, -0.116 by 16 without rehearsal, +0.005 by all
weights at 3e-5, -0.019 at 1e-4, -0.007 by an adapter (H200; docs/teach.md)."""
FEW_JUDGED = 200
EPOCHS_OF_FEW_JUDGED = 15
"""So few graded pairs of a label file make at most 13 steps a pass. 20 pairs of the demo set, gain
in Spearman on 368 others (4 draws, H200): 0.017 after 6 epochs, 0.025 after 15, 0.031 after 30; 60
pairs: 0.031, 0.037, 0.037."""


def fit_to_labels(settings: Settings, data: PairData | QuestionData) -> Settings:
    """`settings` for the few labels of a label file, as far as the user left them open."""
    if not data.labels or not settings.fit:
        return settings
    if isinstance(data, PairData):
        if "epochs" not in settings.fit or len(data.train) > FEW_JUDGED:
            return settings
        left = tuple(name for name in settings.fit if name != "epochs")
        return msgspec.structs.replace(settings, epochs=EPOCHS_OF_FEW_JUDGED, fit=left)
    if len(data.train.answers.rows.values) > FEW_TAUGHT:
        return settings
    changes = {name: TAUGHT[name] for name in settings.fit if name in TAUGHT}
    if "lr" in settings.fit:
        rate = TAUGHT_RATES[settings.tune]
        changes |= {"lr": rate, "dendrite_lr": rate}
    if "units" in changes:
        changes["units"] = min(settings.units, TAUGHT["units"])  # a budget may allow fewer
    return msgspec.structs.replace(settings, **changes, fit=())
