"""One label from several raters: the rule, what it leaves out, and files that are merged."""

from __future__ import annotations

import json

import pytest

from nexus_engine.errors import ConfigError, DataError
from nexus_engine.labels.combining import combined
from nexus_engine.labels.exporting import export
from nexus_engine.labels.label_file import LabelFile
from nexus_engine.labels.merging import merge
from nexus_engine.labels.parts import Parts
from nexus_engine.labels.reading import read_labels
from nexus_engine.labels.verdicts import PairVerdict


def judged(path, *, pairs=(), passages=()):
    """A label file: pairs (rater, a, b, answer), an answer being a grade or a bool."""
    for rater in dict.fromkeys(given[0] for given in (*pairs, *passages)):
        with LabelFile.open(path, rater) as labels:
            for name, a, b, answer in pairs:
                if name != rater:
                    continue
                if answer is None:
                    labels.judge_pair(a, b, "unsure")
                elif isinstance(answer, bool):
                    labels.judge_pair(a, b, "same", same=answer)
                else:
                    labels.judge_pair(a, b, "grade", grade=answer)
            for name, question, passage, relevant in passages:
                if name == rater:
                    labels.judge_passage(question, passage, "mark", relevant=relevant)
    return read_labels(path)


def train_texts(count):
    """Pairs of texts that go to train."""
    parts, found, number = Parts(), [], 0
    while len(found) < count:
        pair = (f"first {number}", f"second {number}")
        if parts.of_pair(*pair) == "train":
            found.append(pair)
        number += 1
    return found


@pytest.mark.parametrize(
    ("answers", "score"),
    [
        ([1, 2, 5], 2.0),
        ([2, 5], 3.5),
        ([True], 5.0),
        ([False, False, True], 0.0),
        ([True, False], None),
        ([None, 4], 4.0),
        ([None], None),
        ([3, False, False], 3.0),
    ],
)
def test_the_median_grade_or_the_majority_counts(tmp_path, answers, score):
    ((a, b),) = train_texts(1)
    pairs = [(f"rater {n}", a, b, answer) for n, answer in enumerate(answers)]
    found = combined(judged(tmp_path / "l.jsonl", pairs=pairs).verdicts)
    assert [pair.score for pair in found.pairs] == ([] if score is None else [score])
    assert sum(found.pairs_left_out) == (score is None)


def test_a_settled_verdict_counts_alone(tmp_path):
    path = tmp_path / "l.jsonl"
    ((a, b),) = train_texts(1)
    judged(path, pairs=[("ann", a, b, 1), ("bob", a, b, 1), ("cid", a, b, 1)])
    with LabelFile.open(path, "eve") as labels:
        labels.judge_pair(a, b, "grade", grade=4, settled=True)
        assert labels.settled_keys()
    assert [pair.score for pair in combined(read_labels(path).verdicts).pairs] == [4.0]


def test_passages_take_the_majority_and_ties_are_counted(tmp_path):
    passages = [("ann", "q", "p", True), ("bob", "q", "p", False)]
    passages += [("ann", "q", "r", True), ("bob", "q", "r", False), ("cid", "q", "r", False)]
    found = combined(judged(tmp_path / "l.jsonl", passages=passages).verdicts)
    assert [(each.passage, each.relevant) for each in found.passages] == [("r", False)]
    assert found.passages_left_out.tied == 1
    assert found.passages_left_out.lines() == ["1 left out: as many raters for it as against"]


def pair_of(part, a, b, rater="ann"):
    return PairVerdict(
        id=f"{rater}{a}{b}", time="t", rater=rater, a=a, b=b, answer="grade", grade=1, part=part
    )


def test_no_train_pair_shares_a_sentence_with_a_held_out_one():
    verdicts = [
        pair_of("train", "a", "b"),
        pair_of("dev", "B", "c", "bob"),
        pair_of("train", "d", "e"),
        pair_of("test", "E", "d", "bob"),  # the same pair with another part
        pair_of("unused", "f", "g"),
        pair_of("train", "h", "i"),
    ]
    found = combined(verdicts)
    assert [(pair.a, pair.part) for pair in found.pairs] == [("B", "dev"), ("h", "train")]
    assert found.pairs_left_out.parted == 3


