"""A search over settings: many runs of dendrites at once on one GPU, and a table of their means.

    python tests/benchmarks/replicas.py --base DIR --data FOLDER --seeds 1-8 --out FILE.jsonl \
        --case default: --case fast:lr=3e-3,mse=0.5 --case taught:similarity=60,teacher=default

A case is NAME:SETTING=VALUE,... with the settings of `nexus train` for units on the frozen encoder,
as in `quality.py`, and some of its own: `mse`, `pearson`, `cosent` and `similarity` weigh the terms
of the loss, `blend` mixes the teacher into the scores, `teacher` is `base` or an earlier case (its
replicas after their last epoch, together), `word_dropout` hides words. Cases that differ in these
weights, blend, lr, weight_decay and sharpness alone train side by side. Each run is a line of the
output file; dev and test are measured after each epoch, in the precision of training, and a run
counts with its epoch of best dev. `ensemble` is the mean similarity of its replicas at the end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from arms import load_corpus
from msgspec.structs import replace
from quality import mean_and_spread, parse_case, parse_seeds
from stacked import Replica, Sentences, StackedEncoder, Weights, train
from torch import Tensor

from nexus_engine.config import Settings, config_from_mapping, resolve
from nexus_engine.errors import ConfigError
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.scoring.corpus import Corpus, PairRows
from nexus_engine.scoring.correlation import spearman
from nexus_engine.training.steps.losses import PEARSON_SHARE

TERMS = {
    "cosine-mse": {"mse": 1.0},
    "cosine-mse-pearson": {"mse": 1.0, "pearson": PEARSON_SHARE},
    "cosent": {"cosent": 1.0},
}
WEIGHTS = ("mse", "pearson", "cosent", "similarity", "blend")
SPLITS = ("dev", "test")
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}
Similarities = npt.NDArray[np.float64]


class Case(NamedTuple):
    """What the command line `asked` of every seed; `settings` lack what a replica has for itself.

    `teacher` is empty where the loss asks for none.
    """

    name: str
    asked: dict[str, Any]
    settings: Settings
    word_dropout: float
    teacher: str
    replica: Replica


Task = tuple[Case, int]


@dataclass
class Run:
    """A replica's outcome: Spearman by epoch as `curves`, similarities (n,) after the `last`."""

    case: str
    seed: int
    settings: dict[str, Any]
    params_trained: int = 0
    curves: dict[str, list[float]] = field(default_factory=lambda: {s: [] for s in SPLITS})
    last: dict[str, Similarities] = field(default_factory=dict)

    def best(self, split: str) -> float:
        """Spearman on `split` after the epoch of best dev."""
        return self.curves[split][int(np.argmax(self.curves["dev"]))]

    def line(self) -> dict[str, Any]:
        """The run as a line of the output file."""
        hidden = ("curves", "last")
        found = {name: value for name, value in vars(self).items() if name not in hidden}
        found.update({f"{split}_spearman": self.best(split) for split in SPLITS})
        return found | {f"{split}_curve": curve for split, curve in self.curves.items()}


def read_case(text: str) -> Case:
    """The case that the command line names."""
    name, asked = parse_case(text)
    rest = dict(asked)
    weights = {term: rest.pop(term) for term in WEIGHTS if term in rest}
    teacher, word_dropout = rest.pop("teacher", "base"), rest.pop("word_dropout", 0.0)
    try:
        settings = resolve(config_from_mapping(rest, name))
    except ConfigError as error:
        raise SystemExit(f"--case {name}: {error}") from None
    kind = (settings.tune, settings.dendrite, settings.rule)
    if kind != ("dendrites", "unit", "gradient") or 0 not in (settings.switch_epochs or ()):
        raise SystemExit(f"--case {name}: only units on a frozen encoder, first grown at epoch 0")
    if settings.order == "length" and settings.epochs_per_pass > 1:
        raise SystemExit(f"--case {name}: parts of a pass only in random order")
    replica = Replica(
        seed=0,
        lr=settings.dendrite_lr,
        weight_decay=settings.weight_decay,
        sharpness=settings.sharpness,
        **TERMS[settings.loss] | weights,
    )
    # What a replica has for itself, or what has no say here, must not tell cases apart.
    own = dict.fromkeys(("lr", "dendrite_lr", "weight_decay", "sharpness"), 0.0)
    shared = replace(settings, **own, recipe="", loss="cosent", fit=(), seed=0)
    taught = bool(replica.similarity or replica.blend)
    return Case(name, asked, shared, word_dropout, teacher if taught else "", replica)


def groups(cases: Sequence[Case]) -> list[list[Case]]:
    """Cases that train side by side, each group after those that hold its teacher."""
    found: dict[tuple[Settings, float, str], list[Case]] = {}
    names = {"", "base"}
    for case in cases:
        if case.teacher not in names:
            raise SystemExit(f"--case {case.name}: no earlier case {case.teacher} to teach it")
        if case.name in names:
            raise SystemExit(f"--case {case.name}: two cases have this name")
        names.add(case.name)
        found.setdefault((case.settings, case.word_dropout, case.teacher), []).append(case)
    return list(found.values())


