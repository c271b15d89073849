"""Known questions of an index, and its search by base and tuned, against the search in memory."""

from __future__ import annotations

import json

import msgspec
import pytest
from index_support import SMALL, as_first_format, contents, done, write_guides
from question_folders import write_questions
from saved_models import save_grown_model

from nexus_engine.indexing.building import add, build
from nexus_engine.indexing.comparing import compare_in_index, index_sides
from nexus_engine.indexing.filters import Filter
from nexus_engine.indexing.index_card import read_card, write_card
from nexus_engine.indexing.searching import OpenIndex
from nexus_engine.indexing.status import index_status
from nexus_engine.scoring.corpus_reading import read_corpus
from nexus_engine.scoring.querying import Querier
from nexus_engine.scoring.searching import SearchIndex, search


@pytest.fixture
def folder(tmp_path):
    return write_questions(tmp_path / "q")


def built(corpus, out, model="base", **settings):
    return done(build(str(corpus), str(model), out, blocks=SMALL, **settings))


def answered(index):
    """Each question with its split and the texts of its answers."""
    with OpenIndex(index) as opened:
        known = opened.questions()
        if known is None:
            return []
        found = []
        for place, (text, split) in enumerate(zip(known.texts, known.splits, strict=True)):
            placed = opened.placed(known.answers.rows.list_at(place))
            found.append((split, text, sorted(each.passage.text for each in placed.values())))
        return found


def known_in(corpus):
    texts = read_corpus(str(corpus))
    questions = texts.questions
    rows = [questions.answers.rows.list_at(place).tolist() for place in range(len(questions))]
    return [
        (split, text, sorted(texts.sentences[row] for row in answers))
        for split, text, answers in zip(questions.splits, questions.texts, rows, strict=True)
    ]


def test_a_beir_folder_a_file_and_documents_bring_their_questions(folder, tmp_path):
    built(folder, tmp_path / "beir")
    assert answered(tmp_path / "beir") == known_in(folder)
    assert index_status(tmp_path / "beir").questions == 44
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    rows = [{"question": f"which is number {i}?", "answer": each["text"]}
            for i, each in enumerate(corpus[:40])]  # fmt: skip
    faq = tmp_path / "faq.jsonl"
    faq.write_text("\n".join(map(json.dumps, rows)) + "\n")
    built(faq, tmp_path / "file")
    assert sorted(answered(tmp_path / "file")) == sorted(known_in(faq))
    guides = write_guides(tmp_path / "guides")
    asked = [{"question": f"how long is leave number {i}?", "source": "guides/leave.md"}
             for i in range(20)] + [
        {"question": f"which gift {i} may be taken?", "source": "rules/gifts.txt"}
        for i in range(20)
    ]  # fmt: skip
    (guides / "questions.jsonl").write_text("\n".join(map(json.dumps, asked)) + "\n")
    built(guides, tmp_path / "documents")
    assert len(answered(tmp_path / "documents")) == 40
    assert sorted(answered(tmp_path / "documents")) == sorted(known_in(guides))


def test_ranks_are_those_of_the_search_in_memory(folder, tmp_path, base_model):
    save_grown_model(tmp_path / "run", 1, 0.6, base_model)
    built(folder, tmp_path / "ix", tmp_path / "run", with_base=True, dims=384, dtype="f32")
    models = Querier().models(tmp_path / "run")
    texts = SearchIndex(read_corpus(str(folder)))
    card = read_card(tmp_path / "ix")
    write_card(tmp_path / "ix", msgspec.structs.replace(card, hybrid=False))
    with OpenIndex(tmp_path / "ix") as opened:
        questions = opened.questions()
        sides = index_sides(opened, models, "run")
        for query in [*questions.texts[:6], "no question of theirs"]:
            ours = compare_in_index(opened, sides, query, 5, questions)
            memory = search(models, texts, query, 5)
            for mine, theirs in (
                (ours.by_base, memory.by_base), (ours.by_tuned, memory.by_tuned),
                (ours.answers, memory.answers),
            ):  # fmt: skip
                assert [each.sentence for each in mine] == [each.sentence for each in theirs]
                assert [each.base_rank for each in mine] == [each.base_rank for each in theirs]
                assert [each.tuned_rank for each in mine] == [each.tuned_rank for each in theirs]
                assert [each.is_answer for each in mine] == [each.is_answer for each in theirs]
                assert [each.base for each in mine] == pytest.approx(
                    [each.base for each in theirs], abs=1e-5
                )
            assert (ours.question, ours.sentences) == (memory.question, memory.sentences)
    write_card(tmp_path / "ix", card)
    with OpenIndex(tmp_path / "ix") as opened:
        # With words too, the ranks of both lists and behind them are a permutation.
        sides = index_sides(opened, models, "run")
        every = compare_in_index(opened, sides, questions.texts[0], 1000, questions)
        assert [each.base_rank for each in every.by_base] == list(range(1, len(opened) + 1))
        assert {each.base_rank for each in every.by_tuned} == set(range(1, len(opened) + 1))
        few = compare_in_index(opened, sides, questions.texts[0], 3, questions)
        [answer] = few.answers
        assert answer in every.by_tuned


