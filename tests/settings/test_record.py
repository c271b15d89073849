"""A setting has one place: a field of the record gives its option, variable, key, row and check."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import settings_page

from nexus_engine.recipes import RECIPES
from nexus_engine.settings.record import GROUPS, SETTINGS, Settings, TrainConfig
from nexus_engine.settings.setting import in_help_order

ROOT = Path(__file__).resolve().parents[2]

BEFORE_LINE = "    warmup_after_first_set: bool = False\n"
NEW_LINE = """    made_up: Annotated[float, Setting(
        group=LENGTH, min=0, max=7, help="Made up, {range}.", form=FormField("Made up", "a row"))]
"""
BEFORE_VALUE = '    "batch_size": 32,\n'
NEW_VALUE = '    "made_up": 2.5,\n'

CHILD = """
import contextlib, io, json, os, sys
sys.path.insert(0, "tests/support")
import settings_page
from nexus_engine.config import TrainConfig, resolve
from nexus_tui.app.new_run.run_form import FIELDS, check
from nexus_tui.cli import main as cli
from nexus_tui.cli.commands import train

train._show_forecast = lambda settings, as_json: print(settings.made_up)

def run_cli(*words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(words)
    return [code, out.getvalue(), err.getvalue()]

answers = {
    "help": run_cli("train", "--help"),
    "recipe": resolve(TrainConfig()).made_up,
    "option": run_cli("train", "--forecast", "--made-up", "3.5"),
    "wrong": run_cli("train", "--forecast", "--made-up", "x"),
    "high": run_cli("train", "--forecast", "--made-up", "7.5"),
    "near": run_cli("train", "--forecast", "--made-upp", "1"),
    "field": FIELDS[-1].label,
    "blank": check({}).shown["made_up"],
    "typed": check({"made_up": "4.5"}).arguments,
    "refused": check({"made_up": "x"}).errors,
    "over": check({"made_up": "8"}).errors,
    "page": settings_page.page(),
}
with open("nexus.toml", "w") as file:
    file.write("[train]\\nmade-up = 5.5\\n")
answers["toml"] = run_cli("config", "show", "--json")
answers["toml run"] = run_cli("train", "--forecast")
os.environ["NEXUS_MADE_UP"] = "6.5"
answers["variable"] = run_cli("config", "show", "--json")
answers["variable run"] = run_cli("train", "--forecast")
os.environ["NEXUS_MADE_UP"] = "many"
answers["wrong variable"] = run_cli("config", "show")
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The answers of a copy of the program with one more field in the record and in the recipes."""
    copy = tmp_path_factory.mktemp("copy")
    only_code = shutil.ignore_patterns("__pycache__")
    for package in ("nexus_engine", "nexus_tui"):
        shutil.copytree(ROOT / package, copy / package, ignore=only_code)
    (copy / "tests" / "support").mkdir(parents=True)
    shutil.copy(ROOT / "tests/support/settings_page.py", copy / "tests/support")
    for path, before, line in (
        ("nexus_engine/settings/record.py", BEFORE_LINE, NEW_LINE),
        ("nexus_engine/recipes.py", BEFORE_VALUE, NEW_VALUE),
    ):
        text = (copy / path).read_text()
        assert text.count(before) == 1
        (copy / path).write_text(text.replace(before, line + before))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")
    }
    folders = {"XDG_CONFIG_HOME": str(copy / "config"), "XDG_DATA_HOME": str(copy / "data")}
    process = subprocess.run(
        [sys.executable, "-c", CHILD],
        cwd=copy,
        env={**environment, **folders, "PYTHONPATH": str(copy), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def row(answer):
    code, out, err = answer
    assert (code, err) == (0, "")
    rows = {row["key"]: row for row in map(json.loads, out.splitlines())}
    return rows["train.made_up"]["value"], rows["train.made_up"]["source"]


def test_one_line_makes_an_option(answers):
    code, out, _ = answers["help"]
    line = next(line for line in out.splitlines() if "--made-up" in line)
    group = out[: out.index("--made-up")].rpartition("╭─ ")[2]
    assert code == 0
    assert group.startswith("How long and how fast")
    assert line.strip("│ ").split(maxsplit=2) == ["--made-up", "F", "Made up, 0 to 7."]
    assert answers["recipe"] == 2.5
    assert answers["option"] == [0, "3.5\n", ""]
    assert "--made-up: give a number" in answers["wrong"][2]
    assert "--made-up 7.5: must be between 0 and 7" in answers["high"][2]
    assert "did you mean --made-up?" in answers["near"][2]


def test_one_line_makes_a_key_and_a_variable(answers):
    assert row(answers["toml"]) == (5.5, "nexus.toml")
    assert answers["toml run"] == [0, "5.5\n", ""]
    assert row(answers["variable"]) == (6.5, "variable NEXUS_MADE_UP")
    assert answers["variable run"] == [0, "6.5\n", ""]
    assert "NEXUS_MADE_UP many: give a number" in answers["wrong variable"][2]


def test_one_line_makes_a_row_of_the_form(answers):
    assert answers["field"] == "Made up"
    assert answers["blank"] == "2.5"
    assert answers["typed"] == ["--made-up", "4.5"]
    assert answers["refused"] == {"made_up": "--made-up: give a number"}
    assert answers["over"] == {"made_up": "--made-up 8.0: must be between 0 and 7"}


def test_one_line_makes_a_row_of_the_documentation(answers):
    line = next(line for line in answers["page"].splitlines() if "`--made-up`" in line)
    for part in ("How long and how fast", "number, 0 to 7", "`2.5`", "Made up, 0 to 7.", "Made up"):
        assert part in line


def test_the_page_says_what_the_record_says():
    assert settings_page.PAGE.read_text() == settings_page.page(), (
        "run: python tests/support/settings_page.py"
    )


def test_the_record_is_complete():
    assert TrainConfig.__struct_fields__ == tuple(SETTINGS)
    assert {s.notes.group for s in SETTINGS.values()} == set(GROUPS)
    assert sorted(s.name for s in in_help_order(SETTINGS, GROUPS)) == sorted(SETTINGS)
    rows = [s.notes.form.row for s in SETTINGS.values() if s.notes.form is not None]
    assert len(set(rows)) == len(rows)
    for setting in SETTINGS.values():
        if setting.kind == "list":
            assert setting.notes.example
        if setting.kind in ("whole", "number"):
            assert setting.range_words


@pytest.mark.parametrize(("tune", "recipe"), sorted(RECIPES))
def test_a_setting_has_its_value_from_the_record_or_the_recipe(tune, recipe):
    derived = {"fit", "budget"}
    for name, setting in SETTINGS.items():
        if setting.notes.default is None and name not in derived:
            assert name in RECIPES[tune, recipe], name


def test_a_setting_that_older_runs_lack_has_their_value():
    """`epochs_per_pass` and `sharpness` were added later; a folder without them can be read."""
    from nexus_engine.config import resolve

    recorded = msgspec.to_builtins(resolve(TrainConfig(recipe="best", epochs_per_pass=2)))
    for name in ("epochs_per_pass", "sharpness", "warmup_after_first_set"):
        del recorded[name]
    settings = msgspec.convert(recorded, Settings)
    assert (settings.epochs_per_pass, settings.sharpness) == (1, 0.0)
