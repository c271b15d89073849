"""The programs of docs/consumers.md, run in interpreters that have their packages."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "consumers.md").read_text()
GUARD = """
import sys
looked_up = []
def _watch(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        looked_up.append(args[0])
        raise OSError("name look-up in a program that must stay on the box")
sys.addaudithook(_watch)
sys.modules["torchvision"] = None  # one built for another torch breaks transformers
"""
TELL = """
import json, numpy
assert not looked_up, looked_up
with open("result.json", "w") as file:
    json.dump({"texts": texts, "vectors": numpy.asarray(vectors, float).tolist()}, file)
"""
ALONE = """
import importlib.util
assert importlib.util.find_spec("nexus_engine") is None, "this interpreter has NEXUS"
"""


class Consumer(NamedTuple):
    """What a program needs, the format that it reads, and how it takes many texts.

    `models` are those that a test tries it with, the first in every run. `at_once` is the number of
    texts of a call, 0 where the library cuts them into batches itself.
    """

    modules: tuple[str, ...]
    reads: str
    models: tuple[str, ...]
    tolerance: float = 2e-6
    at_once: int = 0


ONNX_MODELS = ("gelu", "linear", "adapter")
CONSUMERS = {
    "sentence-transformers": Consumer(("sentence_transformers",), "st", ("linear", "adapter")),
    "sentence-transformers with ONNX": Consumer(
        ("sentence_transformers", "optimum.onnxruntime"), "onnx", ONNX_MODELS
    ),
    "transformers": Consumer(("transformers", "torch"), "st", ("linear",), at_once=32),
    "onnxruntime alone": Consumer(
        ("onnxruntime", "tokenizers"), "onnx", (*ONNX_MODELS, "adapter with gelu units"), at_once=32
    ),
    "fastembed": Consumer(("fastembed",), "onnx", ONNX_MODELS),
    "Chroma": Consumer(("chromadb",), "onnx", ONNX_MODELS),
    "Chroma, in place of its default model": Consumer(("chromadb",), "onnx", ("gelu",)),
    "LangChain": Consumer(("langchain_huggingface", "sentence_transformers"), "st", ("linear",)),
    "LlamaIndex": Consumer(("llama_index.embeddings.huggingface",), "st", ("linear",)),
    "txtai": Consumer(("txtai", "sentence_transformers"), "st", ("linear", "adapter")),
    "llama.cpp": Consumer(("llama_cpp",), "gguf", ("linear",), 5e-4),
}


def program(title: str, language: str, page: str = PAGE) -> str:
    """The first program in `language` of the section `title`."""
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    assert section, f"no section {title}"
    code = re.search(rf"^```{language}\n(.*?)^```", section[1], re.M | re.S)
    assert code, f"no program in {title}"
    return code[1]


def for_many_texts(code: str, at_once: int = 0) -> str:
    """The program `code`, which embeds its own `texts`, for the texts of a JSON list on stdin.

    What does not depend on the texts runs once, the rest for `at_once` texts at a time, or for all
    together. It writes `vectors.npy` and ends with an error if NEXUS can be imported.
    """
    once, each = [], []
    dependent = {"texts"}
    for statement in ast.parse(code).body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        if stored == {"texts"}:
            continue
        if dependent & {node.id for node in names if isinstance(node.ctx, ast.Load)}:
            dependent |= stored
            each.append(statement)
        else:
            once.append(statement)
    loop = "\n".join(f"    {line}" for part in each for line in ast.unparse(part).splitlines())
    return (
        f"{GUARD}{ALONE}"
        "import json as _json\nimport numpy as _numpy\n"
        "_all, _vectors = _json.load(sys.stdin), []\n"
        f"{ast.unparse(ast.Module(once, []))}\n"
        f"for _start in range(0, len(_all), {at_once} or len(_all)):\n"
        f"    texts = _all[_start:_start + ({at_once} or len(_all))]\n"
        f"{loop}\n"
        "    _vectors.append(_numpy.asarray(vectors, '<f4'))\n"
        "assert not looked_up, looked_up\n"
        "_numpy.save('vectors.npy', _numpy.concatenate(_vectors))\n"
    )


def others() -> list[str]:
    """The interpreters that the variable NEXUS_CONSUMERS names, separated by `:`."""
    return [path for path in os.environ.get("NEXUS_CONSUMERS", "").split(":") if path]


def interpreter(
    modules: Sequence[str], pythons: Sequence[str] | None = None
) -> tuple[str | None, str]:
    """The first of `pythons` with all of `modules`, or which are missing.

    Without `pythons`: this interpreter and the `others()`.
    """
    missing = ""
    for python in [sys.executable, *others()] if pythons is None else pythons:
        lacking = _missing(python, tuple(modules))
        if not lacking:
            return python, ""
        missing = missing or lacking
    return None, missing or "an interpreter"


@functools.cache
def _missing(python: str, modules: tuple[str, ...]) -> str:
    code = (
        "import importlib.util as u, sys\n"
        "def has(m):\n"
        "    try: return u.find_spec(m) is not None\n"
        "    except ModuleNotFoundError: return False\n"
        "print(' '.join(m for m in sys.argv[1:] if not has(m)))"
    )
    done = subprocess.run(
        [python, "-c", code, *modules], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def environment(at: Path) -> dict[str, str]:
    """Of a program that works in `at`: a home of its own, and nothing that finds NEXUS."""
    (at / "home").mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(at / "home"), "OMP_WAIT_POLICY": "passive"}


def run(command: Sequence[str], at: Path) -> tuple[list[str], np.ndarray]:
    """The texts and vectors that a program with `TELL` at its end writes."""
    (at / "result.json").unlink(missing_ok=True)
    env = {**environment(at), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=at, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((at / "result.json").read_text())
    return result["texts"], np.asarray(result["vectors"])


def embed(
    command: Sequence[str], at: Path, texts: Sequence[str], timeout_s: float | None = None
) -> np.ndarray | str:
    """The vectors (n, d) by a program made by `for_many_texts`, or the last line of its failure."""
    for name in ("vectors.npy", "vectors.f32"):
        (at / name).unlink(missing_ok=True)
    done = subprocess.run(
        command,
        cwd=at,
        env=environment(at),
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {done.returncode}"
    if (at / "vectors.npy").exists():
        return np.load(at / "vectors.npy")
    return np.fromfile(at / "vectors.f32", "<f4").reshape(len(texts), -1)


def many_in_javascript(code: str, at_once: int = 32) -> str:
    """The JavaScript program `code` for the texts of a JSON list on stdin; see `for_many_texts`."""
    call = re.search(r"^const vectors = (.*);$", code, re.M)
    assert call, "no vectors in the program"
    assert re.search(r"^const texts = .*$", code, re.M)
    once = re.sub(r"^const (texts|vectors) = .*$\n", "", code, flags=re.M)
    return (
        'import { readFileSync, writeFileSync } from "node:fs";\n'
        f"{once}"
        'const all = JSON.parse(readFileSync(0, "utf8")), told = [];\n'
        f"for (let start = 0; start < all.length; start += {at_once}) {{\n"
        f"  const texts = all.slice(start, start + {at_once});\n"
        f"  told.push(...{call[1]});\n"
        "}\n"
        "const flat = Float32Array.from(told.flat());\n"
        'writeFileSync("vectors.f32", new Uint8Array(flat.buffer));\n'
    )
