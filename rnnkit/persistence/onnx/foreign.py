"""A graph that someone else wrote, read as an estimator that answers alike.

What stands between the recurrent layers and the outputs is not taken apart: the graph is computed
for a few random sequences, and so is each network that an estimator could be. That one is taken
whose answers agree best, if they agree at all.

Letters: N sequences, T steps, I inputs, H hidden units, D directions, K outputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np

import rnnkit.estimators
from rnnkit.cells import Activation, make_activation
from rnnkit.network import Network
from rnnkit.persistence.assembling import assemble, two_classes
from rnnkit.persistence.onnx.operators import GivenLayer, read_layer
from rnnkit.sequences import Sequences

__all__ = ["read_foreign"]

RECURRENT = ("RNN", "LSTM", "GRU")
# What may stand around the recurrent layers: nothing that learns, loops or calls.
_PLAIN = {
    "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Concat", "Slice", "Split",
    "Gather", "GatherElements", "GatherND", "Shape", "Size", "Cast", "CastLike", "Constant",
    "ConstantOfShape", "Expand", "Range", "Flatten", "Dropout", "MatMul", "Gemm", "Add", "Sub",
    "Mul", "Div", "Mod", "Neg", "Min", "Max", "Where", "Less", "Greater", "LessOrEqual",
    "GreaterOrEqual", "Equal", "Not", "And", "Or", "ReduceMean", "ReduceMax", "ReduceSum",
    "Softmax", "LogSoftmax", "Sigmoid", "Exp", "ArgMax", "Tile",
}  # fmt: skip
_FOLDED = {
    "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Concat", "Slice", "Gather", "Cast",
}  # fmt: skip
N, T = 3, 5
NO_TABLE: list[Any] = [None]
POOLINGS = ("last", "mean", "max", None)
CLOSE, ROUNDING = 1e-4, 1e-5


class _Head(NamedTuple):
    weight: np.ndarray  # (K, D·H)
    bias: np.ndarray  # (K,)


class _Answer(NamedTuple):
    """How the raw scores become an output of the graph."""

    task: str
    multilabel: bool = False
    parameters: Mapping[str, Any] = {}


class _Agreement(NamedTuple):
    """The estimator that differs least from the graph, as the arguments of `_estimator`."""

    differs: float = 1.0
    parts: tuple[Any, ...] | None = None


def read_foreign(onnx: Any, model: Any, classes: Any) -> Any:
    """Return an estimator that answers as the graph does.

    Raises
    ------
    ValueError
        If no estimator does; what stands in the way is named.
    """
    constants = _constants(onnx, model)
    nodes = [node for node in model.graph.node if node.op_type in RECURRENT]
    if not nodes:
        raise ValueError("the graph has no node RNN, LSTM or GRU")
    _refuse_others(model)
    layers = [read_layer(onnx, node, constants) for node in nodes]
    _check_stack(layers)
    heads = _heads(model, constants, layers[-1].width)
    tables = _tables(model, constants, layers[0].n_inputs)
    x_name, lengths_name = _inputs(model, constants)
    best, unread = _Agreement(), []
    for time_first in (False, True):
        probe = _probe(model, layers, tables, x_name, lengths_name, time_first)
        try:
            results = _run(onnx, model, nodes, layers, probe.feeds)
        except ValueError as error:  # as one whose steps come first does where sequences do
            unread.append(error)
            continue
        for head, table, pooling in product(heads, [*tables] or NO_TABLE, POOLINGS):
            scores = _scores(layers, head, table, pooling, probe)
            answers = _answers(scores, classes)
            for answer, expected, found in _pairs(answers, results, time_first, probe.lengths):
                differs = _difference(found, expected)
                if differs < best.differs:
                    best = _Agreement(differs, (layers, head, table, pooling, answer, classes))
    if best.parts is not None:
        return _estimator(*best.parts)
    if len(unread) == 2:
        raise unread[0]
    raise ValueError(
        "no estimator answers as the graph does: beside the recurrent layers and one linear head "
        "it may take the last states, or mean or maximum over all steps, or answer for every "
        "step, by numbers, Softmax, LogSoftmax, Sigmoid or Exp"
    )


def _constants(onnx: Any, model: Any) -> dict[str, np.ndarray]:
    """Return what does not depend on the inputs, as far as it is laid out anew alone."""
    to_array = onnx.numpy_helper.to_array
    constants = {i.name: to_array(i) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            value = {a.name: a for a in node.attribute}.get("value")
            if value is not None:
                constants[node.output[0]] = to_array(value.t)
        elif node.op_type in _FOLDED and all(n in constants for n in node.input if n):
            given = {name: constants[name] for name in node.input if name}
            constants |= zip(node.output, _evaluate(onnx, model, node, given))
    return constants


def _evaluate(onnx: Any, model: Any, node: Any, given: Mapping[str, np.ndarray]) -> Any:
    from onnx.reference import ReferenceEvaluator

    describe = onnx.helper.make_tensor_value_info
    of = onnx.helper.np_dtype_to_tensor_dtype
    inputs = [describe(name, of(value.dtype), value.shape) for name, value in given.items()]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = onnx.helper.make_graph([node], "one", inputs, outputs)
    one = onnx.helper.make_model(graph, opset_imports=model.opset_import)
    return ReferenceEvaluator(one).run(None, dict(given))


def _refuse_others(model: Any) -> None:
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in {*_PLAIN, *RECURRENT}:
            raise ValueError(
                f"the graph has a node {node.op_type}, which no estimator has beside its "
                "recurrent layers and linear head"
            )


def _check_stack(layers: list[GivenLayer]) -> None:
    first = layers[0]
    for number, layer in enumerate(layers):
        same = (layer.cell, layer.hidden_size, len(layer.directions), layer.options)
        if same != (first.cell, first.hidden_size, len(first.directions), first.options):
            raise ValueError(f"recurrent layer {number} is not like the first one")
        if number and layer.n_inputs != first.width:
            raise ValueError(
                f"recurrent layer {number} takes {layer.n_inputs} inputs, not the {first.width} "
                "states of the layer before it"
            )


def _heads(model: Any, constants: Mapping[str, np.ndarray], width: int) -> list[_Head]:
    """Return what may be the linear head: products with a constant of as many rows as states."""
    biases = [a.ravel() for a in constants.values() if a.dtype.kind == "f" and a.ndim <= 2]
    heads = []
    for node in model.graph.node:
        if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in constants:
            continue
        weight = constants[node.input[1]]
        turned = any(a.name == "transB" and a.i for a in node.attribute)
        weight = weight if turned else weight.T
        if weight.ndim != 2 or weight.shape[1] != width:
            continue
        k = len(weight)
        added = [n.input for n in model.graph.node
                 if n.op_type == "Add" and node.output[0] in n.input]  # fmt: skip
        names = [*node.input[2:], *(name for pair in added for name in pair)]
        found = [constants[name].ravel() for name in names if name in constants]
        bias = next((b for b in found if b.size == k), None)
        if bias is None:
            bias = next((b for b in found if b.size == 1), np.zeros(1))
        heads.append(_Head(weight, np.broadcast_to(bias, k).astype(np.float32)))
    if not heads or not biases:
        raise ValueError(
            f"the graph has no linear head: a MatMul or Gemm with constant weights of {width} rows"
        )
    return heads


def _tables(model: Any, constants: Mapping[str, np.ndarray], width: int) -> list[np.ndarray]:
    """Return what may be an embedding table: a constant matrix whose rows are gathered."""
    return [
        constants[node.input[0]]
        for node in model.graph.node
        if node.op_type == "Gather"
        and constants.get(node.input[0], np.zeros(0)).ndim == 2
        and constants[node.input[0]].shape[1] == width
        and node.input[1] not in constants
    ]


def _inputs(model: Any, constants: Mapping[str, np.ndarray]) -> tuple[Any, str | None]:
    """Return the description of the input of sequences, and the name of that of lengths."""
    inputs = [value for value in model.graph.input if value.name not in constants]
    by_dimensions = [len(value.type.tensor_type.shape.dim) for value in inputs]
    lengths = [v.name for v, n in zip(inputs, by_dimensions) if n == 1]
    sequences = [v for v, n in zip(inputs, by_dimensions) if n in (2, 3)]
    if len(sequences) != 1 or len(lengths) > 1 or len(inputs) != 1 + len(lengths):
        names = [value.name for value in inputs]
        raise ValueError(
            f"the graph must take sequences, and their lengths at most; it takes {names}"
        )
    return sequences[0], lengths[0] if lengths else None


class _Probe(NamedTuple):
    """Random sequences: as the graph takes them, and as (N, T, I) numbers or (N, T) ids."""

    feeds: dict[str, np.ndarray]
    x: np.ndarray
    lengths: np.ndarray


def _probe(
    model: Any,
    layers: list[GivenLayer],
    tables: list[np.ndarray],
    x: Any,
    lengths_name: str | None,
    time_first: bool,
) -> _Probe:
    rng = np.random.RandomState(0)
    kind = x.type.tensor_type
    fixed = [dim.dim_value for dim in kind.shape.dim[:2]]
    n, t = (fixed[::-1] if time_first else fixed) if all(fixed) else (N, T)
    n, t = (n or N), (t or T)
    lengths = rng.randint(1, t + 1, n) if lengths_name else np.full(n, t)
    if lengths_name:
        lengths[0] = t
    if tables:
        sequences = rng.randint(0, min(map(len, tables)), (n, t))
    else:
        sequences = rng.uniform(-1, 1, (n, t, layers[0].n_inputs)).astype(np.float32)
    given = sequences.swapaxes(0, 1) if time_first else sequences
    if tables and len(kind.shape.dim) == 3:
        given = given[..., None]
    dtypes = {1: np.float32, 6: np.int32, 7: np.int64, 11: np.float64}
    feeds = {x.name: np.ascontiguousarray(given.astype(dtypes.get(kind.elem_type, np.float32)))}
    for value in model.graph.input:
        if value.name == lengths_name:
            dtype = dtypes.get(value.type.tensor_type.elem_type, np.int64)
            feeds[value.name] = lengths.astype(dtype)
    return _Probe(feeds, sequences, lengths)


def _run(
    onnx: Any, model: Any, nodes: list[Any], layers: list[GivenLayer], feeds: dict[str, Any]
) -> list[np.ndarray]:
    """Compute the graph's outputs, its recurrent layers by the cells of this package."""
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    by_output = {next(filter(None, node.output)): layer for node, layer in zip(nodes, layers)}

    def compute(self: Any, x: np.ndarray, *operands: Any, **attributes: Any) -> Any:
        lengths, h0, c0 = [*operands, *[None] * 6][3:6]
        for state in (h0, c0):
            if state is not None and np.any(state):
                raise ValueError("from_onnx needs recurrent layers that begin from zeros")
        layer = by_output[next(filter(None, self.onnx_node.output))]
        results = layer.run(np.asarray(x, np.float32), lengths)
        return tuple(results[: max(1, len(self.onnx_node.output))])

    operators = [
        type(name, (OpRun,), {"op_domain": "", "_run": compute, "__module__": __name__})
        for name in RECURRENT
    ]
    try:
        return [
            np.asarray(y) for y in ReferenceEvaluator(model, new_ops=operators).run(None, feeds)
        ]
    except (IndexError, RuntimeError, TypeError) as error:
        raise ValueError(f"the graph cannot be computed for {N} sequences: {error}") from error


