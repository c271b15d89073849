"""Odd values in every option, variable and TOML key are refused in this program's own words."""

import re

import pytest

from nexus_engine.config import config_from_mapping
from nexus_engine.errors import ConfigError
from nexus_engine.settings.record import SETTINGS
from nexus_tui.cli import main as cli

DIGITS = "9" * 5000
TEXTS = ["x", "1e999", "-1", DIGITS, "[1]"]
VALUES = [
    True, 10**30, -(10**400), 10**5000, 1.5, float("nan"), float("inf"), "", "x", [], [[]],
    [True, None], {"a": 1}, ["q", "zz"], [1, "2"], [0.5], DIGITS, None,
]  # fmt: skip
LIBRARY_WORDS = re.compile(
    r"unable to parse|expected `|`int|pydantic|msgspec|traceback|validation|input should|click"
    r"|at `\$|literal\[|exceeds the limit|invalid literal|internal error|int_parsing|nonetype",
    re.IGNORECASE,
)
NAMES = tuple(SETTINGS)


def assert_own_words(message):
    assert message.count("\n") <= 1
    assert len(message) < 700
    assert not LIBRARY_WORDS.search(message), message


def refusal(values):
    """The message that refuses the values; empty if they can be used."""
    try:
        config_from_mapping(values, "nexus.toml")
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_a_value_in_a_file_is_refused_in_own_words(name):
    for value in VALUES:
        message = refusal({name: value})
        assert_own_words(message)
        wrong_type, option = rf"nexus.toml: {name} is .*: give ", SETTINGS[name].option
        out_of_range = rf"{option} .*: must be between "
        assert not message or re.match(f"{wrong_type}|{out_of_range}", message)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"epochs": True}, "epochs is true: give a whole number"),
        ({"epochs": 1.5}, "epochs is 1.5: give a whole number"),
        ({"seed": "3"}, 'seed is "3": give a whole number'),
        ({"lr": [1e-3]}, "lr is [0.001]: give a number"),
        ({"lr": 10**400}, "lr is a number of more than 40 digits: give a number"),
        ({"dendrites": 1}, "dendrites is 1: give true or false"),
        ({"data": 1}, "data is 1: give text in quotes"),
        ({"tune": "adaptor"}, "did you mean adapter?"),
        ({"layers": 3}, "layers is 3: give a list of whole numbers, such as [0, 2]"),
        ({"place": ["q", "x"]}, 'place is ["q", "x"]: give a list of q, k, v, o, up, down'),
        ({"score_range": [0]}, "score_range is [0]: give two numbers, such as [0, 5]"),
        ({"order": {}}, "order is a table: give one of random, length"),
    ],
)
def test_the_message_says_what_to_give(value, words):
    with pytest.raises(ConfigError) as caught:
        config_from_mapping(value, "f")
    assert words in str(caught.value)


@pytest.fixture
def nothing_runs(home, monkeypatch):
    """`nexus train --forecast` reads and resolves the settings, and then does nothing."""
    from nexus_tui.cli.commands import train

    monkeypatch.chdir(home)
    monkeypatch.setattr(train, "_show_forecast", lambda settings, as_json: None)
    return home


@pytest.mark.parametrize("name", NAMES)
def test_an_option_and_its_variable_are_refused_in_own_words(
    name, nothing_runs, monkeypatch, capsys
):
    # The sizes of the base model decide other settings, so its folder is read first.
    codes = (3,) if name == "base" else (0, 2)
    for text in TEXTS:
        option = "--" + name.replace("_", "-")
        assert cli.main(["train", "--forecast", f"{option}={text}"]) in codes
        assert_own_words(capsys.readouterr().err)
    for text in ("x", DIGITS):
        with monkeypatch.context() as patch:
            patch.setenv(SETTINGS[name].variable, text)
            assert cli.main(["config", "show"]) in codes
        assert_own_words(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", f"--seed={DIGITS}"], "--seed: give a whole number"),
        (["train", "--seed=x"], "--seed: give a whole number"),
        (["train", "--lr=x"], "--lr: give a number"),
        (["search", "base", "q", "--corpus", "x", "--top=0"], "a whole number from 1 to 10,000"),
        (["search", "base", "q", "--corpus", "x", f"--top={DIGITS}"], "from 1 to 10,000"),
        (["stop", "x", "--wait=soon"], "--wait: give a number"),
        (["sweep", "--jobs=two"], "--jobs: give a whole number"),
        (["sweep", f"--epochs={DIGITS}"], "--epochs: give a whole number"),
        (["eval", "base", "--split=tset"], "did you mean test?"),
        (["eval", "base", "--precision=fp64"], "--precision: 'fp64' is not one of fp32, bf16"),
    ],
)
def test_numbers_and_choices_of_other_commands(arguments, message, home, capsys):
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert_own_words(err)
    assert message in err
