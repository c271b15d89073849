"""The files of assets/deploy: their syntax, and what the unit's command does on two nights."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib

import pytest
from conftest import ROOT
from export_runs import write_pairs

DEPLOY = ROOT / "assets" / "deploy"
UNIT = DEPLOY / "nexus-train.service"
SMALL = {
    "NEXUS_TUNE": "adapter", "NEXUS_EPOCHS": "40", "NEXUS_BATCH_SIZE": "4",
    "NEXUS_SWITCH_EPOCHS": "0", "NEXUS_THREADS": "1",
}  # fmt: skip


def values_of(key: str) -> list[str]:
    """The values of a setting of the unit, lines joined."""
    text = UNIT.read_text().replace("\\\n", " ")
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_and_its_timer_are_valid():
    files = [UNIT, DEPLOY / "nexus-train.timer"]
    command = ["systemd-analyze", "verify", "--man=no", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    # The programs that it starts are not installed here.
    said = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert not [line for line in said if "nexus-train" in line], done.stderr


def test_the_units_command_is_stopped_and_goes_on_the_next_night(home):
    data = write_pairs(home / "pairs")
    state = home / "state"
    state.mkdir()
    # nexus itself, by this interpreter: the unit names the place of an installation.
    nexus = home / "nexus"
    nexus.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m nexus_tui "$@"\n')
    nexus.chmod(0o700)
    [command] = values_of("ExecStart")
    places = {"/var/lib/nexus": state, "/srv/nexus/data": data, "/opt/nexus/bin/nexus": nexus}
    for place, here in places.items():
        assert place in command
        command = command.replace(place, str(here))
    words = shlex.split(command.replace("$$", "$"))
    environment = {**os.environ, **SMALL, "XDG_DATA_HOME": str(state)}
    with (home / "said.txt").open("wb") as said:
        process = subprocess.Popen(words, env=environment, stdout=said, stderr=said)
        until = time.monotonic() + 300
        log = state / "nightly" / "events.jsonl"
        while not (log.exists() and '"checkpoint_saved"' in log.read_text()):
            assert process.poll() is None, (home / "said.txt").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        code = process.wait(120)
    assert [str(code)] == values_of("SuccessExitStatus")
    result = state / "nightly" / "result.json"
    [condition] = values_of("ConditionPathExists")
    assert condition == "!/var/lib/nexus/nightly/result.json"
    assert not result.exists()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(result.read_text())["epochs"] > 0
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()[1:]]
    assert events.count("run_stopped") == 1
    assert events[-1] == "run_finished"


def test_the_container_file_installs_what_is_pinned_and_runs_without_root():
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line and line[0] != "#"]
    names = [name for name, _ in steps]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert ["ENTRYPOINT", '["nexus"]'] in steps
    [run] = [rest for name, rest in steps if name == "RUN"]
    documented = (ROOT / "docs" / "install.md").read_text()
    [torch] = re.findall(r"torch==[\d.]+", run)
    assert torch in documented
    assert "useradd" in run
    copied = [rest.split()[:-1] for name, rest in steps if name == "COPY"]
    sources = {source for line in copied for source in line}
    assert all((ROOT / source).exists() for source in sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    about = [project["project"]["readme"], *project["project"]["license-files"]]
    needed = {"pyproject.toml", *about, *wheel["packages"], *wheel["force-include"]}
    assert {path.split("/")[0] for path in needed} == sources
