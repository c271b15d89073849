"""One fine-tune of the same encoder by the `peft` library, on NEXUS's own batches and losses.

What differs from a NEXUS run is only what is trained: LoRA, IA3, biases alone, or all weights, in
transformers' BertModel. Data, order, loss, optimizer, clipping, schedule, evaluation and the choice
of the best epoch are the engine's. Used by parameters.py; alone, for one run:

    python tests/benchmarks/peft_run.py --base DIR --data FOLDER method=lora r=1 lr=1e-3 \
        targets=value+intermediate.dense layers=0+1
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ALL_LINEAR = (
    "query",
    "key",
    "value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
DEFAULTS: dict[str, Any] = {
    "method": "lora",
    "targets": ("value", "intermediate.dense"),
    "layers": (0, 1, 2, 3, 4, 5),
    "r": 1,
    "alpha": None,
    "lr": 1e-3,
    "epochs": 4,
    "batch_size": 64,
    "weight_decay": 0.01,
    "loss": "cosine-mse-pearson",
    "seed": 1,
}


def wrapped(model: Any, asked: dict[str, Any]) -> Any:
    """`model` with what `asked` trains of it, and only that, requiring gradients."""
    method = asked["method"]
    if method in ("full", "bias"):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(method == "full" or name.endswith("bias"))
        return model
    import peft

    layers = "|".join(str(layer) for layer in asked["layers"])
    names = "|".join(name.replace(".", r"\.") for name in asked["targets"])
    # Whole names: "output.dense" alone would also mean the attention's.
    pattern = rf"encoder\.layer\.({layers})\.(attention\.self\.)?({names})"
    if method == "ia3":
        inner = [n for n in asked["targets"] if n == "output.dense"]
        config: Any = peft.IA3Config(
            target_modules=pattern,
            feedforward_modules=rf"encoder\.layer\.({layers})\.output\.dense" if inner else [],
        )
    elif method == "lora":
        config = peft.LoraConfig(
            r=asked["r"],
            lora_alpha=asked["alpha"] or 2 * asked["r"],
            lora_dropout=0.0,
            target_modules=pattern,
        )
    else:
        raise SystemExit(f"method {method}: lora, ia3, bias or full")
    return peft.get_peft_model(model, config)


def train_one(base: str, data: str, asked: dict[str, Any]) -> dict[str, Any]:
    """One run; its result with figures named as in NEXUS's own."""
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]  # not needed here
    import torch
    from transformers import BertModel

    from nexus_engine.data import load_data, load_guard
    from nexus_engine.model.sentence_model import cosine
    from nexus_engine.model.tokens import Tokenizer
    from nexus_engine.scoring.corpus import build_corpus
    from nexus_engine.scoring.correlation import spearman
    from nexus_engine.scoring.evaluation import correlate, pair_cosines
    from nexus_engine.training.steps.batching import epoch_batches
    from nexus_engine.training.steps.losses import LOSSES

    begun = time.perf_counter()
    asked = {**DEFAULTS, **asked}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    corpus = build_corpus(load_data(data, seed=asked["seed"]), load_guard(), Tokenizer(Path(base)))
    torch.manual_seed(asked["seed"])
    bert = BertModel.from_pretrained(base, add_pooling_layer=False, dtype=torch.float32)
    model = wrapped(bert, asked).to(device)
    learning = [p for p in model.parameters() if p.requires_grad]
    loss_of = LOSSES[asked["loss"]]

    def embed(rows: Any) -> Any:
        batch = corpus.store.batch(rows).to(device)
        laid = torch.zeros(batch.sentences * batch.longest, dtype=torch.long, device=device)
        mask = torch.zeros_like(laid)
        laid[batch.slots], mask[batch.slots] = batch.ids, 1
        shape = (batch.sentences, batch.longest)
        ids, mask = laid.view(shape), mask.view(shape)
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)

    def cosines(pairs: Any) -> Any:
        model.eval()
        return pair_cosines(embed, corpus.store, pairs)

    def kept() -> list[Any]:
        return [p.detach().clone() for p in learning]

    base_guard = cosines(corpus.guard)
    dev = correlate(cosines(corpus.dev), corpus.dev.scores).spearman
    test = correlate(cosines(corpus.test), corpus.test.scores).spearman
    curve, best, best_epoch, weights = [dev], dev, 0, kept()
    found = {"base_dev_spearman": dev, "base_test_spearman": test}
    lengths = corpus.store.lengths[corpus.train.first] + corpus.store.lengths[corpus.train.second]
    optimizer = torch.optim.AdamW(
        learning, lr=asked["lr"], weight_decay=asked["weight_decay"], fused=True
    )
    step, seconds = 0, 0.0
    for epoch in range(1, asked["epochs"] + 1):
        batches = epoch_batches(lengths, asked["batch_size"], seed=asked["seed"], epoch=epoch)
        model.train()
        started = time.perf_counter()
        for picked in batches:
            share = step / (asked["epochs"] * len(batches))
            for group in optimizer.param_groups:
                group["lr"] = asked["lr"] * (1 - share)
            pairs, b = corpus.train, len(picked)
            scores = torch.from_numpy(pairs.scores[picked]).to(device)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                vectors = embed(np.concatenate([pairs.first[picked], pairs.second[picked]]))
            loss = loss_of(cosine(vectors[:b].float(), vectors[b:].float()), scores)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            step += 1
        seconds += time.perf_counter() - started
        dev = correlate(cosines(corpus.dev), corpus.dev.scores).spearman
        curve.append(dev)
        if dev > best:
            best, best_epoch, weights = dev, epoch, kept()
    with torch.no_grad():
        for parameter, value in zip(learning, weights, strict=True):
            parameter.copy_(value)
    guard = cosines(corpus.guard)
    return {
        **found,
        "best_dev_spearman": best,
        "best_epoch": best_epoch,
        "test_spearman": correlate(cosines(corpus.test), corpus.test.scores).spearman,
        "guard_spearman": spearman(guard, base_guard),
        "guard_scored_spearman": spearman(guard, corpus.guard.scores),
        "params_trained": sum(p.numel() for p in learning),
        "train_seconds": round(seconds, 2),
        "wall_seconds": round(time.perf_counter() - begun, 1),
        "dev_curve": [round(value, 5) for value in curve],
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
    }


def parsed(words: list[str]) -> dict[str, Any]:
    """NAME=VALUE words as settings; `+` separates the items of a list."""
    found: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in DEFAULTS:
            raise SystemExit(f"{name}: one of {', '.join(DEFAULTS)}")
        if name == "targets":
            found[name] = ALL_LINEAR if text == "all" else tuple(text.split("+"))
        elif name == "layers":
            found[name] = tuple(int(part) for part in text.split("+"))
        elif name in ("lr", "weight_decay"):
            found[name] = float(text)
        elif name in ("method", "loss"):
            found[name] = text
        else:
            found[name] = int(text)
    return found


def main() -> int:
    """One run from the command line, its result as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--base", required=True, help="folder: weights, config.json, tokenizer.json"
    )
    parser.add_argument("--data", default="demo")
    parser.add_argument("settings", nargs="*")
    asked = parser.parse_args()
    print(json.dumps(train_one(asked.base, asked.data, parsed(asked.settings))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
