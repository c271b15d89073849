"""What works on a small box, how long it takes and what memory it needs.

    python tests/benchmarks/boxes.py [--boxes NAME ...] [--tasks NAME ...] [--out FILE]

The real program in boxes made of this one: fewer cores, less memory (a control group, without the
right to make one RLIMIT_AS), oneDNN and torch kept from newer instructions. A task that does not
fit is shown with its exit code and its last line. Memory is the peak of the largest process, in
MiB; it counts files that are mapped, as the program's libraries, which a control group does not
charge where the system holds them already. `question` is one question by the int8 export, with
onnxruntime and tokenizers alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from box_limits import MIB, Box
from timed_sides import environment_at, processor

BOXES = (
    Box("all"),
    Box("one core", cores=1),
    Box("2 GiB", memory=2048),
    Box("1 GiB", memory=1024),
    Box("768 MiB", memory=768),
    Box("350 MiB", memory=350),
    Box("AVX2", level="avx2"),
    Box("no AVX2", level="sse41"),
)
ONE_QUESTION = """
import sys
import numpy as np, onnxruntime
from tokenizers import Tokenizer
folder = sys.argv[1]
tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
session = onnxruntime.InferenceSession(folder + "/onnx/model_quantized.onnx")
encoded = tokenizer.encode("How long does a broken wrist take to heal?")
feeds = {
    "input_ids": np.array([encoded.ids], dtype=np.int64),
    "attention_mask": np.array([encoded.attention_mask], dtype=np.int64),
    "token_type_ids": np.array([encoded.type_ids], dtype=np.int64),
}
names = {each.name for each in session.get_inputs()}
found = session.run(["sentence_embedding"], {k: v for k, v in feeds.items() if k in names})[0]
assert abs(float(np.linalg.norm(found)) - 1) < 1e-3
"""
APP = """
import sys
sys.path[:0] = sys.argv[1:2]
import tempfile
from pathlib import Path
from app_speed import OnTerminal
program = OnTerminal(["-m", "nexus_tui"], Path(tempfile.mkdtemp()))
program.until(b"Quit", 120)
program.press(b"q")
program.process.wait(60)
"""


def nexus(*words: object) -> list[str]:
    return [sys.executable, "-m", "nexus_tui", *map(str, words)]


def tasks_in(home: Path) -> dict[str, Callable[[Path], list[str]]]:
    """The command of each task; it may write below the folder that it is given."""
    question = "How long does a broken wrist take to heal?"
    return {
        "forecast": lambda _: nexus("train", "--forecast"),
        "one epoch": lambda place: nexus("train", "--epochs", "1", "--out", place / "run"),
        "train": lambda place: nexus("train", "--out", place / "run"),
        "similarity": lambda _: nexus("similarity", home / "run", "A pump runs.", "It runs."),
        "search": lambda _: nexus("search", "--index", home / "index", question),
        "export st": lambda place: nexus("export", home / "run", "--out", place / "st"),
        "export int8": lambda place: nexus(
            "export", home / "run", "--format", "onnx-int8", "--max-loss", "1", "--out", place / "8"
        ),
        "question": lambda _: [sys.executable, "-c", ONE_QUESTION, str(home / "int8")],
        "app": lambda _: [sys.executable, "-c", APP, str(Path(__file__).parent)],
    }


def number_format(box: Box) -> dict[str, str]:
    """What an older processor would choose; `auto` asks the real one, which may have bf16."""
    return {} if box.level == "native" else {"NEXUS_PRECISION": "fp32"}


def measured(command: list[str], box: Box) -> dict[str, Any]:
    """Seconds, peak MiB of the largest process, code and last line of a command in a box."""
    with box.limits() as (enter, way), tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            env={**environment_at(box.level), **number_format(box)}, preexec_fn=enter,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    return {
        "seconds": seconds,
        "peak_mib": usage.ru_maxrss * 1024 / MIB,
        "code": process.returncode,
        "last_line": lines[-1] if lines and process.returncode else "",
        "limited_by": way,
    }


def prepare(home: Path) -> None:
    """A run of the demo set, an index of demo-search by the base model, and an int8 export."""
    steps = (
        nexus("train", "--epochs", "1", "--out", home / "run"),
        nexus("index", "build", "demo-search", "--model", "base", "--out", home / "index"),
        nexus("export", home / "run", "--format", "onnx-int8", "--max-loss", "1", "--out",
              home / "int8"),
    )  # fmt: skip
    for command in steps:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--boxes", nargs="+", choices=[box.name for box in BOXES])
    parser.add_argument("--tasks", nargs="+", choices=list(tasks_in(Path())))
    parser.add_argument("--out", type=Path, help="adds a line of JSON for each figure")
    asked = parser.parse_args()
    print(processor(), flush=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        os.environ.update(XDG_DATA_HOME=scratch, XDG_CONFIG_HOME=scratch, NO_COLOR="1")
        prepare(home)
        for box in BOXES:
            if asked.boxes and box.name not in asked.boxes:
                continue
            for name, command in tasks_in(home).items():
                if asked.tasks and name not in asked.tasks:
                    continue
                with tempfile.TemporaryDirectory(dir=scratch) as place:
                    found = measured(command(Path(place)), box)
                print(
                    f"{box.name:9} {name:12} {found['seconds']:7.1f} s {found['peak_mib']:6.0f} MiB"
                    + (f"  code {found['code']}: {found['last_line']}" if found["code"] else ""),
                    flush=True,
                )
                if asked.out:
                    fact = {"processor": processor(), "box": box.name, "task": name, **found}
                    with asked.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(fact) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
