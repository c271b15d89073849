"""What the fork server imports once; nothing here may start a thread."""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"
sys.modules["torchvision"] = None  # type: ignore[assignment]

import datasets  # noqa: E402, F401
import pyarrow.parquet  # noqa: E402, F401
import scipy.stats  # noqa: E402, F401
import tokenizers  # noqa: E402, F401
import torch  # noqa: E402, F401

import nexus_engine.data.assembling  # noqa: E402
import nexus_engine.scoring.similarity  # noqa: E402
import nexus_engine.session  # noqa: E402, F401
import nexus_tui.cli.main  # noqa: E402, F401
from reliability import tiny_runs  # noqa: E402, F401
