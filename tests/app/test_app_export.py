"""The export of a run in the app: the form, its progress, its result, what it refuses."""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from app_support import make_app, on_screen, screen_text, until, whole_run, write_run
from export_runs import CANARY, finished_run, write_pairs
from live_support import live, press
from reliability import children

from nexus_engine.exports.options import MAX_LOSS
from nexus_tui.app.export.screen import ExportScreen
from nexus_tui.app.kit.dialogs import Question
from nexus_tui.app.runs.screen import RunsScreen
from nexus_tui.app.themes import chart_style_of
from nexus_tui.charts.run.exporting import SeenStage, next_step, result_lines, stage_lines
from nexus_tui.cli import main as cli
from nexus_tui.work import exporting
from nexus_tui.work.exporting import ExportRequest, Outcome, read_subject, run_export

pytestmark = pytest.mark.usefixtures("home")

FIGURES = {
    "run": "alpha", "format": "st", "path": "/srv/models/alpha-st", "size_bytes": 91_566_923,
    "files": ["1_Pooling/config.json", "README.md", "model.safetensors", "tokenizer.json"],
    "read_by": "sentence-transformers 6.2.0", "max_difference": 2.6e-7, "mean_cosine": 1.0,
    "metric": "spearman", "dev_score": 0.81234, "exported_dev_score": 0.81134,
    "notes": ["a word about units"], "checks": ["first", "Equal weights score equally."],
}  # fmt: skip


class StandIn:
    """Takes the place of `run_export`; the test decides when it ends, and how."""

    def __init__(self, outcome=None):
        self.outcome, self.requests = outcome, []
        self.go = threading.Event()

    def __call__(self, request, stage, cancelled):
        self.requests.append(request)
        stage("loading the run", 0.0)
        stage("writing st", 0.3)
        while not self.go.wait(0.01):
            if cancelled():
                return None
        return self.outcome


@pytest.fixture
def root(home, monkeypatch):
    """Two finished runs, and a current folder of their own."""
    monkeypatch.chdir(home)
    root = home / "data" / "nexus" / "runs"
    for index, name in enumerate(("alpha", "beta")):
        write_run(root, name, whole_run(), started_unix_s=3000.0 - index)
    return root


def driven(act, stand_in=None, size=(80, 24), **settings):
    """Run `act(app, pilot)` on the list of runs."""

    async def drive():
        app = make_app(**settings)
        if stand_in is not None:
            app.export_work._run_export = stand_in
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: "finished" in screen_text(app))
            await act(app, pilot)

    asyncio.run(drive())


def told(app, words):
    """Whether a line in the corner says so; it may be wrapped there."""
    return any(words in notification.message for notification in app._notifications)


async def opened(app, pilot):
    """Press the key, and wait for what the run's card says."""
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, ExportScreen) and app.screen._subject)
    await pilot.pause()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
def test_one_key_and_one_enter_export_the_run_under_the_cursor(root, size):
    stand_in = StandIn(Outcome(FIGURES))

    async def act(app, pilot):
        assert "e Export" in screen_text(app).splitlines()[-1]
        await pilot.press("down")
        await opened(app, pilot)
        form = screen_text(app)
        assert "Export  beta" in form
        assert "nexus export beta --format st" in form
        assert "nonlinear" not in form
        await pilot.press("enter")
        await until(pilot, lambda: len(app.export_work.stages) == 2)
        await until(pilot, lambda: "writing st" in screen_text(app))
        working = screen_text(app)
        assert "loading the run" in working
        assert "30%" in working
        assert "c Cancel" in working.splitlines()[-1]
        stand_in.go.set()
        await until(pilot, lambda: "exported" in screen_text(app))
        result = screen_text(app)
        for words in (
            "/srv/models/alpha-st", "92 MB in 4 files", "sentence-transformers 6.2.0", "2.6e-07",
            "0.8123 by the run", "0.8113 by the export",
        ):  # fmt: skip
            assert words in result
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))

    driven(act, stand_in, size)
    folder = str(Path.cwd() / "beta-st")
    assert stand_in.requests == [ExportRequest(root / "beta", "st", folder, MAX_LOSS, False)]


def test_a_finished_run_on_the_live_screen_offers_it_and_a_live_one_says_why_not():
    async def act(app, pilot, run):
        await on_screen(app, pilot, "e export it")
        await until(pilot, lambda: "e Export" in screen_text(app).splitlines()[-1])
        await press(pilot, "e")
        await until(pilot, lambda: "Export  scripted" in screen_text(app))

    live(act, whole_run())

    async def still_live(app, pilot, run):
        assert "e Export" not in screen_text(app).splitlines()[-1]
        await press(pilot, "e")
        await until(
            pilot, lambda: told(app, "Export: the run is live; export it once it has ended")
        )
        assert not isinstance(app.screen, ExportScreen)

    live(still_live, whole_run()[:-8])


