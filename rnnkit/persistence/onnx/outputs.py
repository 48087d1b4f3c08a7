"""What a network ends in, as nodes: labels and probabilities, numbers, label sequences.

Letters: N sequences, T steps, K classes or outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rnnkit.network import CTC, Bernoulli, Output, PoissonLoss, SoftmaxCrossEntropy
from rnnkit.network.losses import StandardizedOutput
from rnnkit.network.quantiles import Quantiles
from rnnkit.persistence.onnx.graph import Graph
from rnnkit.persistence.onnx.layers import Steps

__all__ = ["Scores", "add_outputs", "label_table"]


class Scores(NamedTuple):
    """Raw scores: their name, (N, K) or (N, T, K), and which steps are real."""

    value: str
    steps: Steps
    per_step: bool

    def masked(self, graph: Graph, value: str, fill: Any, *, vectors: bool = True) -> str:
        """Return a value of the scores' rows, with `fill` beyond the real steps."""
        if not self.per_step or self.steps.mask is None:
            return value
        mask = graph.add("Transpose", self.steps.mask, perm=[1, 0, 2])  # (N, T, 1)
        if not vectors:
            mask = graph.add("Squeeze", mask, np.array([2]))
        if isinstance(fill, (bool, np.bool_)):  # runtimes choose between numbers or texts alone
            return graph.add("And", mask, value)
        return graph.add("Where", mask, value, fill)

    def shape(self, *last: int) -> list[Any]:
        """Return the dimensions of a result per sequence or step."""
        return ["N", *(["T"] if self.per_step else []), *last]


def add_outputs(graph: Graph, output: Output, classes: Any, scores: Scores) -> None:
    """Declare what the output object answers as outputs of the graph.

    Raises
    ------
    ValueError
        If a graph cannot express the output, or the labels; which is named.
    """
    if isinstance(output, CTC):
        _add_label_sequences(graph, output, label_table(classes), scores)
    elif isinstance(output, SoftmaxCrossEntropy):
        best = graph.add("ArgMax", scores.value, axis=-1, keepdims=0)
        _give_labels(graph, "label", label_table(classes), best, scores)
        probabilities = graph.add("Softmax", scores.value, axis=-1)
        _give_probabilities(graph, probabilities, output.width, scores)
    elif isinstance(output, Bernoulli):
        yes = graph.add("Greater", scores.value, np.float32(0))
        labels = graph.add("Cast", yes, to=graph.onnx.TensorProto.INT64)
        masked = scores.masked(graph, labels, np.int64(0))
        graph.give_out("label", masked, np.int64, scores.shape(output.width))
        probabilities = graph.add("Sigmoid", scores.value)
        _give_probabilities(graph, probabilities, output.width, scores)
    elif isinstance(output, Quantiles):
        _add_quantiles(graph, output, scores)
    elif isinstance(output, (StandardizedOutput, PoissonLoss)):
        numbers = scores.value
        if isinstance(output, PoissonLoss):
            numbers = graph.add("Exp", numbers)
        masked = scores.masked(graph, numbers, np.float32(0))
        graph.give_out("variable", masked, np.float32, scores.shape(output.width))
    else:
        raise ValueError(f"to_onnx cannot express {output.spoken_name}")


def label_table(classes: np.ndarray) -> np.ndarray:
    """Return labels in a dtype that ONNX has: int64, float64, bool or text.

    Raises
    ------
    ValueError
        If they are of another kind.
    """
    labels = np.array(classes.tolist()) if classes.dtype == object else classes
    if labels.dtype.kind == "U" and all(isinstance(label, str) for label in classes.tolist()):
        return labels.astype(object)
    if labels.dtype.kind in "iu" and labels.size and int(labels.max()) < 2**63:
        return labels.astype(np.int64)
    if labels.dtype.kind == "f":
        return labels.astype(np.float64)
    if labels.dtype.kind == "b":
        return labels
    raise ValueError(
        f"to_onnx can express labels that are text, whole numbers, numbers or bools, not "
        f"{classes.dtype} such as {classes[:1].tolist()}"
    )


