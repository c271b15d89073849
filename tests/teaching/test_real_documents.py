"""Both queues on a folder of documents, by the real base model."""

from nexus_engine.scoring.corpus_reading import read_corpus
from nexus_engine.scoring.querying import Querier
from nexus_engine.teaching.headings import heading_questions
from nexus_engine.teaching.pair_queue import PairQueue
from nexus_engine.teaching.question_queue import QuestionQueue
from nexus_engine.teaching.texts import judgeable_texts

PAGES = {
    "pump.md": "# Pump\n\n## Cleaning the pump\n\nSwitch the pump off. Rinse the filter with warm "
    "water until it runs clear.\n\n## Pressure of the pump\n\nThe pump is set to 5 bar at "
    "delivery. The pump is set to 50 bar at delivery.\n",
    "cat.md": "# Cat\n\n## What a kitten eats\n\nA young cat eats soft food four times a day. It "
    "drinks water and not milk.\n",
}


def test_headings_find_their_own_section_and_sentences_make_pairs(tmp_path):
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    corpus = read_corpus(str(tmp_path))
    questions = heading_questions(corpus)
    assert "Cat: What a kitten eats" in questions
    assert len(questions) == 3
    model = Querier().models(None).base
    queue = QuestionQueue(questions, corpus, model, model, set(), 1)
    asked = list(iter(queue.next, None))
    assert len(asked) == 3
    for candidate in asked:
        first = candidate.passages[0]
        assert candidate.question == ": ".join(first.heading.split(" > ")[-2:])
    pairs = PairQueue(judgeable_texts(corpus.sentences), model, model, set(), 1)
    found = list(iter(pairs.next, None))
    differing = [{pair.a, pair.b} for pair in found if pair.reason == "they differ in a number"]
    assert differing == [{f"The pump is set to {bar} bar at delivery." for bar in (5, 50)}]
    assert len(found) > 3
