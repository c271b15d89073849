"""Events survive JSON, including numbers that are not finite."""

import json
import math
import typing

import msgspec
import pytest

from nexus_engine.errors import RunError
from nexus_engine.event_lines import decode_event, encode_event
from nexus_engine.event_ranges import out_of_range
from nexus_engine.events import (
    DendritesAdded,
    Evaluated,
    Evaluating,
    Event,
    GuardChecked,
    RunFinished,
    Step,
    SwitchSettled,
)
from nexus_engine.scores import ControlResult, SwitchRecord, VectorScore

SAMPLES = {int: 3, float: 0.25, str: "x", bool: True}
RECORDS = {"switch_records": SwitchRecord, "controls": ControlResult, "vector_scores": VectorScore}
METRICS = ("spearman", "ndcg_at_10")
OF_PAIRS = ("spearman", "pearson")
OF_QUESTIONS = ("ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100")


def applies(name, metric):
    """Whether the field `name` of a score belongs to records of `metric`."""
    if "guard" in name or "steering" in name:
        return True
    other = OF_QUESTIONS if metric == "spearman" else OF_PAIRS
    bare = name.removesuffix("_before").removesuffix("_after")
    return not bare.endswith(other)


def sample(kind, metric="spearman"):
    """An event of `kind` with a value in each field that belongs to `metric`."""
    values = {}
    for field in msgspec.structs.fields(kind):
        choices = typing.get_args(field.type)
        if field.name in RECORDS:
            values[field.name] = (sample(RECORDS[field.name], metric),)
        elif field.name == "metric":
            values[field.name] = metric
        elif isinstance(next(iter(choices), None), str):
            values[field.name] = choices[0]
        elif kind is VectorScore or applies(field.name, metric):
            values[field.name] = SAMPLES[next(iter(choices), field.type)]
    return kind(**values)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", typing.get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_survives_json(kind, metric):
    event = sample(kind, metric)
    line = encode_event(event)
    assert "\n" not in line
    assert decode_event(line) == event
    # A score that does not apply is absent; a run on pairs says by null that it had no control.
    fields = json.loads(line)
    assert set(fields) == {"event"} | {
        name for name in kind.__struct_fields__ if getattr(event, name) is not None
    }


@pytest.mark.parametrize("metric", METRICS)
def test_a_score_is_read_whichever_metric_it_is_of(metric):
    evaluated = sample(Evaluated, metric)
    assert (evaluated.metric, evaluated.score, evaluated.best_score) == (metric, 0.25, 0.25)
    result = sample(RunFinished, metric)
    assert result.metric == metric
    scores = (result.base_dev, result.base_test, result.best_dev, result.test_score)
    assert scores == (0.25,) * 4
    assert (result.control_dev, result.control_test) == (0.25, 0.25)
    assert {r.gain_dev for r in result.controls} == {0.25}
    assert sample(DendritesAdded, metric).before == 0.25
    assert sample(SwitchSettled, metric).after == 0.25


@pytest.mark.parametrize(
    "kind", [Evaluated, RunFinished, DendritesAdded, SwitchSettled], ids=lambda kind: kind.__name__
)
def test_an_event_without_any_score_is_refused(kind):
    fields = json.loads(encode_event(sample(kind)))
    bare = {name: value for name, value in fields.items() if not _is_score(name)}
    with pytest.raises(RunError, match="not an event"):
        decode_event(json.dumps(bare))
    with pytest.raises(ValueError, match="neither Spearman nor nDCG@10"):
        kind(**{name: value for name, value in bare.items() if name != "event"})


def _is_score(name):
    return "spearman" in name and "guard" not in name


def test_a_run_on_pairs_says_by_null_that_it_had_no_control():
    result = msgspec.structs.replace(
        sample(RunFinished), control_dev_spearman=None, control_test_spearman=None
    )
    fields = json.loads(encode_event(result))
    assert fields["control_dev_spearman"] is fields["control_test_spearman"] is None
    of_questions = msgspec.structs.replace(
        sample(RunFinished, "ndcg_at_10"), control_dev_ndcg_at_10=None
    )
    assert "control_dev_ndcg_at_10" not in json.loads(encode_event(of_questions))


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Evaluated, "ndcg_at_10", 1.01),
        (Evaluated, "mrr_at_10", -0.5),
        (Evaluated, "recall_at_100", 2.0),
        (Evaluated, "best_ndcg_at_10", -1e300),
        (Evaluated, "keep_weight", 1e300),
        (Evaluated, "keep_weight", -1.0),
        (GuardChecked, "keep_weight", 1e9),
        (GuardChecked, "steering_spearman", 1.5),
        (Evaluating, "done", -1),
        (Evaluating, "total", -1),
        (SwitchSettled, "ndcg_at_10_before", 7.0),
        (SwitchSettled, "spearman_after", 7.0),
        (DendritesAdded, "ndcg_at_10_before", -0.1),
        (RunFinished, "test_low", 3.0),
        (RunFinished, "gain_test_high", 3.0),
        (RunFinished, "base_test_recall_at_1", 1.5),
    ],
)
def test_scores_of_questions_have_a_range(kind, field, value):
    event = sample(kind, "ndcg_at_10")
    assert out_of_range(event) == ""
    wrong = msgspec.structs.replace(event, **{field: value})
    assert out_of_range(wrong) == field
    with pytest.raises(RunError, match=field):
        decode_event(encode_event(wrong))


def test_a_gain_in_ndcg_may_be_negative():
    result = sample(RunFinished, "ndcg_at_10")
    control = msgspec.structs.replace(result.controls[0], gain_dev_ndcg_at_10=-0.3)
    assert out_of_range(msgspec.structs.replace(result, controls=(control,))) == ""


def test_numbers_that_are_not_finite_are_shown_not_smoothed():
    event = msgspec.structs.replace(sample(Step), loss=math.nan, lr=math.inf, grad_norm=-math.inf)
    line = encode_event(event)
    assert json.loads(line)["loss"] == "NaN"
    back = decode_event(line)
    assert math.isnan(back.loss)
    assert (back.lr, back.grad_norm) == (math.inf, -math.inf)


def test_the_result_has_the_fields_that_scripts_rely_on():
    result = json.loads(encode_event(sample(RunFinished)))
    promised = {
        "run_dir", "base_dev_spearman", "best_dev_spearman", "best_epoch", "test_spearman",
        "switches", "switches_kept", "params_base", "params_trained", "params_added", "epochs",
        "train_seconds", "pairs_per_second", "peak_rss_mb", "control_dev_spearman",
        "control_test_spearman",
    }  # fmt: skip
    assert promised <= set(result)


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "null", '{"event": "other"}', '{"event": "step"}', "[" * 100_000]
)
def test_what_is_not_an_event_is_refused(line):
    with pytest.raises(RunError):
        decode_event(line)
