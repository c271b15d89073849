"""`model.json`, the card of a saved model: which weights these are, and for which base model."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from nexus_engine.config import Nonlinearity, Tune
from nexus_engine.disk.regular_files import read_json, sha256_of
from nexus_engine.disk.tensor_files import MAX_WEIGHT_BYTES
from nexus_engine.errors import ModelError, one_line
from nexus_engine.event_ranges import MAX_EPOCHS, is_correlation
from nexus_engine.model.shape import Pooling, Prompts
from nexus_engine.scores import Metric, Score, either
from nexus_engine.system.ownership import not_permitted

__all__ = ["CARD_FILE", "ModelCard", "intact_card", "read_saved_card"]

CARD_FILE = "model.json"
WEIGHTS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`model.json`: which weights these are, and for which base model. Holds no sentence."""

    format: int = 1
    tune: Tune
    nonlinearity: Nonlinearity
    base_sha256: str
    base_folder: str | None
    weights_file: str
    weights_sha256: str
    epoch: int
    dev_spearman: Score = None
    dev_ndcg_at_10: Score = None
    params_added: int
    data_name: str
    data_fingerprint: str
    tokenizer_sha256: str | None = None
    """SHA-256 of the base model's `tokenizer.json`; None in a card of an earlier version."""
    max_tokens: int = 256
    """Tokens of a text that the model reads."""
    pooling: Pooling = "mean"
    """As the base model pools, in runs before other base models by the mean."""
    query_prompt: str = ""
    passage_prompt: str = ""

    def __post_init__(self) -> None:
        _ = self.dev_score

    @property
    def reading(self) -> tuple[Pooling, Prompts]:
        """What of the base model's small files decides vectors."""
        return self.pooling, Prompts(self.query_prompt, self.passage_prompt)

    @property
    def metric(self) -> Metric:
        """The metric that decided."""
        return "spearman" if self.dev_ndcg_at_10 is None else "ndcg_at_10"

    @property
    def dev_score(self) -> float:
        """The score on dev, by the metric that decided."""
        return either(self.dev_spearman, self.dev_ndcg_at_10)


def read_saved_card(folder: Path, file: str = CARD_FILE) -> ModelCard:
    """The card in `folder`.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    path = folder / file
    try:
        card = msgspec.convert(read_json(path), ModelCard, strict=False)
    except FileNotFoundError:
        raise ModelError(
            f"{one_line(folder)}: no trained model there yet ({file} is missing)"
        ) from None
    except PermissionError:
        raise ModelError(f"{one_line(path)}: {not_permitted(path)}") from None
    except OSError as error:
        raise ModelError(f"{one_line(path)}: not a model card ({error.strerror})") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise ModelError(f"{one_line(path)}: not a model card ({one_line(error, 120)})") from None
    if not WEIGHTS_NAME.fullmatch(card.weights_file) or card.format != 1:
        raise ModelError(f"{one_line(path)}: not a model card of this version")
    counts_in_range = 0 <= card.epoch <= MAX_EPOCHS and card.params_added >= 0
    counts_in_range &= 2 < card.max_tokens <= 512
    if not counts_in_range or not is_correlation(card.dev_score):
        raise ModelError(f"{one_line(path)}: not a model card (a number is out of range)")
    return card


def intact_card(folder: Path) -> ModelCard | None:
    """The card of the model in `folder`; None if there is no card or its weights are damaged.

    Raises:
        ModelError: the card is unreadable.
    """
    if not os.path.lexists(folder / CARD_FILE):
        return None
    card = read_saved_card(folder)
    try:
        digest = sha256_of(folder / card.weights_file, MAX_WEIGHT_BYTES)
    except OSError:
        return None
    return card if digest == card.weights_sha256 else None
