"""Which sampling rule pays: labels given by known answers, a model trained anew at each number.

    python tests/benchmarks/teaching_simulation.py run --stsb DIR --medquad DIR --out RESULTS.jsonl
    python tests/benchmarks/teaching_simulation.py table RESULTS.jsonl

A chain is one task, rule and seed. At each number of labels the rule chooses the next candidates by
the model trained on the labels so far, the known answers judge them, and `nexus_engine.training`
trains from the base model. Pairs: STS-B train is the pool, its dev judges. Questions: a sample of
MedQuAD; a label is one of the ten passages that the model shows for a question, judged.
"""

from __future__ import annotations

import argparse
import csv
import gc
import gzip
import itertools
import json
import random as python_random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nexus_engine.config import config_from_mapping, resolve
from nexus_engine.events import RunFinished
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.regimes import build_model
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.named_task import with_task
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import load_saved
from nexus_engine.scoring.evaluation import embed_all
from nexus_engine.teaching.sampling_rules import RULES, Pool
from nexus_engine.training.run import train

BUDGETS = (20, 50, 100, 200, 400, 800)
SHOWN = 10
"""Passages shown for a question."""
POOL_QUESTIONS, DEV_QUESTIONS, TEST_QUESTIONS, OTHER_PASSAGES = 1200, 400, 20, 400
SAMPLE_SEED = 0
MAX_CHARACTERS = 1200
"""Of a passage; the model reads 160 tokens."""
QUESTION_STEPS = 36
MAX_PASSES = 15
"""As in `nexus_engine.training.little_data`, but judged once, after the last pass."""
SOFTMAX_SCALE = 20.0
"""Of cosines, as the ranking loss scales them."""
PAIR_RULES = tuple(RULES)
QUESTION_RULES = tuple(name for name in RULES if name not in ("greedy", "levels"))


def jobs(seeds: Iterable[int]) -> list[dict[str, Any]]:
    """All chains, seed by seed."""
    pairs = [{"task": "pairs", "rule": rule} for rule in PAIR_RULES]
    every = [{"task": "questions", "rule": rule, "reading": "all"} for rule in QUESTION_RULES]
    first = [{**job, "reading": "first"} for job in every]
    plain = [{**job, "negatives": 0} for job in (every[0], first[0])]
    groups = [*pairs, *every, *first, *plain]
    return [{**job, "seed": seed} for seed in seeds for job in groups]


class Trainer:
    """Trains by the product's own run, from the base model, in a folder that is removed."""

    def __init__(self, device: str, threads: int, base: str | None = None) -> None:
        self.device = device
        self.threads = threads
        self.base = find_base_model(base)
        self.given_base = {"base": base} if base else {}

    def base_model(self) -> SentenceModel:
        """The base model, ready to embed."""
        return build_model(self.base, "dendrites").to(self.device).eval()

    def train(self, data: Path, work: Path, config: dict[str, Any]) -> tuple[SentenceModel, Any]:
        """The best model of a run on the folder `data`, and the run's result."""
        values = {
            "data": str(data),
            "device": self.device,
            "threads": self.threads,
            **self.given_base,
            **config,
        }
        settings = resolve(with_task(config_from_mapping(values, "simulation")))
        run = work / "run"
        shutil.rmtree(run, ignore_errors=True)
        *_, last = train(settings, RunFolder.create(run, "x"))
        if not isinstance(last, RunFinished):
            raise SystemExit(f"the run ended with {last}")
        model = load_saved(run / "best", "tuned").model.to(self.device).eval()
        shutil.rmtree(run, ignore_errors=True)
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
        return model, last


def unit(model: SentenceModel, store: TokenStore, rows: np.ndarray) -> np.ndarray:
    """Embeddings of length 1, (m, width) float32."""
    vectors = embed_all(lambda batch: model.embed(store, batch), store, rows)
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


def shares(values: np.ndarray) -> np.ndarray:
    """The place of each value in the order of all, 0..1."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") / max(1, len(values) - 1)


# Pairs


def read_pairs(path: Path) -> list[tuple[str, str, float]]:
    """The rows of an STS-B file."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(row[0], row[1], float(row[2])) for row in csv.reader(file)]


