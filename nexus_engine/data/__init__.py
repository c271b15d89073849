"""Sentence pairs with scores: find their files, read and check them, split them.

    spec → files → strict reader (row numbers) → `datasets` stream → score range → splits → PairData

Importing this package imports numpy and nothing heavier: the first load imports pyarrow and
`datasets`. Only the two functions of `nexus_engine.data.files.fetching` open a socket. No function
here writes a file, and no message quotes a sentence of the data.
"""

from nexus_engine.data.files.assets import assets_dir
from nexus_engine.data.loading import (
    load_data,
    load_guard,
    load_split,
    load_split_with_questions,
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
    "load_split_with_questions",
    "load_unscored",
]
