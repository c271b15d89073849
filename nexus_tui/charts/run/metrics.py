"""The metrics of a run that can be plotted: curves, axis, reference lines and latest figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from nexus_engine.metric_words import metric_name
from nexus_engine.runs.run_view import ArmView, EpochPoint, RunView
from nexus_engine.runs.series import EMPTY, Series
from nexus_tui.charts.kit.axis import shown_end, whole_ticks
from nexus_tui.charts.kit.chart_style import ChartStyle
from nexus_tui.charts.kit.plot import Curve, Reference, Span, plot
from nexus_tui.charts.run.guard import rehearsal_words
from nexus_tui.words.formats import correlation, duration, gain, megabytes

__all__ = ["METRICS", "Drawing", "Metric", "chart", "drawing", "metrics_of"]

MIN_SHOWN = 1 / 8
"""The horizontal axis shows at least this share of the plan."""
MIN_EPOCHS = 8
"""The horizontal axis shows at least this many epochs, if the run has as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """The content of one metric's chart.

    `figures` are its last and best values in words, `short` a shorter form for narrow charts.
    `empty` is shown while there is no value.
    """

    curves: Sequence[Curve]
    span: Span
    figures: str
    short: str
    references: Sequence[Reference] = ()
    empty: str = "no value yet"
    names: Sequence[tuple[str, int]] = ()
    """The names of the curves with their indexes in `curves`; empty for a single curve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric, and the function that builds its drawing."""

    key: str
    title: str
    build: Callable[[RunView, ChartStyle, bool], Drawing]

    def title_in(self, view: RunView) -> str:
        """The title in a run; the metric that decides there has its name in it."""
        return self.title.format(score=metric_name(view.metric))


def drawing(
    metric: Metric, view: RunView, chart_style: ChartStyle, *, large: bool = False
) -> Drawing:
    """The drawing of `metric`. A small chart of steps shows the current arm, a large one all."""
    return metric.build(view, chart_style, large)


def chart(
    metric: Metric,
    view: RunView,
    *,
    width: int,
    height: int,
    chart_style: ChartStyle,
    focused: bool = False,
    log: bool = False,
    large: bool = False,
) -> list[Text]:
    """A title with the metric's figures, then its plot, in `height` lines of `width` cells."""
    drawn = drawing(metric, view, chart_style, large=large)
    lines = [_title(metric, view, drawn, width, chart_style, focused=focused, log=log)]
    lines += plot(
        drawn.curves,
        drawn.span,
        width=width,
        height=height - 1,
        chart_style=chart_style,
        references=drawn.references,
        log=log,
        empty=drawn.empty,
    )
    return lines[:height]


def _title(
    metric: Metric,
    view: RunView,
    drawn: Drawing,
    width: int,
    chart_style: ChartStyle,
    *,
    focused: bool,
    log: bool,
) -> Text:
    palette = chart_style.palette
    name = metric.title_in(view)
    title = name + (", log scale" if log else "")
    if metric.key in STEP_METRICS and view.current != "main" and not drawn.names:
        title = f"{name}, control"
    line = Text.assemble((title, palette.title if focused else palette.text))
    for words in (drawn.figures, drawn.short):
        if words and line.cell_len + len(words) + 2 <= width:
            line.append(" " * (width - line.cell_len - len(words)))
            line.append(words, palette.dim)
            break
    return line


# Metrics over steps


