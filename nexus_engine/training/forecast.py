"""How long a run will take and how much memory it needs, from a short measured probe of it.

The inputs are read, tokenised and built into a model as the run itself does it; a `Probe` of each
arm then measures the cost of a token. The forecast is that cost times the tokens that the epochs,
evaluations and controls of the run will see. Nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from nexus_engine.config import Settings
from nexus_engine.data import PairData
from nexus_engine.errors import DataError, ResourceError
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.scoring.corpus import (
    Corpus,
    PairRows,
    QuestionCorpus,
    QuestionRows,
    train_examples,
    weak_examples,
)
from nexus_engine.scoring.cut_texts import corpus_notes, refuse_indistinct
from nexus_engine.scoring.direction import ask_direction
from nexus_engine.scoring.evaluation import pair_cosines
from nexus_engine.training.arm.control_arms import control_specs
from nexus_engine.training.arm.examples import example_rows
from nexus_engine.training.arm.guard_checks import steering_half
from nexus_engine.training.arm.spec import ArmSpec
from nexus_engine.training.hardware import Hardware, keep_few_kernels, peak_rss_mb, rss_mb
from nexus_engine.training.inputs import open_inputs, tokenise, untrained
from nexus_engine.training.little_data import fit_to_documents, fit_to_labels
from nexus_engine.training.memory_need import memory_need_mb, memory_shortage
from nexus_engine.training.probe import Costs, Probe

__all__ = ["Forecast", "forecast"]


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a run will cost, and what that was measured on.

    `seconds` runs from the start to the result, like `total_seconds` of `run_finished`;
    `train_seconds` is the main arm's part of it, without controls. `peak_rss_mb` is the highest
    resident memory: on a CPU an estimate from the sizes of batches, unless the probe took more. A
    run that stops early takes less. `steps` counts the main arm's steps; `arms` counts the main arm
    and its controls. The settings are shown as they were fitted to the data.
    `questions` are those that the run would ask before its first step. `notes` are lines on the
    data and its texts; if the run will be refused because of them, one line says so.
    """

    data: str
    tune: str
    train_pairs: int
    dev_pairs: int
    test_pairs: int
    passages: int = 0
    task: str = "pairs"
    epochs: int
    epochs_per_pass: int
    batch_size: int
    units: int
    lr: float
    dendrite_lr: float
    steps: int
    arms: int
    switches: int
    params_added: int
    params_base: int
    seconds: float
    train_seconds: float
    evaluate_seconds: float
    prepare_seconds: float
    peak_rss_mb: float
    pairs_per_second: float
    device: str
    precision: str
    threads: int
    probe_steps: int
    probe_sentences: int
    probe_seconds: float
    questions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def forecast(settings: Settings, *, probe_type: type[Probe] = Probe) -> Forecast:
    """Forecast the run of `settings`; a `probe_type` measures each of its arms.

    Raises:
        ResourceError: the run will not fit into memory; it says which batch size would.
        NexusError: data, model or settings cannot be used; the run itself would raise the same.
    """
    begun = time.perf_counter()
    keep_few_kernels()
    inputs = open_inputs(settings)
    hardware, base, data = inputs
    settings = fit_to_labels(fit_to_documents(settings, data), data)
    start = untrained(settings, base)
    params_base = start.parameters
    corpus = tokenise(inputs, settings)
    notes = (*data.notes, *_text_notes(corpus))
    main = start.plan(settings, train_examples(corpus))
    settings = main.settings
    shortage = memory_shortage(settings, corpus, base.shape.encoder, hardware)
    if shortage:  # a probe would be killed
        raise ResourceError(f"out of memory: {shortage}")
    peak = peak_rss_mb()
    if hardware.device.type == "cpu":
        peak = rss_mb() + memory_need_mb(settings, corpus, base.shape.encoder, hardware)
    prepare_seconds = time.perf_counter() - begun
    if isinstance(data, PairData):
        assert isinstance(corpus, Corpus)
        questions = [*data.questions, *_direction(start.model, corpus, hardware)]
    else:
        questions = list(data.asked)
    del start
    switches = _switch_epochs(main)
    arms = [main]
    if settings.control:
        arms += control_specs(main, switches, settings.epochs)
    probes = [probe_type(spec, base, corpus, hardware) for spec in arms]
    tokens = _Tokens(corpus, settings)
    train_seconds, evaluate_seconds = 0.0, 0.0
    main_seconds = 0.0
    params_added = 0
    encode = 0.0
    for probe in probes:
        first, last = probe.measure()
        encode = encode or first.encode
        arm_train = _train_seconds(probe, first, last, switches)
        each_epoch = tokens.each_epoch + tokens.of(probe.rows_to_mine)
        checks = probe.guard_checks * tokens.steering
        arm_evaluate = (probe.spec.epochs * each_epoch + checks + tokens.test) * last.embed
        if probe.encoder_frozen:
            # The encoder runs once over every sentence; from then on only the adapter runs.
            arm_train += tokens.all * encode if settings.tune != "adapter" else 0.0
        train_seconds += arm_train
        evaluate_seconds += arm_evaluate
        if probe.spec.name == "main":
            main_seconds, params_added = arm_train + arm_evaluate, probe.params_added
        peak = max(peak, probe.peak_rss_mb)
        probe.release()
    base_tokens = tokens.all if settings.tune == "adapter" else tokens.base
    base_seconds = base_tokens * encode
    return Forecast(
        data=data.name,
        tune=settings.tune,
        train_pairs=train_examples(corpus) or weak_examples(corpus),
        dev_pairs=len(corpus.dev),
        test_pairs=len(corpus.test),
        passages=0 if isinstance(corpus, Corpus) else len(corpus.ranked),
        task=settings.task,
        epochs=settings.epochs,
        epochs_per_pass=settings.epochs_per_pass,
        batch_size=settings.batch_size,
        units=settings.units,
        lr=settings.lr,
        dendrite_lr=settings.dendrite_lr,
        steps=probes[0].steps,
        arms=len(arms),
        switches=len(switches) if settings.dendrites else 0,
        params_added=params_added,
        params_base=params_base,
        seconds=prepare_seconds + base_seconds + train_seconds + evaluate_seconds,
        train_seconds=main_seconds,
        evaluate_seconds=evaluate_seconds + base_seconds,
        prepare_seconds=prepare_seconds,
        peak_rss_mb=peak,
        pairs_per_second=probes[0].epoch_pairs / max(probes[0].epoch_seconds, 1e-9),
        device=hardware.device.type,
        precision=hardware.precision,
        threads=hardware.threads,
        probe_steps=sum(probe.steps_made for probe in probes),
        probe_sentences=sum(probe.sentences_embedded for probe in probes),
        probe_seconds=time.perf_counter() - begun,
        questions=tuple(questions),
        notes=notes,
    )


