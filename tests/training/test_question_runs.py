"""Whole runs on questions with passages, on a tiny base model: what they report, keep, resume
and refuse."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from question_folders import write_questions
from small_models import TINY, make_model

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.errors import ConfigError, ExitCode
from nexus_engine.event_lines import decode_event
from nexus_engine.events import (
    Evaluated,
    Evaluating,
    GuardChecked,
    Log,
    RunFinished,
    RunStarted,
    RunStopped,
    SwitchSettled,
)
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.runs import checkpoints
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import intact_card
from nexus_engine.scoring import evaluation, judging
from nexus_engine.scoring.ranking import bootstrap_mean, bootstrap_mean_gain
from nexus_engine.training import base_scores, inputs
from nexus_engine.training.arm import guard_checks, mining
from nexus_engine.training.arm import judging as events_of_judging
from nexus_engine.training.forecast import forecast
from nexus_engine.training.probe import Costs, Probe
from nexus_engine.training.run import train
from nexus_engine.training.saving import RunSaver
from nexus_engine.training.steering import Steering
from nexus_engine.training.steps.keep_general import initial_weight, next_weight
from nexus_tui.cli import main as cli

GUARD_PAIRS, GENERAL = 12, 16
PASSAGES = 24 + 12 + 8 + 20
SMALL = {
    "task": "retrieval", "place": ("v",), "layers": (0, 1), "batch_size": 8, "epochs": 3,
    "lr": 0.3, "units": 1, "switch_epochs": (0, 1), "schedule": "linear", "max_length": 64,
    "threads": 1, "hard_negatives": 1, "passes_per_epoch": 1, "order": "random",
}  # fmt: skip

ONE_EPOCH = {"epochs": 1, "switch_epochs": (0,)}


def few_general(patch: pytest.MonkeyPatch) -> None:
    """A few general sentences: encoding all of them takes most of a small run's time."""
    few = inputs.load_general()[:GENERAL]
    patch.setattr(inputs, "load_general", lambda: few)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    few_general(monkeypatch)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_both(tmp_path_factory.mktemp("data"))


def write_both(place, others=20):
    """Questions with passages, and a tiny base model beside them."""
    make_model(place / "base", TINY._replace(positions=128), max_tokens=128)
    return write_questions(place / "questions", (24, 12, 8), others)


def settings_for(data, **changes):
    """Of a run on the tiny base model that lies beside its data."""
    base = str(data.parent / "base")
    return resolve_for_base(TrainConfig(**{"data": str(data), "base": base, **SMALL, **changes}))


def run(settings, path, steering=None, resume=False):
    folder = RunFolder(path) if resume else RunFolder.create(path, "test")
    return list(train(settings, folder, steering, resume=resume, guard_pairs=GUARD_PAIRS))


class FinishedRun(NamedTuple):
    """A finished run that no test may change, its events, and its best values by arm."""

    path: Any
    events: list[Any]
    finished: list[Any]

    @property
    def result(self):
        return self.events[-1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    """A run with a control whose guard is checked at each step and changes the weight each time."""
    place = tmp_path_factory.mktemp("whole")
    savers = []
    made = RunSaver.__init__

    def kept(self, *given):
        made(self, *given)
        savers.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(place / "data"))
        patch.setattr(events_of_judging, "PROGRESS_SECONDS", 0.0)
        patch.setattr(RunSaver, "__init__", kept)
        few_general(patch)
        always_changing(patch)
        events = run(settings_for(data, control=True), place / "run")
    assert isinstance(events[-1], RunFinished), events[-1]
    return FinishedRun(place / "run", events, savers[0].finished)


def always_changing(patch):
    """Each check of the guard, one before nearly every step, gives another weight."""
    patch.setattr(guard_checks, "TOKENS_PER_GUARD_CHECK", 300)
    patch.setattr(guard_checks, "next_weight", lambda weight, guard, base: (weight + 0.125) % 0.5)


def of(events, kind, arm="main"):
    return [event for event in events if isinstance(event, kind) and event.arm == arm]


def weights_of(path):
    card = intact_card(path / "best")
    return hashlib.sha256((path / "best" / card.weights_file).read_bytes()).hexdigest()


# What a run reports


