"""An inspection counts lengths, duplicates and leaks of pairs and of questions."""

from __future__ import annotations

import pytest
from question_support import write_csv, write_lines

from nexus_engine.data import load_data
from nexus_engine.data.questions.loading import load_questions
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.plain_tokenizer import plain_tokenizer
from nexus_engine.scoring.inspection import Leak, inspect_pairs, inspect_questions, texts_to_measure


@pytest.fixture(scope="module")
def tokenizer():
    return plain_tokenizer(find_base_model().folder)


def pair_folder(folder):
    header = "sentence1,sentence2,score"
    write_csv(folder / "train.csv", header, [
        "a b,c d,0", "C  D,a b,5", "e,f,5", "e,f,5", "same,same,1", f"{'dog ' * 300},g,2",
    ])  # fmt: skip
    write_csv(folder / "dev.csv", header, ["A b,new,1", "F,E,4"])
    write_csv(folder / "test.csv", header, ["x,y,1", "z,y,4"])
    return load_data(str(folder))


def test_pairs(tmp_path, tokenizer):
    data = pair_folder(tmp_path)
    done = []
    found = inspect_pairs(data, tokenizer, 256, done.append)
    assert sum(done) == texts_to_measure(data) == found.lengths["sentences"].texts
    assert found.splits["train"] == {"pairs": 6, "sentences": 7}
    assert found.checks == {
        "pairs given more than once, in either order": 3,
        "pairs given with different scores": 2,
        "pairs of two equal sentences": 1,
        "texts like another but for case or white space": 4,
    }
    assert set(found.leaks) == {
        Leak("dev", "train", "sentence", 3),
        Leak("dev", "train", "pair", 1),
    }
    lengths = found.lengths["sentences"]
    assert (lengths.longest, lengths.cut) == (302, 1)
    assert found.histogram["train"] == (1, 0, 1, 0, 1, 0, 0, 0, 0, 3)
    assert found.summary == "10 pairs with scores 0..5; judged by Spearman on 2 held-out pairs"


def test_questions(tmp_path, tokenizer):
    def row(question, *answers):
        return {"query": question, "pos": list(answers)}

    write_lines(tmp_path / "train.jsonl", [
        row("one", "a a"), row("One", "A  a", "b"), row("two", "c"),
        {**row("two", "c"), "neg": "c"},
    ])  # fmt: skip
    (tmp_path / "corpus").mkdir()
    write_lines(tmp_path / "dev.jsonl", [row("three", "c"), row("four", "b", "d")])
    write_lines(tmp_path / "test.jsonl", [row("five", "d"), row("six", "dog " * 300)])
    data = load_questions(str(tmp_path))
    found = inspect_questions(data, tokenizer, 256)
    assert found.splits["train"] == {
        "questions": 2, "answers": 3, "passages": 3, "with several": 1, "with negatives": 0,
    }  # fmt: skip
    assert {name: count for name, count in found.checks.items() if count} == {
        "rows read": 8,
        "answers given again for the same question": 2,
        "texts like another but for case or white space": 2,
        "passages both answer and negative of a question": 1,
    }
    assert found.leaks == (
        Leak("dev", "train", "only answer", 1),
        Leak("test", "dev", "only answer", 1),
    )
    assert found.lengths["passages"].cut == 1
    assert found.lengths["passages"].share_cut == pytest.approx(1 / 5)
    assert found.lengths["questions"].median == 3
