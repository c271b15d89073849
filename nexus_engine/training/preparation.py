"""What happens before the first step: data, model, hardware, placement, the base model's scores.

The base model is scored on test only after the arms are done: no decision needs that score, and
the first epoch then ends sooner by a tenth of its time.
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
import torch

from nexus_engine.config import Settings
from nexus_engine.data import PairData
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.errors import RunError, one_line
from nexus_engine.events import Event, Log, RunStarted, Warned
from nexus_engine.model.regimes import build_model
from nexus_engine.runs.audit import note_use
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scores import Metric
from nexus_engine.scoring.corpus import (
    Corpus,
    QuestionCorpus,
    train_examples,
    weak_examples,
)
from nexus_engine.scoring.cut_texts import corpus_notes, indistinct, refuse_indistinct
from nexus_engine.scoring.direction import ask_direction
from nexus_engine.scoring.evaluation import (
    Baseline,
    Judged,
)
from nexus_engine.scoring.judging import Judge, judge_of
from nexus_engine.system.process_identity import own_identity
from nexus_engine.training.arm.judging import judged, judging_dtype
from nexus_engine.training.arm.spec import ArmSpec
from nexus_engine.training.base_scores import base_cosines, base_embedder, measure_base
from nexus_engine.training.hardware import Hardware, keep_few_kernels, release_memory
from nexus_engine.training.inputs import Inputs, open_inputs, tokenise, untrained
from nexus_engine.training.little_data import fit_to_documents, fit_to_labels
from nexus_engine.training.memory_need import memory_shortage
from nexus_engine.training.perforated_check import require_perforatedai
from nexus_engine.training.steering import Steering
from nexus_engine.training.steps.features import features_of

__all__ = ["ENCODING", "Prepared", "measure_base_test", "prepare"]


class Prepared(NamedTuple):
    """What the arms of a run share. The data's sentences are tokens by now, in `corpus`.

    `features` (store rows, width) is the frozen encoder's output for every sentence; None unless
    the main arm trains on it.
    """

    inputs: Inputs
    corpus: Corpus | QuestionCorpus
    baseline: Baseline
    main: ArmSpec
    params_base: int
    features: torch.Tensor | None

    @property
    def judge(self) -> Judge:
        """A judge for the run's corpus."""
        return judge_of(self.corpus)

    @property
    def metric(self) -> Metric:
        """The metric that decides in the run."""
        return self.judge.metric


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that a result depends on, by name."""
    versions_by_name = {"python": platform.python_version()}
    for name in ("nexus-dendrites", "torch", "tokenizers", "numpy", "scipy", "datasets"):
        try:
            versions_by_name[name] = version(name)
        except PackageNotFoundError:
            versions_by_name[name] = "not installed"
    return versions_by_name


FEW_KERNELS = "little memory is free: fewer kernels are kept, and steps take about 10 % longer"
ENCODING = "encoding every sentence once: the encoder is frozen"


def prepare(
    settings: Settings,
    folder: RunFolder,
    steering: Steering,
    resume: bool,
    guard_pairs: int | None = None,
) -> Generator[Event, None, Prepared]:
    """Open the inputs, describe the run, measure the base model.

    Yields the run's first events and returns the `Prepared`. `guard_pairs` as in `tokenise`.
    """
    begun = time.time()
    if settings.grower == "perforatedai":
        require_perforatedai()
    if keep_few_kernels():
        yield Log(time_unix_s=time.time(), message=FEW_KERNELS)
    inputs = open_inputs(settings)
    steering.check()
    for note in inputs.data.notes:
        yield Log(time_unix_s=time.time(), message=note)
    if inputs.hardware.warning:
        yield Warned(time_unix_s=time.time(), message=inputs.hardware.warning)
    for question in _questions(inputs.data):
        yield Warned(time_unix_s=time.time(), message=question)
    settings = fit_to_labels(fit_to_documents(settings, inputs.data), inputs.data)
    start = untrained(settings, inputs.base)
    corpus = tokenise(inputs, settings, guard_pairs)
    inputs = inputs._replace(data=_without_text(inputs.data))
    yield from _text_notes(corpus, resume)
    main = start.plan(settings, train_examples(corpus))
    shortage = memory_shortage(main.settings, corpus, inputs.base.shape.encoder, inputs.hardware)
    if shortage:
        yield Warned(time_unix_s=time.time(), message=shortage)
    if resume:
        earlier_run = folder.read_run()
        _check_same(earlier_run, inputs)
        for message in _differences(earlier_run, inputs.hardware):
            yield Warned(time_unix_s=time.time(), message=message)
    started = _started(folder, main, inputs, corpus, start.parameters, resume)
    folder.write_run(_description(started, main, inputs, begun))
    note_use(
        folder.path,
        "train, resumed" if resume else "train",
        fingerprint=started.data_fingerprint,
        size=len(corpus.train) + started.dev_pairs + started.test_pairs,
    )
    yield msgspec.structs.replace(started, time_unix_s=time.time())
    model = start.model.to(inputs.hardware.device).eval()
    features = None
    if settings.tune == "adapter":
        yield Log(time_unix_s=time.time(), message=ENCODING)
        features = features_of(model, corpus, steering.check)
    baseline = yield from measure_base(
        model, corpus, features, steering, main.settings, inputs.hardware
    )
    if isinstance(corpus, Corpus):
        direction_question = ask_direction(
            lambda pairs: base_cosines(model, corpus, pairs, features, steering),
            corpus,
            baseline.dev.values,
        )
        if direction_question is not None:
            yield Warned(time_unix_s=time.time(), message=direction_question)
    release_memory()
    return Prepared(inputs, corpus, baseline, main, start.parameters, features)


def _questions(data: PairData | QuestionData) -> tuple[str, ...]:
    """What the user should settle before training."""
    return data.questions if isinstance(data, PairData) else data.asked


def _text_notes(corpus: Corpus | QuestionCorpus, resume: bool) -> Iterator[Warned | Log]:
    """Warnings about the texts, and a note on what questions are ranked among.

    Raises:
        DataError: the model cannot tell the dev pairs apart; not raised for a resumed run, which
            has passed this check before.
    """
    for note in corpus_notes(corpus):
        yield Warned(time_unix_s=time.time(), message=note)
    if not isinstance(corpus, Corpus):
        if corpus.sample_note:
            yield Log(time_unix_s=time.time(), message=f"--eval-corpus: {corpus.sample_note}")
        return
    reason = indistinct(corpus.store, corpus.test)
    if reason:
        yield Warned(time_unix_s=time.time(), message=f"test: {reason}")
    if not resume:
        refuse_indistinct(corpus.store, corpus.dev, "dev")


def _started(
    folder: RunFolder,
    main: ArmSpec,
    inputs: Inputs,
    corpus: Corpus | QuestionCorpus,
    params_base: int,
    resume: bool,
) -> RunStarted:
    """The event that describes the run; `run.json` is written from it too."""
    settings, hardware = main.settings, inputs.hardware
    return RunStarted(
        run_dir=str(folder.path),
        name=folder.name,
        tune=settings.tune,
        data=inputs.data.name,
        data_fingerprint=inputs.data.fingerprint,
        train_pairs=train_examples(corpus) or weak_examples(corpus),
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
        task="pairs" if isinstance(corpus, Corpus) else "retrieval",
        passages=0 if isinstance(corpus, Corpus) else len(corpus.ranked),
        max_tokens=settings.max_length,
        keep_general=settings.keep_general,
        labels=inputs.data.labels,
    )


def _description(
    started: RunStarted, main: ArmSpec, inputs: Inputs, begun: float
) -> dict[str, Any]:
    """The content of `run.json`; `begun` is the start of the run in Unix seconds."""
    base = inputs.base
    return {
        "name": started.name,
        "settings": msgspec.to_builtins(main.settings),
        "sites": list(main.sites),
        "data_name": started.data,
        "data_fingerprint": started.data_fingerprint,
        **({"labels": started.labels} if started.labels else {}),
        **_range_of(inputs.data),
        "base": {
            "name": base.name,
            "layers": base.shape.encoder.layers,
            "width": base.shape.encoder.width,
            "pooling": base.shape.encoder.pooling,
            "prompts": list(base.shape.prompts),
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


def _range_of(data: PairData | QuestionData) -> dict[str, Any]:
    return {"score_range": list(data.score_range)} if isinstance(data, PairData) else {}


def _without_text(data: PairData | QuestionData) -> PairData | QuestionData:
    """`data` without its sentences, which nothing needs once they are tokens."""
    none = np.zeros(0, np.intp)
    if isinstance(data, PairData):
        pairs = data.train.take(none)
        return dataclasses.replace(data, train=pairs, dev=pairs, test=pairs)
    questions = data.train.take(none)
    return dataclasses.replace(
        data,
        passages=data.passages.slice(0, 0),
        train=questions,
        dev=questions,
        test=questions,
        weak_train=None,
        weak_passages=None,
        origins=None,
    )


def measure_base_test(
    prepared: Prepared, steering: Steering
) -> Generator[Event, None, tuple[Judged, Judge]]:
    """The base model's judgement on test, and the judge with its embeddings.

    The model is built again from its files.
    """
    corpus = prepared.corpus
    model = build_model(prepared.inputs.base, prepared.main.settings.tune)
    model.to(prepared.inputs.hardware.device).eval()
    judge = judge_of(corpus)
    dtype = judging_dtype(corpus, prepared.inputs.hardware)
    embed = base_embedder(model, corpus, prepared.features, dtype)
    judging = judge.judge(embed, "test", steering.check, prepared.baseline.passages)
    test = yield from judged(judging, "test")
    return test, judge


def _check_same(earlier_run: dict[str, Any], inputs: Inputs) -> None:
    """Refuse a resume with other data or another base model than `earlier_run`, its `run.json`."""
    base = inputs.base
    if earlier_run.get("data_fingerprint") != inputs.data.fingerprint:
        raise RunError(
            "cannot resume: the data is not what the run was started with "
            "(its fingerprint differs); restore the file, or start a new run"
        )
    base_facts = earlier_run.get("base")
    if not isinstance(base_facts, dict) or base_facts.get("sha256") != base.sha256:
        raise RunError(
            "cannot resume: the base model is not what the run was started with "
            "(its SHA-256 differs); restore it, or start a new run"
        )
    # Runs of earlier versions recorded neither these nor the tokenizer.
    reading = (base_facts.get("pooling", "mean"), base_facts.get("prompts", ["", ""]))
    if reading != (base.shape.encoder.pooling, list(base.shape.prompts)):
        raise RunError(
            "cannot resume: the base model's pooling or prompts are not what the run was started "
            "with; restore its 1_Pooling/config.json and config_sentence_transformers.json"
        )
    if base_facts.get("tokenizer_sha256", base.tokenizer_sha256) != base.tokenizer_sha256:
        raise RunError(
            "cannot resume: the base model's tokenizer.json is not what the run was started with "
            "(its SHA-256 differs); restore it, or start a new run"
        )


def _differences(earlier_run: dict[str, Any], hardware: Hardware) -> list[str]:
    """A message for each change since `earlier_run` that may change the resumed run's numbers."""
    torch_then = (earlier_run.get("versions") or {}).get("torch")
    then_and_now = {
        "device": (earlier_run.get("device"), hardware.device.type),
        "precision": (earlier_run.get("precision"), hardware.precision),
        "threads": (earlier_run.get("threads"), hardware.threads),
        "torch": (torch_then, versions()["torch"]),
    }
    return [
        f"resumed with {name} {now}, not {one_line(then, 40)}: the numbers may differ a little"
        for name, (then, now) in then_and_now.items()
        if then != now
    ]
