"""The switches of a run along its epochs: where each set grew, and its outcome.

    ● +0.0333           ◌
    0━━━━━━━━━━━━━━━━━━━1━━━━━━━━━━━━━──────2──────────────────3
    │ 0.4200 → 0.4533   │ 0.4533, on trial

The first row has a sign for each switch. The second is the axis of epochs, heavy up to the present.
In the third, an upright marks the start of each phase, with its own optimizer and schedule.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from nexus_engine.runs.run_view import ArmView, SwitchView
from nexus_tui.charts.kit.axis import shown_end, whole_ticks
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.words.formats import correlation, count, gain

__all__ = ["TIMELINE_ROWS", "detail", "effect", "sign_of", "summary", "switch_columns", "timeline"]

TIMELINE_ROWS = 3
MIN_EPOCHS = 8
"""The axis shows at least this many epochs, if the run has as many."""


def sign_of(switch: SwitchView, chart_style: ChartStyle) -> tuple[str, Style]:
    """The sign of a switch and its style, by its state."""
    glyphs, palette = chart_style.glyphs, chart_style.palette
    match switch.state:
        case "trial":
            return glyphs.trial, palette.warn
        case "kept":
            return glyphs.kept, palette.good
        case "rolled back":
            return glyphs.rolled_back, palette.dim


def effect(switch: SwitchView) -> str:
    """The signed gain in the dev score; `on trial` until it is measured."""
    return "on trial" if switch.after is None else gain(switch.after - switch.before)


def summary(arm: ArmView) -> str:
    """All switches of the arm in a few words."""
    if not arm.switches:
        return "none grown yet"
    settled = [switch for switch in arm.switches if switch.state != "trial"]
    kept = [switch for switch in settled if switch.state == "kept"]
    words = []
    if settled:
        added = count(sum(switch.params_added for switch in kept))
        words.append(f"{len(kept)} of {len(settled)} kept, {added} parameters")
    trials = (switch for switch in arm.switches if switch.state == "trial")
    words += [f"{count(switch.params_added)} on trial" for switch in trials]
    return ", ".join(words)


def detail(switch: SwitchView, chart_style: ChartStyle) -> str:
    """One switch on one line: its state, gain and parameters."""
    arrow = chart_style.glyphs.arrow
    after = "" if switch.after is None else f" {arrow} {correlation(switch.after)}"
    words = f"switch {switch.switch} {'on trial' if switch.after is None else switch.state}"
    change = f"{correlation(switch.before)}{after}"
    difference = "" if switch.after is None else f" {effect(switch)}"
    return f"{words}  {change}{difference}  {count(switch.params_added)} parameters"


def timeline(
    arm: ArmView,
    *,
    width: int,
    chart_style: ChartStyle,
    selected: int | None = None,
    planned: int = 0,
) -> list[Text]:
    """Three lines of `width` cells. `selected` is the number of the highlighted switch.

    `planned` is the number of epochs to show before the arm's first epoch begins.
    """
    if width < 1:
        return [Text()] * TIMELINE_ROWS
    trained, end = _reach(arm, planned)
    columns = [_column(switch.epoch, end, width) for switch in arm.switches]
    return [
        _signs(arm.switches, columns, width, chart_style, selected),
        _axis(trained, end, width, chart_style),
        _phases(arm.switches, columns, width, chart_style, selected),
    ]


def switch_columns(arm: ArmView, width: int) -> dict[int, int]:
    """The column of each switch, by its number, as `timeline` draws it."""
    _, end = _reach(arm, 0)
    return {switch.switch: _column(switch.epoch, end, width) for switch in arm.switches}


def _reach(arm: ArmView, planned: int) -> tuple[float, float]:
    """Epochs trained so far, and the epoch at which the axis ends."""
    epochs = max(arm.epochs or planned, 1)
    trained = arm.fraction * epochs
    last = max((switch.epoch for switch in arm.switches), default=0)
    end = shown_end(max(trained, arm.epoch, last), epochs, min(MIN_EPOCHS, epochs))
    return trained, end


def _column(epoch: float, end: float, width: int) -> int:
    return min(width - 1, max(0, round(epoch / end * (width - 1))))


def _signs(
    switches: Sequence[SwitchView],
    columns: Sequence[int],
    width: int,
    chart_style: ChartStyle,
    selected: int | None,
) -> Text:
    """The sign of each switch, with its gain where it fits; switches in one cell are counted."""
    line = Text()
    for column in sorted(set(columns)):
        here = [s for s, at in zip(switches, columns, strict=True) if at == column]
        shown = next((s for s in here if s.switch == selected), here[-1])
        sign, style = sign_of(shown, chart_style)
        if len(here) > 1 and shown.switch != selected:
            sign = str(min(len(here), 9))
        if shown.switch == selected:
            style += chart_style.palette.selected
        line.append(" " * (column - line.cell_len))
        line.append(sign, style)
        room = min((at for at in columns if at > column), default=width) - column - 2
        words = next((w for w in (effect(shown), "") if cell_len(w) < room), "")
        if words and len(here) == 1:
            line.append(f" {words}", sign_of(shown, chart_style)[1])
    return line


def _axis(trained: float, end: float, width: int, chart_style: ChartStyle) -> Text:
    glyphs, palette = chart_style.glyphs, chart_style.palette
    heavy = _column(trained, end, width) + 1 if trained else 0
    line = Text.assemble(
        (glyphs.heavy * heavy, palette.run), (glyphs.line * (width - heavy), palette.axis)
    )
    free = 0
    last = str(int(end)) if end == int(end) else ""
    for epoch in whole_ticks(end):
        word = str(epoch)
        column = min(_column(epoch, end, width), width - len(word))
        clear = epoch == end or column + len(word) + 1 < width - len(last)
        if column >= free and clear:
            style = palette.text if epoch <= trained else palette.dim
            line = _overlaid(line, column, Text(word, style))
            free = column + len(word) + 2
    return line


def _phases(
    switches: Sequence[SwitchView],
    columns: Sequence[int],
    width: int,
    chart_style: ChartStyle,
    selected: int | None,
) -> Text:
    line = Text()
    arrow = chart_style.glyphs.arrow
    for i, (switch, column) in enumerate(zip(switches, columns, strict=True)):
        if column < line.cell_len:
            continue
        line.append(" " * (column - line.cell_len))
        line.append(chart_style.glyphs.upright, chart_style.palette.axis)
        room = min((at for at in columns[i + 1 :] if at > column), default=width) - column - 2
        before = correlation(switch.before)
        choices = [f"from {before}", before]
        if switch.after is not None:
            change = f"{before} {arrow} {correlation(switch.after)}"
            choices = [f"{change} rolled back"] if switch.state == "rolled back" else []
            choices += [change, correlation(switch.after)]
        words = next((w for w in choices if cell_len(w) < room), "")
        style = chart_style.palette.text if switch.switch == selected else None
        line.append(f" {words}" if words else "", style)
    return line


def _overlaid(line: Text, column: int, piece: Text) -> Text:
    """`line` with `piece` laid over it from `column` on."""
    after = column + piece.cell_len
    return Text.assemble(line[:column], piece, line[after:])
