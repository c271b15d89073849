"""Pairs of sentences with a score: found, read, checked, split and numbered.

    spec → files → strict reader (row numbers) → `datasets` stream → score range → splits → PairData

Importing this package costs nothing beyond numpy: pyarrow and `datasets` come with the first load.
No function here opens a socket except the two of `nexus_engine.data.files.fetching`, none writes a
file, and no message quotes a sentence of the data.
"""

from nexus_engine.data.files.assets import assets_dir
from nexus_engine.data.loading import (
    load_data,
    load_guard,
    load_split,
    load_split_asked,
    load_unscored,
)
from nexus_engine.data.pairs import PairData, Pairs, arrow_strings

__all__ = [
    "PairData",
    "Pairs",
    "arrow_strings",
    "assets_dir",
    "load_data",
    "load_guard",
    "load_split",
    "load_split_asked",
    "load_unscored",
]
