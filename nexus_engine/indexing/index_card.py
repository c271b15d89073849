"""`index.json`: what an index holds, and the model that its vectors come from.

The card is replaced in one step, so a reader sees the state before a change or after it. It holds
no sentence.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import msgspec

from nexus_engine.disk.files import replace_json
from nexus_engine.disk.lock import is_held
from nexus_engine.disk.regular_files import read_json
from nexus_engine.errors import DataError, one_line
from nexus_engine.indexing.tables import damaged
from nexus_engine.scoring.vector_types import VectorType
from nexus_engine.system.ownership import not_permitted

__all__ = [
    "CARD_FILE",
    "FORMAT",
    "JOB_FILE",
    "MAX_COUNT",
    "TEXTS_FILE",
    "VECTORS_NAME",
    "BaseVectors",
    "IndexCard",
    "ModelIdentity",
    "building_folder",
    "is_index",
    "read_card",
    "write_card",
]

CARD_FILE = "index.json"
TEXTS_FILE = "texts.db"
FORMAT = 2
"""1: without fingerprints, base vectors and questions."""
JOB_FILE = "job.json"
"""The record of an unfinished build or addition."""
VECTORS_NAME = re.compile(r"(?:vectors|base)-(\d{4,12})")
MODEL_NAME = re.compile(r"model-[0-9a-f]{1,64}")
MAX_DIMS = 4096
"""Numbers of the widest encoder's vectors."""
MAX_COUNT = 2**40
"""Of passages, of words, and of the other things that an index counts."""


class ModelIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model of an index. Two are the same model if `fingerprint` is equal."""

    source: str
    """`base`, `base:NAME`, the path of a run, or that of a folder with a model."""
    fingerprint: str = ""
    """What its vectors depend on, as `runs/model_fingerprint.py` tells; "" in format 1."""
    base_sha256: str
    """SHA-256 of the base model's weights."""
    weights_sha256: str | None = None
    """SHA-256 of the trained weights' file; None for the base model."""
    max_tokens: int = 256
    """Tokens of a text that the model reads."""
    folder: str | None = None
    """The folder in the index with a copy of the trained weights; None for the base model."""


class BaseVectors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Vectors of the same passages by the base model, for a comparison, stored alike."""

    fingerprint: str
    """Of the base model, which reads as many tokens as that of the index."""
    vectors: str
    scale: float | None = None


class IndexCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state of an index. Passages from `passages` on belong to an unfinished `index add`."""

    format: int = FORMAT
    model: ModelIdentity
    dims: int
    """Numbers of a vector: the first of the encoder's, at length 1."""
    dtype: VectorType
    scale: float | None = None
    """What numbers are multiplied with before they are rounded to int8."""
    vectors: str
    """The file of vectors, a row a passage."""
    hybrid: bool = True
    """Whether words rank beside vectors, unless a search says otherwise."""
    base: BaseVectors | None = None
    """None without them, and where the model of the index is the base model."""
    passages: int
    generation: int = 0
    """Counts the changes of texts. Documents of a later one are not yet part of the index."""
    words: int = 0
    """Indexed words of all passages, for BM25's mean length."""
    texts_per_second: float = 0.0
    """Embedded while the vectors were made."""
    cosine_to_base: float | None = None
    """Mean cosine similarity between the base model's vector of a passage and this model's."""
    made_unix_s: float = 0.0
    """When the vectors' file was completed."""


def building_folder(out: Path) -> Path:
    """Where the index `out` is built."""
    return out.with_name(f".{out.name}.building")


def is_index(folder: Path) -> bool:
    """Whether an index lies in `folder`, sound or not."""
    return all(os.path.lexists(folder / name) for name in (CARD_FILE, TEXTS_FILE))


def read_card(folder: Path) -> IndexCard:
    """The card of the index in `folder`, as it was written; use `index_model.read_index`.

    Raises:
        DataError: there is no index, or its card is damaged or of a later version.
    """
    path = folder / CARD_FILE
    try:
        raw = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{one_line(folder)}: {_why_missing(folder)}") from None
    except PermissionError:
        raise DataError(f"{one_line(path)}: {not_permitted(path)}") from None
    except OSError as error:
        raise DataError(f"{one_line(path)}: not an index ({error.strerror})") from None
    except ValueError as error:
        raise damaged(path, error) from None
    if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
        raise DataError(f"{one_line(path)}: of a later version of NEXUS; update NEXUS")
    try:
        card = msgspec.convert(raw, IndexCard)
    except msgspec.ValidationError as error:
        raise damaged(path, error) from None
    if not _is_sound(card):
        raise damaged(path, "a value is out of range")
    return card


def _why_missing(folder: Path) -> str:
    """Why there is no index at `folder`, and what to do."""
    place = folder.absolute()
    building = building_folder(place) if place.name else place
    if not os.path.lexists(place) and building.is_dir():
        if is_held(building):
            return "is being built; wait until it ends"
        return "its build is unfinished; give the command that began it again"
    return "no index there; make one: nexus index build CORPUS --model RUN --out INDEX"


def _is_sound(card: IndexCard) -> bool:
    names = [card.vectors]
    scales = [card.scale]
    if card.base is not None:
        names.append(card.base.vectors)
        scales.append(card.base.scale)
    has_scale = all(scale is not None and math.isfinite(scale) and scale > 0 for scale in scales)
    cosine = card.cosine_to_base
    return (
        1 <= card.format <= FORMAT
        and 1 <= card.dims <= MAX_DIMS
        and all(0 <= n < MAX_COUNT for n in (card.passages, card.generation, card.words))
        and 0 <= card.texts_per_second < MAX_COUNT
        and (cosine is None or math.isnan(cosine) or abs(cosine) < 2)
        and 0 <= card.made_unix_s < MAX_COUNT
        and 2 < card.model.max_tokens <= 512
        and (card.dtype != "int8" or has_scale)
        and (card.model.folder is None) == (card.model.weights_sha256 is None)
        and (card.model.folder is None or MODEL_NAME.fullmatch(card.model.folder) is not None)
        and all(map(VECTORS_NAME.fullmatch, names))
        and len(set(names)) == len(names)
    )


def write_card(folder: Path, card: IndexCard) -> None:
    """Replace the card in `folder` in one step, in the present format."""
    replace_json(folder / CARD_FILE, msgspec.structs.replace(card, format=FORMAT))