def _add_quantiles(graph: Graph, output: Quantiles, scores: Scores) -> None:
    """Add the gaps up from the middle quantile and down from it, each above 0."""
    k, q = output.n_outputs, len(output.quantiles)

    def column(number: int) -> str:
        return graph.add("Gather", scores.value, np.arange(k) * q + number, axis=-1)

    lower, middle, upper = output.columns()
    values = {middle: column(middle)}
    for columns, operator in ((upper, "Add"), (lower, "Sub")):
        before = values[middle]
        for number in columns:
            gap = graph.add("Softplus", column(number))
            before = values[number] = graph.add(operator, before, gap)
    last = np.array([3 if scores.per_step else 2])
    stacked = [graph.add("Unsqueeze", values[number], last) for number in range(q)]
    numbers = graph.add("Concat", *stacked, axis=-1)  # (..., K, Q)
    if output.scale is not None:
        scale, center = (
            np.array(of_outputs, np.float32)[:, None]
            for of_outputs in (output.scale, output.center)
        )
        numbers = graph.add("Add", graph.add("Mul", numbers, scale), center)
    flat = np.array([0, 0, k * q] if scores.per_step else [0, k * q])
    masked = scores.masked(graph, graph.add("Reshape", numbers, flat), np.float32(0))
    graph.give_out("variable", masked, np.float32, scores.shape(k * q))


def _nothing(table: np.ndarray) -> np.ndarray:
    """Return what stands where there is no label."""
    return np.array("", object) if table.dtype == object else table.dtype.type(0)


def _dtype_of(table: np.ndarray) -> Any:
    return str if table.dtype == object else table.dtype


def _give_labels(graph: Graph, name: str, table: np.ndarray, codes: str, scores: Scores) -> None:
    labels = graph.add("Gather", graph.constant(table, "classes"), codes)
    masked = scores.masked(graph, labels, _nothing(table), vectors=False)
    graph.give_out(name, masked, _dtype_of(table), scores.shape())


def _give_probabilities(graph: Graph, value: str, width: int, scores: Scores) -> None:
    masked = scores.masked(graph, value, np.float32(0))
    graph.give_out("probabilities", masked, np.float32, scores.shape(width))


def _add_label_sequences(graph: Graph, output: CTC, table: np.ndarray, scores: Scores) -> None:
    """Read the labels off the best class of every step: repeats merged, blanks dropped.

    The n labels of a sequence come first in its row of T places, the rest is filled up.
    """
    blank = np.int64(output.width - 1)
    best = graph.add("ArgMax", scores.value, axis=-1, keepdims=0)  # (N, T)
    best = scores.masked(graph, best, blank, vectors=False)
    first = np.array([0]), np.array([1])
    rows = graph.add("Slice", best, *first, np.array([1]))  # the first step's
    nothing_before = graph.add("Add", graph.add("Mul", rows, np.int64(0)), np.int64(-1))
    until_last = graph.add("Slice", best, np.array([0]), np.array([-1]), np.array([1]))
    before = graph.add("Concat", nothing_before, until_last, axis=1)
    kept = graph.add(
        "And",
        graph.add("Not", graph.add("Equal", best, blank)),
        graph.add("Not", graph.add("Equal", best, before)),
    )
    counted = graph.add("Cast", kept, to=graph.onnx.TensorProto.INT64)
    so_far = graph.add("CumSum", counted, np.int64(1))
    n_steps = graph.add("Gather", graph.add("Shape", best), np.int64(1))
    # A label goes to the place of its number; what is dropped to one more, cut off afterwards.
    place = graph.add("Where", kept, graph.add("Sub", so_far, np.int64(1)), n_steps)
    wide = graph.add("Concat", best, rows, axis=1)
    empty = graph.add("Add", graph.add("Mul", wide, np.int64(0)), blank)
    placed = graph.add("ScatterElements", empty, place, best, axis=1)
    codes = graph.add("Slice", placed, np.array([0]), np.array([-1]), np.array([1]))
    filled = np.append(table, np.asarray(_nothing(table), table.dtype))
    labels = graph.add("Gather", graph.constant(filled, "classes"), codes)
    graph.give_out("label", labels, _dtype_of(table), scores.shape())
    n_labels = graph.add("ReduceSum", counted, np.array([1]), keepdims=0)
    graph.give_out("label_lengths", n_labels, np.int64, ["N"])
    probabilities = graph.add("Softmax", scores.value, axis=-1)
    _give_probabilities(graph, probabilities, output.width, scores)
