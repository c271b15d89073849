"""`nexus doctor --prove-offline`: nothing is tried, and what is tried would be seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from reliability.outcome import Outcome

ROOT = Path(__file__).resolve().parents[2]

TRIES = """
import sys, socket, ctypes
from pathlib import Path
from nexus_tui.cli import offline_child

def naughty(folder):
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    except OSError:
        pass
    if NATIVE:
        # Native code, past the interpreter: only the kernel can see it.
        libc = ctypes.CDLL(None)
        handle = libc.socket(2, 1, 0)
        family, port = (2).to_bytes(2, "little"), (80).to_bytes(2, "big")
        libc.connect(handle, family + port + bytes([192, 0, 2, 1]) + bytes(8), 16)
    return [{"command": "train", "exit_code": 0, "seconds": 0.0}]

offline_child.run_commands = naughty
offline_child.main_child(Path(sys.argv[1]))
"""


def _run(arguments: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(place / "data"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def attempts_are_seen(place: Path) -> list[str]:
    """The witnesses are not blind: an attempt by Python, and one by native code."""
    failures = []
    for native in (False, True):
        folder = place / f"naughty-{native}"
        folder.mkdir()
        done = _run(["-c", TRIES.replace("NATIVE", str(native)), str(folder)], place)
        if not (folder / "found.json").is_file():
            failures.append(f"no finding: {done.stderr[-200:]}")
            continue
        found = json.loads((folder / "found.json").read_text())
        if sum(found["attempts"].values()) < 1:
            failures.append("an attempt by Python was not counted")
        if native and found["namespace"] and found["kernel_without_a_way"] < 1:
            failures.append("an attempt by native code was not counted")
    return failures


def proved(place: Path) -> Outcome:
    """The command itself: exit 0, a receipt of mode 0600, no attempt."""
    failures = attempts_are_seen(place)
    receipt = place / "receipt.json"
    done = _run(
        ["-m", "nexus_tui", "doctor", "--prove-offline", "--json", "--receipt", str(receipt)], place
    )
    note = ""
    if done.returncode != 0:
        failures.append(f"exit {done.returncode}: {done.stderr[-300:]}")
    else:
        said = json.loads(done.stdout)
        if json.loads(receipt.read_text()) != said or receipt.stat().st_mode & 0o777 != 0o600:
            failures.append("the receipt is not what was said, or not the owner's alone")
        if said["connects"] != 0 or not said["proved"] or len(said["commands"]) != 3:
            failures.append(f"{said}")
        note = "in a network namespace" if said["namespace"] else "without a namespace"
    return Outcome("0 connects: proved offline", 3, failures, note)
