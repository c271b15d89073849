"""Querying: cosines equal to `nexus similarity`, shared weights, new checkpoints, bounds."""

from __future__ import annotations

import os
import shutil
import threading

import pytest
import torch
from saved_models import save_grown_model

from nexus_engine.data.pasting import pasted_kind, read_pasted
from nexus_engine.errors import DataError, ModelError
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.regimes import build_model
from nexus_engine.runs.saved_model import load_model, load_saved
from nexus_engine.scoring.corpus_reading import read_sentences
from nexus_engine.scoring.querying import Querier, distinct, score, share_weights, stamp_of
from nexus_engine.scoring.searching import SearchIndex, search

PAIRS = [
    ("the patient was sent home", "the patient was discharged"),
    ("the patient was sent home", "a dog runs in the park"),
]
CANARY = "kanarienvogel"


@pytest.fixture(scope="module")
def base():
    return find_base_model()


@pytest.fixture(scope="module")
def saved(base, tmp_path_factory):
    return save_grown_model(tmp_path_factory.mktemp("model") / "best", 1, 0.3, base)


@pytest.fixture
def best(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "best")


@pytest.fixture(scope="module")
def querier(base):
    return Querier()


def test_cosines_are_those_of_the_similarity_command(querier, saved):
    import pyarrow as pa

    from nexus_engine.data import Pairs
    from nexus_engine.scoring.similarity import score_pairs

    models = querier.models(saved)
    cosines = score(models, PAIRS)
    arrays = [pa.array(column) for column in zip(*PAIRS, strict=True)]
    expected = score_pairs(load_saved(saved, "x"), Pairs(*arrays, None))
    for pair, base, tuned in zip(cosines, expected.base, expected.tuned, strict=True):
        assert pair.base == pytest.approx(base, abs=1e-5)
        assert pair.tuned == pytest.approx(tuned, abs=1e-5)
        assert abs(pair.base - pair.tuned) > 1e-4
    assert models.tuned.epoch == 1
    assert score(querier.models(None), PAIRS)[0] == (cosines[0].base, None)


def test_the_tuned_model_holds_the_weights_of_the_base(querier, saved, base):
    models = querier.models(saved)
    own = dict(models.base.model.named_parameters())
    theirs = dict(models.tuned.model.named_parameters())
    assert all(theirs[name].data_ptr() == p.data_ptr() for name, p in own.items())
    other = build_model(base, "full")
    with torch.no_grad():
        other.encoder.norm.bias += 1
    assert share_weights(other, models.base.model) == len(own) - 1
    assert not torch.equal(other.encoder.norm.bias, models.base.model.encoder.norm.bias)


def test_a_new_checkpoint_is_seen_and_the_base_is_kept(best, base):
    querier = Querier()
    before = querier.models(best)
    assert querier.models(best) == before
    old = stamp_of(best)
    save_grown_model(best, 2, 0.6, base)
    assert stamp_of(best) != old
    after = querier.models(best)
    assert after.tuned.epoch == 2
    assert after.base is before.base
    assert score(after, PAIRS)[0].tuned != score(before, PAIRS)[0].tuned


