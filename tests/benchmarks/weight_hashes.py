"""SHA-256 of the best weights of six ways to train: does a change of the code change a result?

    python tests/benchmarks/weight_hashes.py [--data SPEC] > before.txt

Runs `nexus train` on the demo set with one thread, each case in a process of its own, and prints a
line a case: the hash of the best weights' tensors, by name, and the dev Spearman. On one machine
with one torch, two commits that compute the same print the same lines.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES: dict[str, list[str]] = {
    "default": [],
    "best": ["--recipe", "best"],
    "fast": ["--recipe", "fast"],
    "full": ["--tune", "full"],
    "adapter": ["--tune", "adapter"],
    "correlation": ["--rule", "correlation"],
}


def weights_hash(folder: Path) -> str:
    """SHA-256 over names, shapes, types and bytes of the tensors in a saved model."""
    from safetensors.numpy import load_file

    card = json.loads((folder / "model.json").read_text())
    tensors = load_file(folder / card["weights_file"])
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.shape} {tensor.dtype}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def trained(words: list[str], data: str, place: Path) -> Path:
    """The folder of a run of `nexus train` with `words`."""
    run = place / "run"
    command = ["-m", "nexus_tui", "train", "--data", data, "--threads", "1", "--out", str(run)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(place / "data"),
        "XDG_CONFIG_HOME": str(place / "config"),
    }
    subprocess.run(
        [sys.executable, *command, *words], env=environment, check=True, capture_output=True
    )
    return run


def main() -> None:
    """Train each case and print its line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="demo")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    options = parser.parse_args()
    for case in options.cases:
        with tempfile.TemporaryDirectory() as place:
            run = trained(CASES[case], options.data, Path(place))
            dev = json.loads((run / "best" / "model.json").read_text())["dev_spearman"]
            print(f"{case:<12} {weights_hash(run / 'best')} {dev:.6f}", flush=True)


if __name__ == "__main__":
    main()
