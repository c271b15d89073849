"""The model card, and the data that an exported folder names."""

from __future__ import annotations

import json
import os

import pytest
from export_runs import export_to, make_run, write_pairs

from nexus_engine.exports.model_card import CardFacts, model_card
from nexus_engine.runs.saved_model import EXPORT_CARD, load_saved
from nexus_tui.cli import main as cli
from nexus_tui.work.model_data import own_data


@pytest.fixture(scope="module")
def run(tmp_path_factory, base_model):
    folder = tmp_path_factory.mktemp("card")
    return make_run(folder / "run", base_model, write_pairs(folder / "data"), batch_size=4)


def card_of(run, **changes):
    facts = CardFacts(
        name="run", format="st", card=load_saved(run.best, "run").card,
        settings={"data": "/home/me/secret.csv", "base": "/x",
                  "units": 4, "lr": 0.01, "loss": None},
        result={
            "base_dev_spearman": 0.41, "base_test_spearman": 0.42, "test_spearman": 0.61,
            "guard_spearman": 0.95, "guard_scored_spearman": 0.9,
            "base_guard_scored_spearman": 0.91,
            "controls": [
                {"name": "no dendrites", "dev_spearman": 0.44, "test_spearman": 0.45,
                 "gain_dev_spearman": 0.06}
            ],
        },
        usage="use", notes=("a note",), checks=("a check",), published=True,
    )  # fmt: skip
    return model_card(facts._replace(**changes))


def test_it_has_figures_control_guard_settings_and_the_licence(run):
    card = card_of(run)
    for part in (
        "| Spearman | base model | this model |", "| dev | 0.4100 | 0.5000 |",
        "| test | 0.4200 | 0.6100 |", "| no dendrites | 0.4400 | 0.4500 | 0.0600 |", "0.9500",
        "- `units`: `4`", "license: apache-2.0", "Apache-2.0", "f" * 64, "- a check", "a note",
        "first 96 tokens",
    ):  # fmt: skip
        assert part in card, part
    assert "secret" not in card
    assert "None" not in card


def test_a_run_that_did_not_finish_has_dashes_and_no_control(run):
    card = card_of(run, result={})
    assert "| test | - | - |" in card
    assert "control" not in card.lower()
    assert "No control was trained" in card_of(run, result={"controls": []})


def test_another_base_model_has_no_licence_of_ours(run):
    card = card_of(run, published=False)
    assert "apache" not in card.lower()
    assert "Your own" in card or "your own" in card


def test_values_of_a_foreign_run_cannot_break_the_page(run):
    settings = {"units": "4`\n# Heading\n", "loss": "x" * 500}
    card = card_of(run, settings=settings, result={"controls": [{"name": "a|b\n# c"}, 3]})
    assert "\n# Heading" not in card
    assert "\n# c" not in card
    assert "x" * 200 not in card


def test_eval_and_compare_take_an_exported_folder(run, tmp_path, capfd, home, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    export_to(run, "st", tmp_path / "out")
    data = str(run.path.parent / "data")
    scores = []
    for model in (run.path, tmp_path / "out"):
        assert cli.main(["eval", str(model), "--data", data, "--json"]) == 0
        scores.append(json.loads(capfd.readouterr().out))
    assert scores[1]["model"] == "out"
    assert scores[1]["spearman"] == pytest.approx(scores[0]["spearman"], abs=1e-6)
    assert scores[1]["base_spearman"] == pytest.approx(scores[0]["base_spearman"], abs=1e-6)
    arguments = ["compare", str(run.path), str(tmp_path / "out"), "--data", data, "--json"]
    assert cli.main(arguments) == 0
    lines = capfd.readouterr().out.splitlines()
    assert json.loads(lines[1])["difference"] == pytest.approx(0, abs=1e-6)
    assert cli.main(["similarity", str(tmp_path / "out"), "a pump", "a valve", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["tuned"] is not None


@pytest.mark.parametrize(
    ("card", "spec"),
    [({"data_name": "demo-search"}, "demo-search"), ({"data_name": "mine"}, None), ([], None)],
)
def test_an_exported_folder_names_shipped_data_alone(home, card, spec):
    (home / EXPORT_CARD).write_text(json.dumps(card))
    choice = own_data(str(home))
    assert (None if choice is None else choice.spec) == spec
