"""Reports: figures against hand-made ones, charts inside their frame, a self-contained page."""

import json
import math
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from scipy import stats

from nexus_engine.errors import ConfigError, RunError
from nexus_engine.events import (
    DendritesAdded,
    EpochStarted,
    Evaluated,
    RunFailed,
    RunFinished,
    Step,
)
from nexus_engine.reports.charts import Dot, Line, Mark, heat_map, line_chart, scatter
from nexus_engine.reports.document import document
from nexus_engine.reports.figures import estimate, groups
from nexus_engine.reports.gather import gather
from nexus_engine.reports.markdown import markdown
from nexus_engine.reports.page import page
from nexus_engine.reports.scales import linear, logarithmic
from nexus_engine.reports.writing import write_report
from nexus_engine.runs.folder import RunFolder
from nexus_engine.scores import ControlResult, SwitchRecord
from nexus_engine.sweeps.folder import SweepFolder
from nexus_engine.sweeps.grid import Axis, Grid
from nexus_tui.cli import main as cli

NASTY = "<script>alert(1)</script> [x](y) | `z` \x1b[31m"


def write_run(path, dev=0.52, seed=1, lr=1e-3, state="finished", control=0.5, params=64_632):
    folder = RunFolder.create(path, "x")
    events = []
    for epoch, spearman in enumerate((0.42, 0.5, dev)):
        if epoch:
            events.append(
                EpochStarted(epoch=epoch, epochs=2, steps=2, sets=1, params_trained=params)
            )
            events += [
                Step(
                    epoch=epoch, step=2 * epoch - i, steps_total=4, lr=lr,
                    loss=math.nan if i else 0.3,
                    grad_norm=1.0, pairs_per_second=1.0, elapsed_seconds=1.0,
                    remaining_seconds=1.0, rss_mb=1.0,
                )
                for i in (1, 0)
            ]  # fmt: skip
        events.append(
            Evaluated(
                epoch=epoch, split="dev", pairs=9, spearman=spearman, pearson=0.4,
                guard_spearman=1 - epoch / 100, guard_scored_spearman=0.9, is_best=True,
                best_spearman=spearman, best_epoch=epoch, eval_seconds=0.1,
            )
        )  # fmt: skip
    facts = ControlResult(
        name="first-set", description=NASTY, params_trained=5, dev_spearman=control,
        test_spearman=0.5, guard_spearman=0.9, best_epoch=2, gain_dev_spearman=dev - control,
        gain_low=dev - control - 0.01, gain_high=dev - control + 0.01,
    )  # fmt: skip
    switch = SwitchRecord(
        switch=1, epoch=2, kept=True, spearman_before=0.42, spearman_after=dev, params_added=params
    )
    finished = RunFinished(
        run_dir=str(path), base_dev_spearman=0.42, base_test_spearman=0.43,
        best_dev_spearman=dev, best_dev_pearson=0.5, best_epoch=2, test_spearman=dev + 0.01,
        test_pearson=0.5, guard_spearman=0.98, guard_scored_spearman=0.9,
        base_guard_scored_spearman=0.91, switches=1, switches_kept=1, switch_records=(switch,),
        params_base=22_565_376, params_trained=params, params_added=params, epochs=2,
        train_seconds=9.0, total_seconds=10.0, pairs_per_second=50.0, peak_rss_mb=900.0,
        control_dev_spearman=control, control_test_spearman=0.5, controls=(facts,),
    )  # fmt: skip
    failed = RunFailed(message=NASTY, kind="DataError", exit_code=3)
    events.append(finished if state == "finished" else failed)
    settings = {"seed": seed, "lr": lr, "dendrite_lr": lr, "epochs": 2}
    folder.write_run(
        {"settings": settings, "data_name": NASTY, "pid": 1, "started_unix_s": 1.0,
         "versions": {"torch": "2.13"}, "device": "cpu", "precision": "fp32", "threads": 1}
    )  # fmt: skip
    grown = DendritesAdded(
        switch=1, epoch=0, sites=1, units=24, params_added=params, params_added_total=params,
        params_trained=params, spearman_before=0.42,
    )  # fmt: skip
    for event in (grown, *events):
        folder.append(event)
    return str(path)


