"""The first screen, while there is no run: what NEXUS does, and the keys to press."""

from __future__ import annotations

from rich.text import Text

from nexus_tui.charts.kit.chart_style import ChartStyle

__all__ = ["welcome"]

ABOUT = (
    "NEXUS teaches a sentence-embedding model the language of your own",
    "texts, on this machine; nothing leaves it. It grows dendrites on",
    "all-MiniLM-L6-v2 and keeps those that help on held-out pairs.",
)
SHORT = ("NEXUS teaches a sentence model your own", "language, here. Nothing leaves this machine.")


def welcome(forecast: str, *, width: int, height: int, chart_style: ChartStyle) -> list[Text]:
    """At most `height` lines; `forecast` says how long a run on the demo set takes."""
    palette = chart_style.palette
    about = ABOUT if width >= 70 else SHORT
    lines = [Text("No runs yet", style=palette.title), Text()]
    lines += [Text(words, style=palette.text) for words in about]
    lines += [Text(), _key("n", "train on the demo set, or on your own data", chart_style)]
    lines += [Text(f"   {words}", style=palette.dim) for words in ([forecast] if forecast else [])]
    lines += [Text(), _key("t", "teach it: judge what it finds in the demo documents", chart_style)]
    lines += [Text(), _key("3", "compare two sentences with the untouched model", chart_style)]
    lines += [_key("?", "every key", chart_style)]
    left = " " * max(1, (width - max(line.cell_len for line in lines)) // 2)
    above = max(0, (height - len(lines)) // 3)
    return [Text()] * above + [Text(left).append_text(line) for line in lines]


def _key(key: str, words: str, chart_style: ChartStyle) -> Text:
    return (
        Text().append(f"{key}  ", chart_style.palette.title).append(words, chart_style.palette.text)
    )