def _direction(model: SentenceModel, corpus: Corpus, hardware: Hardware) -> list[str]:
    """The run's question whether its scores run the other way; empty if it would not ask."""
    model.to(hardware.device).eval()
    store = corpus.store
    question = ask_direction(
        lambda pairs: pair_cosines(lambda rows: model.embed(store, rows), store, pairs), corpus
    )
    return [] if question is None else [question]


def _text_notes(corpus: Corpus | QuestionCorpus) -> tuple[str, ...]:
    notes = corpus_notes(corpus)
    if not isinstance(corpus, Corpus):
        sample = f"--eval-corpus: {corpus.sample_note}"
        return (*notes, sample) if corpus.sample_note else tuple(notes)
    try:
        refuse_indistinct(corpus.store, corpus.dev, "dev")
    except DataError as error:
        notes.append(f"the run will be refused: {error}")
    return tuple(notes)


def _switch_epochs(spec: ArmSpec) -> tuple[int, ...]:
    """The epochs after which switches are expected: evenly spread if a stall decides."""
    plan = spec.plan
    if plan.switch_epochs is not None:
        return plan.switch_epochs[: plan.switches]
    if not plan.switches:
        return ()
    gap = max(1, (plan.epochs - plan.warmup_epochs) // (plan.switches + 1))
    epochs = [plan.warmup_epochs + gap * number for number in range(plan.switches)]
    if not plan.trains_alone:
        epochs[0] = 0  # the first set grows at the start, whatever the warm-up
    return tuple(epoch for epoch in epochs if epoch < plan.epochs)


class _Tokens:
    """Tokens of an inference pass over each split: every distinct text counts once.

    Questions are ranked among all passages, which are embedded at each evaluation.
    """

    def __init__(self, corpus: Corpus | QuestionCorpus, settings: Settings) -> None:
        self._corpus = corpus
        passages = 0
        if not isinstance(corpus, Corpus):
            passages = self.of(corpus.passages[corpus.ranked])
        self.dev = passages + self._count(corpus.dev)
        self.guard = self._count(corpus.guard)
        self.test = passages + self._count(corpus.test)
        self.steering = self._count(steering_half(corpus.guard))
        self.each_epoch = self.dev + self.guard
        # The passages are embedded once for dev and test.
        self.base = self.each_epoch + self.test - passages + self.of(corpus.general)
        if settings.order == "neighbours" and not isinstance(corpus, Corpus):
            self.base += self.of(example_rows(corpus)[0])
        self.all = int(corpus.store.lengths.sum())

    def _count(self, split: PairRows | QuestionRows) -> int:
        if isinstance(split, QuestionRows):
            return self.of(split.questions)
        return self.of(np.concatenate([split.first, split.second]))

    def of(self, rows: npt.NDArray[np.int64]) -> int:
        """Tokens of the distinct ones among store rows."""
        return int(self._corpus.store.lengths_of(np.unique(rows)).sum())


def _train_seconds(probe: Probe, first: Costs, last: Costs, switches: Sequence[int]) -> float:
    """Seconds of an arm's steps: their cost rises from `first` to `last` with each set."""
    total = 0.0
    sets = max(1, probe.sets)
    for epoch in range(1, probe.spec.epochs + 1):
        grown = min(sets, max(1, sum(1 for after in switches if after < epoch)))
        share = (grown - 1) / (sets - 1) if sets > 1 else 1.0
        total += probe.tokens_in(epoch) * (first.step + (last.step - first.step) * share)
    return total
