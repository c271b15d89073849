"""The heat map of a sweep: layout and content of its cells, at any size, in ASCII."""

from __future__ import annotations

import math

import pytest
from sweep_support import BATCH, LR, PLACE, view_of

from nexus_engine.sweeps.grid import Axis, Grid
from nexus_engine.sweeps.view import points
from nexus_tui.app.themes import THEMES, _contrast, chart_style_of
from nexus_tui.charts.run.one_picture import terminal_chart_style
from nexus_tui.charts.sweep.heat_cells import heat_cells
from nexus_tui.charts.sweep.heat_grid import Place, heat_grid
from nexus_tui.charts.sweep.heat_map import heat_layout, heat_map, legend
from nexus_tui.charts.sweep.words import combination_lines, run_words, seed_order, sweep_head

UNICODE = terminal_chart_style(ascii_only=False)
ASCII = terminal_chart_style(ascii_only=True)
BOTH = pytest.mark.parametrize("chart_style", [UNICODE, ASCII], ids=["unicode", "ascii"])
EVIL = "\x1b[31mred\x1b[0m [bold]x[/] \u202eabc"
FIRST = Place(0, 0, 0)
LONG = Axis(name="lr", values=tuple(n / 1000 for n in range(1, 41)))
WIDE = Axis(name="batch_size", values=tuple(range(1, 31)))
SHAPES = [(), (BATCH,), (LR, BATCH), (LR, BATCH, PLACE), (LONG, WIDE), (WIDE, LONG, PLACE),
          (BATCH, BATCH, PLACE, LR)]  # fmt: skip


def drawn(view, place=FIRST, *, width=60, height=20, chart_style=ASCII):
    cells = heat_cells(points(view.cells), view.cells, chart_style)
    lines = heat_map(
        heat_grid(view.axes), cells, place, width=width, height=height, chart_style=chart_style
    )  # fmt: skip
    return [line.plain.rstrip() for line in lines]


# Layout


@pytest.mark.parametrize("axes", SHAPES)
def test_every_combination_stands_in_one_place_with_its_own_settings(axes):
    grid = heat_grid(axes)
    settings = Grid(axes=axes, seeds=(1,), common={}).points()
    seen = []
    for panel, shared in enumerate(grid.panels):
        for row in range(grid.height):
            for column in range(grid.width):
                place = Place(panel, row, column)
                point = grid.at(place)
                assert grid.place(point) == place
                seen.append(point)
                if len({axis.name for axis in axes}) < len(axes):
                    continue
                expected = dict(shared)
                if grid.rows is not None:
                    expected[grid.rows.name] = grid.rows.values[row]
                if grid.columns is not None:
                    expected[grid.columns.name] = grid.columns.values[column]
                names = [axis.name for axis in axes]
                assert expected == dict(zip(names, settings[point], strict=True))
    assert sorted(seen) == list(range(len(settings)))


def test_the_axes_of_most_values_are_rows_and_columns_and_a_fixed_one_is_neither():
    grid = heat_grid((BATCH, LR, PLACE, Axis(name="rank", values=(4,))))
    assert (grid.rows, grid.columns) == (LR, BATCH)
    assert grid.panels == ((("place", ("v", "up")),), (("place", ("up",)),))


def test_the_cell_moves_through_the_panels_and_stays_at_the_edges():
    grid = heat_grid((LR, BATCH, PLACE))
    start = Place(0, 0, 0)
    for right, down, wanted in (
        (1, 0, (0, 0, 1)), (5, 0, (0, 0, 1)), (-1, 0, (0, 0, 0)), (0, 2, (0, 2, 0)),
        (0, 3, (1, 0, 0)), (0, 99, (1, 2, 0)), (0, -1, (0, 0, 0)),
    ):  # fmt: skip
        assert grid.moved(start, right, down) == wanted


# Content of a cell


def test_numbers_signs_and_labels_read_without_colour():
    view = view_of((LR, BATCH), dev={(0, 1): 0.51, (1, 1): 0.53, (5, 1): -0.25},
                   states={(2, 1): "live", (3, 1): "failed", (4, 1): "stopped"})  # fmt: skip
    lines = drawn(view, Place(0, 0, 1), width=34, height=6)
    assert [line.split() for line in lines] == [
        ["batch_size"],
        ["lr", "16", "32"],
        ["0.001", "0.5100", ">0.5300*"],
        ["0.002", "begun~", "failedx"],
        ["0.003", "stopped?", "-0.2500"],
    ]


