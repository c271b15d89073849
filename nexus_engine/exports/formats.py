"""The formats of `nexus export`: the files of each, its use, and how it is read back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from nexus_engine.exports.delta import DELTA_FILE, delta_files
from nexus_engine.exports.gguf_file import check_plain, write_gguf
from nexus_engine.exports.onnx_graph import onnx_bytes, token_states_suffice
from nexus_engine.exports.onnx_int8 import int8_bytes
from nexus_engine.exports.options import Format
from nexus_engine.exports.plain_model import PlainModel
from nexus_engine.exports.st_folder import ONNX_FILE, folds, onnx_folder, st_folder
from nexus_engine.model.shape import Prompts
from nexus_engine.runs.saved_model import ModelCard

__all__ = ["TOLERANCE", "Written", "written"]

INT8_NAME = "model_quantized.onnx"
"""The name under which Transformers.js looks for int8 by itself."""
GGUF_FILE = "model.gguf"
TOLERANCE = 1e-5
"""Largest difference of a number of a normalised embedding that counts as equal; 4e-7 is usual."""

ST_USAGE = """```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("/absolute/path/of/this/folder")
vectors = model.encode(["a text", "another"])
```"""
ONNX_USAGE = """```python
import numpy as np, onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
session = onnxruntime.InferenceSession("{file}")
encoded = tokenizer.encode_batch(["a text", "another"])
ids = np.array([e.ids for e in encoded])
mask = np.array([e.attention_mask for e in encoded])
inputs = {{"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}}
[vectors] = session.run(["sentence_embedding"], inputs)
```"""
GGUF_USAGE = """```
llama-embedding -m model.gguf --pooling {pooling} --embd-normalize 2 -p "a text"
```"""
DELTA_USAGE = (
    "`delta.safetensors` holds what training changed. The page on exports in NEXUS's "
    "documentation has the reader of ten lines that puts it on the base model's weights."
)
ADAPTER_NOTE = (
    "The adapter is a Dense module after the pooling. sentence-transformers runs it. Ollama, "
    "fastembed and Chroma ignore Dense modules without a word: with them this model gives other "
    "vectors."
)
ADAPTER_ONNX_NOTE = (
    "The output `sentence_embedding` includes the adapter, whose units are nonlinear. Readers that "
    "take the mean of the first output, as fastembed, Chroma and Transformers.js do, miss it and "
    "give other vectors."
)


class Written(NamedTuple):
    """An export about to be written.

    `files` are contents by name. `write` makes further files in the folder, if any. `file` is the
    one that holds the weights. `readings` are the ways to read it back, best first.
    No number of an embedding may differ from
    NEXUS's by more than `tolerance`, and the mean cosine must reach `min_cosine`. `loses` says that
    the format rounds the weights. `notes` are for the user and the model card.
    """

    files: dict[str, bytes]
    file: str
    usage: str
    readings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    tolerance: float = TOLERANCE
    min_cosine: float = 0.9999
    loses: bool = False
    write: Callable[[Path], None] | None = None


def written(
    format_: Format,
    model: PlainModel,
    unfolded: PlainModel,
    base: PlainModel,
    card: ModelCard,
    scratch: Path,
) -> Written:
    """The files of `model` in a format. `unfolded` keeps linear units; `base` is the base model.

    `scratch` is a folder for temporary files.

    Raises:
        ModelError: the format cannot hold the model.
        ConfigError: a package that writes the format is not installed.
    """
    parts = _parts(format_, model, unfolded, base, card, scratch)
    return parts._replace(notes=(*parts.notes, *_prompt_notes(model.shape.prompts)))


def _prompt_notes(prompts: Prompts) -> Iterator[str]:
    """What a reader of the model has to put before a text."""
    if prompts != Prompts():
        yield (
            f"The model was trained with prompts: before a question stands {prompts.query!r}, "
            f"before a text that is searched {prompts.passage!r}; texts that are compared with "
            "each other take that of questions. sentence-transformers adds them with encode_query "
            "and encode_document; with other software put them before each text yourself."
        )


def _parts(
    format_: Format,
    model: PlainModel,
    unfolded: PlainModel,
    base: PlainModel,
    card: ModelCard,
    scratch: Path,
) -> Written:
    match format_:
        case "st":
            return _st(model)
        case "onnx":
            return _onnx(model, Path(ONNX_FILE).name, onnx_bytes(model))
        case "onnx-int8":
            rounded = _onnx(model, INT8_NAME, int8_bytes(onnx_bytes(model), scratch))
            return rounded._replace(tolerance=math.inf, min_cosine=0.9, loses=True)
        case "gguf":
            check_plain(model)
            return Written(
                {},
                GGUF_FILE,
                GGUF_USAGE.format(pooling=model.shape.encoder.pooling),
                ("llama", "gguf"),
                tolerance=math.inf,
                min_cosine=0.999,
                write=lambda folder: write_gguf(model, folder / GGUF_FILE),
            )
        case "delta":
            files = delta_files(unfolded, base, card)
            return Written(files, DELTA_FILE, DELTA_USAGE, ("delta",))


def _st(model: PlainModel) -> Written:
    notes = [] if model.adapter is None else [ADAPTER_NOTE]
    files = st_folder(model)
    if folds(model):
        return Written(files, "model.safetensors", ST_USAGE, ("st", "nexus"), tuple(notes))
    kinds = sorted({units.nonlinearity for units in model.units})
    notes.append(
        f"The units of this run are nonlinear ({', '.join(kinds)}), and a plain BERT cannot hold "
        "them: the folder holds ONNX instead of model.safetensors. sentence-transformers loads it "
        'with backend="onnx", which needs its extra `onnx`. Units trained with `--recipe best` are '
        "linear and fold into model.safetensors; `--fold approximate` folds these with a loss."
    )
    usage = ST_USAGE.replace('folder")', 'folder", backend="onnx")')
    readings = ("onnx",)
    return Written(files, ONNX_FILE, usage, readings, tuple(notes))


def _onnx(model: PlainModel, name: str, content: bytes) -> Written:
    file = f"onnx/{name}"
    notes = () if token_states_suffice(model) else (ADAPTER_ONNX_NOTE,)
    return Written(
        onnx_folder(model, name, content),
        file,
        ONNX_USAGE.format(file=file),
        ("onnx",),
        notes,
    )
