"""Label files for tests: verdicts on the texts of a small manual."""

from __future__ import annotations

from pathlib import Path

from nexus_engine.labels.label_file import LabelFile

__all__ = ["MANUAL", "judge_passages", "write_manual"]

MANUAL = {
    "pump": ["Turn the green key, then open valve two.", "Never run the pump while it is dry."],
    "filter": ["Change the filter every March.", "A blocked filter makes the fan loud."],
    "keys": ["The porter keeps all spare keys.", "Lost keys are reported on the same day."],
    "lamp": ["A red lamp means that the tank is low.", "The lamp is green while all is well."],
}
"""Passages by heading."""


def write_manual(folder: Path) -> Path:
    """A folder with a document of a section for each heading and passage."""
    folder.mkdir()
    for name, passages in MANUAL.items():
        sections = (f"## {name} {n}\n{text}\n" for n, text in enumerate(passages, start=1))
        (folder / f"{name}.md").write_text(f"# {name}\n" + "\n".join(sections))
    return folder


def judge_passages(path: Path, marks: list[tuple[str, str, bool]], rater: str = "ann") -> Path:
    """A label file, begun or gone on with: question, passage, whether it answers."""
    with LabelFile.open(path, rater) as labels:
        for question, passage, relevant in marks:
            labels.judge_passage(question, passage, "mark", relevant=relevant)
    return path
