"""What happens before the first step: data, model, hardware, placement, the base model's scores.

The base model's test is scored when the arms are done: no decision waits for it, and the first
epoch is known a tenth of its time sooner.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Generator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.arm_spec import ArmSpec
from nexus_engine.audit import note_use
from nexus_engine.base_model import BaseModel, find_base_model
from nexus_engine.config import Settings
from nexus_engine.corpus import Corpus, PairRows, build_corpus
from nexus_engine.correlation import spearman
from nexus_engine.cut_texts import corpus_notes, indistinct, refuse_indistinct
from nexus_engine.data import PairData, load_data, load_guard
from nexus_engine.direction import ask_direction
from nexus_engine.errors import RunError, one_line
from nexus_engine.evaluation import Correlations, Measured, correlate, pair_cosines
from nexus_engine.events import Event, Log, RunStarted, Warned
from nexus_engine.features import features_of
from nexus_engine.growth import GrowthPlan
from nexus_engine.hardware import Hardware, release_memory, select
from nexus_engine.perforated.installed import require_perforatedai
from nexus_engine.placement import choose_placement
from nexus_engine.process_identity import own_identity
from nexus_engine.run_folder import RunFolder
from nexus_engine.saved_model import build_model
from nexus_engine.sentence_model import SentenceModel
from nexus_engine.steering import Steering
from nexus_engine.tokens import Tokenizer

__all__ = ["ENCODING", "Baseline", "Prepared", "measure_base_test", "prepare"]


class Baseline(NamedTuple):
    """The untouched base model: its dev correlations and its guard similarities (n,)."""

    dev: Correlations
    guard: npt.NDArray[np.float64]
    guard_scored: float

    @property
    def measured(self) -> Measured:
        """As the evaluation of epoch 0."""
        return Measured(
            epoch=0,
            spearman=self.dev.spearman,
            pearson=self.dev.pearson,
            guard_spearman=1.0,
            guard_scored_spearman=self.guard_scored,
        )


class Prepared(NamedTuple):
    """All that the arms of a run share.

    `features` (store rows, width) is the frozen encoder's output for every sentence, where the
    regime trains on it.
    """

    base: BaseModel
    data: PairData
    corpus: Corpus
    hardware: Hardware
    baseline: Baseline
    main: ArmSpec
    params_base: int
    features: torch.Tensor | None


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in ("nexus-dendrites", "torch", "tokenizers", "numpy", "scipy", "datasets"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def plan_main(settings: Settings, sites: tuple[str, ...], switches: int) -> ArmSpec:
    """The main arm's specification."""
    switches = switches if settings.dendrites else 0
    fixed = settings.switch_epochs
    # A run of an earlier version is resumed as it was begun.
    unbounded = settings.tune == "dendrites" and not settings.warmup_after_first_set
    plan = GrowthPlan(
        epochs=settings.epochs,
        switches=switches,
        warmup_epochs=0 if unbounded else settings.warmup_epochs,
        switch_epochs=None if fixed is None else fixed[:switches],
        patience=settings.patience,
        min_gain=settings.min_gain,
        trains_alone=settings.tune != "dendrites",
    )
    return ArmSpec(
        name="main",
        description="the run",
        settings=settings,
        plan=plan,
        sites=sites,
        grow_sets=None,
        epochs=settings.epochs,
    )


ENCODING = "encoding every sentence once: the encoder is frozen"
LITTLE_STEPS = 69
"""With fewer steps an epoch than this, data is little: smaller batches learn more from it. On the
demo set, 5 epochs of batches of 16 reach dev 0.534, of 64 0.511 (one seed)."""
LITTLE_BATCH = 16
RATE_STEPS = 400
MOST_RATE = 3.0
"""With little data a run makes few steps: its rate grows with the root of `RATE_STEPS` over their
number, to `MOST_RATE` times the recipe's at most (docs/recipes.md)."""


