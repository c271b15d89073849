"""What happens before the first step: data, model, hardware, placement, the base model's scores.

The base model's test is scored when the arms are done: no decision waits for it, and the first
epoch is known a tenth of its time sooner.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Generator, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from nexus_engine.config import Settings
from nexus_engine.data import PairData
from nexus_engine.errors import RunError, one_line
from nexus_engine.events import Event, Log, RunStarted, Warned
from nexus_engine.model.regimes import build_model
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.runs.audit import note_use
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scoring.corpus import Corpus, PairRows
from nexus_engine.scoring.correlation import spearman
from nexus_engine.scoring.cut_texts import corpus_notes, indistinct, refuse_indistinct
from nexus_engine.scoring.direction import ask_direction
from nexus_engine.scoring.evaluation import (
    Baseline,
    Correlations,
    correlate,
    pair_cosines,
)
from nexus_engine.system.process_identity import own_identity
from nexus_engine.training.arm.spec import ArmSpec
from nexus_engine.training.hardware import Hardware, release_memory
from nexus_engine.training.inputs import Inputs, open_inputs, tokenise, untrained
from nexus_engine.training.perforated_check import require_perforatedai
from nexus_engine.training.steering import Steering
from nexus_engine.training.steps.features import features_of

__all__ = [
    "ENCODING",
    "Prepared",
    "measure_base_test",
    "prepare",
]


class Prepared(NamedTuple):
    """All that the arms of a run share. The data's sentences are tokens by now, in `corpus`.

    `features` (store rows, width) is the frozen encoder's output for every sentence, where the
    regime trains on it.
    """

    inputs: Inputs
    corpus: Corpus
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


ENCODING = "encoding every sentence once: the encoder is frozen"


def prepare(
    settings: Settings, folder: RunFolder, steering: Steering, resume: bool
) -> Generator[Event, None, Prepared]:
    """Open the inputs, describe the run, measure the base model.

    Yields what is decided on the way; the `Prepared` is the generator's return value.
    """
    begun = time.time()
    if settings.grower == "perforatedai":
        require_perforatedai()
    inputs = open_inputs(settings)
    steering.check()
    for note in inputs.data.notes:
        yield Log(time_unix_s=time.time(), message=note)
    for question in inputs.data.questions:
        yield Warned(time_unix_s=time.time(), message=question)
    start = untrained(settings, inputs.base)
    corpus = tokenise(inputs)
    inputs = inputs._replace(data=_without_text(inputs.data))
    yield from _text_warnings(corpus, resume)
    main = start.plan(settings, len(corpus.train))
    if resume:
        former = folder.read_run()
        _check_same(former, inputs)
        for message in _differences(former, inputs.hardware):
            yield Warned(time_unix_s=time.time(), message=message)
    started = _started(folder, main, inputs, corpus, start.parameters, resume)
    folder.write_run(_description(started, main, inputs, begun))
    note_use(
        folder.path,
        "train, resumed" if resume else "train",
        fingerprint=started.data_fingerprint,
        size=started.train_pairs + started.dev_pairs + started.test_pairs,
    )
    yield msgspec.structs.replace(started, time_unix_s=time.time())
    model = start.model.to(inputs.hardware.device).eval()
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
    return Prepared(inputs, corpus, baseline, main, start.parameters, features)


def _text_warnings(corpus: Corpus, resume: bool) -> Iterator[Warned]:
    """What the user should know of the texts.

    Raises:
        DataError: the dev pairs cannot be told apart by the model; a resumed run was let in before.
    """
    for note in corpus_notes(corpus):
        yield Warned(time_unix_s=time.time(), message=note)
    reason = indistinct(corpus.store, corpus.test)
    if reason:
        yield Warned(time_unix_s=time.time(), message=f"test: {reason}")
    if not resume:
        refuse_indistinct(corpus.store, corpus.dev, "dev")


def _started(
    folder: RunFolder,
    main: ArmSpec,
    inputs: Inputs,
    corpus: Corpus,
    params_base: int,
    resume: bool,
) -> RunStarted:
    """What the run is: the record from which `run.json` is written too."""
    settings, hardware = main.settings, inputs.hardware
    return RunStarted(
        run_dir=str(folder.path),
        name=folder.name,
        tune=settings.tune,
        data=inputs.data.name,
        data_fingerprint=inputs.data.fingerprint,
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
        sites=len(main.sites),
        params_base=params_base,
        device=hardware.device.type,
        precision=hardware.precision,
        threads=hardware.threads,
        pid=os.getpid(),
        resumed=resume,
    )


def _description(
    started: RunStarted, main: ArmSpec, inputs: Inputs, begun: float
) -> dict[str, Any]:
    """The content of `run.json`; `begun` is when the run was started, in Unix seconds."""
    base = inputs.base
    return {
        "name": started.name,
        "settings": msgspec.to_builtins(main.settings),
        "sites": list(main.sites),
        "data_name": started.data,
        "data_fingerprint": started.data_fingerprint,
        "score_range": list(inputs.data.score_range),
        "base": {
            "origin": base.origin,
            "sha256": base.sha256,
            "tokenizer_sha256": base.tokenizer_sha256,
        },
        "params_base": started.params_base,
        "device": started.device,
        "precision": started.precision,
        "threads": started.threads,
        "versions": versions(),
        "pid": started.pid,
        "process_identity": own_identity(),
        "started_unix_s": begun,
    }


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
    model = build_model(prepared.inputs.base, prepared.main.settings.tune)
    model.to(prepared.inputs.hardware.device).eval()
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


def _check_same(former: dict[str, Any], inputs: Inputs) -> None:
    base = inputs.base
    if former.get("data_fingerprint") != inputs.data.fingerprint:
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