def test_equal_texts_take_one_rank_and_a_filter_leaves_answers_out(tmp_path):
    corpus = tmp_path / "c"
    for name in ("a", "b"):
        (corpus / name).mkdir(parents=True)
        (corpus / name / "one.txt").write_text("Water boils.\n")
    (corpus / "b" / "two.txt").write_text("Ice melts in the sun.\n")
    built(corpus, tmp_path / "ix")
    models = Querier().models(None)
    with OpenIndex(tmp_path / "ix") as opened:
        sides = index_sides(opened, models, "base")
        found = compare_in_index(opened, sides, "water", 10)
        ranks = [(each.sentence, each.base_rank) for each in found.by_base]
        assert ranks == [("Water boils.", 1), ("Ice melts in the sun.", 2)]
        alone = compare_in_index(opened, sides, "water", 10, within=Filter(file="two*"))
        assert [each.base_rank for each in alone.by_base] == [1]
        assert alone.sentences == 1


def test_questions_follow_their_files_and_an_unfinished_change_is_undone(folder, tmp_path):
    index = tmp_path / "ix"
    built(folder, index)
    before = contents(index)
    done(add(index, str(folder), blocks=SMALL))
    assert contents(index) == before
    qrels = folder / "qrels" / "test.tsv"
    lines = qrels.read_text().splitlines()
    qrels.write_text("\n".join(lines[:-1]) + "\n")
    corpus = folder / "corpus.jsonl"
    corpus.write_text(corpus.read_text() + '{"_id": "new", "text": "One more passage."}\n')
    work = add(index, str(folder), blocks=SMALL)
    for state in work:
        if state.stage == "embedding" and state.done > state.total - 20:
            break
    work.close()
    assert len(answered(index)) == 44
    (tmp_path / "other.txt").write_text("A zebra crosses the river.\n")
    done(add(index, str(tmp_path / "other.txt"), blocks=SMALL))
    after = contents(index)
    assert [after[t] for t in ("question_sets", "questions", "answers", "answering")] == [
        before[t] for t in ("question_sets", "questions", "answers", "answering")
    ]
    done(add(index, str(folder), blocks=SMALL))
    assert answered(index) == known_in(folder)
    assert len(answered(index)) == 43


def test_an_index_of_the_first_format_gets_questions_by_an_addition(folder, tmp_path):
    built(folder, tmp_path / "ix")
    wanted = answered(tmp_path / "ix")
    as_first_format(tmp_path / "ix")
    assert answered(tmp_path / "ix") == []
    intake = done(add(tmp_path / "ix", str(folder), blocks=SMALL))
    assert (intake.added, intake.unchanged) == (0, 1)
    assert answered(tmp_path / "ix") == wanted


def test_questions_that_cannot_be_used_are_left_out_and_told_without_a_text(folder, tmp_path):
    (folder / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tnone\t1\n")
    intake = built(folder, tmp_path / "ix")
    assert "its corpus-id is not in corpus.jsonl" in intake.left_out
    assert answered(tmp_path / "ix") == []
    assert index_status(tmp_path / "ix").live_passages == intake.passages
