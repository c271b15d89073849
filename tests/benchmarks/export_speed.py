"""Size, speed and agreement of exported ONNX files against NEXUS and SentenceTransformer.encode.

    python tests/benchmarks/export_speed.py [--model base] [--data FOLDER] [--texts 1000]
        [--rounds 5] [--threads 2]

All get the same distinct texts, tokenising included, and every round runs each of them once, one
after another. Printed are the fastest round, the median, the smallest processor time of a round,
and the same of single questions, each new. Processor time with --threads 1 holds on a busy machine
too. Without --data the texts are those of the demo set. Models with nonlinear units or an
adapter have no SentenceTransformer row.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reference import read_pairs
from tokenizers import Tokenizer as FastTokenizer

from nexus_engine.exports.onnx_graph import onnx_bytes
from nexus_engine.exports.onnx_int8 import agreement, int8_bytes
from nexus_engine.exports.onnx_session import OnnxEncoder
from nexus_engine.exports.plain_model import PlainModel, plain_model
from nexus_engine.exports.small_files import tokenizer_files
from nexus_engine.exports.st_folder import st_folder
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import LoadedModel, load_model
from nexus_engine.scoring.querying import Embedder

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"
BATCH = 32
Encode = Callable[[Sequence[str]], Any]


def nexus(name: str, dtype: torch.dtype) -> Encode:
    """NEXUS by the path of `search` and the playground, which remembers no text of another call."""
    loaded = load_model(name)
    loaded.model.dtype = dtype

    def encode(texts: Sequence[str]) -> Any:
        return Embedder(loaded.model, loaded.tokenizer, threading.Lock()).embed(list(texts))

    return encode


def onnx(content: bytes, model: PlainModel, threads: int) -> Encode:
    """onnxruntime with the exported tokenizer, in batches of texts of similar length."""
    session = OnnxEncoder(content, threads)
    files = tokenizer_files(model.base_folder, model.max_tokens)
    tokenizer = FastTokenizer.from_buffer(files["tokenizer.json"])
    tokenizer.no_padding()

    def encode(texts: Sequence[str]) -> Any:
        ids = [encoded.ids for encoded in tokenizer.encode_batch_fast(list(texts))]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        vectors = np.empty((len(ids), 384), np.float32)
        for at in range(0, len(order), BATCH):
            rows = order[at : at + BATCH]
            flat = np.concatenate([np.asarray(ids[row]) for row in rows])
            vectors[rows] = session.embed(flat, np.asarray([len(ids[row]) for row in rows]))
        return vectors

    return encode


def sentence_transformer(model: PlainModel, folder: Path) -> Encode:
    """SentenceTransformer.encode on the exported folder."""
    sys.modules["torchvision"] = None  # type: ignore[assignment]  # one built for another torch
    from sentence_transformers import SentenceTransformer

    for name, content in st_folder(model).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    reader = SentenceTransformer(str(folder), device="cpu")
    return lambda texts: reader.encode(list(texts), batch_size=BATCH)


def report_agreement(loaded: LoadedModel, texts: list[str], exact: bytes, rounded: bytes) -> None:
    """Print the sizes, and the cosines of int8 to float32."""
    store = TokenStore(loaded.tokenizer)
    rows = store.add([texts])
    batches = [store.tokens(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]
    measured = agreement(exact, rounded, batches)
    print(f"float32 {len(exact) / 1e6:.1f} MB, int8 {len(rounded) / 1e6:.1f} MB")
    print(
        f"int8 to float32: cosine {measured.mean:.4f} on average, {measured.lowest:.4f} at worst, "
        f"{measured.texts} texts"
    )


def seconds(encode: Encode, texts: Sequence[str]) -> tuple[float, float]:
    """How long one call takes, by the clock and of the processor."""
    begun, used = time.perf_counter(), time.process_time()
    encode(texts)
    return time.perf_counter() - begun, time.process_time() - used


def line(name: str, rounds: list[tuple[float, float]], single: list[tuple[float, float]]) -> str:
    """One side's row of the table."""
    clock, processor = zip(*rounds, strict=True)
    question, question_processor = zip(*single, strict=True)
    return (
        f"{name:20} {min(clock):7.2f} {statistics.median(clock):7.2f} {min(processor):7.2f}   "
        f"{1e3 * min(question):7.2f} {1e3 * statistics.median(question):7.2f} "
        f"{1e3 * statistics.median(question_processor):7.2f}"
    )


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="base")
    parser.add_argument("--data", default=DEMO, type=Path)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    pairs = read_pairs(options.data, "test") + read_pairs(options.data, "train")
    texts = list(dict.fromkeys(text for first, second, _ in pairs for text in (first, second)))
    texts, questions = texts[: options.texts], texts[options.texts :][:60]
    loaded = load_model(options.model)
    model = plain_model(loaded)
    exact = onnx_bytes(model)
    rounded = int8_bytes(exact)
    report_agreement(loaded, texts, exact, rounded)
    with tempfile.TemporaryDirectory() as scratch:
        sides = {
            "nexus float32": nexus(options.model, torch.float32),
            "nexus bfloat16": nexus(options.model, torch.bfloat16),
            "onnxruntime float32": onnx(exact, model, options.threads),
            "onnxruntime int8": onnx(rounded, model, options.threads),
        }
        if not model.units and model.adapter is None:
            sides["SentenceTransformer"] = sentence_transformer(model, Path(scratch))
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for encode in sides.values():
            encode(texts[:BATCH])
        for _ in range(options.rounds):
            for name, encode in sides.items():
                runs[name].append(seconds(encode, texts))
        print(f"{len(texts)} texts, {options.rounds} rounds; one question, {len(questions)} new")
        print(" " * 20 + "  fastest  median  processor s   fastest  median  processor ms")
        for name, encode in sides.items():
            print(line(name, runs[name], [seconds(encode, [text]) for text in questions]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