def _over_steps(
    pick: Callable[[ArmView], Series], value: Callable[[float], str], extreme: str
) -> Callable[[RunView, ChartStyle, bool], Drawing]:
    """A metric with a value at each step; `extreme` is the bound shown next to the last value."""

    def build(view: RunView, chart_style: ChartStyle, large: bool) -> Drawing:
        now = view.arm()
        shown = view.arms if large else (now,)
        curves = [_arm_curve(arm, pick(arm), chart_style) for arm in shown if pick(arm)]
        longest = max(shown, key=lambda arm: arm.steps_total, default=now)
        step = max((arm.step for arm in shown), default=0)
        end = float(max(step, 1))
        if view.ended is None:
            planned = float(longest.steps_total)
            end = shown_end(end, planned, planned * MIN_SHOWN)
        ticks = [(0.0, "0")]
        if longest.epoch_steps:
            ends = whole_ticks(end - 1, longest.epoch_steps)[1:]
            ticks += [(n, f"epoch {n // longest.epoch_steps}" if large else "") for n in ends]
        figures, short = _figures(pick(now), value, extreme, chart_style)
        names = tuple((arm.label, i) for i, arm in enumerate(a for a in shown if pick(a)))
        return Drawing(
            curves=curves,
            span=Span(low=0, high=end, ticks=ticks, end=f"{end:.0f} steps"),
            figures=figures,
            short=short,
            empty="no step yet",
            names=names if len(curves) > 1 else (),
        )

    return build


def _arm_curve(arm: ArmView, series: Series, chart_style: ChartStyle) -> Curve:
    main = arm.name == "main"
    style = chart_style.palette.run if main else chart_style.palette.control
    return Curve(points=series.points, style=style, dotted=not main)


def _figures(
    series: Series, value: Callable[[float], str], extreme: str, chart_style: ChartStyle
) -> tuple[str, str]:
    """The last value, the extreme, and the count of values that are not finite; a short form."""
    if series.last is None:
        return "", ""
    last = f"last {value(series.last)}"
    broken = sum(point.weight - point.finite for point in series.points)
    not_finite = f"  {chart_style.glyphs.broken} {broken} not finite" if broken else ""
    bound = series.low if extreme == "low" else series.high
    extreme_words = f"  {extreme} {value(bound)}" if bound is not None else ""
    return f"{last}{extreme_words}{not_finite}", f"{last}{not_finite}"


def _loss(value: float) -> str:
    return f"{value:.4f}" if not 0 < abs(value) < 1e-3 else f"{value:.2e}"


def _rate(value: float) -> str:
    return f"{value:.3g}"


def _pace(value: float) -> str:
    return f"{value:.0f}"


# Metrics over epochs


def _epoch_series(points: Sequence[EpochPoint], pick: Callable[[EpochPoint], float]) -> Series:
    series = EMPTY
    for point in points:
        series = series.add(point.epoch, pick(point))
    return series


def _epochs(view: RunView) -> Span:
    planned = view.started.epochs if view.started is not None else 1
    planned = max([planned, *(arm.epochs for arm in view.arms)])
    reached = max((arm.epoch for arm in view.arms), default=0)
    end = shown_end(max(reached, 1), planned, min(MIN_EPOCHS, planned))
    if view.ended is not None:
        end = float(max(reached, 1))
    ticks = [(float(n), str(n)) for n in whole_ticks(end)]
    return Span(low=0, high=end, ticks=ticks, end=f"epoch {end:.0f}")


def _dev_score(view: RunView, chart_style: ChartStyle, large: bool) -> Drawing:
    palette, glyphs = chart_style.palette, chart_style.glyphs
    main = view.arm("main")
    shown = [*(arm for arm in view.arms if arm.name != "main"), main]
    curves = [
        Curve(
            points=_epoch_series(arm.points, lambda point: point.score).points,
            style=palette.run if arm.name == "main" else palette.control,
            dotted=arm.name != "main",
            mark=glyphs.kept if arm.name == "main" else "",
            best=float(arm.best_epoch) if arm.name == "main" else None,
        )
        for arm in shown
    ]
    base, best = main.base_score, main.best_score
    references = []
    if base is not None:
        references.append(Reference(name="base", value=base, style=palette.base))
    controls = [arm for arm in view.arms if arm.name != "main" and arm.best_score is not None]
    strongest = max(controls, key=lambda arm: arm.best_score or 0.0, default=None)
    if strongest is not None and strongest.best_score is not None:
        name = strongest.label if large else "control"
        references.append(Reference(name=name, value=strongest.best_score, style=palette.control))
    over = "" if base is None or best is None else f" {gain(best - base)}"
    last = main.points[-1].score if main.points else None
    short = "" if best is None else f"best {correlation(best)}{over}"
    if main.best_epoch == 0 and base is not None:
        short = f"base {correlation(base)}"
    return Drawing(
        curves=curves,
        span=_epochs(view),
        figures=f"last {correlation(last)}  {short}" if last is not None and short else short,
        short=short,
        references=references,
        empty="measured after each epoch",
        names=tuple((arm.label, i) for i, arm in enumerate(shown)) if len(shown) > 1 else (),
    )


