"""Every command that reads texts says how many are longer than the model reads."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.data import Pairs, arrow_strings
from nexus_engine.events import RunFailed, Warned
from nexus_engine.model.tokens import Tokenizer, TokenStore
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scoring.corpus import pair_rows
from nexus_engine.scoring.cut_texts import cut_note, indistinct, pair_notes
from nexus_engine.training.run import train
from nexus_tui.cli import main as cli
from nexus_tui.words.forecasting import forecast_lines


def long_text(start: str, end: str = "done", words: int = 300) -> str:
    return " ".join([start, *["turning"] * words, end])


def rows(base_model, first, second):
    store = TokenStore(Tokenizer(base_model.folder))
    scores = np.linspace(0, 1, len(first), dtype=np.float32)
    return store, pair_rows(store, Pairs(arrow_strings(first), arrow_strings(second), scores))


@pytest.fixture
def pairs_file(tmp_path):
    """Two pairs that differ only in their last word, and two ordinary ones."""
    lines = ["sentence1,sentence2,score"]
    for number, word in enumerate(("valve", "gauge")):
        lines.append(f"{long_text(word)},{long_text(word, 'broken')},{number}")
    lines += ["the pump runs,the pump stands,2", "a red lamp,a green lamp,3"]
    path = tmp_path / "long.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_sentence_of_exactly_the_longest_length_is_not_cut(base_model):
    tokenizer = Tokenizer(base_model.folder)
    exact, longer = " ".join(["turning"] * 254), " ".join(["turning"] * 255)
    tokenised = tokenizer([exact, longer, "short"])
    assert [len(ids) for ids in tokenised] == [256, 256, 3]
    assert tokenised.cut == (1,)
    store = TokenStore(tokenizer)
    store.add([[exact], ["short", longer]])
    assert store.cut_among(np.arange(3)).tolist() == [2]


def test_distinct_sentences_are_counted_and_those_equal_after_the_cut(base_model):
    first = [long_text("a"), long_text("a"), "short"]
    second = [long_text("a", "else"), long_text("b"), "short"]
    cut, equal = pair_notes(*rows(base_model, first, second))
    assert cut.startswith("3 of 4 sentences are longer than the 256 tokens")
    assert equal.startswith("in 1 of 3 pairs both sentences are equal after the cut")
    assert pair_notes(*rows(base_model, ["a", "b"], ["a", "b"])) == []
    assert cut_note(1, 9).startswith("1 of 9 sentences is longer")
    assert cut_note(0, 9) == ""


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([long_text("a"), "b"], [long_text("a", "x"), "b"], "equal once cut to the 256 tokens"),
        (["a door", "b"], ["A  door", "B"], "both sentences of every pair are equal to the model"),
        (["a", "b"], ["b", "a"], "all pairs are equal to the model"),
        (["a", "b"], ["a", "c"], ""),
        (["a", "b"], ["c", "c"], ""),
    ],
)
def test_the_true_reason_is_named_where_no_correlation_is_defined(base_model, first, second, words):
    reason = indistinct(*rows(base_model, first, second))
    assert words in reason
    assert bool(reason) == bool(words)


def write_folder(folder, dev):
    folder.mkdir()
    ordinary = [("a red lamp", "a green lamp", 1), ("the pump runs", long_text("the pump"), 0)]
    for split, pairs in (("train", ordinary), ("dev", dev), ("test", ordinary)):
        lines = ["sentence1,sentence2,score", *(f"{a},{b},{score}" for a, b, score in pairs)]
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")


def test_training_says_it_and_refuses_what_it_could_only_measure_as_noise(home, tmp_path):
    equal = [(long_text(w), long_text(w, "x"), n) for n, w in enumerate(("valve", "gauge"))]
    write_folder(tmp_path / "pairs", equal)
    settings = resolve(TrainConfig(data=str(tmp_path / "pairs"), tune="adapter", threads=1))
    *events, last = train(settings, RunFolder.create(tmp_path / "run", "x"))
    warned = [event.message for event in events if isinstance(event, Warned)]
    assert "5 of 8 sentences are longer than the 256 tokens" in warned[0]
    assert isinstance(last, RunFailed)
    assert last.exit_code == 3
    assert "dev: both sentences of every pair are equal once cut" in last.message
    assert "--lr" not in last.message


def test_a_forecast_says_it(monkeypatch, tmp_path):
    from nexus_engine.training import forecast as engine

    write_folder(tmp_path / "pairs", [("a", "b", 0), ("c", "d", 1)])
    monkeypatch.setattr(engine.Probe, "measure", lambda self: (engine.Costs(0, 0, 0),) * 2)
    settings = resolve(TrainConfig(data=str(tmp_path / "pairs"), tune="adapter", threads=1))
    forecast = engine.forecast(settings)
    words = "1 of 8 sentences is longer than the 256 tokens"
    assert sum(words in note for note in forecast.notes) == 1
    lines = forecast_lines({name: getattr(forecast, name) for name in forecast.__struct_fields__})
    assert sum(f"note: {words}" in line for line in lines) == 1


def test_every_command_that_asks_a_model_says_it(home, tmp_path, pairs_file, capfd):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(f"{long_text('valve')}\na lamp\n")
    cut = "sentences are longer than the 256 tokens that the model reads"
    data = ["--data", str(pairs_file), "--split", "all"]
    for arguments, number in (
        (["eval", "base", *data], 4),
        (["compare", "base", "base", *data], 4),
        (["similarity", "base", "--file", str(pairs_file)], 4),
        (["similarity", "base", long_text("a"), long_text("b")], 2),
    ):
        assert cli.main(arguments) == 0
        out, err = capfd.readouterr()
        assert err.count(f"note: {number} of ") == err.count(cut) == 1, (arguments[:2], err)
        assert cut not in out
    assert cli.main(["search", "base", long_text("pump"), "--corpus", str(corpus)]) == 0
    err = capfd.readouterr().err
    assert "note: the query: 1 of 1" in err
    assert "note: 1 of 2 sentences is longer" in err


def test_what_is_undefined_is_not_a_figure_made_of_rounding(home, tmp_path, capfd):
    path = tmp_path / "same.csv"
    path.write_text("sentence1,sentence2,score\nthe pump,the pump,1\na lamp,a lamp,0\n")
    data = ["base", "--data", str(path), "--split", "all", "--json"]
    for command in (["eval", *data], ["compare", "base", *data]):
        assert cli.main(command) == 0
        out, err = capfd.readouterr()
        assert json.loads(out.splitlines()[-1])["spearman"] == "NaN"
        assert "both sentences of every pair are equal to the model" in err
        assert "Warning" not in err