def test_help_and_palette_list_the_key(root):
    async def act(app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: "runs.export" in screen_text(app))
        await pilot.press("escape")
        titles = {command.title: command.help for command in app.get_system_commands(app.screen)}
        assert titles["Export"] == "runs.export"
        await opened(app, pilot)
        titles = {command.title: command.help for command in app.get_system_commands(app.screen)}
        assert titles["Cancel"] == "export.cancel"

    driven(act, size=(80, 40))


def test_the_form_makes_the_request_and_the_command(root):
    stand_in = StandIn()

    async def act(app, pilot):
        await opened(app, pilot)
        await pilot.press("right", "right")  # onnx-int8
        await until(pilot, lambda: "alpha-onnx-int8" in screen_text(app))
        await pilot.press("down", *"x", "down", *"2", "enter")
        assert stand_in.requests == []
        await until(pilot, lambda: "--max-loss: give a number from 0 to 1" in screen_text(app))
        await pilot.press("backspace", *"0.02")
        await pilot.pause()
        folder = Path.cwd() / "alpha-onnx-int8x"
        command = f"--format onnx-int8 --out {folder} --max-loss 0.02"
        # A long path is broken over lines; a pause may come before the new text is drawn.
        await until(
            pilot,
            lambda: "".join(command.split()) in "".join(screen_text(app).split()),
        )
        await pilot.press("up", "up", "left")  # the folder that was typed stays
        await pilot.press("enter")
        await until(pilot, lambda: stand_in.requests)
        assert stand_in.requests == [ExportRequest(root / "alpha", "onnx", str(folder), 0.02)]
        stand_in.go.set()

    driven(act, stand_in)


def test_the_folder_follows_keys_that_come_faster_than_their_messages(root):
    stand_in = StandIn()

    async def act(app, pilot):
        await opened(app, pilot)
        app.screen.row("format").entry.action_turn(-1)
        app.screen.action_start()
        await until(pilot, lambda: stand_in.requests)
        assert stand_in.requests[0].out.endswith("alpha-delta")
        stand_in.go.set()

    driven(act, stand_in)


def test_an_export_goes_on_without_its_screen_and_its_end_is_told(root):
    stand_in = StandIn(Outcome(FIGURES))

    async def act(app, pilot):
        await opened(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: stand_in.requests)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("down", "e")  # of another run: what is at work is shown
        await until(pilot, lambda: "Export  alpha" in screen_text(app))
        await on_screen(app, pilot, "writing st")
        await pilot.press("escape", "4")
        await until(pilot, lambda: app.current_mode == "compare")
        stand_in.go.set()
        await until(pilot, lambda: told(app, "alpha is exported to /srv/models/alpha-st"))
        await pilot.press("1", "up")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("e")
        await until(pilot, lambda: "exported  st" in screen_text(app))
        await pilot.press("a")
        await until(pilot, lambda: "enter Export" in screen_text(app))

    driven(act, stand_in)


def test_a_refusal_of_another_run_is_told(root):
    stand_in = StandIn(Outcome(None, "no room"))

    async def act(app, pilot):
        await opened(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: stand_in.requests)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("down")
        await opened(app, pilot)
        stand_in.go.set()
        await until(pilot, lambda: told(app, "alpha was not exported: no room"))
        await until(pilot, lambda: "nexus export beta" in screen_text(app))

    driven(act, stand_in)


def test_a_refusal_stands_in_the_form_until_something_changes(root):
    line = "--format onnx-int8 loses 0.0143 nDCG@10 on 100 dev questions (0.6725 to 0.6582)"
    stand_in = StandIn(Outcome(None, line))
    stand_in.go.set()

    async def act(app, pilot):
        await opened(app, pilot)
        await pilot.press("right", "enter")
        await until(pilot, lambda: "loses 0.0143" in screen_text(app))
        await on_screen(app, pilot, "onnx ›")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await opened(app, pilot)  # it is there again, with what was typed
        await until(pilot, lambda: "loses 0.0143" in screen_text(app))
        await on_screen(app, pilot, "onnx ›")
        await pilot.press("right")
        await until(pilot, lambda: "loses 0.0143" not in screen_text(app))

    driven(act, stand_in)