def test_its_events_and_its_result_hold_the_scores_of_questions_alone(whole):
    (started,) = of(whole.events, RunStarted)
    assert (started.task, started.metric, started.passages) == ("retrieval", "ndcg_at_10", PASSAGES)
    assert (started.train_pairs, started.dev_pairs, started.test_pairs) == (24, 12, 8)
    assert (started.max_tokens, started.keep_general) == (64, "auto")
    evaluations = of(whole.events, Evaluated)
    assert [(e.split, e.epoch) for e in evaluations if e.split == "dev"] == [
        ("dev", epoch) for epoch in range(4)
    ]
    for event in evaluations:
        assert event.metric == "ndcg_at_10"
        assert 0 <= event.recall_at_1 <= event.mrr_at_10 <= event.recall_at_10 <= 1
        assert event.spearman is event.pearson is event.best_spearman is None
    result = whole.result
    written = json.loads((whole.path / "result.json").read_text())
    promised = {
        "metric", "base_dev_ndcg_at_10", "best_dev_ndcg_at_10", "base_test_ndcg_at_10",
        "test_ndcg_at_10", "test_recall_at_1", "test_recall_at_10", "test_mrr_at_10",
        "control_dev_ndcg_at_10", "test_low", "test_high", "gain_test_low", "gain_test_high",
        "guard_apart_spearman", "base_guard_apart_spearman",
    }  # fmt: skip
    assert promised <= set(written)
    scored = ("guard_", "base_guard_")
    assert not [n for n in written if "spearman" in n and not n.startswith(scored)]
    assert not [n for n in written if "pearson" in n and not n.endswith("spearman")]
    dev = [e.ndcg_at_10 for e in evaluations if e.split == "dev"]
    assert (result.base_dev, result.best_dev) == (dev[0], max(dev))
    for record in result.switch_records:
        assert record.before == record.ndcg_at_10_before
    card = intact_card(whole.path / "best")
    assert (card.dev_ndcg_at_10, card.dev_spearman, card.max_tokens) == (result.best_dev, None, 64)


def test_progress_is_reported_before_each_evaluation(whole):
    for split, total in (("dev", PASSAGES + 12), ("test", PASSAGES + 8)):
        reports = [e for e in of(whole.events, Evaluating) if e.split == split]
        assert {e.total for e in reports} == {total}
        assert all(e.done <= total for e in reports)
    assert {e.epoch for e in of(whole.events, Evaluating) if e.split == "dev"} == {0, 1, 2, 3}
    assert of(whole.events, Evaluating, "control:no-dendrites")


def test_the_log_gives_back_every_event(whole):
    lines = (whole.path / "events.jsonl").read_text().splitlines()[1:]
    assert [decode_event(line) for line in lines] == whole.events


def test_controls_and_intervals_are_over_questions(whole):
    result, (main, *others) = whole.result, whole.finished
    assert [c.name for c in result.controls] == ["no-dendrites", "first-set"]
    assert result.control_dev == max(c.dev_score for c in result.controls)
    for control, arm in zip(result.controls, others, strict=True):
        gain = bootstrap_mean_gain(main.dev_values, arm.dev_values)
        assert len(arm.dev_values) == 12
        assert (control.gain_dev, control.gain_low, control.gain_high) == tuple(gain)
        assert control.gain_dev == pytest.approx(result.best_dev - control.dev_score)
    mean = bootstrap_mean(main.test_values)
    assert (result.test_score, result.test_low, result.test_high) == tuple(mean)
    assert result.gain_test_low <= result.test_score - result.base_test <= result.gain_test_high


def test_the_adapter_control_trains_by_the_recipe_of_questions(data):
    from nexus_engine.recipes import RECIPES, RETRIEVAL
    from nexus_engine.training.arm.control_arms import control_specs
    from nexus_engine.training.arm.spec import plan_main

    main = plan_main(settings_for(data), ("1.v",), 1)
    settings = control_specs(main, (0,), 3)[0].settings
    recipe = {**RECIPES["adapter", "default"], **RETRIEVAL["adapter", "default"]}
    assert (settings.loss, settings.lr) == ("ranking", recipe["lr"])


# Resuming


class StopsAtLook(Steering):
    """Stops at the `look`-th check after the first epoch began."""

    def __init__(self, look):
        super().__init__()
        self.left = look

    def check(self):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.left = None
                self.stop("test", ExitCode.INTERRUPTED)
        super().check()


