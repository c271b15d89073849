"""The commands of `nexus` by name. Each is imported when it is called.

`nexus --help` shows only names and one line each. Importing every command to read their
options took a quarter of its time.
"""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

__all__ = ["COMMANDS", "LazyCommands"]

COMMANDS = {
    "train": ("train:train", "Train on pairs or questions, growing dendrites where they help."),
    "data": ("data:data", "Say what data holds, without training: rows, lengths, leaks."),
    "eval": ("evaluate:evaluate", "Judge a model on held-out pairs or questions."),
    "similarity": ("similarity:similarity", "Score pairs by cosine similarity, tuned and base."),
    "search": ("search:search", "Find the texts of a corpus nearest to a query."),
    "embed": ("embed:embed", "Write the vectors of texts to a file."),
    "index": ("index:app", "Build, refresh and show an index on disk for search."),
    "labels": ("labels:app", "List, show, merge and export labels, and compare raters."),
    "teach": ("teach:teach", "Judge pairs and search results by keys, and retrain on them."),
    "compare": ("compare:compare", "Compare models on the same data, with intervals."),
    "sweep": ("sweep:sweep", "Train a grid of settings, and show which is best."),
    "report": ("report:report", "Write runs and sweeps as an HTML page and Markdown."),
    "export": ("export:export", "Write a run's model for other software, and check it."),
    "runs": ("runs:app", "List, show and remove the runs on this machine."),
    "attach": ("attach:attach", "Open the live screen on a run of any process."),
    "stop": ("stop:stop", "Stop a live run with a checkpoint to resume from."),
    "config": ("config:app", "Show every setting and where it comes from."),
    "doctor": ("doctor:doctor", "Check this machine, or prove that NEXUS works offline."),
    "models": ("models:models", "List the base models by name, and which are here."),
    "fetch": ("fetch:app", "Download a model or STS-B (the only network use)."),
}
"""Name: (module and object in `nexus_tui.cli.commands`, line in the list)."""


class LazyCommands(TyperGroup):
    """A group that lists `COMMANDS` without importing them, and imports the one that is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name, (_, line) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=line))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Replace the listed line by the command itself."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and _load(str(listed.name)), rest


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name][0].partition(":")
    target = getattr(importlib.import_module(f"nexus_tui.cli.commands.{module}"), attribute)
    if isinstance(target, typer.Typer):
        group = target
    else:
        group = typer.Typer(add_completion=False)
        group.command(name)(target)
    command = get_command(group)
    command.name = name
    return command
