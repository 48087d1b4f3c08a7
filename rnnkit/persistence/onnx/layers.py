"""The layers of a network as nodes of a graph.

Inside the graph steps are first, (T, N, W), as ONNX's recurrent operators take them.

Letters: N sequences, T steps, W width of a row, H hidden units, D directions, C columns of ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.cells import Activation, LayerSpec
from rnnkit.network import CharacterEncoder, Embedding
from rnnkit.network.recurrent import Recurrent
from rnnkit.persistence.onnx.graph import Graph

__all__ = ["ACTIVATIONS", "GATE_ORDER", "Steps", "add_recurrent", "add_tokens", "pooled"]

GATE_ORDER = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}  # i o f c; z r h
PEEPHOLE_ORDER = (0, 2, 1)  # i o f
ACTIVATIONS = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softsign": "Softsign",
    "relu": "Relu",
    "hard_sigmoid": "HardSigmoid",
    "linear": "Affine",
    "leaky_relu": "LeakyRelu",
    "scaled_tanh": "ScaledTanh",
}
# Of the others ONNX takes no alpha or beta, and lists have no place for them.
TAKE_ALPHA = ("hard_sigmoid", "linear", "leaky_relu", "scaled_tanh")
TAKE_BETA = ("hard_sigmoid", "linear", "scaled_tanh")

Parameters = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Steps:
    """Which steps of the sequences are real.

    Parameters
    ----------
    lengths : str or None
        The value (N,), int32; None: all steps are.
    mask : str or None
        The value (T, N, 1), bool.
    """

    lengths: str | None = None
    mask: str | None = None

    @classmethod
    def of(cls, graph: Graph, lengths: str, x: str, *, axis: int = 1) -> Steps:
        """Return the steps of x (N, T, ...) that lie within lengths (N,), int64; or of axis 0."""
        n_steps = graph.add("Gather", graph.add("Shape", x), np.int64(axis))
        places = graph.add("Range", np.int64(0), n_steps, np.int64(1))
        by_step = graph.add("Unsqueeze", places, np.array([1, 2]))  # (T, 1, 1)
        by_sequence = graph.add("Unsqueeze", lengths, np.array([0, 2]))  # (1, N, 1)
        mask = graph.add("Less", by_step, by_sequence)
        return cls(graph.add("Cast", lengths, to=graph.onnx.TensorProto.INT32), mask)

    def masked(self, graph: Graph, x: str, fill: Any) -> str:
        """Return x (T, N, W) with `fill` beyond the real steps."""
        return x if self.mask is None else graph.add("Where", self.mask, x, fill)


def _reordered(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[place] for place in order])


def _operands(spec: LayerSpec, own: Parameters) -> dict[str, np.ndarray]:
    """Return W, R, B and P of one direction in ONNX's order, float32."""
    order = GATE_ORDER[spec.cell]
    of_state = np.zeros_like(own["bias"])
    if spec.cell == "gru":
        of_state[-spec.hidden_size :] = own["bias_hn"]
    biases = [_reordered(bias, order) for bias in (own["bias"], of_state)]
    operands = {
        "W": _reordered(own["weight_ih"], order),
        "R": _reordered(own["weight_hh"], order),
        "B": np.concatenate(biases),
    }
    if spec.peephole:
        operands["P"] = _reordered(own["peephole"], PEEPHOLE_ORDER)
    return {name: array.astype(np.float32) for name, array in operands.items()}


def _attributes(specs: Sequence[LayerSpec]) -> dict[str, Any]:
    """Return the attributes of the operator."""
    spec = specs[0]
    attributes: dict[str, Any] = {"hidden_size": spec.hidden_size}
    if len(specs) == 2:
        attributes["direction"] = "bidirectional"
    elif spec.reverse:
        attributes["direction"] = "reverse"
    roles = {
        "rnn": (spec.activation,),
        "gru": (spec.gate_activation, spec.activation),
        "lstm": (spec.gate_activation, spec.activation, spec.output_activation),
    }[spec.cell]
    chosen: list[Activation] = [*roles] * len(specs)
    attributes["activations"] = [ACTIVATIONS[function.name] for function in chosen]
    alphas = [function.alpha for function in chosen if function.name in TAKE_ALPHA]
    betas = [function.beta for function in chosen if function.name in TAKE_BETA]
    attributes |= {"activation_alpha": alphas} if alphas else {}
    attributes |= {"activation_beta": betas} if betas else {}
    if spec.cell_clip is not None:
        attributes["clip"] = float(spec.cell_clip)
    if spec.cell == "lstm" and spec.coupled_gates:
        attributes["input_forget"] = 1
    if spec.cell == "gru":
        attributes["linear_before_reset"] = int(spec.reset == "after")
    return attributes


