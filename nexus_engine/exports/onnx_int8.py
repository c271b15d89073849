"""An ONNX file in int8: products by onnxruntime's dynamic quantisation, tables row by row.

Weights of products get one scale for each output, activations one for each call; the package
`onnxruntime` does that. Its own quantisation of a table has one scale for the whole table, so the
embedding tables are written here: int8 with one scale for each row, and exact zero points. That
takes 90 MB to 23 MB.

What int8 costs is measured, not assumed: see `agreement`, and the export's own test on dev data.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nexus_engine.exports.extra import required
from nexus_engine.exports.onnx_session import OnnxEncoder
from nexus_engine.exports.plain_model import Floats
from nexus_engine.model.tokens import Rows

__all__ = ["Agreement", "agreement", "int8_bytes"]

LARGEST = 127
"""Weights are symmetric: -127..127."""
SMALLEST_TABLE = 1024
"""Entries of a table below which it stays in float32, such as the two segments."""
PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")
"""Tells the quantiser that the graph needs no preparation; without it, it logs a warning."""


class Agreement(NamedTuple):
    """Cosine similarities of a sentence's two embeddings, over `texts` sentences."""

    mean: float
    lowest: float
    texts: int


def int8_bytes(onnx_model: bytes, scratch: Path | None = None) -> bytes:
    """The ONNX file `onnx_model`, as `onnx_bytes` writes it, in int8: the same bytes each time.

    The quantiser works on files. They lie in a private folder inside `scratch` (None: the system's
    folder for temporary files) and are removed.

    Raises:
        ConfigError: the packages `onnx` and `onnxruntime` are not installed.
        OSError: there is no room for 200 MB of temporary files.
    """
    onnx = required("onnx", "writing ONNX in int8")
    quantization = required("onnxruntime.quantization", "writing ONNX in int8")
    proto = onnx.load_from_string(onnx_model)
    _quantise_tables(onnx, proto.graph)
    proto.metadata_props.add(key=PREPARED[0], value=PREPARED[1])
    with tempfile.TemporaryDirectory(prefix=".nexus-int8-", dir=scratch) as folder:
        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(proto.SerializeToString(deterministic=True))
        quantization.quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
        )
        quantised = onnx.load(target)
    del quantised.metadata_props[:]
    onnx.checker.check_model(quantised)
    content: bytes = quantised.SerializeToString(deterministic=True)
    return content


def _quantise_tables(onnx: Any, graph: Any) -> None:
    """Replace each float table that rows are taken from by int8 rows and a scale for each."""
    tables = {t.name: t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
    nodes: list[Any] = []
    for node in graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or int(np.prod(table.dims)) < SMALLEST_TABLE:
            nodes.append(node)
            continue
        values = onnx.numpy_helper.to_array(table)
        scales = np.abs(values).max(axis=1, keepdims=True) / np.float32(LARGEST)
        scales[scales == 0] = 1
        rounded = np.rint(values / scales).astype(np.int8)
        graph.initializer.remove(table)
        for suffix, array in (("int8", rounded), ("scales", scales)):
            name = f"{table.name}.{suffix}"
            graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        place, indices = node.output[0], node.input[1]
        for operator, inputs, output in (
            ("Gather", [f"{table.name}.int8", indices], f"{place}/int8"),
            ("Cast", [f"{place}/int8"], f"{place}/unscaled"),
            ("Gather", [f"{table.name}.scales", indices], f"{place}/scales"),
            ("Mul", [f"{place}/unscaled", f"{place}/scales"], place),
        ):
            attributes = {"to": onnx.TensorProto.FLOAT} if operator == "Cast" else {}
            nodes.append(
                onnx.helper.make_node(operator, inputs, [output], name=output, **attributes)
            )
    del graph.node[:]
    graph.node.extend(nodes)


def agreement(exact: bytes, rounded: bytes, batches: Iterable[tuple[Rows, Rows]]) -> Agreement:
    """How far `rounded` embeds as `exact` does, both ONNX files.

    A batch has token ids (t,), sentence after sentence, and their lengths (n,), as `TokenStore`
    gives them.

    Raises:
        ConfigError: the package `onnxruntime` is not installed.
        ValueError: there is no sentence.
    """
    first, second = OnnxEncoder(exact), OnnxEncoder(rounded)
    cosines: list[Floats] = []
    for ids, lengths in batches:
        if len(lengths):
            cosines.append((first.embed(ids, lengths) * second.embed(ids, lengths)).sum(1))
    if not cosines:
        raise ValueError("no sentence to compare embeddings of")
    together = np.concatenate(cosines)
    return Agreement(float(together.mean()), float(together.min()), len(together))
