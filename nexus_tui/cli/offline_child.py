"""The child of `nexus doctor --prove-offline`: it trains, evaluates and queries without a network.

`python -m nexus_tui.cli.offline_child FOLDER PARENT` writes FOLDER/found.json. It ends with the
process PARENT and then removes FOLDER. Two independent witnesses count attempts to reach a network:

- the interpreter's audit events, which refuse each attempt;
- where the system permits it, a network namespace with no interface up. Its kernel counts every
  packet without a route, those of native code included.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nexus_engine.system.parent_watch import ParentWatch

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
UNASSIGNED = ("192.0.2.1", 9)
"""An address that nobody has (RFC 5737)."""
ATTEMPTS = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.sendto",
    "socket.sendmsg",
    "socket.bind",
    "urllib.Request",
)
PAIRS = [
    ("The pump was replaced on Monday.", "On Monday a new pump was put in.", 5),
    ("The pump was replaced on Monday.", "The pump was inspected on Monday.", 2),
    ("Invoice 12 is overdue.", "Invoice 12 has not been paid in time.", 5),
    ("Invoice 12 is overdue.", "Invoice 21 is overdue.", 1),
    ("No fever was noted.", "The patient is afebrile.", 5),
    ("No fever was noted.", "A high fever was noted.", 1),
    ("The permit was granted.", "The permit was refused.", 1),
    ("The permit was granted.", "They received the permit.", 4),
    ("The road is closed at night.", "At night nobody may use the road.", 4),
    ("The road is closed at night.", "The road is closed for repairs.", 2),
    ("The dose was doubled.", "The dose was halved.", 1),
    ("The dose was doubled.", "Twice the dose is given now.", 5),
]


def leave_network() -> str:
    """Move this process into a network namespace of its own; "", or the reason it failed."""
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has no network namespaces"
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return os.strerror(ctypes.get_errno())
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        try:
            Path("/proc/self", name).write_text(line)
        except OSError as error:
            return f"{name}: {error.strerror}"
    return ""


def interfaces() -> list[str]:
    """The network interfaces except the loopback, which leads nowhere."""
    return [name for _, name in socket.if_nameindex() if name != "lo"]


def unrouted_count() -> int:
    """Packets and connections of this namespace for which the kernel found no route."""
    unrouted = 0
    lines = Path("/proc/self/net/snmp").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        counts = dict(zip(names.split()[1:], values.split()[1:], strict=True))
        unrouted += int(counts.get("OutNoRoutes", 0))
    ipv6 = Path("/proc/self/net/snmp6")
    for line in ipv6.read_text().splitlines() if ipv6.exists() else ():
        if line.startswith("Ip6OutNoRoutes"):
            unrouted += int(line.split()[1])
    return unrouted


def probe() -> str:
    """The error that a connection attempt ends with. Call it only without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        try:
            connection.connect(UNASSIGNED)
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, type(error).__name__)
    return "connected"


def count_attempts() -> Counter[str]:
    """Refuse and count every attempt from now on."""
    attempts: Counter[str] = Counter()

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        if event in ATTEMPTS:
            attempts[event] += 1
            raise PermissionError(errno.EPERM, "refused: nexus is being proved offline")

    sys.addaudithook(hook)
    return attempts


def run_commands(folder: Path) -> list[dict[str, Any]]:
    """Run a small training, an evaluation and a query through the commands themselves."""
    from nexus_tui.cli.main import main

    rows = ["sentence1,sentence2,score", *(f"{a},{b},{score}" for a, b, score in PAIRS)]
    for split in ("train", "dev", "test"):
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    run = str(folder / "run")
    train = ["train", "--data", str(folder), "--tune", "adapter", "--epochs", "2", "--out", run]
    commands = (
        [*train, "--batch-size", "4", "--threads", "1"],
        ["eval", run, "--split", "test"],
        ["similarity", run, PAIRS[0][0], PAIRS[0][1]],
    )
    results = []
    for command in commands:
        begun = time.monotonic()
        code = main(command)
        seconds = round(time.monotonic() - begun, 2)
        results.append({"command": command[0], "exit_code": code, "seconds": seconds})
    return results


def main_child(folder: Path, watch: Callable[[], object] = lambda: None) -> None:
    """Leave the network, run the commands and write the findings.

    `watch` is called after that, because a process with a second thread cannot leave the network.
    """
    reason = leave_network()
    watch()
    isolated = reason == ""
    findings: dict[str, Any] = {"namespace": isolated, "namespace_refused": reason}
    before = 0
    if isolated:
        findings["interfaces"] = interfaces()
        findings["probe"] = probe()
        before = unrouted_count()
        findings["kernel_counts_attempts"] = before > 0
    attempts = count_attempts()
    findings["commands"] = run_commands(folder)
    findings["attempts"] = {name: attempts[name] for name in ATTEMPTS}
    if isolated:
        findings["kernel_without_a_way"] = unrouted_count() - before
    (folder / "found.json").write_text(json.dumps(findings), encoding="utf-8")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    clean_up = partial(shutil.rmtree, place, ignore_errors=True)
    main_child(place, partial(ParentWatch, int(sys.argv[2]), clean_up))
