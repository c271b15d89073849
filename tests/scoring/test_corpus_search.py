"""Corpora to search: questions with known answers, documents, BEIR's corpus alone."""

from __future__ import annotations

import json
import threading

import pytest
import torch
from playground_support import CANARY, WordSide
from question_folders import write_questions
from question_support import write_csv, write_lines
from saved_models import save_grown_model

from nexus_engine.errors import DataError
from nexus_engine.model.base_model import find_base_model
from nexus_engine.runs.saved_model import load_saved
from nexus_engine.scoring import corpus_reading
from nexus_engine.scoring.corpus_reading import read_corpus
from nexus_engine.scoring.querying import ModelPair, Querier
from nexus_engine.scoring.search_texts import Documents
from nexus_engine.scoring.searching import SearchIndex, search

MODELS = ModelPair(WordSide(0.0), WordSide(0.3, 1))


def normalised(model, texts):
    return torch.nn.functional.normalize(model.embed(texts), dim=1)


def documents(folder):
    folder.mkdir()
    (folder / "tea.md").write_text(
        "# Tea\n\nTea is brewed from leaves.\n\n## Kettle\n\nRemove limescale with vinegar.\n"
    )
    (folder / "cats.md").write_text(
        "# Cats\n\nA cat sleeps all day.\n\n## Food\n\nCats eat fish and never vinegar.\n"
    )
    return folder


# Reading


def test_the_demo_holds_its_passages_and_questions():
    texts = read_corpus("demo-search")
    assert len(texts) == 448
    assert texts.unit == "passage"
    assert len(texts.questions) == 560
    assert texts.questions.splits[0] == "test"
    assert texts.documents is None
    place = texts.questions.place_of("  " + texts.questions.texts[7].upper() + " ")
    assert place == 7
    assert texts.questions.place_of(CANARY) is None


def test_known_answers_are_those_of_the_judgements(tmp_path):
    folder = write_questions(tmp_path / "q")
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    passages = {row["_id"]: row["text"] for row in corpus}
    questions = {row["_id"]: row["text"] for row in queries}
    texts = read_corpus(str(folder))
    known = texts.questions
    for split in ("train", "dev", "test"):
        for line in (folder / "qrels" / f"{split}.tsv").read_text().splitlines()[1:]:
            query, passage, _ = line.split("\t")
            place = known.place_of(questions[query])
            assert known.splits[place] == split
            rows = known.answers.rows.list_at(place)
            assert [texts.sentences[row] for row in rows] == [passages[passage]]


def test_a_file_of_questions_is_its_passages_and_a_file_of_pairs_its_lines(tmp_path):
    rows = [{"question": f"what is {n}", "answer": f"it is the number {n}"} for n in range(80)]
    texts = read_corpus(str(write_lines(tmp_path / "faq.jsonl", rows)))
    assert len(texts) == 80
    assert texts.sentences[3] == "it is the number 3"
    pairs = write_csv(tmp_path / "pairs.csv", "sentence1,sentence2,score", ["a b,c d,0.5"])
    assert read_corpus(str(pairs)).sentences == ["sentence1,sentence2,score", "a b,c d,0.5"]


def test_the_corpus_of_a_beir_folder_stands_alone(tmp_path):
    rows = [{"_id": "1", "title": "Tea", "text": "is brewed"}, {"_id": "2", "text": "Cats sleep"},
            {"_id": "3", "text": "Cats sleep"}]  # fmt: skip
    texts = read_corpus(str(write_lines(tmp_path / "corpus.jsonl", rows)))
    assert texts.sentences == ["Tea\nis brewed", "Cats sleep"]
    assert list(texts.times) == [1, 2]
    assert texts.questions is None


def test_documents_need_no_questions(tmp_path):
    texts = read_corpus(str(documents(tmp_path / "d")))
    assert texts.questions is None
    assert texts.documents.names == ["cats.md", "tea.md"]
    assert texts.documents.numbers.tolist() == [0, 0, 1, 1]
    assert texts.documents.headings[3] == "Tea > Kettle"
    assert "limescale" in texts.sentences[3]


def test_documents_are_cut_to_what_the_model_reads(tmp_path):
    folder = documents(tmp_path / "d")
    (folder / "long.txt").write_text(" ".join(f"Sentence {n} is here." for n in range(200)))
    short, long = (read_corpus(str(folder), max_tokens=size) for size in (32, 256))
    assert len(short) > 3 * len(long)


def test_texts_beside_documents_are_documents_of_their_own():
    found = Documents.of(["a", "", "b", "", "a"], [""] * 5)
    assert found.numbers.tolist() == [0, 1, 2, 3, 0]
    assert found.names == ["a", "", "b", ""]


