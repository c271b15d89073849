"""Runs side by side: choosing, the table, the curves, the interval."""

from __future__ import annotations

import asyncio
import json

import pytest
from app_support import (
    RUN_JSON,
    finished,
    make_app,
    on_screen,
    screen_text,
    until,
    whole_run,
    write_run,
)

from nexus_engine.runs.summary import read_record
from nexus_tui.app.compare.screen import CompareScreen
from nexus_tui.app.themes import chart_style_of
from nexus_tui.charts.run.comparison import Judged, comparison
from nexus_tui.work.judging import Judgement, judge

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def root(home):
    root = home / "data" / "nexus" / "runs"
    for index, (name, dev) in enumerate((("alpha", 0.52), ("beta", 0.61), ("gamma", 0.5))):
        settings = {**RUN_JSON["settings"], "seed": index, "place": ["v", "up"]}
        last = finished(best_dev_spearman=dev, pairs_per_second=float("nan"))
        write_run(root, name, [*whole_run()[:-1], last], settings=settings,
                  started_unix_s=3000.0 - index)  # fmt: skip
    return root


def driven(act, marked=(), size=(80, 24), judge=None, **settings):
    """Run `act(app, pilot)` with the comparison in front; `judge` takes the place of its judge."""

    async def drive():
        app = make_app(**settings)
        app.marked = list(marked)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.press("4")
            await until(pilot, lambda: app.current_mode == "compare")
            if judge is not None:
                await app.push_screen(CompareScreen(judge=judge))
            await until(pilot, lambda: app.screen._index._cache)
            await pilot.pause(0.1)
            await act(app, pilot)

    asyncio.run(drive())


def table(root, names, **more):
    chart_style = chart_style_of(make_app().current_theme, ascii_only=True)
    records = [read_record(root / name) for name in names]
    letters = "ABCDEFGH"[: len(names)]
    options = {"first": 0, "width": 80, "chart_style": chart_style, **more}
    return [line.plain for line in comparison(records, list(letters), **options)]


def test_figures_stand_side_by_side_and_the_best_is_marked_without_colour(root):
    lines = table(root, ["alpha", "beta"])
    best = next(line for line in lines if line.startswith("dev, best"))
    assert best.split() == ["dev,", "best", "0.5200", "*", "0.6100"]
    pace = next(line for line in lines if line.startswith("pairs/s"))
    assert pace.split() == ["pairs/s", "nan", "nan"]
    assert any(line.split() == ["seed", "0", "1"] for line in lines)
    assert not any(line.startswith("place") for line in lines)


def test_scores_on_different_data_are_in_no_order(root):
    write_run(root, "other", whole_run(), data_fingerprint="e" * 64)
    lines = table(root, ["alpha", "other"])
    assert "other pairs or splits than A" in lines[1]
    best = next(line for line in lines if line.startswith("dev, best"))
    assert "*" not in best


def test_passes_are_counted_where_epochs_are_parts_of_one(root):
    settings = {**RUN_JSON["settings"], "epochs_per_pass": 3}
    write_run(root, "fast", [*whole_run()[:-1], finished()], settings=settings)
    row = next(line for line in table(root, ["alpha", "fast"]) if line.startswith("passes"))
    assert row.split() == ["passes", "3", "1"]
    assert not any(line.startswith("passes") for line in table(root, ["alpha", "beta"]))


def test_runs_that_do_not_fit_are_counted_and_nothing_is_cut(root):
    lines = table(root, ["alpha", "beta", "gamma"], width=44, first=1)
    head = lines[3]
    assert head.split()[:2] == ["B", "C"]
    assert all(len(line) <= 44 for line in lines)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.01, 0.02, "better"), (-0.02, -0.01, "worse"), (-0.1, 0.1, "undecided")],
)
def test_an_interval_is_told_in_a_word(root, low, high, word):
    judged = [
        Judged(score=0.5, difference=0.0, low=0.0, high=0.0),
        Judged(score=0.5, difference=0.0, low=low, high=high),
    ]
    lines = table(root, ["alpha", "beta"], judged=judged, judged_on="on 368 test pairs")
    assert "on 368 test pairs" in lines
    assert next(line for line in lines if line.startswith("  is")).split()[1] == word


def test_marked_runs_are_shown_with_their_curves(root):
    async def act(app, pilot):
        text = screen_text(app)
        assert "A alpha" in text
        assert "B beta" in text
        assert "dev Spearman by epoch" in text
        await pilot.press(*"jjjjjjjjjjjj")
        await pilot.pause()
        await on_screen(app, pilot, "settings that differ")

    driven(act, marked=[root / "alpha", root / "beta"])


def test_the_question_takes_what_is_marked_while_others_can_be_chosen(root):
    words = "on 368 test pairs"
    judged = Judged(score=0.5, difference=0.1, low=0.05, high=0.15)

    async def act(app, pilot):
        await pilot.press("a", "b")
        await until(pilot, lambda: words in screen_text(app))  # without scrolling

    driven(
        act,
        marked=[root / "alpha", root / "beta"],
        judge=lambda *_: Judgement((judged, judged), words),
    )


