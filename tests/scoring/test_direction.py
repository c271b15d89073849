"""Scores that run the other way raise a question before the first step, in every command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nexus_engine.config import config_from_mapping, resolve
from nexus_engine.data import load_split
from nexus_engine.events import RunStarted, Warned
from nexus_engine.reports.document import document
from nexus_engine.reports.gather import gather
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scoring.corpus import Corpus, PairRows
from nexus_engine.scoring.correlation import spearman
from nexus_engine.scoring.direction import (
    MAX_PAIRS,
    MIN_PAIRS,
    ask_direction,
    direction_question,
)
from nexus_engine.training import forecast as forecasting
from nexus_engine.training import inputs, preparation
from nexus_engine.training.steering import Steering
from nexus_tui.app.new_run.screen import NewRunScreen
from nexus_tui.charts.run.one_picture import terminal_chart_style
from nexus_tui.cli import main as cli
from nexus_tui.words.forecasting import Forecasted

WORDS = "run the other way"


@pytest.mark.parametrize(
    ("value", "pairs", "asks"),
    [
        (0.82, 1500, False),
        (0.05, 1500, False),
        (-0.1, 1500, False),  # below zero beyond doubt, but not far
        (-0.3, 1500, True),
        (-0.9, MIN_PAIRS, True),
        (-0.9, MIN_PAIRS - 1, False),
        (-1.0, 2, False),
        (-1.0, MIN_PAIRS, True),
        (-0.3, 50, False),  # by chance, perhaps
        (-0.6, 50, True),
        (float("nan"), 1500, False),
    ],
)
def test_only_what_is_far_below_zero_and_no_chance_is_asked_about(
    value: float, pairs: int, asks: bool
) -> None:
    question = direction_question(value, pairs)
    assert (question is not None) is asks
    assert question is None or (WORDS in question and f"{value:.2f} on {pairs} pairs" in question)


def rows(scores: list[float]) -> PairRows:
    places = np.arange(len(scores))
    return PairRows(places, places, np.asarray(scores, np.float32))


@pytest.mark.parametrize(("dev", "train"), [(10, 500), (40, 500), (300, 500), (10, 8), (2, 40)])
@pytest.mark.parametrize("sign", [1, -1])
def test_train_pairs_are_looked_at_only_where_dev_is_too_little(
    dev: int, train: int, sign: int
) -> None:
    no_pairs, none = rows([]), np.zeros(0, np.int64)
    corpus = Corpus(
        None, rows(list(range(train))), rows(list(range(dev))), no_pairs, no_pairs, none
    )  # type: ignore[arg-type]
    counts: list[int] = []

    def cosines(pairs: PairRows) -> np.ndarray:
        counts.append(len(pairs))
        noise = np.random.default_rng(1).normal(0, 0.05 * len(pairs), len(pairs))
        return sign * (pairs.scores.astype(np.float64) + noise)

    known = cosines(corpus.dev)
    counts.clear()
    question = ask_direction(cosines, corpus, known)
    looked_at = dev + sum(counts)
    assert looked_at <= max(dev, MAX_PAIRS)
    assert bool(counts) is (dev < MIN_PAIRS)
    assert (question is not None) is (sign < 0 and looked_at >= MIN_PAIRS)
    # Without dev similarities, as in a forecast, the result is the same.
    assert (ask_direction(cosines, corpus) is not None) is (question is not None)


SAMPLE = 125


def test_real_scores_never_raise_it_and_their_reverse_always_does(stsb: Path, base_model) -> None:
    from nexus_engine.model.encoder_weights import load_encoder
    from nexus_engine.model.sentence_model import SentenceModel, cosine
    from nexus_engine.model.tokens import Tokenizer, TokenStore
    from nexus_engine.scoring.evaluation import embed_all

    with (stsb / "dev.csv").open(newline="") as file:
        lines = list(csv.reader(file))[:: 1500 // SAMPLE][:SAMPLE]
    model = SentenceModel(load_encoder(base_model)).eval()
    store = TokenStore(Tokenizer(base_model.folder))
    columns = [store.add([[row[place] for row in lines]]) for place in (0, 1)]
    first, second = (embed_all(lambda r: model.embed(store, r), store, c) for c in columns)
    cosines = cosine(first.double(), second.double()).numpy()
    scores = np.asarray([float(row[2]) for row in lines])
    random = np.random.default_rng(3)
    for pairs in (20, 50, 100, SAMPLE):
        for _ in range(200):
            sample = random.permutation(SAMPLE)[:pairs]
            value = spearman(cosines[sample], scores[sample])
            assert direction_question(value, pairs) is None
            assert pairs < 50 or direction_question(-value, pairs) is not None


THINGS = ("kettle", "ladder", "canoe", "lantern")
PLACES = ("harbour", "attic", "orchard", "station")


def distances(folder: Path) -> Path:
    """Pairs whose scores are distances: 0 for a paraphrase, 5 for pairs that share nothing."""
    folder.mkdir()
    pairs: list[tuple[str, str, float]] = []
    for i, thing in enumerate(THINGS):
        for k, place in enumerate(PLACES):
            here = f"The {thing} stands in the {place}."
            other = THINGS[(i + 2) % len(THINGS)]
            pairs += [
                (here, f"In the {place} there is a {thing}.", 0.5 * (k % 2)),
                (here, f"A {thing} was sold {i + k} days ago.", 2.5),
                (here, f"Nobody paid {i + k} euros for a {other} yesterday.", 5 - 0.5 * (k % 2)),
            ]
    for split, start in (("train", 0), ("dev", 1), ("test", 2)):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(pairs[start::3] if split == "test" else pairs[start::2])
    return folder


def prepared(settings, folder: RunFolder) -> list:
    """The events of a run before its first step."""
    with folder.lock:
        return list(preparation.prepare(settings, folder, Steering(), resume=False))


def test_it_is_asked_before_the_first_step_and_in_eval_forecast_and_report(
    home, tmp_path, monkeypatch, capfd
) -> None:
    from nexus_engine.data import load_guard

    few = load_guard().take(np.arange(8))
    monkeypatch.setattr(inputs, "load_guard", lambda: few)
    costs = forecasting.Costs(1e-3, 1e-4, 1e-4)
    monkeypatch.setattr(forecasting.Probe, "time_costs", lambda self: costs)
    data = distances(tmp_path / "pairs")
    settings = resolve(config_from_mapping({"data": str(data), "threads": 2}, "test"))

    folder = RunFolder.create(tmp_path / "run", "x")
    events = prepared(settings, folder)
    (question,) = [event.message for event in events if isinstance(event, Warned)]
    assert WORDS in question
    assert any(isinstance(event, RunStarted) for event in events)
    for event in events:
        folder.append(event)
    results = document(gather([str(folder.path)])).sections[0]
    assert f"run, warning: {question}" in results.paragraphs

    assert cli.main(["train", "--data", str(data), "--forecast", "--threads", "2"]) == 0
    assert WORDS in capfd.readouterr().err
    evaluate = ["eval", "base", "--data", str(data), "--split", "all", "--json"]
    assert cli.main(evaluate) == 0
    out, err = capfd.readouterr()
    result = json.loads(out)
    assert WORDS in result["questions"][0]
    assert "warning: the base model's Spearman" in err

    # As the message says: replace each score by HIGHEST - score.
    before = load_split(str(data), "all").scores
    for path in data.iterdir():
        with path.open(newline="") as file:
            reversed_rows = [(a, b, 5 - float(score)) for a, b, score in csv.reader(file)]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(reversed_rows)
    after = load_split(str(data), "all").scores
    assert spearman(before, after) == pytest.approx(-1)
    assert direction_question(-result["base_spearman"], result["pairs"]) is None


@pytest.mark.parametrize("questions", [[], ["do the scores run the other way?"]])
def test_the_form_shows_a_question_below_the_forecast(questions) -> None:
    figures = {
        "seconds": 34.0, "peak_rss_mb": 1234.0, "arms": 1, "params_added": 64_632,
        "params_base": 22_565_376, "train_pairs": 1104, "dev_pairs": 368, "test_pairs": 368,
        "epochs": 3, "batch_size": 16, "lr": 0.0024, "steps": 207, "probe_steps": 14,
        "probe_sentences": 512,
        "probe_seconds": 6.0, "device": "cpu", "precision": "bf16", "threads": 2,
        "questions": questions,
    }  # fmt: skip
    chart_style = terminal_chart_style(ascii_only=True)
    form = SimpleNamespace(chart_style=chart_style, _measuring="", _forecast=Forecasted(figures))
    lines = NewRunScreen._draw_forecast(form, 80, 3)  # type: ignore[arg-type]
    assert "about 0:34 min" in lines[0].plain
    warning = "warning: do the scores run the other way?"
    assert (lines[1].plain == warning) is bool(questions)
    assert (lines[1].style == chart_style.palette.warn) is bool(questions)
