"""What `nexus embed` costs beside the encoder: speed of a few thousand texts, memory of a million.

`python tests/benchmarks/embedding_files.py [MODEL] [TEXTS] [MANY]`. TEXTS (default 2,000) are
embedded by the encoder alone and through a file, in turns. MANY (default 1,000,000) go through a
file with the encoder replaced by a table, so that only reading, tokenising, writing and memory are
measured.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch

from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import load_model
from nexus_engine.scoring.embedding_files import embed_file
from nexus_engine.scoring.embedding_texts import EmbeddingTexts
from nexus_engine.scoring.evaluation import embed_all

WORDS = ("fever", "wound", "heart", "dose", "child", "pain", "liver", "mild", "kidney", "lung")


def write_texts(path: Path, count: int) -> None:
    generator = random.Random(1)
    with path.open("w") as file:
        for number in range(count):
            words = generator.choices(WORDS, k=generator.randint(3, 25))
            file.write(" ".join(words) + f" {number}\n")


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "base"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    many = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    loaded = load_model(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.txt")
        write_texts(path, count)
        texts = path.read_text().splitlines()
        for number in range(2):
            begun, processor = time.perf_counter(), time.process_time()
            store = TokenStore(loaded.tokenizer)
            rows = store.add([texts])
            embed_all(lambda batch, store=store: loaded.model.embed(store, batch), store, rows)
            alone = time.perf_counter() - begun, time.process_time() - processor
            begun, processor = time.perf_counter(), time.process_time()
            embed_file(loaded, EmbeddingTexts(str(path)), Path(folder, f"{number}.npy"))
            file = time.perf_counter() - begun, time.process_time() - processor
            print(
                f"load {os.getloadavg()[0]:4.1f}  {count:,} texts: encoder alone {alone[0]:.1f} s "
                f"({alone[1]:.1f} s of processor), to a file {file[0]:.1f} s ({file[1]:.1f} s)"
            )
        write_texts(path, many)
        table = torch.randn(65_536, 384)
        loaded.model.embed = lambda store, rows: table[: len(rows)]  # type: ignore[method-assign]
        for dtype, out in (("f32", "many.npy"), ("int8", "many.parquet")):
            before, begun = peak_megabytes(), time.perf_counter()
            embed_file(loaded, EmbeddingTexts(str(path)), Path(folder, out), dtype=dtype)
            seconds = time.perf_counter() - begun
            size = Path(folder, out).stat().st_size / 1e6
            print(
                f"load {os.getloadavg()[0]:4.1f}  {many:,} texts without the encoder to {out}: "
                f"{seconds:.0f} s, {size:,.0f} MB, peak memory {peak_megabytes():.0f} MB "
                f"({before:.0f} MB before)"
            )


if __name__ == "__main__":
    main()
