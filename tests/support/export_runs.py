"""Runs to export, made without a training: a base model, and units with random gains."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import torch

from nexus_engine.config import TrainConfig
from nexus_engine.disk.json_text import plain
from nexus_engine.model.base_sizes import resolve_for_base
from nexus_engine.model.regimes import build_model
from nexus_engine.runs.folder import RunFolder
from nexus_engine.runs.saved_model import save_model

CANARY = "kanarienvogel"
SITES = ("0.v", "2.up", "4.down")
UNITS = ("incoming", "threshold", "cascade", "gain")


def write_pairs(folder: Path, pairs: int = 12) -> Path:
    """Graded pairs; every sentence holds the canary."""
    folder.mkdir()
    words = ("pump", "valve", "seal", "motor", "filter", "belt", "gauge", "hose", "tank", "fan",
             "lamp", "rope")  # fmt: skip
    for split in ("train", "dev", "test"):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("sentence1", "sentence2", "score"))
            for i in range(pairs):
                other = words[(i * 5 + len(split)) % 12]
                first = f"The {CANARY} {words[i % 12]} of unit {i} {split}"
                writer.writerow((first, f"A {CANARY} {other} fails, {split} {i}", i % 6))
    return folder


def make_run(
    folder: Path, base, data: str | Path, *, tune="dendrites", nonlinearity="linear", sites=SITES,
    gain=0.05, sets=2, **settings,
) -> RunFolder:  # fmt: skip
    """A run folder with best weights: `sets` sets of 2 units on each of `sites`."""
    named = None if base.published else str(base.folder)
    settings = {"base": named, "nonlinearity": nonlinearity, "seed": 3, **settings}
    config = TrainConfig(data=str(data), tune=tune, **settings)
    run = RunFolder.create(folder, "x")
    facts = {"settings": plain(resolve_for_base(config)), "data_name": Path(data).name, "pid": 1}
    run.write_run(facts)
    model = build_model(base, tune)
    generator = torch.Generator().manual_seed(4)
    for site in sites:
        layer = model.sites()[site]
        for _ in range(sets):
            layer.grow(2, generator)
        layer.gain.data.normal_(0, gain, generator=generator)
        layer.threshold.data.normal_(0, 0.2, generator=generator)
        layer.cascade.data.normal_(0, 0.3, generator=generator)
    if model.adapter is not None:
        model.adapter.weight.data += 0.02 * torch.randn(
            model.adapter.weight.shape, generator=generator
        )
    prefixes = {"dendrites": (), "adapter": ("adapter.",), "full": ("adapter.", "encoder.")}[tune]
    snapshot = {
        name: parameter.detach()
        for name, parameter in model.named_parameters()
        if name.rpartition(".")[2] in UNITS or name.startswith(prefixes)
    }
    save_model(
        run.best,
        snapshot,
        {
            "tune": tune, "nonlinearity": nonlinearity, "base_sha256": base.sha256,
            "base_folder": named, "epoch": 2, "dev_spearman": 0.5, "params_added": 99,
            "data_name": Path(data).name, "data_fingerprint": "f" * 64,
            "tokenizer_sha256": base.tokenizer_sha256, "max_tokens": 96,
        },
    )  # fmt: skip
    return run


def finished_run(root: Path, name: str, base, data: str | Path, **options) -> RunFolder:
    """A run of `make_run` under `root`, a runs root, that the app lists as finished."""
    from app_support import RUN_JSON, whole_run

    from nexus_engine.event_lines import encode_event, event_fields

    root.mkdir(parents=True, exist_ok=True)
    run = make_run(root / name, base, data, batch_size=4, **options)
    facts, events = json.loads((run.path / "run.json").read_text()), whole_run(str(run.path), name)
    facts = {**RUN_JSON, **facts, "name": name}
    facts["settings"] = {**RUN_JSON["settings"], **facts["settings"]}
    (run.path / "run.json").write_text(json.dumps(facts))
    with run.events_file.open("a") as file:
        file.writelines(encode_event(event) + "\n" for event in events)
    (run.path / "result.json").write_text(json.dumps(event_fields(events[-1])))
    return run


def export_to(run: RunFolder, format_: str, out: Path, **options):
    """The last item of a whole export."""
    from nexus_engine.exports.exporting import export

    *stages, exported = export(run, format_, out, **options)
    assert [stage.fraction for stage in stages] == sorted(stage.fraction for stage in stages)
    return exported


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of each file by its name in `folder`."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def embeddings(run: RunFolder, texts: list[str]):
    """NEXUS's own embeddings of length 1."""
    from nexus_engine.exports.checking import embedded
    from nexus_engine.runs.saved_model import load_saved

    return embedded(load_saved(run.best, run.name), texts)
