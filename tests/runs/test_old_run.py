"""A run folder made by an earlier version opens, resumes and reports.

The folder `run_of_0_1_0` is a run that version 0.1.0 stopped in its second epoch; `pairs` in it is
its data. `THEN` holds the result of the same run in that version without the stop.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nexus_engine.training import inputs
from nexus_tui.cli import main as cli

HERE = Path(__file__).parent / "run_of_0_1_0"
THEN = {"best_dev_spearman": 0.8597082179048507, "test_spearman": 0.9510036195635805,
        "best_epoch": 1, "switches": 2, "switches_kept": 1}  # fmt: skip


@pytest.fixture
def old_run(home: Path) -> Path:
    """A copy of the old run among the runs of this home, and of its data elsewhere."""
    run = home / "data" / "nexus" / "runs" / "old-run"
    shutil.copytree(HERE, run, ignore=shutil.ignore_patterns("pairs"))
    shutil.copytree(HERE / "pairs", home / "pairs")
    facts = json.loads((run / "run.json").read_text())
    facts["settings"]["data"] = str(home / "pairs")
    (run / "run.json").write_text(json.dumps(facts))
    return run


def test_it_opens(old_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs"]) == 0
    assert "old-run" in capsys.readouterr().out
    for command in (["runs", "show", "old-run"], ["attach", "--once", "old-run"]):
        assert cli.main(command) == 0
        assert "dev" in capsys.readouterr().out


def test_it_resumes_to_its_end_and_reports(
    old_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = inputs.load_guard().take(np.arange(20))  # the whole guard takes most of the time
    monkeypatch.setattr(inputs, "load_guard", lambda: few)
    assert cli.main(["train", "--resume", "old-run"]) == 0
    result = json.loads((old_run / "result.json").read_text())
    assert {name: result[name] for name in THEN} == pytest.approx(THEN, abs=2e-3)
    assert cli.main(["report", "old-run", "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert f"{result['best_dev_spearman']:.4f}" in page
    assert cli.main(["similarity", "old-run", "The pump stops.", "A pump stops."]) == 0