def test_runs_are_chosen_here_too(root):
    async def act(app, pilot):
        await on_screen(app, pilot, "space marks a run")
        await pilot.press("enter")
        assert app.screen.has_class("-choosing")
        await pilot.press("space", "down", "space", "enter")
        await pilot.pause()
        await on_screen(app, pilot, "A alpha")
        assert [path.name for path in app.marked] == ["alpha", "beta"]
        await pilot.press("a", "down", "down", "space", "enter")
        await pilot.pause()
        await on_screen(app, pilot, "C gamma")
        await pilot.press("escape")
        assert app.current_mode == "runs"

    driven(act)


def test_without_runs_it_says_where_to_begin(home):
    async def act(app, pilot):
        await on_screen(app, pilot, "1, then n starts one")

    async def drive():
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("4")
            await pilot.pause(0.3)
            await act(app, pilot)

    asyncio.run(drive())


def test_b_judges_in_a_thread_and_the_interval_is_shown(root):
    judged_names = []

    def stand_in(paths, progress, cancelled):
        judged_names.append([path.name for path in paths])
        progress(0.5)
        first = Judged(score=0.5, difference=0.0, low=0.0, high=0.0)
        second = Judged(score=0.6, difference=0.1, low=0.05, high=0.15)
        return Judgement((first, second), "on the 368 test pairs of the first run")

    async def act(app, pilot):
        await pilot.press("b")
        await until(pilot, lambda: "an interval that holds 0" in screen_text(app))
        text = screen_text(app)
        assert "better" in text
        assert "+0.0500" in text
        assert judged_names == [["alpha", "beta"]]

    driven(act, marked=[root / "alpha", root / "beta"], size=(120, 40), judge=stand_in)


def test_runs_without_weights_are_told_in_words(root):
    judgement = judge([root / "alpha", root / "beta"], lambda _: None, lambda: False)
    assert judgement is not None
    assert "need weights" in judgement.error


def test_judging_real_weights_agrees_with_the_command(home, small_data, base_model):
    """Two weights: the base adapter as it is, and one that turns the space a little."""
    import torch

    from nexus_engine.runs.saved_model import save_model

    root = home / "data" / "nexus" / "runs"
    settings = {**RUN_JSON["settings"], "data": str(small_data), "tune": "adapter"}
    paths = []
    for name, noise in (("alpha", 0.0), ("beta", 0.2)):
        path = write_run(root, name, whole_run(), settings=settings)
        torch.manual_seed(1)
        weight = torch.eye(384) + noise * torch.randn(384, 384)
        save_model(path / "best", {"adapter.weight": weight, "adapter.bias": torch.zeros(384)}, {
            "tune": "adapter", "nonlinearity": "gelu", "base_sha256": base_model.sha256,
            "base_folder": None, "epoch": 1, "dev_spearman": 0.5, "params_added": 0,
            "data_name": "small", "data_fingerprint": "f" * 64,
        })  # fmt: skip
        paths.append(path)
    shares: list[float] = []
    judgement = judge(paths, shares.append, lambda: False)
    assert judgement is not None
    assert judgement.error == ""
    first, second = judgement.judged
    assert second.difference == pytest.approx(second.score - first.score)
    assert second.low <= second.difference <= second.high
    assert shares[-1] == pytest.approx(1.0)
    assert judge(paths, shares.append, lambda: True) is None


def test_runs_on_questions_are_judged_by_ndcg_as_the_command_does(home, base_model, capfd):
    from question_folders import write_questions
    from saved_models import save_grown_model

    from nexus_tui.cli import main as cli

    root, data = home / "data" / "nexus" / "runs", write_questions(home / "q", (6, 6, 10), 20)
    settings = {**RUN_JSON["settings"], "data": str(data), "task": "retrieval", "max_length": 256}
    paths = [write_run(root, name, whole_run(), settings=settings) for name in ("alpha", "beta")]
    for path, strength in zip(paths, (0.1, 0.6), strict=True):
        save_grown_model(path / "best", 1, strength, base_model)
    shares: list[float] = []
    judgement = judge(paths, shares.append, lambda: False)
    assert judgement.error == ""
    assert judgement.words.startswith("nDCG@10 on the 10 test questions of the first run")
    assert shares[-1] == pytest.approx(1.0)
    assert cli.main(["compare", "alpha", "beta", "--json"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    for judged, row in zip(judgement.judged, rows, strict=True):
        assert judged.score == pytest.approx(row["ndcg_at_10"], abs=1e-6)
        assert judged.difference == pytest.approx(row["difference"], abs=1e-6)
        assert judged.low == pytest.approx(row["difference_low"], abs=1e-6)
    assert judge(paths, shares.append, lambda: True) is None