def _scores(
    layers: list[GivenLayer], head: _Head, table: Any, pooling: str | None, probe: _Probe
) -> np.ndarray:
    """Return the raw scores (N, K) or (N, T, K) of an estimator."""
    task = "SequenceRegressor" if pooling is None else "Regressor"
    estimator = _estimator(layers, head, table, pooling, _Answer(task), None)
    x = probe.x if table is None else probe.x[..., None]
    sequences = Sequences.from_array(x, probe.lengths) if table is None else [
        row[:length] for row, length in zip(x, probe.lengths)
    ]  # fmt: skip
    found = estimator.predict(sequences)
    if pooling is not None:
        return np.asarray(found).reshape(len(x), -1)
    scores = np.zeros((*x.shape[:2], len(head.weight)))
    rows = found.to_list() if isinstance(found, Sequences) else found
    for row, steps in zip(scores, rows):
        row[: len(steps)] = np.asarray(steps).reshape(len(steps), -1)
    return scores


def _softmax(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _answers(scores: np.ndarray, classes: Any) -> list[tuple[_Answer, np.ndarray]]:
    """Return what an estimator with such scores may answer, and its numbers."""
    per_step = scores.ndim == 3
    k = scores.shape[-1]
    label = _Answer("SequenceTagger" if per_step else "Classifier")
    number = _Answer("SequenceRegressor" if per_step else "Regressor")
    with np.errstate(over="ignore", divide="ignore"):
        several = [(label, _softmax(scores)), (label, np.log(_softmax(scores)))] if k > 1 else []
        return [
            *several,
            (label._replace(multilabel=k > 1), 1 / (1 + np.exp(-scores))),
            (number if classes is None else label, scores),
            (number._replace(parameters={"loss": "poisson"}), np.exp(scores)),
        ]


def _pairs(
    answers: list[tuple[_Answer, np.ndarray]],
    results: list[np.ndarray],
    time_first: bool,
    lengths: np.ndarray,
) -> Iterator[tuple[_Answer, np.ndarray, np.ndarray]]:
    """Yield each answer with its numbers and those of a result, as rows (., K) of real steps."""
    for (answer, expected), result in product(answers, results):
        if result.dtype.kind != "f" or result.size != expected.size:
            continue
        if expected.ndim == 2:
            yield answer, expected, result.reshape(expected.shape)
            continue
        real = np.arange(expected.shape[1]) < lengths[:, None]
        for turned in (result, result.swapaxes(0, 1)) if time_first else (result,):
            yield answer, expected[real], turned.reshape(expected.shape)[real]


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Return how far rows (., K) differ, as a share of what they may by rounding.

    Each output has a unit of its own, which may be small beside 1 or small beside its mean: what
    it may differ by is a share of how much it varies, and a few roundings of itself.
    """
    if not np.isfinite(expected).all() or not np.isfinite(found).all():
        return math.inf
    allowed = CLOSE * np.ptp(expected, axis=0) + ROUNDING * np.abs(expected).max(axis=0)
    differs = np.abs(found - expected).max(axis=0)
    return float(np.divide(differs, allowed, np.where(differs > 0, np.inf, 0.0), where=allowed > 0)
                 .max())  # fmt: skip


def _as_parameter(value: Any) -> Any:
    """Return an option as an estimator's parameter."""
    if not isinstance(value, Activation):
        return value
    return value.name if value == make_activation(value.name) else tuple(value)


def _estimator(
    layers: list[GivenLayer],
    head: _Head,
    table: Any,
    pooling: str | None,
    answer: _Answer,
    classes: Any,
) -> Any:
    first = layers[0]
    name = f"{first.cell.upper()}{answer.task}"
    parameters: dict[str, Any] = {
        "hidden_size": first.hidden_size,
        "n_layers": len(layers),
        "bidirectional": len(first.directions) == 2,
        **{key: _as_parameter(value) for key, value in first.options.items()},
        **answer.parameters,
    }
    if pooling is not None:
        parameters["pooling"] = pooling
    if table is not None:
        parameters["embedding_dim"] = table.shape[1]
    make = getattr(rnnkit.estimators, name)
    if parameters.get("output_activation") == parameters["activation"]:
        del parameters["output_activation"]  # what the estimator takes if nothing is said
    weight, bias = head
    labels = answer.task in ("Classifier", "SequenceTagger")
    if labels and len(weight) == 1:
        weight, bias = two_classes(weight, bias)

    def fill(network: Network) -> None:
        if table is not None:
            network.parameters["embedding.weight_0"][...] = table
        for layer, given in zip(network.recurrent_layers, layers):
            for direction, own in enumerate(given.directions):
                for short, full in layer.names(direction).items():
                    network.parameters[full][...] = own[short]
        network.parameters["head.weight"][...] = weight
        network.parameters["head.bias"][...] = bias

    return assemble(
        make(**parameters),
        fill,
        n_numeric=0 if table is not None else first.n_inputs,
        n_tokens=() if table is None else (len(table),),
        n_outputs=len(weight),
        dtype=np.dtype("float32"),
        classes=classes if labels else None,
        multilabel=answer.multilabel,
    )