@pytest.mark.parametrize(
    ("states", "dev", "words"),
    [
        ({}, {(0, 1): 0.5, (0, 2): 0.6}, "0.5500*"),
        ({}, {(0, 1): 0.5}, "0.5000*"),
        ({(0, 1): "live"}, {}, "begun~"),
        ({(0, 1): "failed", (0, 2): "failed"}, {}, "failedx"),
        ({(0, 1): "failed"}, {}, "failedx"),
        ({(0, 1): "stopped"}, {}, "stopped?"),
        ({}, {}, "."),
        ({}, {(0, 1): math.nan, (0, 2): math.nan}, "nan"),
    ],
)
def test_what_stands_in_a_cell_of_two_seeds(states, dev, words):
    lines = drawn(view_of((), seeds=(1, 2), states=states, dev=dev), height=2)
    assert lines[-1].strip().lstrip(">") == words


def test_a_mean_over_part_of_the_seeds_says_what_is_missing():
    dev = {(0, 1): 0.9, (0, 2): 0.9, (1, 1): 0.5}
    for state, sign in (("live", "~"), ("failed", "x"), ("stopped", "?"), ("waiting", ".")):
        view = view_of((BATCH,), seeds=(1, 2), states={(1, 2): state}, dev=dev)
        assert f"0.5000{sign}" in drawn(view)[-2]
        assert "1 of 2" in drawn(view)[-1]


def test_a_tall_cell_has_the_deviation_below_its_number():
    lines = drawn(view_of((), seeds=(1, 2), dev={(0, 1): 0.5, (0, 2): 0.6}), height=9)
    assert [line.strip() for line in lines] == ["dev", "", ">0.5500*", "sd 0.0707"]


# Any size