def write_pairs(path: Path, rows: list[tuple[str, str, float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("sentence1", "sentence2", "score"), *rows])


def pair_chain(
    folder: Path, job: dict[str, Any], budgets: tuple[int, ...], trainer: Trainer, work: Path
) -> Iterator[dict[str, Any]]:
    """A line for each number of labels."""
    pool = read_pairs(folder / "train.csv")
    data = work / "data"
    data.mkdir(exist_ok=True)
    for split in ("dev", "test"):
        write_pairs(data / f"{split}.csv", read_pairs(folder / f"{split}.csv"))
    store = TokenStore(Tokenizer(trainer.base.folder))
    first = store.add([[a for a, _, _ in pool]])
    second = store.add([[b for _, b, _ in pool]])
    random = np.random.default_rng(job["seed"])

    def cosines(model: SentenceModel) -> tuple[np.ndarray, np.ndarray]:
        vectors = unit(model, store, np.concatenate([first, second]))
        a, b = vectors[: len(pool)], vectors[len(pool) :]
        about = a + b
        about /= np.maximum(np.linalg.norm(about, axis=1, keepdims=True), 1e-6)
        return (a * b).sum(1), about

    base_level, points = cosines(trainer.base_model())
    level, labelled, tuned = base_level, np.zeros(0, np.int64), False
    for budget in budgets:
        difference = np.abs(shares(level) - shares(base_level)) if tuned else 0 * level
        view = Pool(points, level, -np.abs(level - 0.5), difference, labelled)
        chosen = RULES[job["rule"]](view, budget - len(labelled), random)
        labelled = np.concatenate([labelled, chosen])
        write_pairs(data / "train.csv", [pool[place] for place in labelled.tolist()])
        began = time.time()
        config = {"task": "pairs", "seed": job["seed"], "score_range": [0.0, 5.0]}
        model, result = trainer.train(data, work, config)
        tuned = result.best_epoch > 0
        level, points = cosines(model)
        grades = np.asarray([pool[place][2] for place in labelled.tolist()])
        yield {
            "labels": budget,
            "dev": result.best_dev_spearman,
            "test": result.test_spearman,
            "base_dev": result.base_dev_spearman,
            "base_test": result.base_test_spearman,
            "guard": result.guard_scored_spearman,
            "best_epoch": result.best_epoch,
            "grades": np.bincount(grades.round().astype(int), minlength=6).tolist(),
            "seconds": time.time() - began,
        }


# Questions


def sampled_medquad(folder: Path) -> dict[str, Any]:
    """A fixed sample: questions with their answers to draw from and to judge by, and the corpus."""

    def lines(name: str) -> list[dict[str, Any]]:
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    texts = {each["_id"]: each["text"][:MAX_CHARACTERS] for each in lines("corpus.jsonl.gz")}
    asked = {each["_id"]: each["text"] for each in lines("queries.jsonl.gz")}
    draw = python_random.Random(SAMPLE_SEED)
    sample: dict[str, Any] = {}
    sizes = {"train": POOL_QUESTIONS, "dev": DEV_QUESTIONS, "test": TEST_QUESTIONS}
    kept: dict[str, None] = {}
    for split, size in sizes.items():
        answers: dict[str, list[str]] = defaultdict(list)
        with (folder / "qrels" / f"{split}.tsv").open(encoding="utf-8") as file:
            next(file)
            for line in file:
                question, passage, _ = line.split("\t")
                answers[question].append(passage)
        chosen = draw.sample(sorted(answers), size)
        sample[split] = [(asked[q], answers[q]) for q in chosen]
        kept.update((passage, None) for q in chosen for passage in answers[q])
    others = draw.sample(sorted(set(texts) - set(kept)), OTHER_PASSAGES)
    sample["corpus"] = {key: texts[key] for key in sorted([*kept, *others])}
    return sample


def write_questions(
    data: Path, split: str, rows: list[tuple[str, list[tuple[str, int]]]], queries: dict[str, str]
) -> None:
    """Judgements of a split; `queries` collects the questions by their id."""
    lines = ["query-id\tcorpus-id\tscore"]
    for number, (question, judged) in enumerate(rows):
        key = f"{split}{number}"
        queries[key] = question
        lines += [f"{key}\t{passage}\t{mark}" for passage, mark in judged]
    (data / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def shown_and_judged(shown: list[str], answers: set[str], reading: str) -> list[tuple[str, int]]:
    """The marks of the passages shown: all of them, or down to the first answer."""
    marks = [(passage, int(passage in answers)) for passage in shown]
    hits = [place for place, (_, mark) in enumerate(marks) if mark]
    return marks[: hits[0] + 1] if hits and reading == "first" else marks


def question_chain(
    folder: Path, job: dict[str, Any], budgets: tuple[int, ...], trainer: Trainer, work: Path
) -> Iterator[dict[str, Any]]:
    """A line for each number of labels, which are judged passages."""
    sample = sampled_medquad(folder)
    corpus, pool = sample["corpus"], sample["train"]
    keys = list(corpus)
    data = work / "data"
    (data / "qrels").mkdir(parents=True, exist_ok=True)
    texts = [json.dumps({"_id": key, "title": "", "text": text}) for key, text in corpus.items()]
    (data / "corpus.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    store = TokenStore(Tokenizer(trainer.base.folder, 160))
    passages = store.add([list(corpus.values())])
    questions = store.add([[question for question, _ in pool]])
    random = np.random.default_rng(job["seed"])

    def ranked(model: SentenceModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points of the questions, their ten passages, (n, 10), and those passages' cosines."""
        points = unit(model, store, questions)
        cosines = points @ unit(model, store, passages).T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :SHOWN]
        return points, order, np.take_along_axis(cosines, order, 1)

    points, order, level = ranked(trainer.base_model())
    base_order, tuned = order, False
    asked = np.zeros(0, np.int64)
    judged: list[tuple[str, list[tuple[str, int]]]] = []
    spent = 0
    for budget in budgets:
        probability = np.exp(SOFTMAX_SCALE * (level - level[:, :1]))
        probability /= probability.sum(1, keepdims=True)
        doubt = -(probability * np.log(probability)).sum(1)
        shared = [len(np.intersect1d(a, b)) for a, b in zip(order, base_order, strict=True)]
        difference = (SHOWN - np.asarray(shared, float)) if tuned else np.zeros(len(pool))
        view = Pool(points, level[:, 0], doubt, difference, asked)
        wanted = budget - spent
        count = wanted if job["reading"] == "first" else -(-wanted // SHOWN)
        upcoming = RULES[job["rule"]](view, count, random)
        for place in upcoming.tolist():
            if spent >= budget:
                break
            question, answers = pool[place]
            shown = [keys[each] for each in order[place].tolist()]
            marks = shown_and_judged(shown, set(answers), job["reading"])[: budget - spent]
            judged.append((question, marks))
            asked = np.append(asked, place)
            spent += len(marks)
        usable = [each for each in judged if any(mark for _, mark in each[1])]
        answered = sum(mark for _, marks in usable for _, mark in marks)
        queries: dict[str, str] = {}
        write_questions(data, "train", usable, queries)
        for split in ("dev", "test"):
            rows = [(q, [(key, 1) for key in answers]) for q, answers in sample[split]]
            write_questions(data, split, rows, queries)
        lines = [json.dumps({"_id": key, "text": text}) for key, text in queries.items()]
        (data / "queries.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        began = time.time()
        passes = max(1, min(MAX_PASSES, round(QUESTION_STEPS / -(-max(1, answered) // 32))))
        negatives = job.get("negatives", 4)
        config = {
            "task": "retrieval",
            "seed": job["seed"],
            "weak_epochs": 0,
            "epochs": 1,
            "passes_per_epoch": passes,
            "hard_negatives": negatives,
            **({"order": "random"} if negatives else {}),
        }
        line = {"labels": budget, "questions": len(judged), "answered": answered}
        if answered < 2:  # nothing to train on yet
            model, tuned = trainer.base_model(), False
            yield {**line, "dev": None, "seconds": time.time() - began}
        else:
            model, result = trainer.train(data, work, config)
            tuned = result.best_epoch > 0
            yield {
                **line,
                "dev": result.best_dev_ndcg_at_10,
                "base_dev": result.base_dev_ndcg_at_10,
                "guard": result.guard_scored_spearman,
                "best_epoch": result.best_epoch,
                "seconds": time.time() - began,
            }
        points, order, level = ranked(model)


# Running and reading


def chain(
    job: dict[str, Any],
    folders: dict[str, Path],
    budgets: tuple[int, ...],
    trainer: Trainer,
) -> Iterator[dict[str, Any]]:
    """The lines of one job, with its own fields."""
    run = pair_chain if job["task"] == "pairs" else question_chain
    with tempfile.TemporaryDirectory() as work:
        for line in run(folders[job["task"]], job, budgets, trainer, Path(work)):
            yield {**job, **line, "seconds": round(line["seconds"], 2)}


def needed(curve: dict[int, float], quality: float) -> float | None:
    """Labels at which a curve reaches `quality`, by straight lines between its points."""
    points = sorted(curve.items())
    if points[0][1] >= quality:
        return float(points[0][0])
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if y1 >= quality:
            return x0 + (x1 - x0) * (quality - y0) / (y1 - y0)
    return None


def table(path: Path) -> str:
    """Mean dev score by rule and labels, and the labels needed for what random reaches."""
    rows = {}  # a chain that was cut off and run again has lines twice
    for text in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        names = ("task", "reading", "negatives", "rule", "seed", "labels")
        rows[tuple(row.get(name) for name in names)] = row
    groups: dict[str, dict[str, dict[int, list[float]]]] = {}
    for row in rows.values():
        kind = " ".join([row["task"], row.get("reading", "")]).strip()
        kind += f", {row['negatives']} negatives" if "negatives" in row else ""
        if row["dev"] is not None:
            rules = groups.setdefault(kind, {})
            rules.setdefault(row["rule"], {}).setdefault(row["labels"], []).append(row["dev"])
    out = []
    for kind, rules in groups.items():
        out.append(f"\n{kind}: mean dev score, ± standard deviation over seeds\n")
        budgets = sorted({budget for curve in rules.values() for budget in curve})
        out.append("| rule | seeds | " + " | ".join(map(str, budgets)) + " |")
        out.append("|---|---|" + "---|" * len(budgets))
        means = {
            rule: {budget: statistics.fmean(values) for budget, values in curve.items()}
            for rule, curve in rules.items()
        }
        for rule, curve in rules.items():
            cells = []
            for budget in budgets:
                values = curve.get(budget, [])
                spread = statistics.stdev(values) if len(values) > 1 else 0.0
                cells.append(f"{statistics.fmean(values):.4f} ± {spread:.4f}" if values else "")
            seeds = max(map(len, curve.values()))
            out.append(f"| {rule} | {seeds} | " + " | ".join(cells) + " |")
        if "random" not in means:
            continue
        out.append(f"\n{kind}: labels needed for what random reaches\n")
        out.append("| rule | " + " | ".join(map(str, budgets)) + " |")
        out.append("|---|" + "---|" * len(budgets))
        for rule, curve in means.items():
            cells = []
            for budget in budgets:
                if budget not in means["random"]:
                    cells.append("")
                    continue
                labels = needed(curve, means["random"][budget])
                cells.append(f"> {max(curve)}" if labels is None else f"{labels:.0f}")
            out.append(f"| {rule} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def main() -> int:
    """Run the chains, or print the tables of their results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--stsb", type=Path, required=True, help="train.csv, dev.csv, test.csv")
    run.add_argument("--medquad", type=Path, required=True, help="in BEIR's layout, gzipped")
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--jobs", type=Path, help="a JSON list of jobs; by default all")
    run.add_argument("--seeds", type=int, default=5)
    run.add_argument("--budgets", default=",".join(map(str, BUDGETS)))
    run.add_argument("--device", default="cpu")
    run.add_argument("--threads", type=int, default=2)
    run.add_argument("--base", help="the base model's folder, if it is not installed")
    shown = commands.add_parser("table")
    shown.add_argument("results", type=Path)
    asked = parser.parse_args()
    if asked.command == "table":
        print(table(asked.results))
        return 0
    trainer = Trainer(asked.device, asked.threads, asked.base)
    folders = {"pairs": asked.stsb, "questions": asked.medquad}
    budgets = tuple(map(int, asked.budgets.split(",")))
    todo = json.loads(asked.jobs.read_text()) if asked.jobs else jobs(range(1, asked.seeds + 1))
    for job in todo:
        for line in chain(job, folders, budgets, trainer):
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
