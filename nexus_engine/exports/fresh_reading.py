"""Run as a script in a process of its own: read an export with the consumer's own library.

It imports nothing of NEXUS, except for the reading `nexus`. Texts come on stdin as a JSON list.
stdout gets one line of JSON, then the embeddings as float32, row by row. A library that cannot be
imported ends it with exit code 9; any other trouble ends it with a line on stderr and code 1.

    python -P fresh_reading.py READING FOLDER BASE_FOLDER FILE
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NO_LIBRARY = 9
BATCH = 16
Result = tuple[dict[str, Any], Any]
"""Facts for the line of JSON, and embeddings (n, width), or None."""


def with_sentence_transformers(folder: Path, texts: list[str]) -> Result:
    """Embeddings by `SentenceTransformer(folder).encode`."""
    sentence_transformers = importlib.import_module("sentence_transformers")

    model = sentence_transformers.SentenceTransformer(str(folder.absolute()), device="cpu")
    vectors = model.encode(texts, batch_size=BATCH, show_progress_bar=False)
    library = f"sentence-transformers {sentence_transformers.__version__}"
    return {"library": library, "max_tokens": model.max_seq_length}, vectors


def with_onnxruntime(folder: Path, texts: list[str], file: str) -> Result:
    """Embeddings by the output `sentence_embedding`.

    `pooled_difference` is how far the first output, pooled as `1_Pooling` says and normalised, is
    from them. Where the folder has Dense modules, these compute the embeddings from what is pooled.
    """
    import numpy as np
    from tokenizers import Tokenizer

    onnxruntime = importlib.import_module("onnxruntime")

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(
        str(folder / file), options, providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    longest = 0
    order = np.argsort([len(text) for text in texts], kind="stable")
    dense = dense_modules(folder)
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    first = pooling["pooling_mode_cls_token"]
    vectors: Any = None
    difference = 0.0
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        encoded = tokenizer.encode_batch([texts[row] for row in rows])
        ids = np.array([one.ids for one in encoded], np.int64)
        longest = max(longest, ids.shape[1])
        mask = np.array([one.attention_mask for one in encoded], np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states, pooled = session.run(["last_hidden_state", "sentence_embedding"], feeds)
        weight = mask[:, :, None].astype(np.float32)
        mean = states[:, 0] if first else (states * weight).sum(1) / weight.sum(1)
        through = mean
        for module in dense:
            through = module(through)
        mean = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        difference = max(difference, float(np.abs(mean - pooled).max()))
        if dense:
            pooled = through / np.linalg.norm(through, axis=1, keepdims=True)
        if vectors is None:
            vectors = np.zeros((len(texts), pooled.shape[1]), np.float32)
        vectors[rows] = pooled
    facts = {
        "library": f"onnxruntime {onnxruntime.__version__}",
        "max_tokens": longest,
        "pooled_difference": difference,
        "first_output": session.get_outputs()[0].name,
    }
    if dense:
        facts["modules"] = len(dense)
    return facts, vectors


def dense_modules(folder: Path) -> list[Callable[[Any], Any]]:
    """The Dense modules that `modules.json` names, as functions of rows (n, in)."""
    import numpy as np
    from safetensors.numpy import load_file

    def gelu(rows: Any) -> Any:
        wide = rows.astype(np.float64)
        erf = np.array([math.erf(value) for value in (wide / math.sqrt(2)).ravel()])
        return (wide * (1 + erf.reshape(wide.shape)) / 2).astype(np.float32)

    functions: dict[str, Callable[[Any], Any]] = {
        "GELU": gelu,
        "ReLU": lambda rows: np.maximum(rows, 0),
        "Identity": lambda rows: rows,
    }

    def module(path: Path) -> Callable[[Any], Any]:
        layer = load_file(path / "model.safetensors")
        name = json.loads((path / "config.json").read_text())["activation_function"]
        function = functions[name.rpartition(".")[2]]
        return lambda rows: function(rows @ layer["linear.weight"].T + layer["linear.bias"])

    entries = json.loads((folder / "modules.json").read_text())
    return [module(folder / e["path"]) for e in entries if e["type"].endswith(".Dense")]


def with_numpy(folder: Path, base_folder: Path, file: str) -> Result:
    """SHA-256 of each weight that numpy and safetensors rebuild from a delta."""
    import numpy as np
    from safetensors.numpy import load_file

    delta = load_file(folder / file)
    weights = {
        name.removeprefix("bert."): array.astype(np.float32)
        for name, array in load_file(base_folder / "model.safetensors").items()
    }
    unit_parts = ("incoming", "threshold", "cascade", "gain")
    weights |= {n: a for n, a in delta.items() if n.rpartition(".")[2] not in unit_parts}
    layers = sorted({name.rpartition(".")[0] for name in delta if name.endswith(".gain")})
    linear = json.loads((folder / "delta.json").read_text())["nonlinearity"] == "linear"
    digests = {n: a for n, a in delta.items() if n.rpartition(".")[2] in unit_parts}
    if linear:
        digests = {}
        for layer in layers:
            u, beta, c, t = (delta[f"{layer}.{part}"].astype(np.float64) for part in unit_parts)
            if u.ndim == 3:
                by_neuron = np.swapaxes(np.eye(len(t)) - np.moveaxis(c, 2, 0), 1, 2)
                shares = np.linalg.solve(by_neuron, t.T[:, :, None])[:, :, 0]
                added, shift = (
                    np.einsum("ok,koi->oi", shares, u),
                    np.einsum("ok,ko->o", shares, beta),
                )
            else:
                shares = np.linalg.solve((np.eye(len(t)) - c).T, t).T
                added, shift = shares @ u, shares @ beta
            for leaf, change in (("weight", added), ("bias", shift)):
                name = f"{layer}.{leaf}"
                weights[name] = (weights[name].astype(np.float64) + change).astype(np.float32)
    arrays = {**weights, **digests}
    sums = {n: hashlib.sha256(a.tobytes()).hexdigest() for n, a in arrays.items()}
    return {"library": f"numpy {np.__version__} and safetensors", "sha256": sums}, None


def with_nexus(folder: Path, base_folder: Path, texts: list[str]) -> Result:
    """Embeddings by NEXUS's own second reading of the files."""
    import torch

    from nexus_engine.model.tokens import TokenStore
    from nexus_engine.runs.saved_model import load_model
    from nexus_engine.scoring.evaluation import embed_all

    loaded = load_model(str(folder.absolute()), base=str(base_folder))
    store = TokenStore(loaded.tokenizer)
    rows = store.add([texts])
    vectors = embed_all(lambda some: loaded.model.embed(store, some), store, rows)
    unit = torch.nn.functional.normalize(vectors).numpy()
    facts = {"library": "NEXUS's own reader", "max_tokens": loaded.tokenizer.max_tokens}
    return facts, unit


