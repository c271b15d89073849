"""The fold of events into a view, and the lines printed for each event: pure, as tables."""

from __future__ import annotations

import math
from typing import get_args

import msgspec
import pytest
from msgspec import structs

from nexus_engine import events as ev
from nexus_engine.runs.run_view import RunView, reduce
from nexus_tui.charts.run.details import plan_words
from nexus_tui.cli.progress import bar_texts
from nexus_tui.words.formats import cell, correlation, duration, epochs_words, gain, shown
from nexus_tui.words.lines import lines_of
from nexus_tui.words.render import bar, result_lines, side_by_side

STARTED = ev.RunStarted(
    run_dir="/runs/r", name="r", tune="dendrites", data="notes.csv", data_fingerprint="f",
    train_pairs=720, dev_pairs=240, test_pairs=240, guard_pairs=300, epochs=6, batch_size=32,
    lr=1e-3, switches=2, seed=1, sites=30, params_base=22_565_376, device="cpu", precision="fp32",
    threads=2, pid=1, resumed=False,
)  # fmt: skip


def evaluated(
    epoch: int, spearman: float, best: float | None = None, **changes: object
) -> ev.Evaluated:
    fields: dict[str, object] = {
        "split": "dev", "pairs": 240, "pearson": 0.5, "guard_spearman": 0.99,
        "guard_scored_spearman": 0.9, "is_best": best is None, "best_epoch": epoch,
        "eval_seconds": 1.0,
    }  # fmt: skip
    fields |= changes
    return ev.Evaluated(
        epoch=epoch, spearman=spearman, best_spearman=spearman if best is None else best, **fields
    )


def grown(switch: int, units: int, added: int, total: int) -> ev.DendritesAdded:
    return ev.DendritesAdded(
        switch=switch, epoch=0, sites=30, units=units, params_added=added,
        params_added_total=total, params_trained=total, spearman_before=0.8,
    )  # fmt: skip


def settled(switch: int, kept: bool, before: float, after: float) -> ev.SwitchSettled:
    return ev.SwitchSettled(
        switch=switch, epoch=2, kept=kept, spearman_before=before, spearman_after=after,
        params_added=36894,
    )  # fmt: skip


EPOCH = ev.EpochStarted(epoch=1, epochs=6, steps=23, sets=1, params_trained=36894)


def step(number: int, loss: float = 0.03, epoch: int = 1) -> ev.Step:
    return ev.Step(
        epoch=epoch, step=number, steps_total=138, loss=loss, lr=1e-3, grad_norm=0.1,
        pairs_per_second=400.0, elapsed_seconds=3.0, remaining_seconds=83.0, rss_mb=700.0,
    )  # fmt: skip


def finished(**changes: object) -> ev.RunFinished:
    fields: dict[str, object] = {
        "run_dir": "/runs/r", "base_dev_spearman": 0.8, "base_test_spearman": 0.78,
        "best_dev_spearman": 0.9, "best_dev_pearson": 0.88, "best_epoch": 5,
        "test_spearman": 0.87, "test_pearson": 0.86, "guard_spearman": 0.99,
        "guard_scored_spearman": 0.9, "base_guard_scored_spearman": 0.91, "switches": 2,
        "switches_kept": 1, "switch_records": (), "params_base": 22_565_376,
        "params_trained": 36894, "params_added": 36894, "epochs": 6, "train_seconds": 61.0,
        "total_seconds": 75.0, "pairs_per_second": 412.0, "peak_rss_mb": 1234.0,
    }  # fmt: skip
    return ev.RunFinished(**{**fields, **changes})


STOPPED = ev.RunStopped(
    reason="interrupted", exit_code=130, epoch=2, step=31, checkpoint="checkpoints/c"
)
FAILED = ev.RunFailed(message="no", kind="DataError", exit_code=3)
SAVED = ev.CheckpointSaved(path="checkpoints/c", epoch=1, step=23, size_bytes=5, save_seconds=0.1)

ONE_OF_EACH = [
    STARTED, EPOCH, step(1), evaluated(0, 0.8), grown(1, 30, 36894, 36894),
    settled(1, True, 0.8, 0.9), SAVED, ev.Log(message="a note"), ev.Warned(message="careful"),
    finished(), FAILED, STOPPED, ev.PauseChanged(paused=True),
    ev.Evaluating(epoch=1, split="dev", done=9, total=10),
    ev.GuardChecked(epoch=1, step=9, steering_spearman=0.9, base_steering_spearman=0.91,
                    keep_weight=0.3),
]  # fmt: skip


def fold(*events: ev.Event) -> RunView:
    view = RunView()
    for event in events:
        view = reduce(view, event)
    return view