def _guard(view: RunView, chart_style: ChartStyle, large: bool) -> Drawing:  # noqa: ARG001
    palette = chart_style.palette
    points = view.arm("main").points
    agreement = _epoch_series(points, lambda point: point.guard_spearman)
    scored = _epoch_series(points, lambda point: point.guard_scored_spearman)
    references = []
    if points and points[0].epoch == 0:
        value = points[0].guard_scored_spearman
        references.append(Reference(name="base", value=value, style=palette.base))
    figures = ""
    if points:
        last = points[-1]
        figures = f"agreement {correlation(last.guard_spearman)}  "
        figures += f"general {correlation(last.guard_scored_spearman)}"
        figures += rehearsal_words(view.arm("main"), lead="  ")
    return Drawing(
        curves=[
            Curve(points=scored.points, style=palette.base, dotted=True),
            Curve(points=agreement.points, style=palette.run, mark=chart_style.glyphs.kept),
        ],
        span=_epochs(view),
        figures=figures,
        short=figures.split("  ")[0],
        references=references,
        empty="measured after each epoch",
        names=(("general pairs, own scores", 0), ("agreement with base", 1)),
    )


# Memory over time


def _memory(view: RunView, chart_style: ChartStyle, large: bool) -> Drawing:  # noqa: ARG001
    points = view.memory.points
    first = points[0].x if points else 0.0
    last = points[-1].x if points else 1.0
    left = view.arm().remaining_seconds if view.ended is None else None
    planned = last + left if left is not None and left < 1e9 else last
    high = shown_end(last - first, planned - first, (planned - first) * MIN_SHOWN)
    if view.ended is not None or planned == last:
        high = max(last - first, 1.0)
    figures, short = _figures(view.memory, megabytes, "high", chart_style)
    return Drawing(
        curves=[Curve(points=points, style=chart_style.palette.run)],
        span=Span(low=first, high=first + high, ticks=[(first, "0")], end=duration(high)),
        figures=figures,
        short=short,
        empty="no step yet",
    )


METRICS = (
    Metric(key="loss", title="loss", build=_over_steps(lambda a: a.losses, _loss, "low")),
    Metric(key="score", title="dev {score}", build=_dev_score),
    Metric(key="guard", title="guard", build=_guard),
    Metric(key="lr", title="learning rate", build=_over_steps(lambda a: a.rates, _rate, "high")),
    Metric(
        key="grad_norm",
        title="gradient norm",
        build=_over_steps(lambda a: a.grad_norms, _rate, "high"),
    ),
    Metric(key="pace", title="pairs/s", build=_over_steps(lambda a: a.paces, _pace, "high")),
    Metric(key="memory", title="memory, MB", build=_memory),
)
"""In the order in which the large plot cycles through them."""

REHEARSAL = Metric(
    key="rehearsal",
    title="rehearsal",
    build=_over_steps(lambda a: a.keep_weights, _rate, "high"),
)
"""The weight of the rehearsal."""
STEP_METRICS = ("loss", "lr", "grad_norm", "pace", "rehearsal")


def metrics_of(view: RunView) -> tuple[Metric, ...]:
    """The metrics of a run: that of rehearsal only if the run rehearses."""
    rehearses = any(arm.keep_weights for arm in view.arms)
    return (*METRICS, REHEARSAL) if rehearses else METRICS
