"""Every screen on a run on questions, at three sizes: its metric has its name, nothing is cut."""

from __future__ import annotations

import asyncio
import json

import pytest
from app_support import make_app, on_screen, screen_text, until, whole_run, write_run
from live_support import come, live, press
from question_events import evaluating, question_run, write_question_run

from nexus_engine.runs.summary import read_record
from nexus_tui.app.themes import chart_style_of
from nexus_tui.charts.run.comparison import comparison
from nexus_tui.charts.run.details import run_details
from nexus_tui.charts.run.rows import columns_for, header_line, run_line

pytestmark = pytest.mark.usefixtures("home")
RUN = question_run()
SIZES = [(80, 24), (120, 40), (60, 20)]
STYLE = chart_style_of(make_app().current_theme, ascii_only=True)


@pytest.fixture
def root(home):
    """A run on questions and one on pairs."""
    root = home / "data" / "nexus" / "runs"
    write_question_run(root, "search", started_unix_s=3000.0)
    write_run(root, "alpha", whole_run(str(root / "alpha"), "alpha"), started_unix_s=2000.0)
    return root


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("end", [3, 60, len(RUN)])
def test_the_live_screen_names_ndcg_and_nothing_else(size, end):
    async def act(app, pilot, run):
        await until(pilot, lambda: "nDCG@10" in screen_text(app))
        assert "Spearman" not in screen_text(app)

    live(act, RUN[:end], size=size)


@pytest.mark.parametrize("size", SIZES)
def test_the_live_screen_says_how_far_an_evaluation_is(size):
    async def act(app, pilot, run):
        await come(app, pilot, run, evaluating(4_000))
        await until(pilot, lambda: "evaluating 4,000 of 17,261 texts" in screen_text(app))
        await on_screen(app, pilot, "rehearsal 0.3")

    at = next(i for i, event in enumerate(RUN) if event == evaluating(4_000))
    live(act, RUN[:at], size=size)


def test_the_plots_and_the_panel_of_a_switch_name_ndcg():
    async def act(app, pilot, run):
        await press(pilot, "enter")
        await until(pilot, lambda: "Kept: with it, dev nDCG@10 rose" in screen_text(app))
        await on_screen(app, pilot, "0.7000 dev nDCG@10, the best until then")
        assert "Spearman" not in screen_text(app)
        await press(pilot, "escape", "f", "left")
        await until(pilot, lambda: "rehearsal" in screen_text(app).splitlines()[1])
        seen = set()
        for _ in range(8):
            text = screen_text(app)
            assert "Spearman" not in text
            seen.add(text.splitlines()[3].split()[0])
            await press(pilot, "right")
        assert {"rehearsal", "dev", "loss", "guard"} <= seen

    live(act, RUN, size=(120, 40))


def test_a_plot_of_rehearsal_gives_way_when_another_run_is_opened():
    async def act(app, pilot, run):
        await press(pilot, "f", "left")
        await until(pilot, lambda: "rehearsal" in screen_text(app))
        app.open_run.view = type(app.open_run.view)()
        app.screen._draw()
        await pilot.pause(0.05)
        assert app.screen._metric.key == "loss"

    live(act, RUN, size=(120, 40))


def test_the_list_names_the_metric_of_each_run_once_one_needs_it(root):
    search, alpha = (read_record(root / name).summary for name in ("search", "alpha"))
    for width in (60, 78, 118):
        columns = columns_for([search, alpha], width)
        header = header_line(columns, STYLE).plain
        assert "metric" in header
        assert "nDCG@10" in run_line(search, columns, STYLE, now=4000.0).plain
        assert "Spearman" in run_line(alpha, columns, STYLE, now=4000.0).plain
        assert len(header) <= width
        assert "metric" not in header_line(columns_for([alpha], width), STYLE).plain


