"""What 20 verdicts teach: simulated users judge the demo documents, and a retrain learns from them.

    python tests/benchmarks/teach_twenty.py --users 4 --verdicts 20,60
    python tests/benchmarks/teach_twenty.py --users 4 --set units=16 --set hard_negatives=0

A user asks questions of `demo-search` whose known answer is among the ten nearest passages, but not
the first, and marks the answer and up to three wrong passages, the nearest first. The verdicts go
into a label file as anybody's do, so about one question in five is held out. Prints a JSON line for
each run: ranks of the answers before and after, by part; nDCG@10 of all questions that the user did
not judge, before and after, with the interval of the gain; the guard; seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import torch

from nexus_engine.config import config_from_mapping, resolve
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.events import RunFinished
from nexus_engine.labels.label_file import LabelFile
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.plain_tokenizer import plain_tokenizer
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import base_of, load_saved
from nexus_engine.scoring.querying import Querier
from nexus_engine.scoring.question_evaluation import QuestionEvaluation
from nexus_engine.scoring.ranking import bootstrap_mean_gain
from nexus_engine.scoring.search_texts import SearchTexts
from nexus_engine.scoring.searching import SearchIndex
from nexus_engine.teaching.changes import Turned
from nexus_engine.teaching.retrained import question_changes, retrained
from nexus_engine.teaching.retraining import labels_run_config
from nexus_engine.training.run import train

DEMO = "demo-search"
SHOWN = 10
MAX_WRONG = 3


def all_questions() -> tuple[QuestionData, list[str], list[set[int]]]:
    """The demo, its questions, and the answers of each as passage numbers."""
    tokenizer = plain_tokenizer(find_base_model().folder)
    data = load_questions(DEMO, tokenizer=tokenizer, max_tokens=160)
    texts, answers = [], []
    for split in (data.train, data.dev, data.test):
        texts += split.questions.to_pylist()
        answers += [set(split.answers.rows.list_at(i).tolist()) for i in range(len(split))]
    return data, texts, answers


def orders_of_base(data: QuestionData, texts: list[str]) -> list[list[int]]:
    """The passages of each question as the base model ranks them."""
    passages = data.passages.to_pylist()
    count = len(passages)
    searched = SearchTexts(DEMO, passages, range(1, count + 1), [1] * count, "passage")
    models = Querier().models(None)
    index = SearchIndex(searched)
    index.embed(models)
    scores = (index.scores(models.base, text) for text in texts)
    return [torch.argsort(each, descending=True, stable=True).tolist() for each in scores]


def judge(
    path: Path,
    user: int,
    verdicts: int,
    data: QuestionData,
    texts: list[str],
    answers: list[set[int]],
    orders: list[list[int]],
) -> set[int]:
    """Let `user` give so many verdicts; the questions that were judged."""
    draw = random.Random(user)
    numbers = list(range(len(texts)))
    draw.shuffle(numbers)
    passages, judged, given = data.passages.to_pylist(), set[int](), 0
    with LabelFile.open(path, f"user {user}") as labels:
        for number in numbers:
            rank = next(i for i, p in enumerate(orders[number], 1) if p in answers[number])
            if rank == 1 or rank > SHOWN:
                continue
            shown = orders[number][:SHOWN]
            right = [p for p in shown if p in answers[number]]
            wrong = [p for p in shown if p not in answers[number]][: min(MAX_WRONG, rank)]
            for passage in (*right, *wrong)[: verdicts - given]:
                relevant = passage in answers[number]
                labels.judge_passage(texts[number], passages[passage], "mark", relevant=relevant)
                given += 1
            judged.add(number)
            if given == verdicts:
                return judged
    return judged


def others(data: QuestionData, judged: set[int]) -> QuestionEvaluation:
    """The questions that were not judged, ranked among all passages."""
    sides, start = {}, 0
    for name in ("train", "dev", "test"):
        split = getattr(data, name)
        rows = [i for i in range(len(split)) if start + i not in judged]
        sides[name] = split.take(np.asarray(rows, np.int64))
        start += len(split)
    return QuestionEvaluation(replace(data, **sides), "all")


def one_run(folder: Path, options: argparse.Namespace, user: int, verdicts: int, known) -> dict:
    data, texts, answers, orders = known
    judged = judge(folder / "labels.jsonl", user, verdicts, data, texts, answers, orders)
    config = labels_run_config(folder / "labels.jsonl", DEMO)
    given = {k: v for k, v in msgspec.structs.asdict(config).items() if v is not None}
    settings = resolve(
        config_from_mapping({**given, "device": options.device, **options.set}, "--set")
    )
    run = RunFolder.create(folder / "run", "x")
    begun = time.perf_counter()
    *_, last = train(settings, run)
    seconds = time.perf_counter() - begun
    if not isinstance(last, RunFinished):
        raise SystemExit(f"the run ended with {last}")
    found = retrained(run)
    turned = Turned.of(found.changes)
    tuned = load_saved(run.best, "run")
    evaluation = others(data, judged)
    before, after = (evaluation.judge(each).judged for each in (base_of(tuned), tuned))
    gain = bootstrap_mean_gain(after.values, before.values)
    ranks = {
        part: [(each.before, each.after) for each in question_changes(found.changes) if want(each)]
        for part, want in (
            ("taught", lambda each: each.part == "train"),
            ("held_out", lambda each: each.part != "train"),
        )
    }
    return {
        "user": user,
        "verdicts": verdicts,
        "set": options.set,
        "ranks": ranks,
        "right_before": len(turned.wrong) + len(turned.still_right),
        "right_after": len(turned.right) + len(turned.still_right),
        "turned_wrong": len(turned.wrong),
        "others": len(after.values),
        "others_before": before.score,
        "others_after": after.score,
        "gain": list(gain),
        "guard": last.guard_spearman,
        "train_seconds": seconds,
        "best_epoch": last.best_epoch,
    }


def value_of(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=4)
    parser.add_argument("--verdicts", default="20")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", type=value_of, action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    options.set = dict(options.set)
    data, texts, answers = all_questions()
    known = (data, texts, answers, orders_of_base(data, texts))
    for verdicts in map(int, options.verdicts.split(",")):
        for user in range(options.users):
            with tempfile.TemporaryDirectory() as name:
                print(json.dumps(one_run(Path(name), options, user, verdicts, known)), flush=True)


if __name__ == "__main__":
    main()
