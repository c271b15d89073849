"""Events survive JSON, including numbers that are not finite."""

import json
import math
import typing

import msgspec
import pytest

from nexus_engine.errors import RunError
from nexus_engine.event_lines import decode_event, encode_event
from nexus_engine.events import Event, RunFinished, Step
from nexus_engine.scores import ControlResult, SwitchRecord

SAMPLES = {int: 3, float: 0.25, str: "x", bool: True}


def sample(kind):
    """An event of `kind` with a value in each field."""
    values = {}
    for field in msgspec.structs.fields(kind):
        if field.name == "switch_records":
            values[field.name] = (sample(SwitchRecord),)
        elif field.name == "controls":
            values[field.name] = (sample(ControlResult),)
        elif field.name == "split":
            values[field.name] = "dev"
        else:
            options = typing.get_args(field.type) or (field.type,)
            values[field.name] = SAMPLES[options[0]]
    return kind(**values)


@pytest.mark.parametrize("kind", typing.get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_survives_json(kind):
    event = sample(kind)
    line = encode_event(event)
    assert "\n" not in line
    assert decode_event(line) == event


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