def test_every_event_type_is_folded_and_has_its_lines() -> None:
    assert {type(event) for event in ONE_OF_EACH} == set(get_args(ev.Event))
    for event in ONE_OF_EACH:
        view = reduce(fold(STARTED), event)
        for line in lines_of(view, event, verbose=True):
            assert "\n" not in line.plain


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), "preparing"),
        ((STARTED,), "measuring"),
        ((STARTED, EPOCH), "training"),
        ((STARTED, EPOCH, step(22)), "training"),
        ((STARTED, EPOCH, step(23)), "evaluating"),
        ((STARTED, finished()), "finished"),
        ((FAILED,), "failed"),
        ((STARTED, STOPPED), "stopped"),
        ((STARTED, STOPPED, STARTED), "measuring"),
    ],
)
def test_state(events: tuple[ev.Event, ...], state: str) -> None:
    assert fold(*events).state == state


def test_switches_are_kept_or_rolled_back_and_units_counted_from_what_was_kept() -> None:
    view = fold(
        STARTED,
        evaluated(0, 0.8),
        grown(1, 30, 36894, 36894),
        evaluated(1, 0.88),
        settled(1, True, 0.8, 0.88),
        grown(2, 60, 36924, 73818),
        evaluated(2, 0.87, best=0.88, best_epoch=1),
        settled(2, False, 0.88, 0.87),
        grown(3, 60, 36924, 73818),
    )
    arm = view.arm("main")
    assert [(s.state, s.units) for s in arm.switches] == [
        ("kept", 30), ("rolled back", 30), ("trial", 30)
    ]  # fmt: skip
    assert arm.best_score == 0.88
    assert arm.base_score == 0.8


def test_a_resumed_run_replaces_the_epochs_it_makes_again() -> None:
    view = fold(STARTED, evaluated(0, 0.8), evaluated(1, 0.81), evaluated(2, 0.82))
    again = msgspec.structs.replace(STARTED, resumed=True)
    view = reduce(reduce(view, again), evaluated(2, 0.83))
    assert [(p.epoch, p.score) for p in view.arm().points] == [(0, 0.8), (1, 0.81), (2, 0.83)]


def test_the_base_of_a_resumed_run_comes_from_its_first_test_event() -> None:
    test = evaluated(0, 0.7, split="test", best=0.8, is_best=False)
    arm = fold(STARTED, test).arm()
    assert (arm.base_score, arm.base_test_score) == (0.8, 0.7)


def test_controls_are_arms_of_their_own() -> None:
    control = evaluated(0, 0.8, arm="control:no-dendrites")
    view = fold(STARTED, evaluated(0, 0.8), evaluated(1, 0.9), control)
    assert [arm.label for arm in view.arms] == ["run", "control no-dendrites"]
    assert view.current == "control:no-dendrites"
    assert lines_of(view, control)[0].plain.startswith("[control no-dendrites] base model")
    assert view.arm("main").best_score == 0.9


def test_numbers_that_are_not_finite_stay_in_view() -> None:
    view = fold(STARTED, EPOCH, step(3, loss=math.nan), evaluated(1, math.nan, best=0.8))
    assert math.isnan(view.arm().loss or 0.0)
    assert "loss nan" in bar_texts(view, 100)[1]
    assert "dev nan" in lines_of(view, evaluated(1, math.nan, best=0.8))[0].plain


@pytest.mark.parametrize("columns", [36, 40, 60, 80, 120])
def test_the_moving_line_fits_the_screen(columns: int) -> None:
    before, after = bar_texts(fold(STARTED, EPOCH, evaluated(0, 0.8), step(3)), columns)
    assert len(before) + len(after) + 10 + 8 <= columns


@pytest.mark.parametrize(
    ("event", "part"),
    [
        (grown(1, 30, 36894, 36894), "+ dendrites: switch 1, 30 units, 36,894 parameters"),
        (settled(1, True, 0.8672, 0.8935), "switch 1 kept: 0.8672 -> 0.8935"),
        (settled(1, False, 0.8935, 0.8930), "switch 1 rolled back: 0.8935 -> 0.8930"),
        (STOPPED, "nexus train --resume /runs/r"),
        (ev.Warned(message="a\x1b[31mb\nc"), "warning: a[31mb c"),
        (ev.Log(message="[/bold] [@click=x]"), "[/bold] [@click=x]"),
    ],
)
def test_lines(event: ev.Event, part: str) -> None:
    view = fold(STARTED, evaluated(0, 0.8), event)
    assert part in lines_of(view, event)[0].plain


@pytest.mark.parametrize(
    ("epochs", "per_pass", "words"),
    [
        (3, 1, "3 epochs"),
        (1, 1, "1 epoch"),
        (3, 3, "3 epochs in 1 pass"),
        (6, 3, "6 epochs in 2 passes"),
        (4, 3, "4 epochs in 1.33 passes"),
        (3, None, "3 epochs"),  # of an old run, which does not record it
        (3, 0, "3 epochs"),
        (None, 3, "? epochs"),
    ],
)
def test_epochs_that_are_parts_of_a_pass_are_told_as_such(
    epochs: object, per_pass: object, words: str
) -> None:
    assert epochs_words(epochs, per_pass) == words