def similarities(model: StackedEncoder, weights: Weights, pairs: PairRows) -> Similarities:
    """Cosine similarity of each pair by every replica, (R, n)."""
    rows, back = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    vectors = model.embed_all(weights, rows)
    first, second = vectors[:, torch.from_numpy(back).to(vectors.device)].chunk(2, 1)
    found: Similarities = (first * second).sum(2).double().cpu().numpy()
    return found


def teach(model: StackedEncoder, weights: Weights, pairs: PairRows) -> Tensor:
    """(sentences, R · width) in half precision: products are the mean cosine of the replicas.

    Zeros for sentences that are not of `pairs`.
    """
    rows = np.unique(np.concatenate([pairs.first, pairs.second]))
    vectors = model.embed_all(weights, rows)
    joined = (vectors / len(vectors) ** 0.5).transpose(0, 1).flatten(1).half()
    found: Tensor = joined.new_zeros(len(model.sentences.lengths), joined.shape[1])
    found[torch.from_numpy(rows).to(found.device)] = joined
    return found


def run_together(
    model: StackedEncoder, corpus: Corpus, tasks: Sequence[Task], teacher: Tensor | None
) -> tuple[list[Run], Weights]:
    """Train each case with its seed, side by side: their runs, and the weights at the end."""
    runs = [Run(case.name, seed, case.asked) for case, seed in tasks]
    replicas = [case.replica._replace(seed=seed) for case, seed in tasks]
    weights: Weights = {}
    torch.manual_seed(replicas[0].seed)
    for weights in train(model, corpus, replicas, teacher):
        for split, pairs in (("dev", corpus.dev), ("test", corpus.test)):
            for run, found in zip(runs, similarities(model, weights, pairs), strict=True):
                run.curves[split].append(round(spearman(found, pairs.scores), 5))
                run.last[split] = found
    for run in runs:
        run.params_trained = sum(tensor[0].numel() for tensor in weights.values())
    return runs, weights


def summary(runs: Sequence[Run], corpus: Corpus) -> str:
    """The line of the table for the runs of a case."""
    together = {split: np.mean([run.last[split] for run in runs], 0) for split in SPLITS}
    curve = np.mean([run.curves["dev"] for run in runs], 0)
    return (
        f"{runs[0].case:26} {len(runs):3}  "
        f"{mean_and_spread([run.best('dev') for run in runs])}  "
        f"{mean_and_spread([run.best('test') for run in runs])}  "
        f"{spearman(together['dev'], corpus.dev.scores):.4f} "
        f"{spearman(together['test'], corpus.test.scores):.4f}  "
        f"{runs[0].params_trained:8}  {' '.join(f'{value:.4f}' for value in curve)}"
    )


def search(
    cases: Sequence[Case],
    seeds: Sequence[int],
    corpus: Corpus,
    model_of: Callable[[Case], StackedEncoder],
    at_once: int,
) -> Iterator[list[Run]]:
    """Train all cases with all seeds, `at_once` replicas at a time; the runs of each case."""
    teachers: dict[str, Tensor] = {}
    for group in groups(cases):
        model, name = model_of(group[0]), group[0].teacher
        if name == "base" and name not in teachers:
            teachers[name] = teach(model, {}, corpus.train)
        tasks = [(case, seed) for case in group for seed in seeds]
        parts = [
            run_together(model, corpus, tasks[i : i + at_once], teachers.get(name))
            for i in range(0, len(tasks), at_once)
        ]
        runs = [run for part, _ in parts for run in part]
        weights = {key: torch.cat([w[key] for _, w in parts]) for key in parts[0][1]}
        for i, case in enumerate(group):
            ours = slice(i * len(seeds), (i + 1) * len(seeds))
            if any(other.teacher == case.name for other in cases):
                own = {key: tensor[ours] for key, tensor in weights.items()}
                teachers[case.name] = teach(model, own, corpus.train)
            yield runs[ours]


def main() -> int:
    """Parse the command line, train, print and write as results come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", help="a folder of the base model (default: the engine's)")
    parser.add_argument("--data", default="demo")
    parser.add_argument("--seeds", default="1-8")
    parser.add_argument("--case", action="append", required=True)
    parser.add_argument("--at-once", type=int, default=64, help="replicas that share the device")
    parser.add_argument("--precision", choices=["fp32", "bf16"], help="default: bf16 on CUDA")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    cases = [read_case(text) for text in asked.case]
    groups(cases)  # says what is wrong before anything is loaded
    begun = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = asked.precision or ("bf16" if device.type == "cuda" else "fp32")
    base = find_base_model(asked.base)
    encoder = load_encoder(base).to(device, FORMATS[precision])
    corpus = load_corpus(asked.data, base)
    sentences = Sentences(corpus.store, device)

    def model_of(case: Case) -> StackedEncoder:
        return StackedEncoder(encoder, sentences, case.settings, case.word_dropout)

    print(f"{'case':26}   n  dev             test            ensemble         params  dev by epoch")
    for runs in search(cases, parse_seeds(asked.seeds), corpus, model_of, asked.at_once):
        print(summary(runs, corpus), f" {time.perf_counter() - begun:.0f} s", flush=True)
        if asked.out:
            with asked.out.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(run.line()) + "\n" for run in runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
