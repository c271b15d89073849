"""Parsing, configuration and refusals: one line, a documented exit code, an instant start."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from nexus_engine.config import TrainConfig
from nexus_engine.errors import ConfigError
from nexus_tui.cli import main as cli
from nexus_tui.cli.commands.train import train
from nexus_tui.settings.training import asked_config

CANARY = "kanarienvogel"
HEAVY = ("torch", "textual", "datasets", "scipy", "numpy", "pyarrow")


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of its own; the environment that `main` changes is restored afterwards."""
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code and the one line of a command that is refused."""
    code = cli.main(list(arguments))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("nexus: ")
    assert "Traceback" not in err
    return code, err


# Starting is instant


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--help"], {}),
        (["train", "--help"], {}),
        (["eval", "--help"], {}),
        (["similarity", "--help"], {}),
        (["compare", "--help"], {}),
        (["sweep", "--help"], {}),
        (["report", "--help"], {}),
        (["runs", "--help"], {}),
        (["runs", "show", "--help"], {}),
        (["doctor", "--help"], {}),
        (["fetch", "--help"], {}),
        (["--version"], {}),
        (["runs"], {}),
        ([], {"_NEXUS_COMPLETE": "complete_bash", "COMP_WORDS": "nexus tr", "COMP_CWORD": "1"}),
    ],
)
def test_nothing_heavy_is_imported(arguments: list[str], variables: dict[str, str]) -> None:
    code = (
        "import atexit, sys\n"
        f"heavy = {HEAVY!r}\n"
        "atexit.register(lambda: sys.stderr.write('HEAVY:' + ','.join("
        "m for m in heavy if m in sys.modules)))\n"
        "from nexus_tui.cli.main import main\n"
        f"sys.exit(main({arguments!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("HEAVY:"), done.stderr


def test_alone_it_prints_help_on_stderr_and_exits_2(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "similarity" in err


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capfd.readouterr().out.startswith("nexus ")


# Usage errors


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["trian"], "train"),
        (["train", "--epoch", "2"], "did you mean --epochs?"),
        (["train", "--epochs", "two"], "--epochs: give a whole number"),
        (["train", "--epochs", "0"], "must be between 1 and 1000"),
        (["train", "--lr", "nan"], "--lr nan"),
        (["train", "--tune", "adaptor"], "did you mean adapter?"),
        (["train", "--place", "q,upp"], "did you mean up?"),
        (["train", "--layers", "0,x"], "give it as 0,1,2"),
        (["train", "--layers", "9"], "--layers 9"),
        (["train", "--score-range", "5"], "give it as 0,5"),
        (["train", "--budget", "many"], "0.01%"),
        (["train", "--switch-epochs", "2,0"], "rising"),
        (["train", "--no-dendrites"], "--tune adapter"),
        (["train", "--recipe", "x"], "known: default"),
        (["train", "surplus"], "unexpected"),
        (["train", "--config", "none.toml"], "does not exist"),
        (["train", "--resume", "x", "--epochs", "2"], "--epochs"),
        (["eval"], "MODEL is missing; give a run, latest, a folder with a model, or base"),
        (["report"], "is missing; give runs and sweeps, by name or folder, or latest"),
        (["search", "base", "x"], "--corpus is missing; give a text file"),
        (["eval", "base", "--split", "tset"], "did you mean test?"),
        (["eval", "base", "--score-range", "5,0"], "LOW below HIGH"),
        (["similarity", "base"], "give two"),
        (["similarity", "base", "one"], "give two"),
        (["similarity", "base", "-", "--file", "x"], "not both"),
        (["similarity", "base", "a", "b", "--file", "x"], "not both"),
        (["compare", "base"], "two models"),
        (["runs", "shwo"], "show"),
        (["fetch", "modl"], "model"),
    ],
)
def test_usage_errors(capfd: pytest.CaptureFixture[str], arguments: list[str], part: str) -> None:
    code, err = refused(capfd, *arguments)
    assert code == 2
    assert part in err


def test_three_sentences_are_counted_not_quoted(capfd: pytest.CaptureFixture[str]) -> None:
    code, err = refused(capfd, "similarity", "base", CANARY, "b", "c")
    assert code == 2
    assert CANARY not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs", "show", "nix"],
        ["runs", "rm", "nix", "--yes"],
        ["train", "--resume", "latest"],
        ["eval", "nix"],
        ["similarity", "../nix", "a", "b"],
    ],
)
def test_unknown_runs_end_with_1(capfd: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, err = refused(capfd, *arguments)
    assert code == 1
    assert "run" in err


# Configuration


def config(options: dict[str, object] | None = None, file: str | None = None) -> TrainConfig:
    return asked_config(options or {}, file)


def test_flag_over_variable_over_project_over_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "config" / "nexus"
    own.mkdir(parents=True)
    (own / "nexus.toml").write_text("[ui]\ntheme='x'\n[train]\nepochs=3\nseed=7\nunits=2\n")
    Path("nexus.toml").write_text("[train]\nepochs=4\nplace='q,v'\nlayers=[0,1]\nbudget=9000\n")
    merged = config({"lr": 0.1})
    assert (merged.epochs, merged.seed, merged.units, merged.lr) == (4, 7, 2, 0.1)
    assert (merged.place, merged.layers, merged.budget) == (("q", "v"), (0, 1), "9000")
    Path("given.toml").write_text("epochs = 5\nbatch-size = 8\n")
    merged = config({}, "given.toml")
    assert (merged.epochs, merged.batch_size, merged.place, merged.seed) == (5, 8, None, 7)
    monkeypatch.setenv("NEXUS_EPOCHS", "0")  # it is read, since its value is refused
    assert "--epochs 0" in refused(capfd, "train")[1]
    assert "--epochs -1" in refused(capfd, "train", "--epochs", "-1")[1]
    monkeypatch.setenv("NEXUS_EPOCHS", "x")
    assert "--epochs" in refused(capfd, "train")[1]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[train]\nepoch = 2\n", "unknown setting epoch; did you mean epochs?"),
        ("epochs = 'two'\n", "epochs"),
        ("epochs = \n", "not TOML"),
        ("train = 3\n", "must be a table"),
        ("place = ['qq']\n", "place"),
    ],
)
def test_wrong_files_are_named(text: str, part: str) -> None:
    Path("c.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"c\.toml") as caught:
        config({}, "c.toml")
    assert part in str(caught.value)


def test_a_wrong_key_ends_with_2(capfd: pytest.CaptureFixture[str]) -> None:
    Path("nexus.toml").write_text("[train]\nepocs = 2\n")
    code, err = refused(capfd, "train")
    assert code == 2
    assert "did you mean epochs?" in err


def test_the_options_are_the_settings_of_the_engine() -> None:
    own = {"ctx", "out", "resume", "config", "json", "verbose", "detach", "forecast"}
    options = set(inspect.signature(train).parameters) - own
    assert options == set(TrainConfig.__struct_fields__)


# Data that cannot be used


HEADER = "sentence1,sentence2,score\n"
ROWS = "".join(f"{CANARY} {i} sits,the {CANARY} {i} runs,{i % 5}\n" for i in range(40))

BAD_FILES = {
    "empty": "",
    "header only": HEADER,
    "one column": f"{CANARY} one\n{CANARY} two\n",
    "text in the score": HEADER + ROWS + f"{CANARY},{CANARY} b,high\n",
    "NaN in the score": HEADER + ROWS + f"{CANARY},{CANARY} b,nan\n",
    "one pair": HEADER + f"{CANARY} a,{CANARY} b,1\n",
    "constant scores": HEADER + "".join(f"{CANARY} {i},b {i},1\n" for i in range(40)),
    "out of range": HEADER + ROWS + f"{CANARY},{CANARY} b,1e9\n",
    "empty sentence": HEADER + ROWS + f"{CANARY},,1\n",
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_data_ends_with_3_and_leaves_no_run(
    case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("bad.csv").write_text(BAD_FILES[case])
    code, err = refused(capfd, "train", "--data", "bad.csv")
    assert code == 3
    assert "bad.csv" in err
    assert CANARY not in err
    root = tmp_path / "data" / "nexus" / "runs"
    assert not root.exists() or not list(root.iterdir())


def test_missing_data_names_what_is_near(capfd: pytest.CaptureFixture[str]) -> None:
    Path("pairs.csv").write_text("")
    code, err = refused(capfd, "train", "--data", "pair.csv")
    assert code == 3
    assert "did you mean pairs.csv?" in err
    Path("folder").mkdir()
    assert refused(capfd, "train", "--data", "folder")[0] == 3


def test_with_json_the_failure_is_the_last_line(capfd: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text("")
    Path("out").mkdir()
    assert cli.main(["train", "--data", "bad.csv", "--json", "--out", "out"]) == 3
    out, err = capfd.readouterr()
    last = json.loads(out.splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("run_failed", 3)
    assert err.count("\n") == 1
    assert list(Path("out").iterdir()) == []  # an existing folder stays as it was


def test_out_must_be_free(capfd: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    Path("out/mine").write_text("x")
    code, err = refused(capfd, "train", "--out", "out")
    assert code == 2
    assert "--out" in err
    assert [path.name for path in Path("out").iterdir()] == ["mine"]


@pytest.mark.parametrize("arguments", [["", "b"], ["a", "  "]])
def test_an_empty_sentence_is_refused(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    code, err = refused(capfd, "similarity", "base", *arguments)
    assert code == 3
    assert "is empty" in err


# Endings


class OddError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (OddError(CANARY), 1, "internal error: OddError at"),
        (MemoryError(CANARY), 4, "out of memory"),
        (OSError(28, "No space left on device", "/x"), 4, "/x: No space left"),
        (PermissionError(13, "Permission denied", "/x"), 1, "/x: Permission denied"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_exceptions_become_one_line(
    error: BaseException,
    code: int,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("nexus_engine.runs.index.RunIndex.refresh", broken)
    assert cli.main(["runs"]) == code
    err = capfd.readouterr().err
    assert part in err
    assert err.count("\n") == (1 if part else 0)
    assert CANARY not in err
    assert "Traceback" not in err


def test_rm_without_a_terminal_needs_yes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "data" / "nexus" / "runs" / "r"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    assert refused(capfd, "runs", "rm", "r", "--yes")[0] == 1  # without a log it is no run folder
    assert run.is_dir()
    (run / "events.jsonl").touch()
    code, err = refused(capfd, "runs", "rm", "r")
    assert code == 2
    assert "--yes" in err
    assert run.is_dir()
    assert cli.main(["runs", "rm", "r", "--yes"]) == 0
    assert not run.exists()


def test_runs_show_prints_numbers_as_short_as_they_were_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "data" / "nexus" / "runs" / "r"
    run.mkdir(parents=True)
    settings = {"lr": 0.005099999999999999, "score_range": [0.0, 5.0], "seed": 7, "warmup": 1e-05}
    (run / "run.json").write_text(json.dumps({"settings": settings}))
    (run / "events.jsonl").touch()
    assert cli.main(["runs", "show", "r"]) == 0
    words = capfd.readouterr().out.split()
    shown = {name: words[words.index(name) + 1] for name in settings}
    assert shown == {"lr": "0.0051", "score_range": "0,5", "seed": "7", "warmup": "1e-05"}