def test_the_head_of_a_run_says_how_many_passes_its_epochs_are() -> None:
    def plan(event: ev.RunStarted) -> str:
        return lines_of(fold(event), event)[1].plain

    assert "6 epochs, batch" in plan(STARTED)
    assert "6 epochs in 2 passes, batch" in plan(structs.replace(STARTED, epochs_per_pass=3))


def test_a_run_stopped_before_it_began_offers_no_resume() -> None:
    assert "nothing to resume" in lines_of(fold(STOPPED), STOPPED)[0].plain


def test_the_result_shows_controls_with_their_interval() -> None:
    control = ev.ControlResult(
        name="no-dendrites", description="d", params_trained=147840, dev_spearman=0.88,
        test_spearman=0.86, guard_spearman=0.98, best_epoch=4, gain_dev_spearman=0.02,
        gain_low=0.005, gain_high=0.035,
    )  # fmt: skip
    text = "\n".join(line.plain for line in result_lines(finished(controls=(control,))))
    for part in (
        "over base: dev +0.1000",
        "dev +0.0200 (95 % +0.0050 to +0.0350)",
        "0.1635%",
        "1 of 2 switches kept",
        "412 pairs/s",
        "1.2 GB",
        "nexus similarity latest",
    ):
        assert part in text
    assert max(len(line) for line in text.splitlines()) <= 100


@pytest.mark.parametrize(
    ("text", "safe"),
    [("=1+1", "'=1+1"), ("+a", "'+a"), ("-a", "'-a"), ("@a", "'@a"), ("  =x", "'=x"),
     ("\t=x", "'=x"), ("\x1b=x", "'=x"), ("a\tb\nc", "a b c"), ("plain", "plain")],
)  # fmt: skip
def test_tsv_cells_are_no_formulas(text: str, safe: str) -> None:
    assert cell(text) == safe


def test_foreign_text_is_cleaned_and_cut_to_cells() -> None:
    assert shown("a\x1b]8;;http://x\x07b\u202ec", 80) == "a]8;;http://xbc"
    assert shown("漢字漢字", 5) == "漢字…"
    assert shown("abc", 1) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (math.nan, "nan"), (-math.inf, "-inf"), (None, "-")],
)
def test_correlations_are_shown_as_they_are(value: float | None, text: str) -> None:
    assert correlation(value) == text


def test_small_formats() -> None:
    assert [duration(s) for s in (0, 59.6, 3661, math.nan)] == ["0:00", "1:00", "1:01:01", "nan"]
    assert gain(0.01) == "+0.0100"
    assert bar(0.5, 10) == "#####....."
    assert bar(math.nan, 4) == bar(-1, 4) == "...."
    lines = [line.plain for line in side_by_side("a", "b", 0.25, 0.5, 40)]
    assert lines[-1] == "difference +0.2500"
    assert len(side_by_side("a", "b", 0.25, None, 40)) == 3


def test_a_resumed_run_keeps_the_base_models_test_score_apart_from_its_own() -> None:
    view = RunView()
    before = [STARTED, evaluated(0, 0.78, 0.8, split="test"), evaluated(0, 0.8), EPOCH, step(1)]
    for event in [*before, STOPPED, STARTED, evaluated(0, 0.78, 0.8, split="test")]:
        view = reduce(view, event)
    assert (view.arm().base_test_score, view.arm().test_score) == (0.78, None)
    for event in [EPOCH, step(2), evaluated(1, 0.9), evaluated(1, 0.87, 0.9, split="test")]:
        view = reduce(view, event)
    assert (view.arm().base_test_score, view.arm().test_score) == (0.78, 0.87)


@pytest.mark.parametrize("best_epoch", [0, 1])
def test_the_base_models_test_comes_after_that_of_the_best_weights(best_epoch: int) -> None:
    own = evaluated(best_epoch, 0.87, 0.9, split="test")
    base = evaluated(0, 0.78, 0.8, split="test")
    arm = fold(STARTED, evaluated(0, 0.8), EPOCH, step(1), evaluated(1, 0.9), own, base).arm()
    assert (arm.base_test_score, arm.test_score) == (0.78, 0.87)


def test_a_run_resumed_after_its_last_epoch_shows_its_test_as_its_own() -> None:
    own, base = evaluated(1, 0.87, 0.9, split="test"), evaluated(0, 0.78, 0.8, split="test")
    before = [STARTED, evaluated(0, 0.8), EPOCH, step(1), evaluated(1, 0.9), STOPPED]
    arm = fold(*before, STARTED, base, own).arm()
    assert (arm.base_test_score, arm.test_score) == (0.78, 0.87)


def test_a_fitted_rate_is_shown_in_three_digits():
    words = plan_words({"tune": "full", "lr": 0.002363163359, "epochs": 3})
    assert "lr 0.00236, " in words
    assert "lr 2e-05, " in plan_words({"lr": 2e-5})
    assert "lr ?, " in plan_words({})