def test_merging_keeps_every_line_and_the_later_verdict_of_a_rater_stands(tmp_path, monkeypatch):
    times = iter(f"2026-11-29T05:00:{second:02}Z" for second in range(60))
    monkeypatch.setattr("nexus_engine.labels.label_file.now", lambda: next(times))
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    judged(one, pairs=[("ann", "a", "b", 1), ("ann", "c", "d", 2)])
    judged(other, pairs=[("ann", "b", "a", 5), ("bob", "c", "d", 3), ("bob", "e", "f", 3)])
    with LabelFile.open(other, "bob") as labels:
        labels.judge_pair("g", "h", "grade", grade=0)
        labels.undo()
    one.write_bytes(one.read_bytes() + b'{"torn')
    merged = merge([other, one], tmp_path / "both.jsonl")
    assert [(v.rater, v.grade) for v in merged.labels.verdicts] == [
        ("ann", 2),
        ("ann", 5),
        ("bob", 3),
        ("bob", 3),
    ]
    assert merged.labels.undone == 1
    assert merged[1:] == ((3, 2), 0, 1, 1, 1)
    lines = (tmp_path / "both.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 2 + 5
    assert (tmp_path / "both.jsonl").stat().st_mode & 0o777 == 0o600
    again = merge([tmp_path / "both.jsonl", other], tmp_path / "again.jsonl")
    assert again.repeated == 5
    assert again.labels.fingerprint == merged.labels.fingerprint


def test_merging_overwrites_nothing_and_leaves_nothing(tmp_path):
    one = judged(tmp_path / "one.jsonl", pairs=[("ann", "a", "b", 1)]).path
    before = one.read_bytes()
    with pytest.raises(DataError, match="exists; name a new file with --out"):
        merge([one], one)
    (tmp_path / "foreign.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match="is no label file"):
        merge([one, tmp_path / "foreign.jsonl"], tmp_path / "out.jsonl")
    assert one.read_bytes() == before
    assert not (tmp_path / "out.jsonl").exists()


AWKWARD = ['He said "no", twice.', "a\nb\rc", "=1+1", " Ünï\u2028cødé ", "{}", "a,b;c\td", "'"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_an_export_is_what_data_reads(tmp_path, suffix):
    from nexus_engine.data import load_data
    from nexus_engine.data.questions.loading import load_questions

    texts = [(f"{text} {n}", f"{n} {text} other") for n, text in enumerate(AWKWARD * 12)]
    pairs = [("ann", a, b, n % 6) for n, (a, b) in enumerate(texts)]
    passages = [
        ("ann", a, text, n % 2 == 0) for n, (a, _) in enumerate(texts) for text in (a, _[:9])
    ]
    labels = judged(tmp_path / "l.jsonl", pairs=pairs, passages=passages)
    with pytest.raises(ConfigError, match=r"84 pairs and .* --kind search"):
        export([labels], tmp_path / f"out{suffix}")
    done = export([labels], tmp_path / f"pairs{suffix}", "pairs")
    assert done.rows.keys() == {"train", "dev", "test"}
    data = load_data(str(done.path))
    assert data.score_range == (0, 1)
    found = {
        (a, b): float(score)
        for part in (data.train, data.dev, data.test)
        for a, b, score in zip(
            part.first.to_pylist(), part.second.to_pylist(), part.scores, strict=True
        )
    }
    assert len(found) == 84
    expected = {(a.strip(), b.strip()): grade / 5 for _, a, b, grade in pairs}
    assert {(a.strip(), b.strip()) for a, b in found} == set(expected)
    for (a, b), score in found.items():
        assert score == pytest.approx(expected[a.strip(), b.strip()])
    assert len(data.dev) == done.rows["dev"]
    assert not data.questions
    done = export([labels], tmp_path / f"search{suffix}", "search")
    read = load_questions(str(done.path))
    answered = {v.question for v in labels.verdicts if getattr(v, "relevant", False)}
    assert len(read.train) + len(read.dev) + len(read.test) == len(answered)


def test_what_cannot_be_exported_is_one_line(tmp_path):
    labels = judged(tmp_path / "l.jsonl", pairs=[("ann", "a", "b", None)])
    with pytest.raises(DataError, match=r"holds no pair with an answer to export; 1 left out: un"):
        export([labels], tmp_path / "out.csv")
    with pytest.raises(ConfigError, match=r"ends in \.csv or \.jsonl"):
        export([labels], tmp_path / "out.txt")
    with pytest.raises(DataError, match="exists"):
        export([labels], tmp_path / "l.jsonl")
    assert json.loads((tmp_path / "l.jsonl").read_text().splitlines()[0])["nexus_labels"] == 1