def test_an_interval_is_students():
    three = estimate([0.1, 0.2, 0.4])
    half = stats.t.ppf(0.975, 2) * three.deviation / math.sqrt(3)
    assert (three.low, three.high) == pytest.approx((three.mean - half, three.mean + half))
    assert estimate([0.3]).low is None
    assert estimate([0.3, math.nan]).low is None
    assert estimate([]) is None


def test_seeds_of_a_configuration_are_one_row_and_differences_name_it(home):
    names = [write_run(home / str(s), dev=0.5 + s / 100, seed=s) for s in (1, 2, 3)]
    names.append(write_run(home / "other", dev=0.6, lr=3e-3))
    best, rest = groups(gather(names).runs)
    assert (best.label, rest.label) == ("lr 0.003", "lr 0.001")
    assert (best.dev.n, rest.dev.n) == (1, 3)
    assert rest.dev.mean == pytest.approx(0.52)
    assert rest.gain.mean == pytest.approx(0.02)
    # The interval of a single run is that of its bootstrap.
    assert (best.gain.low, best.gain.high) == pytest.approx((0.09, 0.11))


def test_the_epoch_after_which_a_set_grew_comes_from_the_log(home):
    """Settings lack it when a switch follows a stall or a request."""
    sections = document(gather([write_run(home / "a")])).sections
    (table,) = next(section for section in sections if section.title == "Switches").tables
    assert dict(zip(table.header, table.rows[0], strict=True))["grown after"] == "0"


@pytest.mark.parametrize("values", [[0.1], [0.5, 0.5], [-3, 1e4], [1e-9, 2e-9], [0, math.nan]])
def test_scales_hold_their_values_between_round_ticks(values):
    scale = linear(values, 10, 110)
    finite = [v for v in values if math.isfinite(v)]
    assert all(10 <= scale.place(v) <= 110 for v in finite)
    assert len(scale.ticks) <= 12
    assert (scale.place(scale.low), scale.place(scale.high)) == (10, 110)


def test_a_logarithmic_scale():
    scale = logarithmic([384, 22_565_376], 0, 100)
    assert (scale.low, scale.high) == (100, 1e8)
    assert scale.place(1e5) == pytest.approx(50)


def test_charts_are_well_formed_and_say_what_they_leave_out():
    lines = [
        Line("a <b>", ((0, 0.1), (1, math.nan), (2, 0.3))),
        Line("c", ((0, 0.2), (2, math.inf)), dashed=True),
    ]
    svg = line_chart(lines, 'x " & <y>', "epoch", "dev", (Mark(1, "set 1 kept", True),))
    ElementTree.fromstring(svg)
    assert "2 not finite" in svg
    assert "nan" not in svg.replace("not finite", "")
    assert "a &lt;b&gt;" in svg
    for pixel in re.findall(r'c[xy]="([-\d.]+)"', svg):
        assert 0 <= float(pixel) <= 720
    dots = [Dot("u", 1921, 0.89, 0.88, 0.9), Dot("v", 0, 0.5, None, None)]
    assert scatter(dots, "t", "x", "y", 0.86).count("<circle") == 1
    ElementTree.fromstring(scatter(dots, "t", "x", "y", 0.86))
    assert line_chart([], "t", "x", "y") == ""


def test_a_heat_map_outlines_the_best_and_leaves_gaps():
    svg = heat_map(["1", "2"], ["a", "b"], [[0.1, 0.5], [None, 0.3]], "t", "r", "c")
    ElementTree.fromstring(svg)
    assert svg.count('class="cell') == 4
    assert svg.count(" best") == 1
    assert svg.count("cell empty") == 1
    assert "0.5000" in svg


