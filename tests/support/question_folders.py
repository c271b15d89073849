"""Folders of questions with passages, in the layout of BEIR, made of the demo pairs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"
ALIKE, UNLIKE = 4.0, 1.0
"""Scores: a pair at least this alike is a question with its answer; the second sentence of one at
most this alike answers nothing."""


def _pairs(split: str) -> list[tuple[str, str, float]]:
    with (DEMO / f"{split}.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(first, second, float(score)) for first, second, score, *_ in rows]


def _alike(pairs: list[tuple[str, str, float]]) -> list[tuple[str, str]]:
    """Questions with their answers; every sentence of them stands in one pair alone."""
    seen: set[str] = set()
    alike = []
    for first, second, score in pairs:
        if score >= ALIKE and seen.isdisjoint((first, second)):
            alike.append((first, second))
            seen |= {first, second}
    return alike


def write_questions(
    folder: Path, sizes: tuple[int, int, int] = (24, 12, 8), others: int = 20
) -> Path:
    """Train, dev and test questions, as many as in `sizes`, and `others` passages beside theirs."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    pairs = _pairs("train")
    alike = _alike(pairs)[: sum(sizes)]
    answers = {answer for _, answer in alike}
    unlike = [second for _, second, score in pairs if score <= UNLIKE and second not in answers]
    texts = list(dict.fromkeys(unlike))[:others]
    questions: list[str] = []
    for split, size in zip(("train", "dev", "test"), sizes, strict=True):
        lines = ["query-id\tcorpus-id\tscore"]
        for first, second in alike[len(questions) : len(questions) + size]:
            lines.append(f"q{len(questions)}\tp{len(texts)}\t1")
            questions.append(first)
            texts.append(second)
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    for name, kind, values in (("queries", "q", questions), ("corpus", "p", texts)):
        rows = [json.dumps({"_id": f"{kind}{i}", "text": text}) for i, text in enumerate(values)]
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    return folder