def test_quitting_asks_while_an_export_is_at_work(root):
    stand_in = StandIn()

    async def act(app, pilot):
        await opened(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: stand_in.requests)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Question))
        await on_screen(app, pilot, "An export is at work")
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        assert app.export_work.busy
        await pilot.press("c")
        await until(pilot, lambda: "nothing of it is left" in screen_text(app))
        assert not app.export_work.busy

    driven(act, stand_in)


def test_nonlinear_units_can_be_folded_approximately(home, base_model, monkeypatch):
    monkeypatch.chdir(home)
    root = home / "data" / "nexus" / "runs"
    finished_run(root, "bent", base_model, write_pairs(home / "pairs"), nonlinearity="gelu")
    (home / "bent-gguf").mkdir()
    assert read_subject(root / "bent").folders["gguf"] == str(home / "bent-gguf-2")
    stand_in = StandIn()

    async def act(app, pilot):
        await opened(app, pilot)
        await on_screen(app, pilot, "nonlinear units ‹ exact ›")
        await pilot.press("down", "down", "down", "right", "enter")
        await until(pilot, lambda: stand_in.requests)
        assert stand_in.requests[0].approximate
        stand_in.go.set()

    driven(act, stand_in)


@pytest.mark.slow
def test_a_real_export_is_cancelled_and_made_by_keys_alone(home, base_model, monkeypatch):
    """The first is ended while it writes, and leaves neither folder nor process."""
    here = home / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    data = write_pairs(home / "pairs")
    run = finished_run(home / "data" / "nexus" / "runs", "alpha", base_model, data)

    async def patient(pilot, happened):
        for _ in range(18):
            try:
                return await until(pilot, happened)
            except AssertionError:
                continue
        raise AssertionError("waited for three minutes")

    async def act(app, pilot):
        await opened(app, pilot)
        await pilot.press("left", "enter")  # delta
        await patient(pilot, lambda: list(here.iterdir()))
        assert {path.name.partition(".export")[0] for path in here.iterdir()} == {".alpha-delta"}
        await pilot.press("c")
        await patient(pilot, lambda: "nothing of it is left" in screen_text(app))
        assert list(here.iterdir()) == []
        assert not [p for p in psutil.Process().children() if "export_child" in str(p.cmdline())]
        await pilot.press("enter")
        await patient(pilot, lambda: not app.export_work.busy)
        await pilot.pause(0.5)
        text = screen_text(app)
        assert "exported  delta" in text
        assert "none: every weight has NEXUS's bits" in text
        assert "numpy" in text
        assert CANARY not in text

    driven(act)
    names = sorted(path.name for path in (here / "alpha-delta").iterdir())
    assert names == ["README.md", "delta.json", "delta.safetensors"]
    assert [path.name for path in here.iterdir()] == ["alpha-delta"]
    assert "export delta" in (run.path / "audit.jsonl").read_text()


def line_of_the_command(capfd, request):
    """What `nexus export` says on stderr for the same request."""
    arguments = ["--format", request.format, "--out", request.out]
    assert cli.main(["export", str(request.run), *arguments]) != 0
    return capfd.readouterr().err.strip().splitlines()[-1].removeprefix("nexus: error: ")


