"""The README.md of an export: what the model is, how good, made from what, and how to use it.

It holds names, numbers and settings, and no sentence of the user's data. It holds no time and no
path either, so that exporting twice gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nexus_engine.errors import one_line
from nexus_engine.metric_words import METRIC_WORDS
from nexus_engine.model.known_models import BASE_NAME, KNOWN
from nexus_engine.runs.saved_model import ModelCard
from nexus_engine.scores import Metric

__all__ = ["CardFacts", "model_card"]

HIDDEN_SETTINGS = ("data", "base", "columns", "threads", "device", "precision")
"""Settings that name paths of this machine, or that change no weight."""


class CardFacts(NamedTuple):
    """What the card says. `result` is the run's result as plain values, empty until it finished.

    `usage` is a snippet of code, `notes` are paragraphs about the format, and `checks` are lines
    about the check of the export. `published` says whether the base weights are the published ones
    of all-MiniLM-L6-v2. `width` is the number of numbers in a vector.
    """

    name: str
    format: str
    card: ModelCard
    settings: Mapping[str, Any]
    result: Mapping[str, Any]
    usage: str
    notes: Sequence[str]
    checks: Sequence[str]
    published: bool
    base_name: str = BASE_NAME
    width: int = 384


def model_card(facts: CardFacts) -> str:
    """The text of README.md."""
    parts = [
        _header(facts),
        f"# {one_line(facts.name, 100)}",
        _summary(facts),
        "## Use",
        facts.usage,
        *facts.notes,
        "## Figures",
        _figures(facts),
        *_controls(facts.result, facts.card.metric),
        "## Check of this export",
        "\n".join(f"- {one_line(line, 300)}" for line in facts.checks),
        "## Data",
        f"Trained on `{_code(facts.card.data_name)}`, with the SHA-256 fingerprint "
        f"`{_code(facts.card.data_fingerprint)}`. This folder holds none of its sentences.",
        "## Settings",
        _settings(facts.settings),
        "## Licence",
        _licence(facts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(facts: CardFacts) -> str:
    known = KNOWN.get(facts.base_name)
    lines = ["---", "library_name: sentence-transformers"]
    if known is None or "multilingual" not in known.name:
        lines.insert(1, "language: en")
    if facts.published:
        lines += ["license: apache-2.0"]
    if known is not None:
        lines += [f"base_model: {known.repository}"]
    lines += ["pipeline_tag: sentence-similarity", "tags:"]
    lines += [f"- {tag}" for tag in ("sentence-transformers", "sentence-similarity", "nexus")]
    return "\n".join([*lines, "---"])


def _summary(facts: CardFacts) -> str:
    card = facts.card
    return (
        f"A fine-tuned {_code(facts.base_name)}. It maps a text to {facts.width} numbers of length "
        f"1, from its first {card.max_tokens} tokens; compare them by cosine similarity. "
        f"Fine-tuned by NEXUS (`--tune {card.tune}`), which added {card.params_added:,} "
        f"parameters. This is the `{facts.format}` form of the weights of epoch {card.epoch}."
    )


def _figures(facts: CardFacts) -> str:
    metric = facts.card.metric
    result = facts.result
    rows = [
        ("dev", result.get(f"base_dev_{metric}"), facts.card.dev_score),
        ("test", result.get(f"base_test_{metric}"), result.get(f"test_{metric}")),
    ]
    lines = [f"| {METRIC_WORDS[metric].name} | base model | this model |", "|---|---|---|"]
    lines += [f"| {name} | {_figure(base)} | {_figure(tuned)} |" for name, base, tuned in rows]
    guard = (
        "Guard, general pairs that were never trained on: rank correlation of their similarities "
        f"with the base model's {_figure(result.get('guard_spearman'))}; with the pairs' own "
        f"scores {_figure(result.get('guard_scored_spearman'))}, base "
        f"{_figure(result.get('base_guard_scored_spearman'))}."
    )
    return "\n".join(lines) + "\n\n" + guard


def _controls(result: Mapping[str, Any], metric: Metric) -> list[str]:
    """A table of the controls; a line that there was none, once the run has finished."""
    controls = result.get("controls")
    if not isinstance(controls, list | tuple) or not controls:
        return ["No control was trained beside it."] if result else []
    lines = ["| control | dev | test | gain over it on dev |", "|---|---|---|---|"]
    for control in controls:
        if not isinstance(control, Mapping):
            continue
        figures = [control.get(f"{name}_{metric}") for name in ("dev", "test", "gain_dev")]
        name = one_line(control.get("name", "?"), 60).replace("|", "/")
        lines.append(f"| {name} | {' | '.join(map(_figure, figures))} |")
    return ["\n".join(lines)]


def _settings(settings: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in settings.items() if name not in HIDDEN_SETTINGS}
    return "\n".join(
        f"- `{_code(name)}`: `{_code(value)}`"
        for name, value in sorted(shown.items())
        if value is not None
    )


def _licence(facts: CardFacts) -> str:
    base = f"base weights, SHA-256 `{_code(facts.card.base_sha256)}`"
    if not facts.published:
        return f"The licence of your own {base}, applies to them."
    return (
        f"The {base}, are all-MiniLM-L6-v2 ({KNOWN[BASE_NAME].repository}), under Apache-2.0; "
        "that licence applies to what is derived from them. What training changed is yours."
    )


def _figure(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.4f}" if is_number and value == value else "-"


def _code(value: Any) -> str:
    return one_line(value, 120).replace("`", "'")
