"""An ONNX graph as it is written: nodes and constants by name, and the functions BERT is made of.

Every value is named by its place in the model, so that the same model gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nexus_engine.exports.extra import required

__all__ = ["FUNCTIONS", "GraphParts"]


class GraphParts:
    """Nodes in order of computation, and constants. A value is known by its name."""

    def __init__(self) -> None:
        self._onnx = required("onnx", "writing ONNX")
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        """A constant; a second one of the same name is the first."""
        if name not in self.constants:
            self.constants[name] = self._onnx.numpy_helper.from_array(
                np.asarray(value, order="C"), name
            )
        return name

    def number(self, value: float) -> str:
        """A float32 scalar."""
        return self.constant(f"number {value!r}", np.asarray(value, np.float32))

    def integers(self, *values: int) -> str:
        """An int64 vector."""
        name = f"integers {' '.join(map(str, values))}"
        return self.constant(name, np.asarray(values, np.int64))

    def add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """A node of one output; the output's name, `name`."""
        node = self._onnx.helper.make_node(operator, inputs, [name], name=name, **attributes)
        self.nodes.append(node)
        return name


def _gelu(graph: GraphParts, value: str, name: str) -> str:
    """0.5 z (1 + erf(z / √2)): in this order onnxruntime computes it as one kernel."""
    scaled = graph.add("Div", [value, graph.number(2**0.5)], f"{name}/scaled")
    curve = graph.add("Erf", [scaled], f"{name}/erf")
    raised = graph.add("Add", [curve, graph.number(1.0)], f"{name}/raised")
    product = graph.add("Mul", [value, raised], f"{name}/product")
    return graph.add("Mul", [product, graph.number(0.5)], f"{name}/gelu")


def _operator(operator: str) -> Callable[[GraphParts, str, str], str]:
    return lambda graph, value, name: graph.add(operator, [value], f"{name}/{operator.lower()}")


FUNCTIONS: dict[str, Callable[[GraphParts, str, str], str]] = {
    "gelu": _gelu,
    "sigmoid": _operator("Sigmoid"),
    "tanh": _operator("Tanh"),
    "relu": _operator("Relu"),
}
"""For each nonlinearity of `nexus_engine.model.dendrites`: (graph, z, name) to the name of f(z).

Linear units are folded into the weights before.
"""
