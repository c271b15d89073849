"""What commands print of a run on questions: counts, lines of events, result, list and details."""

from __future__ import annotations

import json
import re
from functools import reduce

import pytest
from app_support import finished, started, whole_run, write_run
from question_events import (
    COUNTS,
    SETTINGS,
    answered,
    checked,
    evaluating,
    judged,
    question_run,
    write_question_run,
)
from typer.testing import CliRunner

from nexus_engine.runs import run_view
from nexus_engine.runs.run_view import RunView
from nexus_engine.settings.shown import shown_settings
from nexus_tui.cli import main as cli
from nexus_tui.cli.progress import bar_texts
from nexus_tui.words.forecasting import forecast_lines
from nexus_tui.words.lines import lines_of
from nexus_tui.words.metrics import different_metrics, run_counts
from nexus_tui.words.render import result_lines

pytestmark = pytest.mark.usefixtures("home")
RUN = question_run()


def view_of(events) -> RunView:
    return reduce(run_view.reduce, events, RunView())


def printed(events, *, verbose=False) -> str:
    view, lines = RunView(), []
    for event in events:
        view = run_view.reduce(view, event)
        lines += lines_of(view, event, verbose=verbose)
    return "\n".join(line.plain for line in lines)


def nexus(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_run_on_questions_counts_questions_and_passages():
    words = "11,035 train pairs, 1,570 dev and 1,540 test questions, 15,691 passages"
    assert run_counts(RUN[0]) == words
    assert words in printed(RUN[:1])
    assert run_counts(started()) == "1,104 train, 368 dev, 368 test pairs"
    figures = {
        **COUNTS, "task": "retrieval", "seconds": 9.0, "peak_rss_mb": 900.0, "arms": 1,
        "params_added": 1, "params_base": 2, "epochs": 2, "batch_size": 8, "lr": 1e-3, "steps": 4,
        "probe_steps": 2, "probe_sentences": 3, "probe_seconds": 1.0, "device": "cpu",
        "precision": "fp32", "threads": 2,
    }  # fmt: skip
    assert any(words in line for line in forecast_lines(figures))


def test_each_line_names_ndcg_and_the_weight_of_the_rehearsal():
    text = printed(RUN, verbose=True)
    assert "base model: dev nDCG@10 0.7000" in text
    assert "epoch 1/2: dev nDCG@10 0.7500 (+0.0500 over base), guard 0.9900, rehearsal 0.3" in text
    assert "guard's steering half 0.9050 (base 0.9100), rehearsal 0.3 from now on" in text
    assert "test nDCG@10 0.7900 (weights of epoch 2)" in text
    assert "Spearman" not in text
    assert "rehearsal" not in printed(whole_run(), verbose=True)


def test_lines_on_pairs_stay_as_they_were():
    text = printed(whole_run())
    assert "base model: dev 0.4200" in text
    assert "epoch 1/3: dev 0.4533 (+0.0333 over base), guard 0.9900, best so far" in text


def test_the_moving_line_says_how_far_an_evaluation_is():
    at = next(i for i, event in enumerate(RUN) if event == evaluating(4_000)) + 1
    assert "evaluating 4,000 of 17,261 texts" in bar_texts(view_of(RUN[:at]), 100)[1]
    assert bar_texts(view_of(RUN[:2]), 80) == ("measuring the base model", "4,000 of 17,261 texts")
    for columns in (40, 60, 80):
        before, after = bar_texts(view_of(RUN[:at]), columns)
        assert len(before) + len(after) + 18 <= columns


def test_the_result_is_a_table_by_metric_with_the_ranking_and_its_intervals():
    lines = [line.plain for line in result_lines(answered())]
    assert lines[0].split() == ["nDCG@10", "dev", "test", "guard", "trained"]
    ranking = next(i for i, line in enumerate(lines) if line.startswith("test "))
    assert lines[ranking].split() == [
        "test", "nDCG@10", "MRR@10", "recall@1", "recall@10", "recall@100",
    ]  # fmt: skip
    assert lines[ranking + 2].split() == ["tuned", "0.7900", "0.7321", "0.6432", "0.9123", "0.9700"]
    text = "\n".join(lines)
    assert "test +0.1000 (95 % +0.0822 to +0.1188); test lies in 0.7711 to 0.8099 (95 %)" in text
    assert re.search(r"48 +int8 +48 +0\.6123 +0\.7654", text)
    guard = "general language: Spearman 0.9043 to 0.9012 (-0.0031) on the guard's test half"
    assert guard in text
    assert text.count("Spearman") == 1


def test_the_result_of_pairs_is_as_it_was():
    text = "\n".join(line.plain for line in result_lines(finished()))
    assert text.startswith("Spearman")
    assert "over base: dev +0.1000, test +0.1000\n" in text
    assert not re.search(r"nDCG|recall|MRR|general language", text)


def test_the_list_of_runs_has_a_metric_column_once_a_run_needs_it(home):
    root = home / "data" / "nexus" / "runs"
    write_run(root, "alpha", whole_run())
    assert "metric" not in nexus("runs")
    write_question_run(root, "search")
    header, *rows = nexus("runs").splitlines()
    assert header.split() == ["name", "state", "metric", "base", "best", "kept", "added", "age"]
    assert {row.split()[0]: row.split()[2:5] for row in rows} == {
        "search": ["nDCG@10", "0.7000", "0.8000"],
        "alpha": ["Spearman", "0.4200", "0.5200"],
    }
    listed = {row["name"]: row for row in map(json.loads, nexus("runs", "--json").splitlines())}
    assert (listed["search"]["metric"], listed["search"]["best_dev"]) == ("ndcg_at_10", 0.8)


def test_a_shown_run_has_the_settings_of_its_task_and_its_metrics_by_epoch(home):
    root = home / "data" / "nexus" / "runs"
    write_question_run(root, "search")
    text = nexus("runs", "show", "search")
    for hidden in ("fit ", "budget", "score_range", "warmup_after_first_set"):
        assert hidden not in text
    for shown in (
        r"control +true",
        r"skip_bad +false",
        r"hard_negatives +1",
        r"keep_general +auto",
    ):
        assert re.search(shown, text)
    header = ["epoch", "nDCG@10", "MRR@10", "recall@1", "recall@10", "guard", "rehearsal"]
    assert header in [line.split() for line in text.splitlines()]
    assert ["2", "0.8000", "0.7500", "0.7000", "0.9000", "0.9800", "0.6"] in [
        line.split() for line in text.splitlines()
    ]
    assert text.count("Spearman") == 1  # of the guard
    write_run(root, "alpha", whole_run())
    pairs = nexus("runs", "show", "alpha")
    assert "score_range" in pairs
    assert ["epoch", "Spearman", "guard"] in [line.split() for line in pairs.splitlines()]


def test_settings_of_the_other_task_are_left_out():
    pairs = shown_settings({**SETTINGS, "task": "pairs", "budget_parameters": 769})
    assert "hard_negatives" not in pairs
    trained = {"task": "pairs", "dims": [48], "weak_epochs": 0, "passes_per_epoch": 1}
    assert shown_settings(trained) == {"task": "pairs", "dims": [48]}
    assert (pairs["budget"], "score_range" in pairs) == (769, True)
    assert "eval_corpus" not in shown_settings({"eval_corpus": None, "tune": "full"})
    assert "eval_corpus" in shown_settings({"eval_corpus": None, "task": "retrieval"})


def test_runs_of_both_metrics_are_said_not_to_be_ranked():
    assert different_metrics(["spearman", "spearman"]) == ""
    words = "Spearman and nDCG@10 are not ranked together"
    assert different_metrics(["spearman", "ndcg_at_10", "spearman"]) == words


def test_a_check_of_the_guard_prints_a_line_only_when_asked_for_more():
    view = view_of(RUN[:8])
    assert lines_of(view, checked(3, 0.3)) == []
    assert lines_of(view, evaluating(9), verbose=True) == []
    assert judged(1, 0.75).metric == "ndcg_at_10"
