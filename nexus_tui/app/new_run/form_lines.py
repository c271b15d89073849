"""The lines below the fields of the form: plan or error, forecast, command."""

from __future__ import annotations

from rich.text import Text

from nexus_engine.config import Settings
from nexus_tui.app.new_run.run_form import command_words, plan_in_words
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.fitting import fitted, wrapped
from nexus_tui.words.forecasting import Forecasted, forecast_lines, question_lines

__all__ = ["command_lines", "forecast_picture", "note_lines", "plan_lines"]


def plan_lines(
    settings: Settings | None, error: str, width: int, height: int, chart_style: ChartStyle
) -> list[Text]:
    """The error, if any, else what a run with `settings` will do."""
    palette, glyphs = chart_style.palette, chart_style.glyphs
    if error:
        return wrapped(f"{glyphs.broken} {error}", width, height, palette.bad)
    if settings is None:
        return []
    return wrapped(plan_in_words(settings), width, height, palette.text)


def note_lines(note: str, width: int, height: int, chart_style: ChartStyle) -> list[Text]:
    """A note in the place of the forecast."""
    return wrapped(note, width, height, chart_style.palette.dim)


def forecast_picture(
    forecast: Forecasted, width: int, height: int, chart_style: ChartStyle
) -> list[Text]:
    """Time and memory, then the forecast's question to the user, if any, else its details."""
    palette = chart_style.palette
    if forecast.figures is None:
        return wrapped(f"no forecast: {forecast.error}", width, height, palette.warn)
    first, *rest = forecast_lines(forecast.figures)
    title = Text(fitted(first, width, chart_style), style=palette.title)
    question = " ".join(question_lines(forecast.figures))
    if question:
        return [title, *wrapped(question, width, height - 1, palette.warn)]
    return [title, *(Text(fitted(line, width, chart_style), style=palette.dim) for line in rest)]


def command_lines(
    arguments: list[str], width: int, height: int, chart_style: ChartStyle
) -> list[Text]:
    """The command line that starts the same run."""
    return wrapped(command_words(arguments), width, height, chart_style.palette.run)