@BOTH
@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize("size", [(80, 30), (58, 9), (30, 5), (20, 3), (9, 1), (8, 4), (50, 0)])
def test_any_grid_in_any_room_is_drawn_within_it_with_the_chosen_cell(chart_style, axes, size):
    width, height = size
    view = view_of(axes, dev={(0, 1): 0.5, (1, 1): 0.6})
    grid = heat_grid(axes)
    panels, rows, columns = len(grid.panels), grid.height, grid.width
    for place in {Place(0, 0, 0), Place(panels - 1, rows - 1, columns - 1),
                  Place(panels // 2, rows // 2, columns // 2)}:  # fmt: skip
        lines = drawn(view, place, width=width, height=height, chart_style=chart_style)
        assert len(lines) <= height
        assert all(len(line) <= width for line in lines)
        if chart_style is ASCII:
            assert all(line.isascii() for line in lines)
        if width >= 20 and height >= 1:
            assert sum(chart_style.glyphs.selected in line for line in lines) == 1


@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize("size", [(80, 40), (58, 9), (30, 5)])
def test_a_click_finds_the_cell_that_is_drawn_there(axes, size):
    grid = heat_grid(axes)
    layout = heat_layout(grid, Place(0, 0, 0), width=size[0], height=size[1])
    view = view_of(axes)
    places = {layout.place_at(x, y) for x in range(size[0]) for y in range(size[1])} - {None}
    assert Place(0, 0, 0) in places
    for place in sorted(places)[:: 1 + len(places) // 50]:  # a sample of a large grid
        lines = drawn(view, place, width=size[0], height=size[1])
        if heat_layout(grid, place, width=size[0], height=size[1]) == layout:
            y = next(y for y, line in enumerate(lines) if ">" in line)
            assert layout.place_at(lines[y].index(">"), y) == place
    assert layout.place_at(0, 0) is None
    assert layout.place_at(500, 2) is None
    assert layout.place_at(20, 500) is None


def test_arrows_and_ranges_show_that_the_grid_goes_on():
    lines = drawn(view_of((LONG, WIDE)), Place(0, 20, 15), width=58, height=9)
    assert "batch_size, columns 14 to 18 of 30" in lines[0]
    assert lines[0].endswith("^")
    assert lines[-1].endswith("v")
    lines = drawn(view_of((LONG,)), Place(0, 39, 0), width=58, height=9)
    assert not lines[-1].endswith("v")


# Colour


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_numbers_can_be_read_on_every_colour(theme):
    from textual.color import Color

    heat = chart_style_of(theme, ascii_only=False).palette.heat
    assert len(set(heat)) == len(heat) > 4
    for style in heat:
        assert style.color is not None
        assert style.bgcolor is not None
        text, background = Color.parse(style.color.name), Color.parse(style.bgcolor.name)
        assert _contrast(text, background) >= 4.5


def test_the_scale_and_the_signs_that_occur_are_explained():
    chart_style = chart_style_of(THEMES[0], ascii_only=True)
    view = view_of((BATCH,), dev={(0, 1): 0.5, (1, 1): 0.6})
    cells = heat_cells(points(view.cells), view.cells, chart_style)
    assert legend(cells, width=60, chart_style=chart_style).plain.split() == [
        "0.5000",
        "0.6000",
        "*",
        "best",
    ]
    view = view_of((BATCH,), states={(0, 1): "live", (1, 1): "failed"})
    cells = heat_cells(points(view.cells), view.cells, ASCII)
    assert legend(cells, width=60, chart_style=ASCII).plain == "~ running, so far   x failed"
    assert legend(cells, width=20, chart_style=ASCII).plain == "~ running, so far"


# Words


def test_the_details_of_a_cell_in_little_and_in_much_room():
    dev = {(0, seed): 0.5 + seed / 100 for seed in (1, 2, 3)}
    view = view_of((LR,), seeds=(1, 2, 3, 4), dev=dev, states={(0, 4): "failed"})
    point = points(view.cells)[0]
    lines = combination_lines(view, point, width=80, height=4, chart_style=ASCII)
    assert [line.plain for line in lines] == [
        "lr 0.001",
        "dev 0.5200 sd 0.0100, 3 of 4 seeds   +0.1000 over base   test 0.5300",
        "seed 1 0.5100   seed 2 0.5200   seed 3 0.5300   seed 4 failed",
        "seed 4 failed: no memory",
    ]
    for height in (5, 9, 20, 40):
        for width in (20, 44, 80):
            lines = combination_lines(view, point, width=width, height=height, chart_style=ASCII)
            assert len(lines) <= height
            assert all(line.cell_len <= width for line in lines)
    text = "\n".join(line.plain for line in lines)
    assert "64,632 parameters trained" in text
    assert "12.5 s" in text
    assert text.count("finished") == 3


def test_the_best_finished_run_is_the_first_to_choose():
    states = {(0, 3): "live", (0, 4): "failed"}
    view = view_of((), seeds=(1, 2, 3, 4, 5), dev={(0, 1): 0.5, (0, 2): 0.6}, states=states)
    assert [run_words(run) for run in seed_order(view.cells)] == [
        "seed 2 0.6000", "seed 1 0.5000", "seed 3 epoch 1/3", "seed 4 failed",
    ]  # fmt: skip


def test_the_head_tells_state_and_best_and_how_to_go_on():
    view = view_of((LR,), dev={(0, 1): 0.5}, states={(1, 1): "failed"})
    for width in (30, 58, 118):
        lines = [line.plain for line in sweep_head(view, width, ASCII, "nexus sweep --resume x")]
        assert lines[1].startswith("? stopped: 2 of 3 runs done")
        assert lines[2].endswith("nexus sweep --resume x")
        assert all(len(line) <= width for line in lines[:2])
    assert lines[1].endswith("best 0.5000  lr 0.001")


def test_names_and_settings_from_a_file_are_plain_text():
    axes = (Axis(name=EVIL, values=(EVIL, "b")), Axis(name="y\x1b", values=(1, 2)),
            Axis(name=EVIL, values=(EVIL, "\x07")))  # fmt: skip
    view = view_of(axes, name=EVIL, data=EVIL, tune=EVIL, states={(0, 1): "failed"})
    cells = heat_cells(points(view.cells), view.cells, ASCII)
    lines = [
        *heat_map(heat_grid(axes), cells, Place(0, 0, 0), width=80, height=30, chart_style=ASCII),
        *sweep_head(view, 80, ASCII),
        *combination_lines(view, points(view.cells)[0], width=80, height=20, chart_style=ASCII),
    ]
    text = "".join(line.plain for line in lines)
    assert text.isprintable()
    assert "[bold]x[/]" in text
