"""The commands of `nexus` by name, each imported when it is called.

`nexus --help` shows their names and first lines alone; importing thirteen commands and reading the
types of their options took a quarter of its time.
"""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

__all__ = ["COMMANDS", "LazyCommands"]

COMMANDS = {
    "train": ("train:train", "Train on scored pairs, growing dendrites where they help."),
    "eval": ("evaluate:evaluate", "Spearman and Pearson of a model on pairs with scores."),
    "similarity": ("similarity:similarity", "Cosine similarity of pairs, tuned and base."),
    "search": ("search:search", "The sentences of a file that are nearest to a query."),
    "compare": ("compare:compare", "Models side by side, and whether they differ."),
    "sweep": ("sweep:sweep", "Train a grid of settings, and show which is best."),
    "report": ("report:report", "Runs and sweeps as one HTML page and as Markdown."),
    "runs": ("runs:app", "List, show and remove the runs on this machine."),
    "attach": ("attach:attach", "The live screen on a run of any process."),
    "stop": ("stop:stop", "Stop a live run, with a checkpoint to resume from."),
    "config": ("config:app", "Each setting in force, and where it comes from."),
    "doctor": ("doctor:doctor", "Check this machine, or prove being offline."),
    "fetch": ("fetch:app", "Download the model or STS-B; alone in using a network."),
}
"""Name: (module and object in `nexus_tui.cli.commands`, its line in the list)."""


class LazyCommands(TyperGroup):
    """A group that lists `COMMANDS` as they stand here, and imports the one that is called."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name, (_, line) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=line))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """The command itself in the place of its line."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and _load(str(found.name)), rest


def _load(name: str) -> Any:
    module, _, attribute = COMMANDS[name][0].partition(":")
    made = getattr(importlib.import_module(f"nexus_tui.cli.commands.{module}"), attribute)
    if not isinstance(made, typer.Typer):
        function, made = made, typer.Typer(add_completion=False)
        made.command(name)(function)
    command = get_command(made)
    command.name = name
    return command
