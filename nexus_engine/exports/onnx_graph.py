"""A model as an ONNX file, built from its weights by the package `onnx` alone.

Inputs: `input_ids`, `attention_mask`, `token_type_ids`, int64 (batch, sequence), both dynamic.
Outputs: `last_hidden_state` (batch, sequence, width), first, since fastembed, Chroma and
Transformers.js pool the first output themselves; then `sentence_embedding` (batch, width), the mean
over the mask or the first token's state, as the model pools, of unit length.

An adapter without units is linear, and a mean of adapted token states is the adapted mean. So it is
applied to the token states, and consumers that pool themselves get its effect too. An adapter with
units stands behind the pooling, where only `sentence_embedding` has it.

Opset 17 is the first with LayerNormalization; onnxruntime reads it since 1.12.
"""

from __future__ import annotations

import numpy as np

from nexus_engine.exports.extra import required
from nexus_engine.exports.onnx_nodes import FUNCTIONS, GraphParts
from nexus_engine.exports.plain_model import (
    Adapter,
    PlainModel,
    SiteUnits,
    published_site,
)
from nexus_engine.model.shape import EncoderShape

__all__ = ["INPUTS", "OUTPUTS", "onnx_bytes", "token_states_suffice"]

OPSET = 17
FORMAT_VERSION = 8
"""The version of the file format that goes with opset 17; the package's own default rises."""
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = ("last_hidden_state", "sentence_embedding")
LOWEST = float(np.finfo(np.float32).min)
"""Added to the attention scores of padding."""
SHORTEST = 1e-12
"""A vector shorter than this is not stretched to unit length."""


def token_states_suffice(model: PlainModel) -> bool:
    """Whether the pooled and normalised `last_hidden_state` equals `sentence_embedding`.

    If not, a consumer that pools the token states itself leaves the adapter out.
    """
    return model.adapter is None or not any(u.site == "adapter" for u in model.units)


def onnx_bytes(model: PlainModel) -> bytes:
    """The ONNX file of `model`, 90 MB. The same model gives the same bytes.

    Raises:
        ConfigError: the package `onnx` is not installed.
    """
    onnx = required("onnx", "writing ONNX")
    helper, types = onnx.helper, onnx.TensorProto
    shape = model.shape.encoder
    written = _Writer(model, shape)
    written.encode()
    axes = ["batch", "sequence"]
    graph = helper.make_graph(
        written.graph.nodes,
        "sentence_encoder",
        [helper.make_tensor_value_info(name, types.INT64, axes) for name in INPUTS],
        [
            helper.make_tensor_value_info(OUTPUTS[0], types.FLOAT, [*axes, shape.width]),
            helper.make_tensor_value_info(OUTPUTS[1], types.FLOAT, ["batch", shape.width]),
        ],
        list(written.graph.constants.values()),
    )
    proto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="nexus-dendrites",
        ir_version=FORMAT_VERSION,
    )
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