def test_refusals_name_the_corpus_and_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.jsonl").write_text("")
    for name, reason in (
        ("nowhere", "does not exist"), ("empty", "empty"), ("empty.jsonl", "empty"),
        ("", "no data"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=reason):
            read_corpus(str(tmp_path / name) if name else "")
    monkeypatch.setattr(corpus_reading, "MAX_CHARACTERS", 50)
    with pytest.raises(DataError, match="too large"):
        read_corpus(str(write_questions(tmp_path / "q")))


def test_no_repr_shows_a_text(tmp_path):
    rows = [{"question": f"{CANARY} {n}", "answer": f"{CANARY} number {n}"} for n in range(80)]
    texts = read_corpus(str(write_lines(tmp_path / "faq.jsonl", rows)))
    assert CANARY not in repr(texts) + repr(texts.questions)
    kept = read_corpus(str(documents(tmp_path / "d")))
    assert "Kettle" not in repr(kept.documents) + repr(kept)


# Searching


def test_known_answers_are_marked_and_ranked_wherever_they_stand(tmp_path):
    texts = read_corpus(str(write_questions(tmp_path / "q")))
    index = SearchIndex(texts)
    moved = 0
    for place in range(0, len(texts.questions), 5):
        query = texts.questions.texts[place]
        result = search(MODELS, index, query, 5)
        assert result.question == place
        answers = set(texts.questions.answers.rows.list_at(place).tolist())
        scores = [
            (normalised(model, texts.sentences) @ normalised(model, [query])[0]).tolist()
            for model in MODELS
        ]
        for known in result.answers:
            at = texts.sentences.index(known.sentence)
            assert at in answers
            assert known.is_answer
            for ranks, rank in zip(scores, (known.base_rank, known.tuned_rank), strict=True):
                assert rank == 1 + sum(score > ranks[at] for score in ranks)
            moved += known.rise != 0
        assert len(result.answers) == len(answers)
        for match in result.by_base + result.by_tuned:
            assert match.is_answer == (texts.sentences.index(match.sentence) in answers)
    assert moved  # the tuned model ranks otherwise, so that the two ranks were told apart
    other = search(MODELS, index, "no question of these", 5)
    assert other.question is None
    assert other.answers == ()
    assert not any(match.is_answer for match in other.by_tuned)


def test_a_document_ranks_by_its_best_passage_under_each_model(tmp_path):
    texts = read_corpus(str(documents(tmp_path / "d")))
    index = SearchIndex(texts)
    result = search(MODELS, index, "vinegar removes limescale", 10, by_document=True)
    numbers = texts.documents.numbers
    for model, matches in zip(MODELS, (result.by_base, result.by_tuned), strict=True):
        query = normalised(model, ["vinegar removes limescale"])[0]
        scores = normalised(model, texts.sentences) @ query
        best = {
            number: max((i for i in range(4) if numbers[i] == number), key=lambda i: scores[i])
            for number in (0, 1)
        }
        order = sorted(best, key=lambda number: -scores[best[number]])
        assert [match.source for match in matches] == [texts.documents.names[n] for n in order]
        assert [match.sentence for match in matches] == [texts.sentences[best[n]] for n in order]
        assert [match.base_rank if model is MODELS.base else match.tuned_rank
                for match in matches] == [1, 2]  # fmt: skip


def test_both_models_read_as_much_as_the_tuned_one_was_trained_on(tmp_path, base_model):
    folder = save_grown_model(tmp_path / "best", 1, 0.4, base_model)
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "max_tokens": 40}))
    start = "word " * 60
    same, other = start + "alpha", start + "omega"
    querier = Querier()
    for models in (querier.models(folder), Querier().adopt(load_saved(folder, "tuned"))):
        for embedder in models.each():
            assert embedder.max_tokens == 40
            first, second = embedder.embed([same, other])
            assert torch.equal(first, second)  # they differ after what is read
    alone = querier.models(None)
    assert alone.base.max_tokens == 256
    first, second = alone.base.embed([same, other])
    assert not torch.equal(first, second)
    assert alone.base.model is querier.models(folder).base.model  # read from disk once
    (tmp_path / "texts.txt").write_text(f"{same}\n{other}\n")
    index = SearchIndex(read_corpus(str(tmp_path / "texts.txt")))
    result = search(querier.models(folder), index, other, 2)
    assert (result.cut, result.query_cut, result.max_tokens) == (2, True, 40)
    assert find_base_model().sha256 == base_model.sha256


def test_reading_can_be_given_up(tmp_path):
    stop = threading.Event()

    def check():
        if stop.is_set():
            raise InterruptedError

    stop.set()
    with pytest.raises(InterruptedError):
        read_corpus(str(write_questions(tmp_path / "q")), check)
    with pytest.raises(InterruptedError):
        read_corpus(str(documents(tmp_path / "d")), check)
