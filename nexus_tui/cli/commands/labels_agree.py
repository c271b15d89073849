"""`nexus labels agree`: how far raters agree, their disagreements one by one, and settling them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nexus_engine.labels.agreement import Agreement, Disagreement
    from nexus_engine.labels.label_file import LabelFile

__all__ = ["agree"]

SETTLER = "settled"
UNDO, LEAVE, STOP = ("\x7f", "\b", "\x1a", "b"), ("s", "", "\r", "\n"), ("q", "\x04")


def agree(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Label files of two raters or more, or one file of several.",
            metavar="FILE...",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Ask for the right answer to each disagreement, and add it to this label file.",
            metavar="FILE",
        ),
    ] = None,
    rater: Annotated[
        str, typer.Option("--rater", help="Who settles the disagreements.", metavar="NAME")
    ] = SETTLER,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object on stdout.")] = False,
) -> None:
    """Say how far raters agree, show where they do not, and with --out settle it.

    Kappa is 1 for full agreement and 0 for chance: weighted by the squared distance for grades,
    Cohen's for yes and no. On a terminal one key settles a disagreement: 0 to 5, or y and n; s
    leaves it, Backspace takes the last one back, q stops. Without a terminal, answers are read from
    stdin, a line each.
    """
    from nexus_engine.errors import ConfigError, DataError
    from nexus_engine.labels.agreement import agreements, disagreements
    from nexus_engine.labels.label_file import LabelFile
    from nexus_engine.labels.reading import by_rater, read_labels
    from nexus_engine.system.user_paths import user_path
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown_path
    from nexus_tui.words.labels import agreement_row
    from nexus_tui.words.render import table

    read = [read_labels(user_path(file, DataError)) for file in files]
    raters = by_rater(read)
    found, differing = agreements(raters), disagreements(raters)
    judges = [name for name, verdicts in raters.items() if not all(v.settled for v in verdicts)]
    if len(judges) < 2:
        raise ConfigError("agreement needs two raters; name label files of two, or one of both")
    if json:
        streams.put_json(_facts(found, differing))
    else:
        if found:
            header = ("raters", "judged", "both", "agree", "kappa")
            rows = [agreement_row(each) for each in found]
            streams.put(*table(header, rows, (False, False, True, True, True)))
        else:
            streams.put("no item was answered by two of the raters")
        open_ones = [each for each in differing if not each.is_settled]
        streams.put(_summary(len(differing), len(differing) - len(open_ones)))
        if out is None:
            for number, each in enumerate(differing, start=1):
                streams.put("", *_shown(each, f"{number} of {len(differing)}"))
    if out is None:
        return
    path = user_path(out, DataError)
    with LabelFile.open(path, rater) as labels:
        settled = labels.settled_keys()
        asked = [each for each in differing if not each.is_settled and each.key not in settled]
        count = _settle(labels, asked)
    left = len(asked) - count
    streams.say(f"{count:,} settled in {shown_path(path)}" + (f", {left:,} left" if left else ""))


def _summary(differing: int, settled: int) -> str:
    if not differing:
        return "no disagreement"
    words = "1 disagreement" if differing == 1 else f"{differing:,} disagreements"
    return words + (f", {settled:,} of them settled" if settled else "")


def _facts(found: Sequence[Agreement], differing: Sequence[Disagreement]) -> dict[str, Any]:
    """Agreement and disagreements as JSON."""
    import msgspec

    return {
        "agreement": [{**each._asdict(), "share": each.share} for each in found],
        "disagreements": [
            {
                "kind": each.kind,
                "is_settled": each.is_settled,
                "verdicts": [msgspec.to_builtins(verdict) for verdict in each.verdicts],
            }
            for each in differing
        ],
    }


def _shown(each: Disagreement, place: str) -> list[str]:
    """A disagreement in lines: its texts, and what each rater said."""
    from nexus_tui.terminal import streams
    from nexus_tui.words.formats import shown
    from nexus_tui.words.labels import answer_words, text_lines

    said = ", ".join(f"{shown(v.rater, 30)}: {answer_words(v)}" for v in each.verdicts)
    state = " (settled)" if each.is_settled else ""
    width = max(40, streams.width(sys.stdout))
    return [f"{place}{state}  {said}", *text_lines(each.verdicts[0], width)]


def _settle(labels: LabelFile, asked: Sequence[Disagreement]) -> int:
    """Ask for the answer to each disagreement; how many were settled."""
    from nexus_tui.terminal import streams

    place, settled = 0, list[int]()
    while place < len(asked):
        each = asked[place]
        keys = "0 to 5" if each.kind == "grades" else "y or n"
        streams.say("", *_shown(each, f"{place + 1} of {len(asked)}"))
        streams.say(f"{keys}, s leave it, Backspace back, q stop: ")
        answer = _key()
        if answer is None or answer in STOP:
            break
        if answer in UNDO:
            if settled:
                labels.undo()
                place = settled.pop()
        elif answer in LEAVE:
            place += 1
        elif _keep(labels, each, answer):
            streams.say(answer)
            settled.append(place)
            place += 1
        else:
            streams.say(f"answer {keys}")
    return len(settled)


def _key() -> str | None:
    """The next key on a terminal, or else the next line of stdin; None at its end."""
    if sys.stdin.isatty():
        import click

        return click.getchar().lower()
    line = sys.stdin.readline()
    return line.strip().lower() if line else None


def _keep(labels: LabelFile, each: Disagreement, answer: str) -> bool:
    """Write the verdict that `answer` means; False where it means none."""
    from nexus_engine.labels.verdicts import PairVerdict

    first = each.verdicts[0]
    if each.kind == "grades":
        if answer not in tuple("012345"):
            return False
        assert isinstance(first, PairVerdict)
        labels.judge_pair(first.a, first.b, "grade", grade=int(answer), settled=True)
        return True
    if answer not in ("y", "n"):
        return False
    if isinstance(first, PairVerdict):
        labels.judge_pair(first.a, first.b, "same", same=answer == "y", settled=True)
    else:
        labels.judge_passage(
            first.question,
            first.passage,
            "mark",
            relevant=answer == "y",
            document=first.document,
            settled=True,
        )
    return True