@pytest.mark.parametrize("looks", [(14, 9), pytest.param((17, 12), marks=pytest.mark.slow)])
def test_a_run_stopped_anywhere_ends_with_the_same_weights(home, data, whole, looks, monkeypatch):
    """Negatives and a weight above zero are in the checkpoint, in the middle of an epoch too."""
    always_changing(monkeypatch)
    settings = settings_for(data, control=True)
    events = run(settings, home / "run", StopsAtLook(looks[0]))
    assert isinstance(events[-1], RunStopped)
    events = run(settings, home / "run", StopsAtLook(looks[1]), resume=True)
    assert isinstance(events[-1], RunStopped)
    saved = checkpoints.load_latest(home / "run" / "checkpoints")
    assert saved.meta["progress"]["keep_weight"] > 0
    assert (saved.tensors["negatives"] >= 0).any()
    events = run(settings, home / "run", resume=True)
    assert isinstance(events[-1], RunFinished), events[-1]
    assert weights_of(home / "run") == weights_of(whole.path)
    timeless = {"time_unix_s": 0, "run_dir": "", "train_seconds": 0, "total_seconds": 0,
                "pairs_per_second": 0, "peak_rss_mb": 0}  # fmt: skip
    assert msgspec.structs.replace(events[-1], **timeless) == msgspec.structs.replace(
        whole.result, **timeless
    )


def test_negatives_of_another_shape_are_refused_by_a_resume(home, data):
    settings = settings_for(data)
    run(settings, home / "run", StopsAtLook(14))
    more = msgspec.structs.replace(settings, hard_negatives=2)
    events = run(more, home / "run", resume=True)
    assert events[-1].exit_code == ExitCode.FAILED
    assert "not a checkpoint of this version" in events[-1].message


# Keeping what was known


def test_a_fixed_weight_stays_and_off_rehearses_nothing(home, data):
    for mode, weight in (("0.5", 0.5), ("off", 0.0), ("0", 0.0)):
        events = run(settings_for(data, keep_general=mode, **ONE_EPOCH), home / f"run-{mode}")
        assert isinstance(events[-1], RunFinished)
        assert not of(events, GuardChecked)
        assert {e.keep_weight for e in of(events, Evaluated) if e.split == "dev"} == {weight}
    hashes = {mode: weights_of(home / f"run-{mode}") for mode in ("0.5", "off", "0")}
    assert hashes["0"] == hashes["off"] != hashes["0.5"]


def test_auto_follows_the_steering_half_of_the_guard(home, data, monkeypatch):
    monkeypatch.setattr(guard_checks, "TOKENS_PER_GUARD_CHECK", 300)
    # A rate that harms the guard at once.
    events = run(settings_for(data, lr=0.5, epochs=4, batch_size=4), home / "run")
    assert isinstance(events[-1], RunFinished)
    weight, evaluated = initial_weight("auto", "retrieval"), []
    for event in events:
        if isinstance(event, GuardChecked):
            weight = next_weight(weight, event.steering_spearman, event.base_steering_spearman)
            assert event.keep_weight == weight
        elif isinstance(event, Evaluated) and event.split == "dev":
            assert event.keep_weight == weight
            evaluated.append(weight)
    assert max(evaluated) > evaluated[0] > 0
    # One check after each evaluation, and further ones between steps.
    checks = of(events, GuardChecked)
    assert len(checks) > 2 * 4
    assert len({event.base_steering_spearman for event in checks}) == 1


def test_a_check_comes_once_in_so_many_tokens(home, data):
    """At the real number of tokens, these epochs are too short for any but that after them."""
    events = run(settings_for(data, epochs=2), home / "run")
    steps = [event.step for event in of(events, GuardChecked)]
    assert steps == [3, 6]


# The sample of the corpus


def test_questions_are_ranked_among_a_sample(home, tmp_path):
    data = write_both(tmp_path, others=120)
    settings = settings_for(data, eval_corpus=100, **ONE_EPOCH)
    events = run(settings, home / "run")
    assert isinstance(events[-1], RunFinished), events[-1]
    (started,) = of(events, RunStarted)
    assert started.passages == 100
    notes = [event.message for event in of(events, Log)]
    assert any(
        note.startswith("--eval-corpus: judged against 100 of 164 passages") for note in notes
    )


# The forecast

STEP, EMBED = 1e-3, 1e-4
"""Seconds a token in place of measured ones."""


class FixedCosts(Probe):
    """Costs that do not depend on the machine."""

    def time_costs(self):
        return Costs(STEP, EMBED, EMBED)


