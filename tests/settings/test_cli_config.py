"""`nexus config show` prints each setting, its value and where the value comes from."""

from __future__ import annotations

import json
import os

import pytest

from nexus_tui.cli import main as cli


@pytest.fixture(autouse=True)
def _own_world(home, monkeypatch):
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")


def shown(capfd, *arguments):
    code = cli.main(["config", "show", *arguments])
    out, err = capfd.readouterr()
    return code, out, err


def by_key(out):
    return {row["key"]: row for row in map(json.loads, out.splitlines())}


def test_each_value_names_the_nearest_place_that_set_it(home, capfd, monkeypatch):
    own = home / "config" / "nexus" / "nexus.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[train]\nepochs = 9\nseed = 3\n[ui]\ntheme = "nexus-light"\n')
    (home / "work" / "nexus.toml").write_text(
        '[train]\nepochs = 5\n[ui.keys]\n"run.pause" = "f5"\n'
    )
    monkeypatch.setenv("NEXUS_LR", "0.002")
    monkeypatch.setenv("NEXUS_ASCII", "1")
    code, out, err = shown(capfd, "--json")
    assert (code, err) == (0, "")
    rows = by_key(out)

    def of(key):
        return rows[key]["value"], rows[key]["source"]

    assert of("train.epochs") == (5, "nexus.toml")
    assert of("train.seed") == (3, str(own))
    assert of("train.lr") == (0.002, "variable NEXUS_LR")
    assert of("train.dendrite_lr") == (0.002, "other settings")
    assert of("train.batch_size") == (64, "recipe dendrites/default")
    assert {key for key, row in rows.items() if row["fitted"]} == {
        "train.batch_size",
        "train.units",
    }
    assert of("train.data") == ("demo", "default")
    assert of("train.threads") == (None, "default")
    assert of("ui.theme") == ("nexus-light", str(own))
    assert of("ui.ascii") == (True, "variable NEXUS_ASCII")
    assert of("ui.low_bandwidth") == (False, "default")
    assert of("ui.keys.run.pause") == ("f5", "nexus.toml")


def test_a_file_given_stands_in_for_the_project_s(home, capfd):
    (home / "work" / "nexus.toml").write_text("[train]\nepochs = 5\n")
    (home / "work" / "mine.toml").write_text('tune = "full"\n')
    rows = by_key(shown(capfd, "--config", "mine.toml", "--json")[1])
    assert rows["train.epochs"]["value"] == 8
    assert rows["train.epochs"]["source"] == "recipe full/default"
    assert rows["train.tune"]["source"] == "mine.toml"


def test_people_get_a_table(capfd):
    code, out, _ = shown(capfd)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["setting", "value", "from"]
    assert any(
        line.split() == ["train.place", "v,up", "recipe", "dendrites/default"] for line in lines
    )
    fitted = {line.split()[0]: line for line in lines if "fitted to the data" in line}
    assert list(fitted) == [
        "train.epochs",
        "train.batch_size",
        "train.lr",
        "train.dendrite_lr",
        "train.units",
    ]
    assert "64, fitted to the data" in fitted["train.batch_size"]


def test_a_wrong_training_key_is_an_end_and_a_wrong_ui_key_a_warning(home, capfd):
    project = home / "work" / "nexus.toml"
    project.write_text("[train]\nepoch = 5\n")
    code, out, err = shown(capfd)
    assert (code, out) == (2, "")
    assert "did you mean epochs?" in err
    project.write_text("[ui]\nasci = true\n")
    code, out, err = shown(capfd)
    assert code == 0
    assert "did you mean ascii?" in err
    assert "ui.asci " not in out


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("EPOCHS", "many", "whole number"),
        ("LR", "fast", "a number"),
        ("CONTROL", "maybe", "1 or 0"),
        ("RULE_STEPS", "many", "whole number"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(capfd, monkeypatch, name, value, words):
    monkeypatch.setenv(f"NEXUS_{name}", value)
    code, out, err = shown(capfd)
    assert (code, out) == (2, "")
    assert f"NEXUS_{name} {value}: give " in err
    assert words in err


def test_a_variable_of_every_kind_is_read(capfd, monkeypatch):
    variables = {
        "RULE_STEPS": ("50", 50),
        "MIN_GAIN": ("0.01", 0.01),
        "CONTROL": ("yes", True),
        "LAYERS": ("1,2", [1, 2]),
        "ORDER": ("length", "length"),
        "BUDGET": ("9000", "9000"),
    }
    for name, (text, _) in variables.items():
        monkeypatch.setenv(f"NEXUS_{name}", text)
    code, out, err = shown(capfd, "--json")
    assert (code, err) == (0, "")
    rows = by_key(out)
    for name, (_, value) in variables.items():
        row = rows[f"train.{name.lower()}"]
        assert (row["value"], row["source"]) == (value, f"variable NEXUS_{name}")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PLACE", "zz", "not one of"),
        ("SCORE_RANGE", "x", "give it as"),
        ("TUNE", "foo", "give one of"),
        ("LR", "9", "must be between"),
    ],
)
def test_a_refused_variable_is_named(monkeypatch, capfd, name, value, reason):
    monkeypatch.setenv(f"NEXUS_{name}", value)
    assert cli.main(["config", "show"]) == 2
    err = capfd.readouterr().err
    assert reason in err
    assert f"the variable NEXUS_{name} sets it" in err


@pytest.mark.parametrize("line", ['place = "zz"', "lr = 9", 'tune = "foo"', 'score-range = "x"'])
def test_a_refused_value_of_a_file_is_named_with_the_file(capfd, tmp_path, line):
    path = tmp_path / "mine.toml"
    path.write_text(f"[train]\n{line}\n")
    assert cli.main(["config", "show", "--config", str(path)]) == 2
    assert "mine.toml: " in capfd.readouterr().err


def test_a_variable_that_sets_nothing_is_warned_about(monkeypatch, capfd):
    monkeypatch.setenv("NEXUS_EPOCH", "3")
    monkeypatch.setenv("NEXUS_ASCII", "1")
    assert cli.main(["config", "show"]) == 0
    err = capfd.readouterr().err
    assert "warning: the variable NEXUS_EPOCH sets nothing; did you mean NEXUS_EPOCHS?" in err
    assert "NEXUS_ASCII" not in err
