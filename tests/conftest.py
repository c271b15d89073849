"""Shared fixtures: the real base model, tiny real data, STS-B where it is at hand."""

import csv
import os
import sys
from pathlib import Path

import pytest

# torchvision, which perforatedai requires and nothing here uses, does not match every build of
# torch; transformers fails when it then tries to import it.
sys.modules["torchvision"] = None  # type: ignore[assignment]
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Two workers share the processor: a thread of torch that waits must not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = Path(__file__).resolve().parent.parent
STSB = ROOT.parent / "shared" / "data" / "stsb"


@pytest.fixture(scope="session")
def stsb() -> Path:
    if not STSB.is_dir():
        pytest.skip("the STS Benchmark is not at ../shared/data/stsb")
    return STSB


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own: runs and settings land in `tmp_path`."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture(scope="session")
def base_model():
    from nexus_engine.model.base_model import find_base_model

    return find_base_model()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory) -> Path:
    """A base model of BERT's shape with random weights: a run on it takes little time.

    For what any base model must show; what is about the real weights takes `base_model`.
    """
    from small_models import SIX_LAYERS, make_model

    return make_model(tmp_path_factory.mktemp("tiny") / "base", SIX_LAYERS, max_tokens=128)


@pytest.fixture(scope="session")
def tiny_model(tiny_base):
    """`tiny_base` as the engine finds it."""
    from nexus_engine.model.base_model import find_base_model

    return find_base_model(tiny_base)


@pytest.fixture
def small_data(tmp_path) -> Path:
    """A folder with 48, 24 and 24 pairs of the demo set."""
    return write_small(tmp_path / "small")


@pytest.fixture
def short_guard_in_children(tmp_path, monkeypatch) -> None:
    """Python processes that a test starts have a guard of 20 pairs and 20 general sentences.

    Encoding all of them takes most of a small run's time.
    """
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SHORT_GUARD)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(ROOT)]))


SHORT_GUARD = """
import numpy as np
import nexus_engine.data as data
import nexus_engine.data.files.general as general
whole, every = data.load_guard, general.load_general
data.load_guard = lambda: whole().take(np.arange(20))
general.load_general = lambda: every()[:20]
"""


def write_small(folder: Path, pairs: int = 48) -> Path:
    """The first demo pairs as a folder; dev is half of train, so that training shows."""
    folder.mkdir()
    for split, source, count in (
        ("train", "train", pairs),
        ("dev", "train", pairs // 2),
        ("test", "test", pairs // 2),
    ):
        with (ROOT / "assets" / "demo" / f"{source}.csv").open(newline="") as file:
            rows = list(csv.reader(file))
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(row[:3] for row in rows[: count + 1])
    return folder