def with_llama(folder: Path, texts: list[str], file: str) -> Result:
    """Embeddings by llama-cpp-python."""
    import numpy as np

    llama_cpp = importlib.import_module("llama_cpp")

    # 0 takes the length from the file. With more, a long text is beyond its position embeddings,
    # which ends the process.
    model = llama_cpp.Llama(str(folder / file), embedding=True, verbose=False, n_ctx=0)
    vectors = np.array([model.embed(text, normalize=True) for text in texts], np.float32)
    return {"library": f"llama-cpp-python {llama_cpp.__version__}"}, vectors


def with_gguf(folder: Path, file: str) -> Result:
    """SHA-256 of each tensor as the package gguf reads it."""
    gguf = importlib.import_module("gguf")

    reader = gguf.GGUFReader(str(folder / file))
    sums = {
        tensor.name: hashlib.sha256(tensor.data.tobytes()).hexdigest() for tensor in reader.tensors
    }
    return {"library": "gguf, which reads the tensors and runs nothing", "sha256": sums}, None


def end_with_parent() -> None:
    """End this process when the one that started it dies."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.25)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(reading: str, folder: Path, base_folder: Path, file: str) -> int:
    """Read, and write the result; the exit code."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no result
    end_with_parent()
    texts: list[str] = json.loads(sys.stdin.buffer.read())
    # A torchvision of another build than torch's makes transformers fail; nothing here needs it.
    sys.modules["torchvision"] = None  # type: ignore[assignment]
    readings: dict[str, Callable[[], Result]] = {
        "st": lambda: with_sentence_transformers(folder, texts),
        "onnx": lambda: with_onnxruntime(folder, texts, file),
        "delta": lambda: with_numpy(folder, base_folder, file),
        "nexus": lambda: with_nexus(folder, base_folder, texts),
        "llama": lambda: with_llama(folder, texts, file),
        "gguf": lambda: with_gguf(folder, file),
    }
    try:
        facts, vectors = readings[reading]()
    except ImportError as error:
        sys.stderr.write(f"{type(error).__name__}: {error.name}\n")
        return NO_LIBRARY
    except Exception as error:
        # Without the message, which may quote a text.
        sys.stderr.write(f"{type(error).__name__}\n")
        return 1
    facts["shape"] = [] if vectors is None else list(vectors.shape)
    facts["imports_nexus"] = "nexus_engine" in sys.modules
    results.write(json.dumps(facts).encode() + b"\n")
    if vectors is not None:
        results.write(vectors.astype("<f4").tobytes())
    results.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