def test_a_folder_without_a_model_yet_gives_the_base_alone_and_a_broken_one_is_refused(
    querier, best, tmp_path
):
    assert querier.models(tmp_path / "nothing").tuned is None
    weights = next(best.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged"):
        querier.models(best)
    assert querier.models(None).tuned is None


def test_weights_replaced_while_they_are_read_are_read_again(best, base):
    attempts = []

    def load(folder, name):
        attempts.append(1)
        if len(attempts) == 1:
            save_grown_model(folder, 7, 0.4, base)
            raise ModelError("weights-0001.safetensors: gone")
        return load_saved(folder, name)

    assert Querier(load=load).models(best).tuned.epoch == 7


def test_sentences_are_embedded_once_and_memory_is_bounded(saved):
    models = Querier(max_remembered=3).models(saved)
    done, batches = [], []
    score(models, PAIRS, done.append)
    assert sum(done) == 2 * distinct(PAIRS) == 6
    models.base.embed([PAIRS[0][0], PAIRS[1][1], PAIRS[0][0]], check=lambda: batches.append(1))
    assert not batches
    models.base.embed(["one more"], check=lambda: batches.append(1))
    assert len(batches) == 1
    assert len(models.base._memory) == 3
    models.base.embed(["a", "b", "c", "d"])
    assert "a" not in models.base._memory


def test_known_and_new_sentences_come_in_the_order_asked(saved):
    embedder = Querier().models(saved).base
    known = embedder.embed(["alpha", "beta"])
    mixed = embedder.embed(["gamma", "beta", "alpha", "gamma"])
    assert torch.allclose(mixed[2], known[0])
    assert torch.allclose(mixed[1], known[1])
    assert torch.equal(mixed[0], mixed[3])


def test_a_check_ends_the_work_between_batches(saved):
    class EndedError(Exception):
        pass

    def check():
        raise EndedError

    with pytest.raises(EndedError):
        score(Querier().models(saved), PAIRS, check=check)


def test_threads_may_ask_at_once(saved):
    querier, answers = Querier(), []
    threads = [
        threading.Thread(target=lambda: answers.append(score(querier.models(saved), PAIRS)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 3
    assert answers[0][0].tuned == pytest.approx(answers[2][0].tuned, abs=1e-6)


# Files of sentences


def test_lines_keep_their_numbers_and_blank_ones_are_left_out(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_bytes("\ufeffone\r\n\r\n  two \n\nthree".encode())
    read = read_sentences(file)
    assert list(read.sentences) == ["one", "two", "three"]
    assert list(read.lines) == [1, 3, 5]
    file.write_text("one\ntwo\n one\none\n")
    read = read_sentences(file)
    assert (read.sentences, read.lines, read.times) == (["one", "two"], [1, 2], [3, 1])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no sentence"),
        (b" \n\t\n", "holds no sentence"),
        (b"caf\xe9 " + CANARY.encode() + b"\n", "not UTF-8"),
        (b"a\0b " + CANARY.encode() + b"\n", "NUL"),
        (b"x" * 10_000_000, "longer than 8 MB"),
        (b"fine\n" + b"y" * 1_000_001, ":2: the sentence is longer than 1 MB"),
    ],
)
def test_bad_files_are_refused_without_their_text(tmp_path, content, reason):
    file = tmp_path / "bad.txt"
    file.write_bytes(content)
    with pytest.raises(DataError, match=reason) as refused:
        read_sentences(file)
    assert CANARY not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_not_a_file_or_too_large_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is a pipe"),
        (tmp_path / "none.txt", "does not exist"),
    ):
        with pytest.raises(DataError, match=reason):
            read_sentences(path)
    (tmp_path / "many.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(DataError, match="too large: the limit is 3 sentences"):
        read_sentences(tmp_path / "many.txt", max_sentences=3)


def test_the_nearest_come_first_with_their_lines_and_moves(querier, saved, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text(
        "a dog runs in the park\n\nthe patient was discharged\nthe patient went home today\n"
        "stocks fell sharply\nthe patient was discharged\n"
    )
    index = SearchIndex(read_sentences(file))
    models = querier.models(saved)
    assert index.missing(models) == 2 * 4
    done = []
    result = search(models, index, "the patient was sent home", 5, done.append)
    assert sum(done) == 8
    assert index.missing(models) == 0
    for matches, score_of, rank_of in (
        (result.by_base, lambda m: m.base, lambda m: m.base_rank),
        (result.by_tuned, lambda m: m.tuned, lambda m: m.tuned_rank),
    ):
        assert [rank_of(m) for m in matches] == [1, 2, 3, 4]
        scores = [score_of(m) for m in matches]
        assert scores == sorted(scores, reverse=True)
    assert result.by_base[0].sentence == "the patient went home today"
    assert result.by_base[0].line == 4
    first = result.by_tuned[0]
    assert first.rise == first.base_rank - 1
    twice = next(m for m in result.by_base if m.sentence == "the patient was discharged")
    assert (twice.line, twice.times) == (3, 2)
    alone = search(querier.models(None), index, "the patient was sent home", 2)
    assert alone.by_tuned == []
    assert alone.by_base[0].rise is None


def test_only_the_new_side_is_embedded_after_a_checkpoint(best, base, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("one\ntwo\n")
    querier = Querier()
    index = SearchIndex(read_sentences(file))
    search(querier.models(best), index, "one", 1)
    save_grown_model(best, 2, 0.6, base)
    assert index.missing(querier.models(best)) == 2


# Pasted text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a\tb\nc\td", "tsv"),
        ("a\tb\t0.5\n\nc\td\t1\n", "tsv"),
        ("a,b\nc,d", "csv"),
        ('"a, x",b\n"c",d\n', "csv"),
        ("a,b", None),
        ("one\ttab only", None),
        ("a wrapped sentence\nwithout marks", None),
        ("the patient, who was ill,\nwas sent home", None),
        ("a,b\nplain", None),
        ("", None),
    ],
)
def test_pairs_are_told_from_prose(text, kind):
    assert pasted_kind(text) == kind


def test_pasted_pairs_are_read_as_a_file_is():
    pairs = read_pasted("sentence1\tsentence2\na\tb\nc\td\n", "tsv")
    assert (pairs.first.to_pylist(), pairs.second.to_pylist()) == (["a", "c"], ["b", "d"])
    with pytest.raises(DataError, match="the pasted text"):
        read_pasted("a\tb\n\tc", "tsv")


def test_bfloat16_answers_are_near_and_of_both_sides():
    texts = ["No acute distress.", "Patient in distress."]
    exact = Querier().adopt(load_model("base"))
    fast = Querier().adopt(load_model("base", bf16=True))
    one, two = (score(models, [(texts[0], texts[1])])[0].base for models in (exact, fast))
    assert one != two
    assert abs(one - two) < 0.01


def test_the_base_beside_a_tuned_model_computes_in_its_format(saved):
    loaded = load_model(str(saved), bf16=True)
    models = Querier().adopt(loaded)
    assert models.base.model.dtype is models.tuned.model.dtype is torch.bfloat16
