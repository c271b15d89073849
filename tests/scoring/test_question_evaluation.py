"""Judging on questions: the same figures as a run's judge, on a sample and by document too."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from question_folders import write_questions
from question_support import write_lines
from saved_models import save_grown_model

from nexus_engine.data import Pairs, arrow_strings
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.errors import DataError
from nexus_engine.model.plain_tokenizer import plain_tokenizer
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import load_model, load_saved
from nexus_engine.scoring.corpus import build_question_corpus
from nexus_engine.scoring.question_evaluation import (
    QuestionEvaluation,
    base_of,
    gains_over_first,
)
from nexus_engine.scoring.ranking import bootstrap_mean_gain
from nexus_engine.scoring.text_length import aligned, reading


@pytest.fixture
def data(tmp_path):
    return load_questions(str(write_questions(tmp_path / "q", (6, 5, 8), 30)))


def by_hand(loaded, data, split):
    """MRR@10 from cosines in float64; each text is embedded alone."""
    store = TokenStore(loaded.tokenizer)

    def vectors(texts):
        rows = store.add([texts])
        alone = [loaded.model.embed(store, rows[i : i + 1])[0] for i in range(len(rows))]
        return torch.nn.functional.normalize(torch.stack(alone).double(), dim=1)

    part = getattr(data, split)
    scores = vectors(part.questions.to_pylist()) @ vectors(data.passages.to_pylist()).T
    values = []
    for place, row in enumerate(scores):
        best = min(1 + int((row > row[a]).sum()) for a in part.answers.rows.list_at(place))
        values.append(1 / best if best <= 10 else 0.0)
    return float(np.mean(values))


def test_the_figures_are_those_of_a_count_by_hand(data, tmp_path, base_model):
    tuned = load_saved(save_grown_model(tmp_path / "best", 1, 0.4, base_model), "tuned")
    evaluation = QuestionEvaluation(data, "test")
    counted: list[int] = []
    judged = [evaluation.judge(model, progress=counted.append) for model in (base_of(tuned), tuned)]
    assert sum(counted) == 2 * (evaluation.passages + len(evaluation))
    for model, result in zip((base_of(tuned), tuned), judged, strict=True):
        assert result.judged.details["mrr_at_10"] == pytest.approx(by_hand(model, data, "test"))
        assert result.interval.low <= result.judged.score <= result.interval.high
    first, second = gains_over_first(judged)
    assert first.value == 0
    assert second == bootstrap_mean_gain(judged[1].judged.values, judged[0].judged.values)
    assert second.value == pytest.approx(judged[1].judged.score - judged[0].judged.score)


def test_all_takes_the_questions_of_every_split(data):
    base = load_model("base")
    parts = [
        QuestionEvaluation(data, split).judge(base).judged for split in ("train", "dev", "test")
    ]
    whole = QuestionEvaluation(data, "all")
    assert len(whole) == 19
    values = np.concatenate([part.values for part in parts])
    assert whole.judge(base).judged.values == pytest.approx(values)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_sample_of_a_seed_is_that_of_a_run(data, split):
    base = load_model("base")
    evaluation = QuestionEvaluation(data, split, 20, 7)
    nobody = Pairs(arrow_strings([]), arrow_strings([]), None)
    corpus = build_question_corpus(data, nobody, base.tokenizer).sampled(20, 7)
    assert evaluation.passages == len(corpus.ranked) == 20
    assert evaluation.note == corpus.sample_note
    assert "20 of" in evaluation.note
    everything = QuestionEvaluation(data, split)
    assert everything.note == ""
    assert evaluation.judge(base).judged.score >= everything.judge(base).judged.score


def test_smaller_vectors_are_judged_beside_the_whole(data):
    sizes = QuestionEvaluation(data, "test").judge(load_model("base"), (48, 96)).sizes
    assert [(size.numbers, size.format) for size in sizes[:3]] == [
        (384, "float32"), (384, "int8"), (384, "signs"),
    ]  # fmt: skip
    assert [size.numbers for size in sizes[3:]] == [96] * 3 + [48] * 3
    assert sizes[-1].bytes_per_passage == 6


def test_a_split_without_questions_is_refused(data):
    empty = data.test.take(np.zeros(0, np.int64))
    with pytest.raises(DataError, match="holds no test question; choose another part"):
        QuestionEvaluation(replace(data, test=empty), "test")


def documents(folder):
    """Two documents of two passages each; the second answers every question."""
    folder.mkdir()
    (folder / "tea.md").write_text(
        "# Tea\n\nTea is brewed from leaves.\n\n## Kettle\n\nRemove limescale with vinegar.\n"
    )
    (folder / "cats.md").write_text(
        "# Cats\n\nA cat sleeps all day.\n\n## Food\n\nCats eat fish and meat.\n"
    )
    questions = [
        {"question": f"how do I clean a kettle, try {n}", "source": "tea.md"} for n in range(24)
    ]
    write_lines(folder / "test.jsonl", questions)
    write_lines(folder / "train.jsonl", [{"question": "what do cats eat", "source": "cats.md"}])
    write_lines(folder / "dev.jsonl", [{"question": "where do cats sleep", "source": "cats.md"}])
    return folder


def test_a_document_counts_by_its_best_passage(tmp_path):
    base = load_model("base")
    data = load_questions(
        str(documents(tmp_path / "d")), tokenizer=plain_tokenizer(base.base.folder)
    )
    passages = QuestionEvaluation(data, "test").judge(base).judged
    by_document = QuestionEvaluation(data, "test", by_document=True)
    judged = by_document.judge(base).judged
    assert judged.score == 1.0  # the kettle's passage is the nearest of all
    assert judged.details["recall_at_1"] == 1.0
    assert passages.details["recall_at_1"] < 1.0  # only one of the document's passages is first
    assert "2 documents" in by_document.ranked_words


def test_documents_are_needed_to_rank_them(data):
    with pytest.raises(DataError, match="holds no documents"):
        QuestionEvaluation(data, "test", by_document=True)


def test_the_base_reads_as_much_as_the_tuned_model_beside_it(tmp_path, base_model):
    folder = save_grown_model(tmp_path / "best", 1, 0.4, base_model)
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "max_tokens": 40}))
    tuned, base = load_saved(folder, "tuned"), load_model("base")
    assert tuned.tokenizer.max_tokens == 40
    assert [model.tokenizer.max_tokens for model in aligned([base, tuned])] == [40, 40]
    assert [model.tokenizer.max_tokens for model in aligned([base, tuned], 64)] == [64, 64]
    assert [model.tokenizer.max_tokens for model in aligned([base])] == [256]
    assert reading(base, 256) is base
    assert base_of(tuned).tokenizer.max_tokens == 40
