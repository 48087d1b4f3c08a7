"""Convolutions as nodes of a graph, and their weights read back.

Letters: N sequences, T steps, T' those that are left, I inputs, C channels, k width, p steps of a
maximum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.convolutions import Convolution
from rnnkit.network.convolution import ConvolutionLayer
from rnnkit.persistence.onnx.graph import Graph
from rnnkit.persistence.onnx.layers import Steps

__all__ = ["add_convolution", "convolutions_of", "own_weight"]


def add_convolution(
    graph: Graph,
    layer: ConvolutionLayer,
    parameters: Mapping[str, np.ndarray],
    x: str,
    steps: Steps,
) -> tuple[str, Steps]:
    """Add a convolution over x (T, N, I).

    Returns
    -------
    y : str
        (T', N, C).
    steps : Steps
        Which steps of it are real.
    """
    shape = layer.shape
    k, before = shape.width, shape.n_before

    def constant(part: str) -> str:
        name = layer.names[part]
        array = parameters[name].astype(np.float32)
        if part == "weight":  # (C, k·I) -> (C, I, k)
            array = array.reshape(layer.width, k, layer.n_inputs).transpose(0, 2, 1)
        return graph.constant(np.ascontiguousarray(array), name)

    x = graph.add("Transpose", steps.masked(graph, x, np.float32(0)), perm=[1, 2, 0])
    y = graph.add(
        "Conv",
        x,
        *(constant(part) for part in ("weight", "bias") if part in layer.names),
        kernel_shape=[k],
        pads=[before, k - 1 - before],
        strides=[shape.stride],
    )
    if shape.batch_norm:
        parts = ("gain", "shift", "mean", "variance")
        y = graph.add("BatchNormalization", y, *map(constant, parts), epsilon=1e-5)
    y = graph.add("Transpose", y, perm=[2, 0, 1])
    steps = _shortened(graph, steps, shape.stride, y)
    if shape.layer_norm:
        gain, shift = constant("gain"), constant("shift")
        y = graph.add("LayerNormalization", y, gain, shift, axis=-1, epsilon=1e-5)
    if shape.activation != "identity":
        y = graph.add("Relu" if shape.activation == "relu" else "Tanh", y)
    if shape.pooling is not None and shape.pooling > 1:
        y, steps = _largest(graph, y, steps, shape.pooling)
    return y, steps


def _largest(graph: Graph, x: str, steps: Steps, p: int) -> tuple[str, Steps]:
    """Add the maximum over every p steps of x (T, N, C)."""
    nothing = np.float32(-np.inf)
    x = graph.add("Transpose", steps.masked(graph, x, nothing), perm=[1, 2, 0])
    x = graph.add("Pad", x, np.array([0, 0, 0, 0, 0, p - 1]), nothing)
    y = graph.add("MaxPool", x, kernel_shape=[p], strides=[p])
    y = graph.add("Transpose", y, perm=[2, 0, 1])
    steps = _shortened(graph, steps, p, y)
    return steps.masked(graph, y, np.float32(0)), steps


def _shortened(graph: Graph, steps: Steps, by: int, x: str) -> Steps:
    """Return the real steps where one of so many is left, those of x (T', N, C)."""
    if by == 1 or steps.lengths is None:
        return steps
    lengths = graph.add("Cast", steps.lengths, to=graph.onnx.TensorProto.INT64)
    lengths = graph.add("Div", graph.add("Add", lengths, np.int64(by - 1)), np.int64(by))
    return Steps.of(graph, lengths, x, axis=0)


def convolutions_of(told: Any) -> list[Convolution] | None:
    """Return convolutions from the tables of their parameters."""
    return None if told is None else [Convolution(**dict(table)) for table in told]


def own_weight(array: np.ndarray) -> np.ndarray:
    """Return a weight (C, I, k) of a graph as (C, k·I)."""
    return array.transpose(0, 2, 1).reshape(len(array), -1)
