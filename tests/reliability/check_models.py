"""Model folders from elsewhere: each wrong one is refused in one line, no code is run."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from nexus_engine.errors import ExitCode, ModelError
from nexus_engine.model.base_model import find_base_model
from nexus_engine.model.encoder_weights import load_encoder
from nexus_engine.model.tokens import Tokenizer
from reliability.outcome import Outcome

Change = Callable[[Path], object]


class Bomb:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def _edit(path: Path, **changes: object) -> None:
    facts = json.loads(path.read_text())
    facts.update(changes)
    path.write_text(json.dumps(facts))


def _weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    def changed(folder: Path) -> None:
        path = folder / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        path.unlink()
        save_file(tensors, path)

    return changed


def _rewritten(change: Callable[[bytes], bytes]) -> Change:
    def changed(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(change(content))

    return changed


def _lying(content: bytes) -> bytes:
    """The header says that a tensor lies where there is nothing."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    name = next(n for n in header if n != "__metadata__")
    header[name]["data_offsets"] = [len(content) * 2, len(content) * 2 + 64]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(folder / "mark")))


def _pickle_renamed(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb(folder / "mark")))


def _code(folder: Path) -> None:
    (folder / "modeling_evil.py").write_text(f"open({str(folder / 'mark')!r}, 'w')")
    (folder / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "modeling_evil.Evil"}])
    )


NORM = "embeddings.LayerNorm.bias"
FOLDERS: dict[str, Change] = {
    "a missing weight": _weights(lambda w: w.pop("encoder.layer.3.output.dense.bias")),
    "an extra weight": _weights(
        lambda w: w.update({"encoder.layer.6.output.dense.bias": torch.zeros(2)})
    ),
    "a wrong shape": _weights(lambda w: w.update({NORM: torch.zeros(3)})),
    "a wrong type": _weights(lambda w: w.update({NORM: torch.zeros(384, dtype=torch.bool)})),
    "a NaN weight": _weights(lambda w: w[NORM].fill_(float("nan"))),
    "an infinite weight": _weights(lambda w: w[NORM].fill_(float("inf"))),
    "truncated": _rewritten(lambda c: c[: len(c) // 2]),
    "empty": _rewritten(lambda c: b""),
    "a header that lies": _rewritten(_lying),
    "a header of 2^63 bytes": _rewritten(lambda c: b"\xff" * 7 + b"\x7f" + c[8:]),
    "a header nested deep": _rewritten(
        lambda c: (20_000).to_bytes(8, "little") + b'{"a":' * 4_000 + c[8:]
    ),
    "a pickle": _pickle,
    "a pickle by another name": _pickle_renamed,
    "code": _code,
    "code by auto_map": lambda f: _edit(f / "config.json", auto_map={"AutoModel": "evil.Evil"}),
    "another architecture": lambda f: _edit(f / "config.json", model_type="llama"),
    "a config that is a list": lambda f: (f / "config.json").write_text("[]"),
    "a config nested 10,000 deep": lambda f: (f / "config.json").write_text("[" * 10_000),
    "modules that are numbers": lambda f: (f / "modules.json").write_text("[1, 2]"),
    "modules that are a number": lambda f: (f / "modules.json").write_text("3"),
    "no tokenizer": lambda f: (f / "tokenizer.json").unlink(),
    "a tokenizer cut off": lambda f: (f / "tokenizer.json").write_bytes(
        (f / "tokenizer.json").read_bytes()[:5000]
    ),
    "a tokenizer of a larger vocabulary": lambda f: (f / "tokenizer.json").write_text(
        (f / "tokenizer.json").read_text().replace(": 30521", ": 99999").replace(":30521", ":99999")
    ),
    "weights that are a folder": lambda f: (
        (f / "model.safetensors").unlink(),
        (f / "model.safetensors").mkdir(),
    ),
}


def copy_base(folder: Path) -> Path:
    """The base model's folder, its weights by a link to the true ones."""
    true = find_base_model().folder
    folder.mkdir()
    for name in ("config.json", "modules.json", "tokenizer.json"):
        if (true / name).is_file():
            shutil.copy(true / name, folder / name)
    (folder / "model.safetensors").symlink_to((true / "model.safetensors").resolve())
    return folder


def _load(folder: Path) -> None:
    base = find_base_model(folder)
    load_encoder(base)
    Tokenizer(base.folder)(["a sentence"])


def refused(place: Path, every: int = 1) -> Outcome:
    """The folders of the table, all or one in `every`."""
    failures = []
    _load(copy_base(place / "good"))  # the check would see a good one refused
    tried = list(FOLDERS.items())[::every]
    for name, change in tried:
        folder = copy_base(place / "bad")
        change(folder)
        try:
            _load(folder)
            failures.append(f"{name}: loaded")
        except ModelError as error:
            if not str(error).isprintable() or error.exit_code != ExitCode.DATA:
                failures.append(f"{name}: {error!r}")
        except BaseException as error:
            failures.append(f"{name}: {type(error).__name__}: {error}"[:200])
        if (folder / "mark").exists():
            failures.append(f"{name}: its code was run")
        shutil.rmtree(folder)
    return Outcome("foreign model folders are refused", len(tried), failures)


def mutated(place: Path, times: int) -> Outcome:
    """Small files of a model folder with random bytes changed: loaded, or refused in one line."""
    failures = []
    names = ("config.json", "modules.json", "tokenizer.json")
    folder = copy_base(place / "mutated")
    for number in range(times):
        chance = random.Random(number)
        path = folder / names[number % len(names)]
        if not path.exists():
            continue
        content = path.read_bytes()
        bad = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(min(len(bad), 4000))
            match chance.randrange(3):
                case 0:
                    bad[at] ^= chance.randrange(1, 256)
                case 1:
                    del bad[at : at + chance.randrange(1, 30)]
                case 2:
                    bad[at:at] = chance.randbytes(4)
        path.write_bytes(bytes(bad))
        try:
            found = find_base_model(folder)
            if path.name == "tokenizer.json":
                Tokenizer(found.folder)(["a sentence, and another"])
        except ModelError as error:
            if not str(error).isprintable():
                failures.append(f"{number}: {error!r}")
        except BaseException as error:
            failures.append(f"{number} {path.name}: {type(error).__name__}: {error}"[:200])
        path.write_bytes(content)
    return Outcome("mutated model files are met", times, failures)
