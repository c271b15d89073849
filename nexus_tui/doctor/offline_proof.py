"""`nexus doctor --prove-offline`: a receipt that training, evaluating and querying stay offline."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nexus_engine import __version__
from nexus_engine.errors import RunError, one_line

__all__ = ["prove_offline", "verdict", "write_receipt"]

MAX_SECONDS = 900


def prove_offline() -> dict[str, Any]:
    """Run a small training, an evaluation and a query in a child without a network; the receipt.

    Raises:
        RunError: the child ended without writing its findings.
    """
    with tempfile.TemporaryDirectory(prefix="nexus-offline-") as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        child = subprocess.run(
            [sys.executable, "-m", "nexus_tui.cli.offline_child", name, str(os.getpid())],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MAX_SECONDS,
            check=False,
        )
        try:
            findings: dict[str, Any] = json.loads((folder / "found.json").read_text("utf-8"))
        except (OSError, ValueError):
            last = one_line(child.stderr[-300:])
            raise RunError(f"the offline proof ended with {child.returncode}: {last}") from None
    receipt = {
        "receipt": "nexus offline proof",
        "schema": 1,
        "time_unix_s": time.time(),
        "nexus": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **findings,
    }
    receipt["connects"] = sum(findings["attempts"].values())
    receipt["connects"] += findings.get("kernel_without_a_way", 0)
    receipt["proved"] = receipt["connects"] == 0 and all(
        command["exit_code"] == 0 for command in findings["commands"]
    )
    return receipt


def verdict(receipt: dict[str, Any]) -> list[str]:
    """The receipt in words, a line each."""
    lines = []
    for command in receipt["commands"]:
        outcome = "done" if command["exit_code"] == 0 else f"exit {command['exit_code']}"
        lines.append(f"{command['command']}: {outcome} in {command['seconds']} s")
    if receipt["namespace"]:
        lines.append(
            "in a network namespace with no interface up; a test connection there ended with "
            f"{one_line(receipt['probe'], 30)}"
        )
    else:
        reason = one_line(receipt["namespace_refused"], 60)
        lines.append(
            f"no network namespace here ({reason}): only the interpreter's calls are counted"
        )
    attempts = {name: n for name, n in receipt["attempts"].items() if n}
    if receipt.get("kernel_without_a_way"):
        attempts["kernel"] = receipt["kernel_without_a_way"]
    counts = ", ".join(f"{name} {n}" for name, n in attempts.items()) or "none"
    lines.append(f"attempts to reach a network: {counts}")
    return lines


def write_receipt(receipt: dict[str, Any], path: Path | None) -> Path:
    """Write the receipt, readable by its owner alone, to `path` or beside the runs; its path."""
    from nexus_engine.disk.files import make_folder, replace_json
    from nexus_engine.runs.folder import runs_root

    if path is None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(receipt["time_unix_s"]))
        path = runs_root().parent / "receipts" / f"offline-{stamp}.json"
        make_folder(path.parent)
    replace_json(path, receipt)
    return path