def ranked_rows(settings):
    """The store of a run's corpus, and the rows of the passages that questions are ranked among."""
    corpus = inputs.tokenise(inputs.open_inputs(settings), settings)
    return corpus.store, corpus.passages[corpus.ranked]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"hard_negatives": 0, "keep_general": "off"}, marks=pytest.mark.slow),
        pytest.param(
            {"eval_corpus": 100, "hard_negatives": 2, "epochs": 2}, marks=pytest.mark.slow
        ),
        {"order": "neighbours", "epochs": 2},
    ],
    ids=["default", "bare", "sample", "neighbours"],
)
def test_a_forecast_counts_the_tokens_that_the_run_embeds(home, tmp_path, monkeypatch, changes):
    data = write_both(tmp_path, others=80)
    settings = settings_for(data, **changes)
    few = inputs.load_guard().take(np.arange(GUARD_PAIRS))
    monkeypatch.setattr(inputs, "load_guard", lambda: few)
    embedded, real = 0, evaluation.embed_all

    def counting(embed, store, rows, *given):
        nonlocal embedded
        embedded += int(store.lengths_of(np.unique(rows)).sum())
        return real(embed, store, rows, *given)

    with pytest.MonkeyPatch.context() as patch:
        for module in (evaluation, judging, mining, base_scores):
            patch.setattr(module, "embed_all", counting)
        # The first checks come earlier than the others, as in every run.
        monkeypatch.setattr(guard_checks, "FIRST_TOKENS", 100)
        monkeypatch.setattr(guard_checks, "TOKENS_PER_GUARD_CHECK", 400)
        events = run(settings, home / "run")
    assert isinstance(events[-1], RunFinished), events[-1]
    told = forecast(settings, probe_type=FixedCosts)
    assert told.passages == of(events, RunStarted)[0].passages
    if events[-1].best_epoch == settings.epochs:
        # The passages of the last evaluation on dev serve for test; a forecast cannot know it.
        store, rows = ranked_rows(settings)
        embedded += int(store.lengths_of(rows).sum())
    assert told.evaluate_seconds == pytest.approx(embedded * EMBED, rel=1e-9)
    assert told.steps == 3 * settings.epochs


# What is refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "retrieval", "--grower", "perforatedai", "--tune", "adapter"],
         "trains on graded pairs alone"),
        (["--task", "retrieval", "--loss", "cosent"], "--task retrieval takes ranking"),
        (["--task", "pairs", "--loss", "ranking"], "--task pairs takes cosine-mse"),
        (["--task", "pairs", "--hard-negatives", "1"], "needs questions with passages"),
        (["--task", "pairs", "--eval-corpus", "500"], "needs questions with passages"),
        (["--task", "retrieval", "--eval-corpus", "5"], "must be between 100 and"),
        (["--task", "retrieval", "--keep-general", "always"], "give off, auto, or a weight"),
        (["--keep-general", "-1"], "give off, auto, or a weight"),
        (["--keep-general", "nan"], "give off, auto, or a weight"),
        (["--keep-general", "101"], "give off, auto, or a weight"),
        (["--task", "pairs", "--keep-general", "0.5", "--grower", "perforatedai",
          "--tune", "adapter"],
         "rehearses nothing"),
        (["--max-length", "16"], "must be between 32 and 512"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_line(home, data, capfd, words, message):
    assert cli.main(["train", "--data", str(data), *words]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not (home / "data").exists()


@pytest.mark.parametrize("mode", ["off", "auto", "0", "0.3", "100"])
def test_modes_of_keeping_general(data, mode):
    assert settings_for(data, keep_general=mode).keep_general == mode


def test_the_library_that_rehearses_nothing_runs_without(data):
    graded = {"task": "pairs", "tune": "adapter", "grower": "perforatedai"}
    assert resolve(TrainConfig(data="demo", **graded)).keep_general == "off"
    with pytest.raises(ConfigError):
        resolve(TrainConfig(data="demo", keep_general="0.1", **graded))


def test_questions_that_diverge_end_the_run_with_its_code(home, data, monkeypatch):
    from nexus_engine.training.arm import loop

    real = loop.judged

    def undefined(*given):
        judgement = yield from real(*given)
        return judgement._replace(score=math.nan)

    monkeypatch.setattr(loop, "judged", undefined)
    events = run(settings_for(data), home / "run")
    assert events[-1].exit_code == ExitCode.DIVERGED
    assert "nDCG@10 is not a number after epoch 1" in events[-1].message
    assert of(events, SwitchSettled) == []