class Tags(HTMLParser):
    """Every tag with its attributes, and that all are closed in order."""

    def __init__(self):
        super().__init__()
        self.seen, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("meta", "path", "circle", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_loads_nothing_runs_nothing_and_escapes_everything(home):
    names = [write_run(home / str(s), seed=s) for s in (1, 2)]
    names.append(write_run(home / "failed", state="failed"))
    report = document(gather(names))
    html = page(report, "made <here>")
    tags = Tags()
    tags.feed(html)
    assert not tags.open
    kinds = {tag for tag, _ in tags.seen}
    assert not kinds & {"script", "link", "img", "iframe", "object", "a"}
    for tag, attributes in tags.seen:
        assert not {"src", "href", "onload", "onclick"} & set(attributes), tag
    assert "default-src 'none'" in html
    assert "http" not in html.replace("http-equiv", "")
    assert "\x1b" not in html
    assert "&lt;script&gt;" in html
    titles = [section.title for section in report.sections]
    assert titles == [
        "Results", "Curves", "Switches", "Controls", "Forgetting guard", "Environment and settings",
    ]  # fmt: skip


def test_markdown_has_the_same_tables_and_no_markup_of_others(home):
    text = markdown(document(gather([write_run(home / "a", dev=0.5321)])), "made")
    assert "0.5321" in text
    assert "&lt;script&gt;" in text
    assert "<" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) >= 3 for row in rows)
    assert "\\| \\`z\\`" in text


def test_markdown_leaves_out_the_headings_of_sections_that_hold_only_charts(home):
    names = [write_run(home / "small", params=1000), write_run(home / "large", lr=3e-3)]
    report = document(gather(names))
    only_charts = {s.title for s in report.sections if not s.paragraphs and not s.tables}
    assert only_charts == {"Curves", "Parameters"}
    text = markdown(report, "made")
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == [s.title for s in report.sections if s.title not in only_charts]
    assert not re.search(r"^#.*\n+#", text.partition("\n")[2], re.MULTILINE)


def test_a_sweep_brings_its_grid_and_its_runs(home):
    grid = Grid(
        axes=(Axis(name="lr", values=(1e-3, 3e-3)), Axis(name="batch_size", values=(16, 32))),
        seeds=(1,),
        common={"data": "demo"},
    )
    folder = SweepFolder.create(home / "sweep", "x", grid)
    for i, cell in enumerate(grid.cells()[:3]):
        write_run(
            folder.run_path(cell), dev=0.5 + i / 100, lr=cell.values[0], params=1000 * (i + 1)
        )
    report = document(gather([str(folder.path)]))
    sections = {section.title: section for section in report.sections}
    sweep = sections["Sweep sweep"]
    assert sweep.paragraphs[0].startswith("3 of 4 runs finished")
    (chart,) = sweep.charts
    assert chart.count('class="cell') == 4
    assert "0.5200" in chart
    assert "Parameters" in sections


