"""Reports on runs on questions: their metric, ranking, small vectors and rehearsal."""

from __future__ import annotations

import re

import pytest
from app_support import whole_run, write_run
from question_events import SETTINGS, question_run, write_question_run

from nexus_engine.reports.document import document
from nexus_engine.reports.figures import groups
from nexus_engine.reports.gather import gather
from nexus_engine.reports.markdown import markdown
from nexus_engine.reports.page import page
from nexus_engine.reports.tensorboard import write_tensorboard

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def questions(tmp_path):
    return str(write_question_run(tmp_path, "search"))


@pytest.fixture
def pairs(tmp_path):
    return str(write_run(tmp_path, "alpha", whole_run(str(tmp_path / "alpha"), "alpha")))


def sections(*names):
    return {section.title: section for section in document(gather(names)).sections}


def text_of(*names) -> str:
    report = document(gather(names))
    return markdown(report, "footer") + re.sub(r"<style.*?</style>", "", page(report, "footer"))


def test_nothing_says_spearman_but_the_guard(questions):
    report = document(gather([questions]))
    others = report._replace(sections=tuple(s for s in report.sections if "guard" not in s.title))
    assert len(others.sections) == len(report.sections) - 1
    for text in (markdown(others, "f"), page(others, "f")):
        assert "Spearman" not in text
        assert "nDCG@10" in text


def test_figures_stand_under_the_name_of_their_metric(questions):
    (table,) = sections(questions)["Results"].tables
    assert table.header[2:4] == ("dev nDCG@10", "test nDCG@10")
    base, run = table.rows
    assert base[2:4] == ("0.7000", "0.6900")
    assert run[2:5] == ("0.8000", "0.7900", "+0.0800 [+0.0600, +0.1000]")
    charts = " ".join(sections(questions)["Curves"].charts)
    assert "Dev nDCG@10 by epoch" in charts
    assert "if dev nDCG@10 rises" in sections(questions)["Switches"].paragraphs[0]


def test_the_ranking_on_test_and_small_vectors_have_tables(questions):
    (ranking,) = sections(questions)["Ranking on test"].tables
    assert ranking.rows[0][1:5] == ("base", "0.6900", "0.6400", "0.5500")
    tuned = ranking.rows[1]
    assert tuned[1:7] == ("tuned", "0.7900", "0.7321", "0.6432", "0.9123", "0.9700")
    assert tuned[7:] == ("[0.7711, 0.8099]", "+0.1000 [+0.0822, +0.1188]")
    (small,) = sections(questions)["Small vectors"].tables
    assert small.rows == (("search", "48", "int8", "48", "0.6123", "0.7654", "+0.1531"),)


def test_the_guard_says_what_rehearsal_did(questions, pairs):
    guard = sections(questions)["Forgetting guard"]
    assert any("test half neither trains nor steers" in text for text in guard.paragraphs)
    assert "Weight of the rehearsal by step" in " ".join(guard.charts)
    rehearsal = guard.tables[1]
    assert rehearsal.rows == (("search", "auto", "0.6", "0.6", "0.9043", "0.9012", "-0.0031"),)
    plain = sections(pairs)["Forgetting guard"]
    assert len(plain.tables) == len(plain.paragraphs) == 1


def test_a_run_that_rehearses_nothing_in_the_end_has_no_curve_of_weights(tmp_path):
    still = [e for e in question_run() if type(e).__name__ != "GuardChecked"]
    path = write_question_run(tmp_path, "still", still,
                              settings={**SETTINGS, "keep_general": "0.5"})  # fmt: skip
    guard = sections(str(path))["Forgetting guard"]
    assert len(guard.charts) == 1
    assert guard.tables[1].rows[0][1:4] == ("0.5", "0.6", "0.6")


def test_runs_on_pairs_and_on_questions_are_ranked_apart(questions, pairs):
    both = [pairs, questions]
    assert [group.metric for group in groups(gather(both).runs)] == ["spearman", "ndcg_at_10"]
    results = sections(*both)["Results"]
    assert "Spearman and nDCG@10 are different measures: each has its own table." in (
        results.paragraphs)  # fmt: skip
    first, second = results.tables
    assert (first.header[2], second.header[2]) == ("dev", "dev nDCG@10")
    assert [row[2] for row in first.rows] == ["0.4200", "0.5200"]
    assert [row[2] for row in second.rows] == ["0.7000", "0.8000"]
    charts = sections(*both)["Curves"].charts
    assert sum("Dev Spearman by epoch" in chart for chart in charts) == 1
    assert sum("Dev nDCG@10 by epoch" in chart for chart in charts) == 1


def test_a_report_on_pairs_is_as_it_was(pairs):
    (table,) = sections(pairs)["Results"].tables
    assert table.header[2:4] == ("dev", "test")
    text = text_of(pairs)
    assert "Figures are Spearman's rank correlation at the epoch with the best dev Spearman" in text
    assert not re.search(r"nDCG|recall|rehears", text)


def test_settings_of_a_report_are_those_of_the_task(questions, pairs):
    table = sections(questions)["Environment and settings"].tables[-1]
    shown = dict(table.rows)
    assert (shown["hard_negatives"], shown["control"]) == ("1", "true")
    assert not shown.keys() & {"fit", "score_range", "budget_parameters"}
    both = sections(questions, pairs)["Environment and settings"].tables[-1]
    assert {name for name, _ in both.rows} == {"tune", "recipe", "seed"}  # of each task


def test_tensorboard_has_a_tag_for_each_figure_of_a_ranking(questions, pairs, monkeypatch):
    tags: dict[str, set[str]] = {}

    class Writer:
        def __init__(self, folder, filename_suffix):
            self.tags = tags.setdefault(folder, set())

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def add_scalar(self, tag, value, step):
            self.tags.add(tag)

    tensorboard = pytest.importorskip("tensorboardX")
    monkeypatch.setattr(tensorboard, "SummaryWriter", Writer)
    from pathlib import Path

    write_tensorboard(gather([questions, pairs]), Path(questions).parent / "tb")
    by_run = {Path(folder).parent.name: seen for folder, seen in tags.items()
              if folder.endswith("main")}  # fmt: skip
    assert by_run["search"] == {
        "loss", "dev/ndcg_at_10", "dev/mrr_at_10", "dev/recall_at_1", "dev/recall_at_10",
        "dev/recall_at_100", "guard/spearman", "guard/rehearsal_weight",
    }  # fmt: skip
    assert by_run["alpha"] == {"loss", "dev/spearman", "guard/spearman"}