class _Writer:
    """Writes the encoder of one model into `graph`, from the inputs to the outputs."""

    def __init__(self, model: PlainModel, shape: EncoderShape) -> None:
        self.graph = GraphParts()
        self._weights = model.weights
        self._units = {units.site: units for units in model.units}
        self._adapter = model.adapter
        self._adapts_tokens = token_states_suffice(model)
        self._shape = shape

    def encode(self) -> None:
        """Write all nodes."""
        graph = self.graph
        mask = graph.add("Cast", ["attention_mask"], "mask", to=1)
        absent = graph.add("Sub", [graph.number(1.0), mask], "padding")
        raised = graph.add("Unsqueeze", [absent, graph.integers(1, 2)], "padding of keys")
        bias = graph.add("Mul", [raised, graph.number(LOWEST)], "attention bias")
        rows = self._embeddings()
        for layer in range(self._shape.layers):
            rows = self._layer(layer, rows, bias)
        if self._adapter is not None and self._adapts_tokens:
            rows = self._adapted(self._adapter, rows)
        graph.add("Identity", [rows], OUTPUTS[0])
        pooled = self._pooled(OUTPUTS[0], mask)
        if self._adapter is not None and not self._adapts_tokens:
            pooled = self._adapted(self._adapter, pooled)
        length = graph.add("ReduceL2", [pooled], "length", axes=[-1], keepdims=1)
        divisor = graph.add("Max", [length, graph.number(SHORTEST)], "divisor")
        graph.add("Div", [pooled, divisor], OUTPUTS[1])

    def _embeddings(self) -> str:
        """Word, position and segment embeddings, normalised: (batch, sequence, width)."""
        graph = self.graph
        size = graph.add("Shape", ["input_ids"], "shape of ids")
        length = graph.add("Gather", [size, graph.constant("one", np.asarray(1))], "length of ids")
        start, step = graph.constant("zero", np.asarray(0)), graph.constant("one", np.asarray(1))
        places = graph.add("Range", [start, length, step], "places")
        summed = ""
        for part, indices in (
            ("word", "input_ids"),
            ("token_type", "token_type_ids"),
            ("position", places),
        ):
            name = f"embeddings.{part}_embeddings.weight"
            table = graph.constant(name, self._weights[name])
            rows = graph.add("Gather", [table, indices], f"embeddings/{part}")
            summed = graph.add("Add", [summed, rows], f"embeddings/with {part}") if summed else rows
        return self._normalised("embeddings.LayerNorm", summed)

    def _normalised(self, name: str, rows: str) -> str:
        leaves = (f"{name}.weight", f"{name}.bias")
        weights = [self.graph.constant(leaf, self._weights[leaf]) for leaf in leaves]
        epsilon = self._shape.norm_epsilon
        return self.graph.add(
            "LayerNormalization", [rows, *weights], f"{name}/rows", axis=-1, epsilon=epsilon
        )

    def _layer(self, layer: int, rows: str, bias: str) -> str:
        """One transformer layer: (batch, sequence, width) to the same."""
        graph, root = self.graph, f"encoder.layer.{layer}"
        heads, width = self._shape.heads, self._shape.width // self._shape.heads
        split = {}
        for part, order in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            flat = self._linear(layer, part, rows)
            by_head = graph.add(
                "Reshape", [flat, graph.integers(0, 0, heads, width)], f"{root}/{part} by head"
            )
            split[part] = graph.add("Transpose", [by_head], f"{root}/{part} turned", perm=order)
        products = graph.add("MatMul", [split["q"], split["k"]], f"{root}/products")
        scaled = graph.add("Div", [products, graph.number(width**0.5)], f"{root}/scores")
        masked = graph.add("Add", [scaled, bias], f"{root}/masked scores")
        shares = graph.add("Softmax", [masked], f"{root}/attention", axis=-1)
        mixed = graph.add("MatMul", [shares, split["v"]], f"{root}/mixed by head")
        turned = graph.add("Transpose", [mixed], f"{root}/mixed turned", perm=[0, 2, 1, 3])
        together = graph.integers(0, 0, self._shape.width)
        joined = graph.add("Reshape", [turned, together], f"{root}/mixed")
        added = graph.add("Add", [self._linear(layer, "o", joined), rows], f"{root}/attended")
        rows = self._normalised(f"{root}.attention.output.LayerNorm", added)
        inner = FUNCTIONS["gelu"](graph, self._linear(layer, "up", rows), f"{root}/inner")
        added = graph.add("Add", [self._linear(layer, "down", inner), rows], f"{root}/transformed")
        return self._normalised(f"{root}.output.LayerNorm", added)

    def _linear(self, layer: int, part: str, rows: str) -> str:
        """A linear layer of the encoder, with the units on it."""
        name = published_site(f"{layer}.{part}")
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return self._product(f"{layer}.{part}", name, Adapter(weight, bias), rows)

    def _adapted(self, adapter: Adapter, rows: str) -> str:
        return self._product("adapter", "adapter", adapter, rows)

    def _product(self, site: str, name: str, layer: Adapter, rows: str) -> str:
        """Rows (..., in) times the weight (out, in), plus the bias and what the units add."""
        graph = self.graph
        weight = graph.constant(f"{name}.weight", layer.weight.T)
        product = graph.add("MatMul", [rows, weight], f"{name}/product")
        bias = graph.constant(f"{name}.bias", layer.bias)
        value = graph.add("Add", [bias, product], f"{name}/rows")
        if site not in self._units:
            return value
        added = self._added(self._units[site], f"{name}.units", rows)
        return graph.add("Add", [value, added], f"{name}/with units")

    def _added(self, units: SiteUnits, name: str, rows: str) -> str:
        """What `units` add to their layer's outputs: rows (..., in) to (..., out).

        Units with a shared weight row are computed one by one for their cascade, each (..., 1), and
        weighted in one product. A full unit is (..., out).
        """
        graph, outputs = self.graph, list[str]()
        function = FUNCTIONS[units.nonlinearity]
        for k in range(len(units.gain)):
            unit = f"{name}.{k}"
            incoming = units.incoming[k] if units.full else units.incoming[k : k + 1]
            weight = graph.constant(f"{unit}.incoming", incoming.T)
            threshold = graph.constant(f"{unit}.threshold", np.atleast_1d(units.threshold[k]))
            drive = graph.add("MatMul", [rows, weight], f"{unit}/weighted")
            drive = graph.add("Add", [drive, threshold], f"{unit}/drive")
            for j, earlier in enumerate(outputs):
                weight = graph.constant(f"{unit}.cascade.{j}", np.atleast_1d(units.cascade[k, j]))
                fed = graph.add("Mul", [earlier, weight], f"{unit}/from {j}")
                drive = graph.add("Add", [drive, fed], f"{unit}/drive with {j}")
            outputs.append(function(graph, drive, unit))
        if units.full:
            weighted = [
                graph.add(
                    "Mul", [d, graph.constant(f"{name}.{k}.gain", units.gain[k])], f"{name}.{k}/out"
                )
                for k, d in enumerate(outputs)
            ]
            return graph.add("Sum", weighted, f"{name}/added")
        joined = outputs[0]
        if len(outputs) > 1:
            joined = graph.add("Concat", outputs, f"{name}/outputs", axis=-1)
        gain = graph.constant(f"{name}.gain", units.gain)
        return graph.add("MatMul", [joined, gain], f"{name}/added")

    def _pooled(self, rows: str, mask: str) -> str:
        """(batch, sequence, width) to (batch, width), as the model pools."""
        if self._shape.pooling == "mean":
            return self._mean(rows, mask)
        first = self.graph.constant("zero", np.asarray(0))
        return self.graph.add("Gather", [rows, first], "state of the first token", axis=1)

    def _mean(self, rows: str, mask: str) -> str:
        """The mean of the token states over the mask: (batch, sequence, width) to (batch, width).

        A text without tokens has the sum zero, so that a smallest count suffices.
        """
        graph = self.graph
        raised = graph.add("Unsqueeze", [mask, graph.integers(2)], "mask of states")
        kept = graph.add("Mul", [rows, raised], "states of tokens")
        total = graph.add("ReduceSum", [kept, graph.integers(1)], "sum of states", keepdims=0)
        count = graph.add("ReduceSum", [mask, graph.integers(1)], "count of tokens", keepdims=1)
        at_least = graph.add("Max", [count, graph.number(1e-9)], "divisor of the mean")
        return graph.add("Div", [total, at_least], "mean of states")
