"""The user's sentences stay in memory: no file is written, no socket opened, no repr shows them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from data_cases import CANARY, delimited_text, pair_rows, write_all_kinds

from nexus_engine.data import load_data, load_unscored

ROOT = Path(__file__).resolve().parents[2]

LOAD_EVERYTHING = """
import socket, sys

def refuse(*_):
    raise SystemExit("a socket was opened")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from nexus_engine.data import load_data, load_split, load_unscored
from nexus_engine.errors import DataError

for path in sys.argv[1:]:
    data = load_data(path)
    load_split(path, "all")
    load_unscored(path)
try:
    load_data("stsb")
except DataError:
    pass
else:
    raise SystemExit("stsb came from nowhere")
import datasets, huggingface_hub.constants as hub
if not (datasets.config.HF_HUB_OFFLINE and hub.HF_HUB_OFFLINE and hub.HF_HUB_DISABLE_TELEMETRY):
    raise SystemExit("the libraries may call home")
print(repr(data), data.train)
"""

CHEAP_IMPORT = """
import sys
import nexus_engine.data
import nexus_engine.data.files.fetching

heavy = {"datasets", "pandas", "pyarrow", "torch", "scipy", "huggingface_hub"}
heavy |= {"textual", "rich", "typer"}
imported = heavy & set(sys.modules)
assert not imported, imported
from nexus_engine.data import load_data
try:
    load_data("nothing.csv")
except Exception:
    pass
assert not {"textual", "rich", "typer"} & set(sys.modules)
"""


def run(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process whose home, caches and temporary folder lie in `folder`."""
    places = {"HOME": "home", "HF_HOME": "hf", "TMPDIR": "tmp", "XDG_CACHE_HOME": "cache"}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    for variable, place in places.items():
        (folder / place).mkdir(parents=True)
        environment[variable] = str(folder / place)
    return subprocess.run(
        [sys.executable, "-B", "-W", "error::ResourceWarning", "-c", code, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_loading_writes_no_file_and_opens_no_socket(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    paths = [str(path) for path in write_all_kinds(source, pair_rows())]
    box = tmp_path / "box"
    box.mkdir()
    done = run(LOAD_EVERYTHING, box, *paths)
    assert done.returncode == 0, done.stderr
    left = [path for path in box.rglob("*") if not path.is_dir()]
    assert left == []
    assert CANARY not in done.stdout + done.stderr
    assert done.stderr == ""
    assert sorted(source.iterdir()) == sorted(map(Path, paths))


def test_loading_needs_no_folder_that_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(pair_rows()))
    code = "import os, sys; os.environ['HF_HOME'] = '/proc/none'\n" + LOAD_EVERYTHING
    done = run(code, tmp_path / "box", str(path))
    assert done.returncode == 0, done.stderr


def test_the_package_is_cheap_to_import(tmp_path: Path) -> None:
    done = run(CHEAP_IMPORT, tmp_path / "box")
    assert done.returncode == 0, done.stderr


def test_no_repr_shows_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(delimited_text(pair_rows()))
    data = load_data(str(path))
    pairs = load_unscored(path)
    shown = f"{data!r} {data} {pairs!r} {[pairs]} {data.notes}"
    assert CANARY not in shown
