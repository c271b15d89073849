"""Reports on absurd numbers and hostile names: charts are drawn, and no text becomes markup."""

import math
import re
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nexus_engine.reports.charts import Dot, Line, heat_map, line_chart, scatter
from nexus_engine.reports.figures import estimate
from nexus_engine.reports.markdown import markdown
from nexus_engine.reports.page import page
from nexus_engine.reports.parts import Document, Section, Table
from nexus_engine.reports.scales import linear, logarithmic

TINY, HUGE = 5e-324, 1.7976931348623157e308
ANY = st.one_of(
    st.floats(),
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, TINY, HUGE, -HUGE, 10**400, 2**62]),
)


@st.composite
def neighbours(draw):
    """Numbers a few float steps apart, in any order."""
    start = draw(st.floats(allow_nan=False, allow_infinity=False))
    numbers = [start]
    for _ in range(draw(st.integers(0, 3))):
        numbers.append(math.nextafter(numbers[-1], draw(st.sampled_from([math.inf, -math.inf]))))
    return numbers


def drawable(scale, values, start, end):
    assert scale.low < scale.high
    assert 2 <= len(scale.ticks) <= 20
    assert list(scale.ticks) == sorted(set(scale.ticks))
    low, high = min(start, end), max(start, end)
    for value in [*values, *scale.ticks, math.nan, math.inf, -math.inf]:
        assert low - 1e-6 <= scale.place(value) <= high + 1e-6


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.lists(ANY, max_size=6), neighbours()), st.booleans())
def test_any_numbers_make_a_scale_that_can_be_drawn(values, whole):
    for start, end in ((0.0, 100.0), (276.0, 14.0)):
        drawable(linear(values, start, end, whole=whole), values, start, end)
        drawable(logarithmic(values, start, end), values, start, end)


def test_neighbours_that_a_small_dev_split_gives_are_apart_on_the_scale():
    for low, high in (
        (0.4048764189175914, 0.40487641891759135),
        (0.8193464903987026, 0.8193464903987027),
        (0.1, 0.1),
    ):
        scale = linear([high, low], 0, 100)
        assert 0 < scale.place(low) < 100
        assert scale.high - scale.low > 1e-3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.floats(), st.sampled_from([HUGE, -HUGE, TINY])), min_size=2))
def test_any_numbers_make_charts(values):
    points = tuple(enumerate(values))
    svg = line_chart([Line("a", points)], "t", "x", "y")
    svg += scatter([Dot("a", abs(v), v, v, v) for v in values], "t", "x", "y", values[0])
    svg += heat_map(["r"], [str(v) for v in values], [values], "t", "r", "c")
    for pixels in re.findall(r'(?:cx|cy|x|y|d)="([^"]*)"', svg):
        assert not re.search(r"nan|inf", pixels)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
@example([sys.float_info.max] * 3)
def test_a_mean_lies_between_its_values(values):
    mean = estimate(values).mean
    assert math.isfinite(mean)
    slack = max(abs(v) for v in values) * 1e-9
    assert min(values) - slack <= mean <= max(values) + slack


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- -->",
    "&lt;b&gt; &#60;i&#62;",
    "a | b | c",
    "`x` ``y``",
    "[text](https://example.org) ![i](x.png)",
    "https://example.org www.example.org",
    "*bold* _it_ ~~gone~~ $x$",
    "two\nlines\n\n# heading\n\n| a | b |",
    "back\\slash\\",
    "- item",
    "1. item",
    "===",
    "> quote",
    "***",
]


def report_of(text):
    table = Table((text, "b"), ((text, "1"), (text + "|" + text, "2")), (False, True))
    return Document(text, (Section(text, (text,), (), (table,)),))


@pytest.mark.parametrize("words", HOSTILE)
def test_no_words_become_markup_in_markdown(words):
    text = markdown(report_of(words), words)
    assert not re.search(r"[<>]", text)
    assert not re.search(r"&(?!amp;|lt;|gt;)", text)
    lines = text.splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    for row in rows:  # two cells each, whatever is in them
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3
    assert [line[:3] for line in lines if line.startswith("#")] == ["# " + lines[0][2], "## "]
    paragraphs = [line for line in lines if line and line[0] not in "|#"]
    assert len(paragraphs) == 2
    for line in paragraphs:
        assert not re.match(r"\s*([-+*>=]|\d+[.)])", line)
    assert not re.search(r"(?<!\\)[`*_\[\]~$!]", text)
    assert "https:" not in text
    assert "www." not in text


@pytest.mark.parametrize("words", HOSTILE)
def test_no_words_become_markup_in_the_page(words):
    text = page(report_of(words), words)
    assert "<script" not in text
    assert "<img" not in text
    assert "<b>" not in text
