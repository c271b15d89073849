"""Embeddings of sentences: by the encoder, or from a frozen encoder's output, computed once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nexus_engine.model.cpu.mask_pool import DropoutPool
from nexus_engine.model.sentence_model import SentenceModel
from nexus_engine.model.tokens import Rows, TokenStore
from nexus_engine.scoring.corpus import Corpus, QuestionCorpus
from nexus_engine.scoring.evaluation import embed_all

__all__ = ["Embedder", "features_of"]


class Embedder:
    """Maps store rows (m,) to embeddings (m, width), in the mode that the model is in.

    `features` (store rows, width) is a frozen encoder's output.
    """

    def __init__(self, model: SentenceModel, store: TokenStore, features: Tensor | None) -> None:
        self.model = model
        self.store = store
        self.features = features

    def __call__(
        self,
        rows: Rows,
        dtype: torch.dtype | None = None,
        pool: DropoutPool | None = None,
        *,
        plain: bool = False,
    ) -> Tensor:
        """The embeddings of `rows`; the other arguments are those of `SentenceModel.embed`."""
        if self.features is not None:
            return self.model.adapt(self.features[torch.from_numpy(rows).to(self.features.device)])
        return self.model.embed(self.store, rows, dtype, pool, plain=plain)


def features_of(
    model: SentenceModel, corpus: Corpus | QuestionCorpus, check: Callable[[], None]
) -> Tensor:
    """(store rows, width): the encoder's pooled output for every sentence of `corpus`."""
    model.eval()
    rows = np.arange(len(corpus.store), dtype=np.int64)
    return embed_all(
        lambda r: model.pooled(corpus.store, r),
        corpus.store,
        rows,
        check,
    ).to(model.device)