def add_recurrent(
    graph: Graph, layer: Recurrent, parameters: Parameters, x: str, lengths: str | None, name: str
) -> tuple[str, str]:
    """Add a recurrent layer over x (T, N, I).

    Returns
    -------
    steps, last : str
        The states (T, N, D·H) after every step, and (N, D·H) after each direction's last one.
    """
    by_direction = [
        _operands(spec, {short: parameters[full] for short, full in layer.names(d).items()})
        for d, spec in enumerate(layer.specs)
    ]
    stacked = {
        part: graph.constant(np.stack([operands[part] for operands in by_direction]),
                             f"{name}.{part}")
        for part in by_direction[0]
    }  # fmt: skip
    inputs = [x, stacked["W"], stacked["R"], stacked["B"], lengths or "", "", ""]
    y, y_h = graph.add_all(
        layer.specs[0].cell.upper(),
        [*inputs, stacked["P"]] if "P" in stacked else inputs,
        [f"{name}.Y", f"{name}.Y_h"],
        **_attributes(layer.specs),
    )
    if len(layer.specs) == 1:
        one = np.array([1]), np.array([0])
        return graph.add("Squeeze", y, one[0]), graph.add("Squeeze", y_h, one[1])
    steps = graph.add("Transpose", y, perm=[0, 2, 1, 3])  # (T, D, N, H) -> (T, N, D, H)
    last = graph.add("Transpose", y_h, perm=[1, 0, 2])
    return (
        graph.add("Reshape", steps, np.array([0, 0, layer.width])),
        graph.add("Reshape", last, np.array([0, layer.width])),
    )


def add_tokens(
    graph: Graph, part: Embedding | CharacterEncoder, parameters: Parameters, ids: str
) -> list[str]:
    """Add what looks up ids (T, N, C); return the features (T, N, W) of every table."""
    if isinstance(part, CharacterEncoder):
        return [_add_spelling(graph, part, parameters, ids)]
    features = []
    for column, name in enumerate(part.names, start=part.first_column):
        table = graph.constant(parameters[name].astype(np.float32), name)
        features.append(graph.add("Gather", table, _column(graph, ids, column)))
    return features


def _column(graph: Graph, ids: str, column: int) -> str:
    return graph.add("Gather", ids, np.int64(column), axis=2)


def _add_spelling(graph: Graph, part: CharacterEncoder, parameters: Parameters, ids: str) -> str:
    """Read the characters of every word; a word ends with its last id that is not 0."""
    first, end = part.columns
    words = graph.add("Gather", ids, np.arange(first, end), axis=2)  # (T, N, M)
    characters = graph.add("Transpose", graph.add("Reshape", words, np.array([-1, end - first])),
                           perm=[1, 0])  # (M, T·N)  # fmt: skip
    spelled = graph.add("Not", graph.add("Equal", characters, np.int64(0)))
    places = np.arange(1, end - first + 1)[:, None]
    counted = graph.add("Where", spelled, places, np.int64(0))
    lengths = graph.add("ReduceMax", counted, axes=[0], keepdims=0)
    at_least_one = graph.add("Max", lengths, np.int64(1))
    table = graph.constant(parameters["characters.embedding"].astype(np.float32),
                           "characters.embedding")  # fmt: skip
    _, last = add_recurrent(
        graph,
        part.recurrent,
        parameters,
        graph.add("Gather", table, characters),
        graph.add("Cast", at_least_one, to=graph.onnx.TensorProto.INT32),
        "characters.l0",
    )
    there = graph.add("Greater", graph.add("Unsqueeze", lengths, np.array([1])), np.int64(0))
    features = graph.add("Where", there, last, np.float32(0))
    shape = graph.add("Concat", graph.add("Shape", ids, start=0, end=2),
                      np.array([part.width]), axis=0)  # fmt: skip
    return graph.add("Reshape", features, shape)


def pooled(graph: Graph, kind: str, states: str, steps: Steps, parameters: Parameters) -> str:
    """Return one row (N, W) for the states (T, N, W) of each sequence."""
    if kind == "max":
        masked = steps.masked(graph, states, np.float32(-np.inf))
        return graph.add("ReduceMax", masked, axes=[0], keepdims=0)
    if kind == "mean":
        if steps.lengths is None:
            return graph.add("ReduceMean", states, axes=[0], keepdims=0)
        masked = steps.masked(graph, states, np.float32(0))
        total = graph.add("ReduceSum", masked, np.array([0]), keepdims=0)
        count = graph.add("Cast", steps.lengths, to=graph.onnx.TensorProto.FLOAT)
        count = graph.add("Unsqueeze", graph.add("Max", count, np.float32(1)), np.array([1]))
        return graph.add("Div", total, count)
    weight, bias, query = (
        graph.constant(array, f"attention.{name}")
        for name, array in (
            ("weight", parameters["attention.weight"].T.astype(np.float32)),
            ("bias", parameters["attention.bias"].astype(np.float32)),
            ("query", parameters["attention.query"].T.astype(np.float32)),
        )
    )
    inner = graph.add("Tanh", graph.add("Add", graph.add("MatMul", states, weight), bias))
    energies = steps.masked(graph, graph.add("MatMul", inner, query), np.float32(-np.inf))
    weights = graph.add("Softmax", energies, axis=0)
    masked = steps.masked(graph, states, np.float32(0))
    return graph.add("ReduceSum", graph.add("Mul", masked, weights), np.array([0]), keepdims=0)
