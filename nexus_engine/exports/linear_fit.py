"""`--fold approximate`: each set of nonlinear units replaced by its least-squares linear fit.

For a layer with inputs x and units d(x), the affine map d(x) ≈ A x + a that is nearest over
the tokens of the run's train text is found by least squares, and folded: W' = W + Tᵀ A,
b' = b + Tᵀ a, with T (K, out) the gains. Where there are few train texts, general sentences join
them: a fit of 385 numbers a unit to a few hundred tokens would be exact there and wrong elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nexus_engine.data import PairData
from nexus_engine.data.files.general import load_general
from nexus_engine.data.questions.question_data import QuestionData
from nexus_engine.errors import ModelError
from nexus_engine.exports.plain_model import Adapter, PlainModel, published_site
from nexus_engine.model.dendrites import DendriteLinear
from nexus_engine.model.tokens import TokenStore
from nexus_engine.runs.saved_model import LoadedModel

__all__ = ["fitted"]

MAX_TEXTS = 2_000
MIN_TEXTS = 1_000
"""With fewer train texts, general sentences fill up to this number."""
BATCH = 32
RIDGE = 1e-6
"""Share of the mean variance of an input that is added to each, for inputs that never vary."""
Wide = npt.NDArray[np.float64]


class _Sums:
    """Moments of a layer's inputs x, with a 1 appended, and of its units' outputs d."""

    def __init__(self, layer: DendriteLinear) -> None:
        width = layer.inputs + 1
        self.layer = layer
        self.inputs = torch.zeros(width, width, dtype=torch.float64)
        self.both = torch.zeros(width, layer.units, dtype=torch.float64)
        self.units = torch.zeros(layer.units, layer.units, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Count the input rows (t, in)."""
        rows = rows.reshape(-1, self.layer.inputs)
        d = self.layer.activations(rows).double()
        x = torch.cat([rows.double(), torch.ones(len(rows), 1, dtype=torch.float64)], 1)
        self.inputs += x.T @ x
        self.both += x.T @ d
        self.units += d.T @ d

    def fit(self) -> tuple[Wide, Wide, float]:
        """A (K, in), a (K,), and the share of the units' variance that the fit leaves, 0..1."""
        inputs, both = self.inputs.numpy(), self.both.numpy()
        count = inputs[-1, -1]
        variances = np.diag(inputs)[:-1] / count - (inputs[-1, :-1] / count) ** 2
        ridge = np.full(len(inputs), RIDGE * float(variances.mean()) * count)
        ridge[-1] = 0.0  # the constant is free
        solution = np.linalg.solve(inputs + np.diag(ridge), both)
        squares = np.diag(self.units.numpy())
        residual = squares - 2 * (solution * both).sum(0) + (solution * (inputs @ solution)).sum(0)
        variance = squares - both[-1] ** 2 / count
        left = float(residual.sum() / max(float(variance.sum()), 1e-30))
        return solution[:-1].T, solution[-1], left


def fitted(
    loaded: LoadedModel, model: PlainModel, data: PairData | QuestionData
) -> tuple[PlainModel, list[str]]:
    """`model` with its remaining units replaced by their linear fits, and lines about the fit.

    Raises:
        ModelError: the units are full dendrites, or the run has no train text.
    """
    if any(units.full for units in model.units):
        raise ModelError(
            "--fold approximate: this run has full dendrites, which are not fitted; use --format "
            "onnx"
        )
    own = _train_texts(data)
    if not own:
        raise ModelError("--fold approximate: the run's data hold no train text to fit on")
    texts = list(dict.fromkeys([*own, *load_general()[: max(0, MIN_TEXTS - len(own))]]))
    sites = {units.site: _Sums(loaded.model.sites()[units.site]) for units in model.units}
    _collect(loaded, sites, texts)
    weights, adapter, shares = dict(model.weights), model.adapter, []
    for units in model.units:
        slope, constant, left = sites[units.site].fit()
        shares.append(left)
        gain = units.gain.astype(np.float64)
        added, shift = gain.T @ slope, gain.T @ constant
        if units.site == "adapter":
            assert adapter is not None
            adapter = Adapter(_sum(adapter.weight, added), _sum(adapter.bias, shift))
            continue
        name = published_site(units.site)
        for leaf, change in (("weight", added), ("bias", shift)):
            weights[f"{name}.{leaf}"] = _sum(weights[f"{name}.{leaf}"], change)
    general = f" and {len(texts) - len(own):,} general sentences" if len(texts) > len(own) else ""
    words = (
        f"Approximate: the nonlinear units of {len(shares)} layers were replaced by their linear "
        f"fit on {len(own):,} train texts{general}, which leaves {100 * np.mean(shares):.0f} % of "
        f"their variance on average and {100 * max(shares):.0f} % at most. This is not the run's "
        "model."
    )
    return model._replace(weights=weights, units=(), adapter=adapter), [words]


def _sum(weight: npt.NDArray[np.float32], change: Wide) -> npt.NDArray[np.float32]:
    return (weight.astype(np.float64) + change).astype(np.float32)


def _train_texts(data: PairData | QuestionData) -> list[str]:
    """Distinct train texts, at most `MAX_TEXTS`, drawn with a fixed seed."""
    if isinstance(data, PairData):
        texts = [text for batch in data.train.sentences() for text in batch]
    else:
        rows = np.unique(data.train.answers.rows.values)
        texts = [*data.train.questions.to_pylist(), *data.passages.take(rows).to_pylist()]
    distinct = list(dict.fromkeys(texts))
    order = np.random.default_rng(0).permutation(len(distinct))[:MAX_TEXTS]
    return [distinct[place] for place in np.sort(order)]


def _collect(loaded: LoadedModel, sites: dict[str, _Sums], texts: list[str]) -> None:
    """Run the exact model on `texts`, and count what reaches each layer."""
    store = TokenStore(loaded.tokenizer)
    rows = store.add([texts], prompt=store.prompts.query)

    def counting(sums: _Sums) -> Iterator[None]:
        def count(_: object, inputs: tuple[Tensor, ...]) -> None:
            sums.add(inputs[0])

        handle = sums.layer.register_forward_pre_hook(count)
        yield
        handle.remove()

    hooks = [counting(sums) for sums in sites.values()]
    for hook in hooks:
        next(hook)
    try:
        with torch.no_grad():
            for start in range(0, len(rows), BATCH):
                loaded.model.embed(store, rows[start : start + BATCH], plain=True)
    finally:
        for hook in hooks:
            next(hook, None)