def test_the_command(home, monkeypatch, capfd):
    monkeypatch.chdir(home)
    run = write_run(home / "run")
    assert cli.main(["report", run, "--json"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    row = json.loads(out)
    assert (row["runs"], row["sweeps"]) == (1, 0)
    for name in ("report.html", "report.md"):
        assert (home / "nexus-report" / name).stat().st_mode & 0o777 == 0o600
    assert cli.main(["report", "nothing"]) == 1
    assert "no such run or sweep" in capfd.readouterr().err
    (home / "file").write_text("x")
    assert cli.main(["report", run, "--out", "file"]) == 2
    with pytest.raises(RunError):
        gather(["../x"])
    with pytest.raises(ConfigError):
        write_report([run], home / "file")


def scalars(folder):
    """(tag, step, value) of the event files in a folder."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    points = []
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        data, offset = path.read_bytes(), 0
        while offset < len(data):
            (length,) = struct.unpack_from("<Q", data, offset)
            event = event_pb2.Event.FromString(data[offset + 12 : offset + 12 + length])
            points += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
            offset += 16 + length
    return points


def test_tensorboard_files_hold_what_the_run_measured(tmp_path, capsys):
    pytest.importorskip("tensorboardX")
    write_run(tmp_path / "a", dev=0.52)
    out = tmp_path / "boards"
    arguments = [str(tmp_path / "a"), "--out", str(tmp_path / "r"), "--tensorboard", str(out)]
    assert cli.main(["report", *arguments]) == 0
    assert str(out) in capsys.readouterr().out
    (arm,) = [path for path in out.glob("*/*") if path.name == "main"]
    points = scalars(arm)
    dev = [(step, value) for tag, step, value in points if tag == "dev/spearman"]
    assert dev == [(0, pytest.approx(0.42)), (1, pytest.approx(0.5)), (2, pytest.approx(0.52))]
    losses = [(step, value) for tag, step, value in points if tag == "loss"]
    assert losses == [(2, pytest.approx(0.3)), (4, pytest.approx(0.3))]  # NaN is left out


def export(run, out):
    write_report([str(run)], out.parent / "report", out)
    return {path: scalars(path) for path in sorted(out.glob("*/*")) if path.is_dir()}


def test_a_later_tensorboard_export_replaces_the_runs_own_earlier_one(tmp_path):
    pytest.importorskip("tensorboardX")
    out = tmp_path / "boards"
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")
    first = export(tmp_path / "a", out)
    other = export(tmp_path / "b", out)[out / "b" / "main"]
    (arm,) = first
    foreign = [arm / "events.out.tfevents.1.host", arm / "notes.txt", out / "events.out.tfevents.2"]
    for file in foreign:
        file.write_bytes(b"")
        file.chmod(0o640 if file.parent == out else 0o600)
    again = Evaluated(
        epoch=3, split="dev", pairs=9, spearman=0.6, pearson=0.4, guard_spearman=1.0,
        guard_scored_spearman=0.9, is_best=True, best_spearman=0.6, best_epoch=3, eval_seconds=0.1,
    )  # fmt: skip
    RunFolder(tmp_path / "a").append(again)  # the run resumed
    second = export(tmp_path / "a", out)
    assert set(second) == {arm, out / "b" / "main"}
    assert second[out / "b" / "main"] == other
    added = [("dev/spearman", 3, pytest.approx(0.6)), ("guard/spearman", 3, 1.0)]
    assert sorted(second[arm]) == sorted([*first[arm], *added])
    assert all(file.exists() for file in foreign)
    assert len(list(arm.iterdir())) == 3


def test_tensorboard_exports_of_two_runs_of_one_name_stay_apart(tmp_path):
    pytest.importorskip("tensorboardX")
    out = tmp_path / "boards"
    for place in ("x", "y"):
        write_run(tmp_path / place / "a")
    facts = json.loads((tmp_path / "y" / "a" / "run.json").read_text())
    facts["data_fingerprint"] = "of other data"
    (tmp_path / "y" / "a" / "run.json").write_text(json.dumps(facts))
    for place in ("x", "y", "y", "x"):
        exports = export(tmp_path / place / "a", out)
    assert [path.parent.name for path in exports] == ["a", "a-2"]
    assert all(len(list(path.iterdir())) == 1 for path in exports)


def test_tensorboard_export_leaves_a_folder_of_something_else_alone(tmp_path):
    pytest.importorskip("tensorboardX")
    out = tmp_path / "boards"
    write_run(tmp_path / "a")
    foreign = out / "a" / "main" / "events.out.tfevents.1.host"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"")
    write_report([str(tmp_path / "a")], tmp_path / "report", out)
    assert list(foreign.parent.iterdir()) == [foreign]
    assert len(scalars(out / "a-2" / "main")) > 0


def test_tensorboard_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    write_run(tmp_path / "a")
    with pytest.raises(ConfigError, match="pip install"):
        write_report([str(tmp_path / "a")], tmp_path / "r", tmp_path / "boards")
