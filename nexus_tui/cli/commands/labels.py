"""`nexus labels`: lists, shows, merges and exports label files, and says how far raters agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nexus_tui.cli.commands.label_runs import changes, curve
from nexus_tui.cli.commands.labels_agree import agree

if TYPE_CHECKING:
    from nexus_engine.labels.reading import Labels

__all__ = ["app"]

app = typer.Typer(
    help="List, show, merge and export label files, and compare raters.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("agree")(agree)
app.command("changes")(changes)
app.command("curve")(curve)

Files = Annotated[
    list[Path], typer.Argument(help="Label files.", metavar="FILE...", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command("list")
def list_command(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Where to look. Default: the folder in which NEXUS keeps your labels.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the label files, with how many verdicts each holds."""
    from nexus_engine.errors import DataError
    from nexus_engine.labels.counting import counts_of
    from nexus_engine.labels.places import known_files
    from nexus_engine.labels.reading import read_labels
    from nexus_engine.system.user_paths import data_folder, user_path
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown, shown_path
    from nexus_tui.words.labels import COUNTS_HEADER, counts_row
    from nexus_tui.words.render import table

    where = data_folder() if folder is None else user_path(folder, DataError)
    if folder is not None and not where.is_dir():
        raise DataError(
            f"{shown_path(where)}: is no folder; show one file with `nexus labels show`"
        )
    files = [read_labels(path) for path in known_files(where)]
    if json:
        for labels in files:
            streams.put_json(_facts(labels))
        return
    if not files:
        streams.say(f"no label files in {shown_path(where)}; begin one with: nexus teach")
        return
    rows = [(shown(each.path.name, 30), *counts_row(counts_of(each.verdicts))) for each in files]
    right = (False, *(True for _ in COUNTS_HEADER[:-1]), False)
    streams.put(*table(("file", *COUNTS_HEADER), rows, right))


@app.command("show")
def show_command(
    file: Annotated[Path, typer.Argument(help="A label file.", metavar="FILE")],
    rater: Annotated[
        str | None,
        typer.Option("--rater", help="Only the verdicts of this rater.", metavar="NAME"),
    ] = None,
    json: Json = False,
) -> None:
    """Show the verdicts that stand in a label file; with --json a line each."""
    import msgspec

    from nexus_engine.errors import ConfigError
    from nexus_engine.labels.counting import counts_of
    from nexus_engine.labels.verdicts import PairVerdict
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown
    from nexus_tui.words.labels import answer_words, counts_lines
    from nexus_tui.words.render import table

    labels = _read([file])[0]
    if rater is not None and rater not in labels.raters:
        names = ", ".join(shown(name, 40) for name in labels.raters) or "no rater"
        raise ConfigError(f"--rater: the file has {names}")
    verdicts = labels.verdicts if rater is None else labels.of(rater)
    if json:
        for verdict in verdicts:
            streams.put_json(msgspec.to_builtins(verdict))
        return
    width = max(16, (streams.width(sys.stdout) - 46) // 2)
    rows = [
        (
            str(number),
            shown(verdict.rater, 12),
            answer_words(verdict) + (" (settled)" if verdict.settled else ""),
            verdict.part,
            *(
                shown(text, width)
                for text in (
                    (verdict.a, verdict.b)
                    if isinstance(verdict, PairVerdict)
                    else (verdict.question, verdict.passage)
                )
            ),
        )
        for number, verdict in enumerate(verdicts, start=1)
    ]
    header = ("", "rater", "verdict", "part", "sentence or question", "sentence or passage")
    if rows:
        streams.put(*table(header, rows, (True, False, False, False, False, False)), "")
    streams.put(*counts_lines(counts_of(verdicts)) or ["no verdict stands"])
    streams.put(f"fingerprint {labels.fingerprint[:16]}")


@app.command("merge")
def merge_command(
    files: Files,
    out: Annotated[Path, typer.Option("--out", help="The new label file.", metavar="FILE")],
    json: Json = False,
) -> None:
    """Join label files into a new one.

    The later verdict of one rater on an item stands; the verdicts of different raters are all kept.
    """
    from nexus_engine.labels.merging import merge
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown, shown_path

    merged = merge(files, out)
    labels = merged.labels
    if json:
        numbers = ("repeated", "replaced", "disagreed", "damaged")
        facts = {name: getattr(merged, name) for name in numbers}
        streams.put_json({**_facts(labels), "read": list(merged.read), **facts})
        return
    for path, number in zip(files, merged.read, strict=True):
        streams.put(f"{shown_path(path)}: {number:,} verdicts")
    raters = ", ".join(shown(name, 40) for name in labels.raters) or "no rater"
    streams.put(f"{shown_path(labels.path)}: {len(labels.verdicts):,} verdicts of {raters}")
    if merged.repeated:
        streams.put(f"{merged.repeated:,} lines in more than one file, each counted once")
    if merged.replaced:
        streams.put(f"{merged.replaced:,} replaced by a later verdict of the same rater")
    if merged.disagreed:
        command = f"nexus labels agree {shown_path(labels.path)} --out {shown_path(labels.path)}"
        streams.put(f"{merged.disagreed:,} on which raters disagree; settle them with: {command}")
    if merged.damaged:
        streams.note(f"{merged.damaged:,} damaged lines were not taken over")


@app.command("export")
def export_command(
    files: Files,
    out: Annotated[
        Path, typer.Option("--out", help="The new file, .csv or .jsonl.", metavar="FILE")
    ],
    kind: Annotated[
        Literal["pairs", "search"] | None,
        typer.Option("--kind", help="Which labels, where the files hold both."),
    ] = None,
    json: Json = False,
) -> None:
    """Write labels as CSV or JSON lines that --data reads, one row for each pair or passage.

    Of several raters the median grade counts, or the majority; ties are left out. A settled verdict
    counts alone.
    """
    from nexus_engine.labels.exporting import export
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown_path

    done = export(_read(files), out, kind)
    if json:
        facts = {"rows": done.rows, "left_out": done.left_out._asdict()}
        streams.put_json({"path": str(done.path), "kind": done.kind, **facts})
        return
    noun = "pairs" if done.kind == "pairs" else "passages"
    parts = ", ".join(f"{number:,} {part}" for part, number in done.rows.items())
    streams.put(f"{shown_path(done.path)}: {sum(done.rows.values()):,} {noun} ({parts})")
    streams.put(*done.left_out.lines())


def _read(files: list[Path]) -> list[Labels]:
    """The label files, with a note on those that have damaged lines."""
    from nexus_engine.errors import DataError
    from nexus_engine.labels.reading import read_labels
    from nexus_engine.system.user_paths import user_path
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown_path

    found = [read_labels(user_path(file, DataError)) for file in files]
    for labels in found:
        if labels.damaged:
            lines = (
                "1 damaged line does"
                if labels.damaged == 1
                else f"{labels.damaged:,} damaged lines do"
            )
            streams.note(f"{shown_path(labels.path)}: {lines} not count")
    return found


def _facts(labels: Labels) -> dict[str, Any]:
    """What a label file holds, as JSON; no sentence."""
    from nexus_engine.labels.counting import counts_of

    counts = counts_of(labels.verdicts)
    return {
        "path": str(labels.path),
        "created": labels.created,
        "fingerprint": labels.fingerprint,
        "undone": labels.undone,
        "damaged": labels.damaged,
        "pairs": counts.pairs,
        "passages": counts.passages,
        **counts._asdict(),
    }