def test_the_details_of_a_run_show_its_ranking_and_what_was_kept(root):
    record = read_record(root / "search")
    lines = [line.plain for line in run_details(record, width=118, height=10, chart_style=STYLE)]
    text = "\n".join(lines)
    assert "dev nDCG@10 by epoch" in lines[0]
    assert "nDCG@10 0.7000 to 0.8000 (+0.1000), best epoch 2" in text
    assert "nDCG@10 0.6900 to 0.7900 (+0.1000)" in text
    assert "MRR@10 0.7321, recall@1 0.6432, recall@10 0.9123" in text
    assert "0.9043 to 0.9012 (-0.0031) by scores; keep_general auto" in text
    assert "+0.0800 over no-dendrites on dev (95 % +0.0600 to +0.1000)" in text
    assert "Spearman" not in text
    pairs = run_details(read_record(root / "alpha"), width=118, height=10, chart_style=STYLE)
    text = "\n".join(line.plain for line in pairs)
    assert "dev        0.4200 to 0.5200" in text
    assert "keep_general" not in text


def compared(root, names, width=80):
    records = [read_record(root / name) for name in names]
    lines = comparison(records, "ABC"[: len(names)], first=0, width=width, chart_style=STYLE)
    return [line.plain for line in lines]


def test_runs_of_different_metrics_are_compared_but_not_ranked(root):
    lines = compared(root, ["search", "alpha"])
    assert "nDCG@10 and Spearman are not ranked together" in lines
    rows = {line[:17].strip(): line[17:].split() for line in lines if line[:17].strip()}
    assert rows["dev nDCG@10"] == ["0.8000", "-"]
    assert rows["dev Spearman"] == ["-", "0.5200"]
    assert rows["test MRR@10"] == ["0.7321", "-"]
    scores = [line for line in lines if line.startswith(("dev", "test", "  over"))]
    assert len(scores) == 12
    assert not any("*" in line for line in scores)
    assert max(map(len, compared(root, ["search", "alpha"], 60))) <= 60


def test_two_runs_on_questions_are_ranked_by_ndcg(root):
    last = RUN[-1]
    better = type(last)(**{**{f: getattr(last, f) for f in last.__struct_fields__},
                           "best_dev_ndcg_at_10": 0.85})  # fmt: skip
    write_question_run(root, "better", [*RUN[:-1], better])
    lines = compared(root, ["search", "better"])
    dev = next(line for line in lines if line.startswith("dev nDCG@10"))
    assert dev.split() == ["dev", "nDCG@10", "0.8000", "*", "0.8500"]
    over = [line.split() for line in lines if line.startswith("  over control")]
    assert over == [["over", "control", "+0.0800", "+0.0800"]]
    assert not any("Spearman" in line or "ranked" in line for line in lines)
    assert not any(line.startswith(("fit", "score_range")) for line in lines)


def test_runs_on_pairs_are_compared_as_they_were(root):
    lines = compared(root, ["alpha", "alpha"])
    labels = [line[:17].rstrip() for line in lines]
    assert "dev, best" in labels
    assert "test" in labels
    assert not any("nDCG" in line for line in lines)


@pytest.mark.parametrize("size", SIZES)
def test_no_screen_of_runs_on_questions_says_spearman(root, size):
    """The list, its details, and the comparison of two runs on questions."""
    write_question_run(root, "other", started_unix_s=1000.0)
    facts = json.loads((root / "alpha" / "run.json").read_text())
    assert facts["name"] == "alpha"
    for file in sorted((root / "alpha").iterdir()):
        file.unlink()
    (root / "alpha").rmdir()

    async def drive():
        app = make_app()
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: "search" in screen_text(app))
            await until(pilot, lambda: "nDCG@10" in screen_text(app))
            assert "Spearman" not in screen_text(app)
            await press(pilot, "space", "down", "space", "c")
            await until(pilot, lambda: "dev nDCG@10" in screen_text(app))
            assert "Spearman" not in screen_text(app)
            assert "nDCG@10 by epoch" in screen_text(app) or size[1] < 24

    asyncio.run(drive())