@pytest.fixture
def kept(home, base_model, monkeypatch):
    for name in (*cli.OFFLINE, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    data = write_pairs(home / "pairs")
    return finished_run(home / "data" / "nexus" / "runs", "alpha", base_model, data)


@pytest.mark.parametrize("case", ["exists", "no folder", "no best weights", "full"])
def test_refusals_are_the_lines_of_the_command(kept, case, home, capfd, monkeypatch):
    request = ExportRequest(kept.path, "delta", str(home / "out"))
    if case == "exists":
        (home / "out").mkdir()
    elif case == "no folder":
        request = request._replace(out=str(home / "a" / "out"))
    elif case == "no best weights":
        shutil.rmtree(kept.best)
    else:
        usage = type("Usage", (), {"free": 1_000_000})
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    before = sorted(home.iterdir())
    outcome = run_export(request, lambda *_: None, lambda: False)
    assert outcome.figures is None
    assert outcome.error == line_of_the_command(capfd, request)
    assert sorted(home.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("case", ["missing extra", "loss"])
def test_refusals_that_take_a_while_are_those_of_the_command(kept, case, home, capfd, monkeypatch):
    request = ExportRequest(kept.path, "onnx-int8", str(home / "out"))
    if case == "missing extra":
        site = home / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text("import sys; sys.modules['onnx'] = None\n")
        monkeypatch.setenv("PYTHONPATH", str(site))
        monkeypatch.setitem(sys.modules, "onnx", None)
    else:
        for file in (home / "pairs").iterdir():  # on the pairs as they are, rounding gains 0.04
            turned = [(*row[:-1], str(5 - int(row[-1]))) for row in rows_of(file)]
            with file.open("w", newline="") as out:
                csv.writer(out).writerows([("sentence1", "sentence2", "score"), *turned])
    outcome = run_export(request, lambda *_: None, lambda: False)
    said = {
        "missing extra": "pip install 'nexus-dendrites[export]'",
        "loss": "than --max-loss 0.005",
    }
    assert said[case] in outcome.error
    assert outcome.error == line_of_the_command(capfd, request)
    assert not [path for path in home.iterdir() if "out" in path.name]


def rows_of(file):
    with file.open(newline="") as rows:
        return list(csv.reader(rows))[1:]


KILLED = """
import sys
from pathlib import Path
from nexus_tui.work.exporting import ExportRequest, run_export
request = ExportRequest(Path(sys.argv[1]), "st", sys.argv[2])
run_export(request, lambda *_: None, lambda: False)
"""


@pytest.mark.slow
def test_an_export_of_an_app_that_is_killed_leaves_nothing(kept, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    app = subprocess.Popen([sys.executable, "-c", KILLED, str(kept.path), str(here / "out")])
    assert children.wait_until(lambda: list(here.glob(".out.export/model.safetensors")), 200)
    app.kill()
    app.wait()
    assert children.wait_until(lambda: not list(here.iterdir()), 60)


def test_an_export_that_was_renamed_as_it_was_ended_is_removed_and_no_other_folder(tmp_path):
    hidden = exporting.hidden_folder(tmp_path / "out")
    for folder in (hidden, tmp_path / "other"):
        folder.mkdir()
    lock = hidden.with_name(f"{hidden.name}.lock")
    lock.write_text('{"pid": 7}')
    written = exporting._Written(tmp_path / "out", 7)
    written.look()
    hidden.rename(tmp_path / "out")
    written.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    for name in ("out", hidden.name):
        (tmp_path / name).mkdir()
    written.remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


@pytest.mark.parametrize("width", [57, 77, 117])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_pictures_fit_and_hold_the_whole_path(width, ascii_only):
    style = chart_style_of(make_app().current_theme, ascii_only=ascii_only)
    path = "/srv/" + "a-long-folder/" * 12 + "alpha-st"
    lines = result_lines({**FIGURES, "path": path}, width, style)
    assert max(line.cell_len for line in lines) <= width
    joined = "".join(line.plain for line in lines)
    assert joined.count(path) == 2
    assert 'SentenceTransformer("' in joined
    stages = [SeenStage("loading the run " * 9, 0.0, 1.0), SeenStage("writing st", 0.3, 4.0)]
    drawn = stage_lines(stages, 6.5, width, style)
    assert max(line.cell_len for line in drawn) <= width
    assert drawn[0].plain.endswith("   3.0 s")
    assert drawn[1].plain.endswith("   2.5 s")
    if ascii_only:
        assert all(line.plain.isascii() for line in [*lines, *drawn[1:]])


@pytest.mark.parametrize(
    ("format_", "files", "said"),
    [
        ("st", ["model.safetensors"], 'SentenceTransformer("/m/x")'),
        ("st", ["onnx/model.onnx"], 'SentenceTransformer("/m/x", backend="onnx")'),
        ("onnx", ["onnx/model.onnx"], 'InferenceSession("/m/x/onnx/model.onnx")'),
        ("onnx-int8", ["onnx/model_quantized.onnx"], "/m/x/onnx/model_quantized.onnx"),
        ("gguf", ["model.gguf"], "llama-embedding -m /m/x/model.gguf"),
        ("delta", ["delta.safetensors"], 'load_file("/m/x/delta.safetensors")'),
    ],
)
def test_the_next_step_reads_what_was_written(format_, files, said):
    lines = next_step({"format": format_, "path": "/m/x", "files": files})
    assert said in lines[-1]


def test_equal_weights_say_that_they_score_equally():
    figures = {
        **FIGURES, "format": "delta", "max_difference": None, "mean_cosine": None,
        "dev_score": None, "exported_dev_score": None,
    }  # fmt: skip
    style = chart_style_of(make_app().current_theme, ascii_only=False)
    text = "\n".join(line.plain for line in result_lines(figures, 77, style))
    assert "none: every weight has NEXUS's bits" in text
    assert "Equal weights score equally." in text
