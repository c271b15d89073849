"""Runs that train on weak pairs: of a corpus with few questions before those, or alone."""

from __future__ import annotations

import json
from itertools import accumulate

import numpy as np
import pytest

from nexus_engine.config import TrainConfig, resolve
from nexus_engine.events import EpochStarted, RunFinished, RunStarted, Step
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.run_view import RunView, reduce
from nexus_engine.training import inputs
from nexus_engine.training.arm import loop
from nexus_engine.training.forecast import forecast
from nexus_engine.training.little_data import fit_to_documents
from nexus_engine.training.probe import Costs, Probe
from nexus_engine.training.run import train

PASSAGES = 200
QUESTIONS = {"train": range(20), "dev": range(100, 120), "test": range(120, 140)}
SMALL = {
    "task": "retrieval", "place": ("v",), "layers": (5,), "units": 1, "lr": 3e-2, "epochs": 3,
    "batch_size": 8, "max_length": 32, "threads": 1, "keep_general": "off",
}  # fmt: skip


class FixedCosts(Probe):
    """Costs that do not depend on the machine."""

    def time_costs(self):
        return Costs(1e-3, 1e-4, 1e-4)


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def titled_corpus(folder, splits):
    """A corpus whose passages have titles, which make 400 weak pairs; questions in `splits`."""
    (folder / "qrels").mkdir()
    write_lines(folder / "corpus.jsonl", [
        {"_id": f"p{i}", "title": f"Item {i}", "text": f"It holds part {i} of the old machine. "
         f"Part {i} was made by hand, out of oak and two sheets of tin."} for i in range(PASSAGES)
    ])  # fmt: skip
    questions = [{"_id": f"q{i}", "text": f"where is piece {i}"} for i in range(PASSAGES)]
    write_lines(folder / "queries.jsonl", questions)
    for split in splits:
        rows = "".join(f"q{i}\tp{i}\t1\n" for i in QUESTIONS[split])
        (folder / "qrels" / f"{split}.tsv").write_text(rows)
    return folder


@pytest.fixture(
    params=[pytest.param(("train", "dev", "test"), marks=pytest.mark.slow), ("dev", "test")],
    ids=["questions", "none"],
)
def data(request, tmp_path):
    return titled_corpus(tmp_path, request.param)


@pytest.fixture
def settings(data, tiny_base):
    return resolve_for_base(TrainConfig(data=str(data), base=str(tiny_base), **SMALL))


@pytest.fixture(autouse=True)
def small_guard(monkeypatch):
    guard = inputs.load_guard().take(np.arange(8))
    monkeypatch.setattr(inputs, "load_guard", lambda: guard)
    monkeypatch.setattr(loop, "STEP_EVENT_SECONDS", 0.0)


def test_steps_are_counted_where_epochs_differ(home, settings):
    events = list(train(settings, RunFolder.create(home / "run", "test")))
    assert isinstance(events[-1], RunFinished), events[-1]
    steps = [event for event in events if isinstance(event, Step)]
    starts = [event for event in events if isinstance(event, EpochStarted)]
    assert len({start.steps for start in starts}) == 2
    ends = list(accumulate(start.steps for start in starts))
    assert [start.last_step for start in starts] == ends
    assert {event.steps_total for event in (*starts, *steps)} == {ends[-1]} == {steps[-1].step}

    view = RunView()
    for event in events:
        view = reduce(view, event)
        if isinstance(event, Step):
            assert (view.state == "evaluating") == (event.step in ends)
            assert view.arm().fraction == pytest.approx(event.step / ends[-1])

    told = forecast(settings, probe_type=FixedCosts)
    assert told.steps == ends[-1]
    assert told.pairs_per_second > 0
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert told.train_pairs == started.train_pairs


@pytest.mark.parametrize(("budget", "units"), [("1.2%", 4), ("0.05%", 1)])
def test_a_budget_holds_for_documents_alone_too(tmp_path, budget, units):
    """Fewer units than in the recipe are trained on them, but not more than the budget's."""
    data = titled_corpus(tmp_path, ("dev", "test"))
    settings = resolve(TrainConfig(data=str(data), task="retrieval", budget=budget))
    opened = inputs.open_inputs(settings)
    fitted = fit_to_documents(settings, opened.data)
    assert (fitted.units, fitted.epochs_per_pass) == (units, 4)
    start = inputs.untrained(fitted, opened.base)
    assert start.plan(fitted, 0).plan.switches == 1
