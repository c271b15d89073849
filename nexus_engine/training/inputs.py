"""The inputs of a run: hardware, base model, data, tokens, and the plan of its main arm.

A run, its forecast and the child process that trains with perforatedai read their inputs here, in
the same order, so that all three refuse the same inputs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from nexus_engine.config import Settings
from nexus_engine.data import PairData, load_data, load_guard
from nexus_engine.data.files.general import load_general
from nexus_engine.data.questions.fields import columns_option
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.data.train_share import with_train_share
from nexus_engine.model.base_model import BaseModel, find_base_model
from nexus_engine.model.placement import Placement, choose_placement
from nexus_engine.model.plain_tokenizer import plain_tokenizer
from nexus_engine.model.regimes import build_model
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import Tokenizer
from nexus_engine.scoring.corpus import (
    Corpus,
    QuestionCorpus,
    build_corpus,
    build_question_corpus,
)
from nexus_engine.training.arm.spec import ArmSpec, plan_main
from nexus_engine.training.hardware import Hardware, select
from nexus_engine.training.little_data import fit_to_data

__all__ = ["Inputs", "Untrained", "open_inputs", "tokenise", "untrained"]


class Inputs(NamedTuple):
    """The hardware, the base model, and the pairs or questions."""

    hardware: Hardware
    base: BaseModel
    data: PairData | QuestionData


class Untrained(NamedTuple):
    """The model before the first step, its dendrites' placement, and its number of parameters."""

    model: SentenceModel
    placement: Placement
    parameters: int

    def plan(self, settings: Settings, examples: int) -> ArmSpec:
        """The main arm, its settings fitted to the number of training examples."""
        fitted = fit_to_data(settings, examples)
        return plan_main(fitted, self.placement.sites, self.placement.switches)


def open_inputs(
    settings: Settings, *, base: BaseModel | None = None, threads: int | None = None
) -> Inputs:
    """Choose the hardware, set torch's threads, find the base model, read the data.

    A child process passes the `base` and `threads` that its parent has chosen.

    Raises:
        NexusError: the hardware, the base model or the data cannot be used.
    """
    hardware = select(settings)
    if threads is not None:
        hardware = hardware._replace(threads=threads)
    torch.set_num_threads(hardware.threads)
    base = base or find_base_model(settings.base)
    return Inputs(hardware, base, read_data(settings, base))


def read_data(settings: Settings, base: BaseModel) -> PairData | QuestionData:
    """The data of `settings`, by its task, with the share of train that they ask for.

    Raises:
        NexusError: it cannot be used, or the base model's tokenizer cannot be read.
    """
    columns = columns_option(settings.columns) if settings.columns else None
    if settings.task == "pairs":
        pairs = load_data(
            settings.data,
            seed=settings.seed,
            score_range=settings.score_range,
            columns=columns,
            skip_bad=settings.skip_bad,
        )
        return with_train_share(pairs, settings.train_share)
    questions = load_questions(
        settings.data,
        seed=settings.seed,
        columns=columns,
        skip_bad=settings.skip_bad,
        tokenizer=plain_tokenizer(base.folder),
        max_tokens=settings.max_length,
        corpus=settings.corpus,
    )
    return with_train_share(questions, settings.train_share)


def untrained(settings: Settings, base: BaseModel) -> Untrained:
    """The model that training starts from, and its placement.

    Raises:
        NexusError: the weights cannot be read, or the model lacks a site of the placement.
    """
    model = build_model(base, settings.tune)
    placement = choose_placement(settings, model.sites())
    return Untrained(model, placement, sum(p.numel() for p in model.parameters()))


def tokenise(
    inputs: Inputs, settings: Settings, guard_pairs: int | None = None
) -> Corpus | QuestionCorpus:
    """The data's texts and those of the first `guard_pairs` guard pairs (all: None) as tokens.

    With `--eval-corpus` the questions are ranked among a sample of the passages.

    Raises:
        DataError: the guard set or the general sentences cannot be read.
    """
    guard = load_guard()
    if guard_pairs is not None:
        guard = guard.take(np.arange(guard_pairs))
    general = load_general() if settings.rehearses else ()
    tokenizer = Tokenizer(inputs.base.folder, settings.max_length, inputs.base.shape)
    if isinstance(inputs.data, PairData):
        return build_corpus(inputs.data, guard, tokenizer, general)
    corpus = build_question_corpus(inputs.data, guard, tokenizer, general)
    if settings.eval_corpus is None:
        return corpus
    return corpus.sampled(settings.eval_corpus, settings.seed)