def fit_to_data(settings: Settings, train_pairs: int) -> Settings:
    """Smaller batches and a larger rate for little data, where the user named neither."""
    size, factor = settings.batch_size, 1.0
    if train_pairs >= size * LITTLE_STEPS:
        return settings
    if "batch_size" in settings.fit:
        while size // 2 >= LITTLE_BATCH and train_pairs < size * LITTLE_STEPS:
            size //= 2
    if "lr" in settings.fit:
        passes = settings.epochs / settings.epochs_per_pass
        steps = passes * max(1, -(-train_pairs // size))
        factor = min(MOST_RATE, max(1.0, (RATE_STEPS / steps) ** 0.5))
    return msgspec.structs.replace(
        settings,
        batch_size=size,
        lr=settings.lr * factor,
        dendrite_lr=settings.dendrite_lr * factor,
        fit=(),
    )


def prepare(
    settings: Settings, folder: RunFolder, steering: Steering, resume: bool
) -> Generator[Event, None, Prepared]:
    """Yield what is decided on the way; the `Prepared` is the generator's return value."""
    begun = time.time()
    if settings.grower == "perforatedai":
        require_perforatedai()
    hardware = select(settings)
    torch.set_num_threads(hardware.threads)
    base = find_base_model(settings.base)
    data = load_data(settings.data, seed=settings.seed, score_range=settings.score_range)
    steering.check()
    for note in data.notes:
        yield Log(time_unix_s=time.time(), message=note)
    for question in data.questions:
        yield Warned(time_unix_s=time.time(), message=question)
    model = build_model(base, settings.tune)
    placement = choose_placement(settings, model.sites())
    corpus = build_corpus(data, load_guard(), Tokenizer(base.folder))
    sizes = [len(split) for split in (data.train, data.dev, data.test)]
    data = _without_text(data)
    for note in corpus_notes(corpus):
        yield Warned(time_unix_s=time.time(), message=note)
    reason = indistinct(corpus.store, corpus.test)
    if reason:
        yield Warned(time_unix_s=time.time(), message=f"test: {reason}")
    if not resume:
        refuse_indistinct(corpus.store, corpus.dev, "dev")
    settings = fit_to_data(settings, len(corpus.train))
    main = plan_main(settings, placement.sites, placement.switches)
    params_base = sum(p.numel() for p in model.parameters())
    if resume:
        former = folder.read_run()
        _check_same(former, data, base)
        for message in _differences(former, hardware):
            yield Warned(time_unix_s=time.time(), message=message)
    folder.write_run(
        {
            "name": folder.name,
            "settings": msgspec.to_builtins(settings),
            "sites": list(placement.sites),
            "data_name": data.name,
            "data_fingerprint": data.fingerprint,
            "score_range": list(data.score_range),
            "base": {
                "origin": base.origin,
                "sha256": base.sha256,
                "tokenizer_sha256": base.tokenizer_sha256,
            },
            "params_base": params_base,
            "device": hardware.device.type,
            "precision": hardware.precision,
            "threads": hardware.threads,
            "versions": versions(),
            "pid": os.getpid(),
            "process_identity": own_identity(),
            "started_unix_s": begun,
        }
    )
    note_use(
        folder.path,
        "train, resumed" if resume else "train",
        fingerprint=data.fingerprint,
        size=sum(sizes),
    )
    yield RunStarted(
        time_unix_s=time.time(),
        run_dir=str(folder.path),
        name=folder.name,
        tune=settings.tune,
        data=data.name,
        data_fingerprint=data.fingerprint,
        train_pairs=len(corpus.train),
        dev_pairs=len(corpus.dev),
        test_pairs=len(corpus.test),
        guard_pairs=len(corpus.guard),
        epochs=settings.epochs,
        epochs_per_pass=settings.epochs_per_pass,
        batch_size=settings.batch_size,
        lr=settings.lr,
        switches=min(main.plan.switches, settings.planned_switches),
        seed=settings.seed,
        sites=len(placement.sites),
        params_base=params_base,
        device=hardware.device.type,
        precision=hardware.precision,
        threads=hardware.threads,
        pid=os.getpid(),
        resumed=resume,
    )
    model.to(hardware.device).eval()
    features = None
    if settings.tune == "adapter":
        yield Log(time_unix_s=time.time(), message=ENCODING)
        features = features_of(model, corpus, steering.check)
    baseline = _measure(model, corpus, features, steering)
    reversed_scores = ask_direction(
        lambda pairs: _cosines(model, corpus, pairs, features, steering),
        corpus,
        baseline.dev.cosine,
    )
    if reversed_scores is not None:
        yield Warned(time_unix_s=time.time(), message=reversed_scores)
    release_memory()
    return Prepared(base, data, corpus, hardware, baseline, main, params_base, features)


def _without_text(data: PairData) -> PairData:
    """`data` without its sentences: once they are tokens, nothing needs them any more."""
    none = data.train.take(np.zeros(0, np.intp))
    return dataclasses.replace(data, train=none, dev=none, test=none)


def _measure(
    model: SentenceModel, corpus: Corpus, features: torch.Tensor | None, steering: Steering
) -> Baseline:
    """The untouched model's scores; from `features` where they are at hand."""
    guard = _cosines(model, corpus, corpus.guard, features, steering)
    dev = _cosines(model, corpus, corpus.dev, features, steering)
    return Baseline(
        dev=correlate(dev, corpus.dev.scores),
        guard=guard,
        guard_scored=spearman(guard, corpus.guard.scores),
    )


def measure_base_test(prepared: Prepared, steering: Steering) -> Correlations:
    """The base model's test correlations, by a model built anew: nothing waits for them."""
    corpus = prepared.corpus
    model = build_model(prepared.base, prepared.main.settings.tune)
    model.to(prepared.hardware.device).eval()
    found = _cosines(model, corpus, corpus.test, prepared.features, steering)
    undefined = bool(indistinct(corpus.store, corpus.test))
    return correlate(found, corpus.test.scores, undefined=undefined)


def _cosines(
    model: SentenceModel,
    corpus: Corpus,
    pairs: PairRows,
    features: torch.Tensor | None,
    steering: Steering,
) -> npt.NDArray[np.float64]:
    """Cosine similarity of each pair, (n,), by the untouched model."""

    def embed(rows: npt.NDArray[np.int64]) -> torch.Tensor:
        if features is not None:
            return features[torch.from_numpy(rows).to(features.device)]
        return model.embed(corpus.store, rows)

    return pair_cosines(embed, corpus.store, pairs, steering.check)


def _check_same(former: dict[str, Any], data: PairData, base: BaseModel) -> None:
    if former.get("data_fingerprint") != data.fingerprint:
        raise RunError(
            "cannot resume: the data is not what the run was started with "
            "(its fingerprint differs); bring the file back, or start a new run"
        )
    known = former.get("base")
    if not isinstance(known, dict) or known.get("sha256") != base.sha256:
        raise RunError(
            "cannot resume: the base model is not what the run was started with "
            "(its SHA-256 differs); bring it back, or start a new run"
        )
    # A run of an earlier version did not note it.
    if known.get("tokenizer_sha256", base.tokenizer_sha256) != base.tokenizer_sha256:
        raise RunError(
            "cannot resume: the base model's tokenizer.json is not what the run was started with "
            "(its SHA-256 differs); bring it back, or start a new run"
        )


def _differences(former: dict[str, Any], hardware: Hardware) -> list[str]:
    """What makes a resumed run's numbers differ from an uninterrupted run's, a line each."""
    torch_then = (former.get("versions") or {}).get("torch")
    then_and_now = {
        "device": (former.get("device"), hardware.device.type),
        "precision": (former.get("precision"), hardware.precision),
        "threads": (former.get("threads"), hardware.threads),
        "torch": (torch_then, versions()["torch"]),
    }
    return [
        f"resumed with {name} {now}, not {one_line(then, 40)}: the numbers may differ a little"
        for name, (then, now) in then_and_now.items()
        if then != now
    ]
