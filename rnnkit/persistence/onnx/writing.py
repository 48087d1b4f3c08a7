"""From a fitted estimator or pipeline to an ONNX model.

Letters: N sequences, T steps, F features of a step, I of them numeric, C columns of ids, K outputs.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from rnnkit.cells import LayerSpec
from rnnkit.convolutions import Convolution
from rnnkit.estimators import RecurrentFeatures
from rnnkit.network import Network
from rnnkit.network.beside import Beside, Joined
from rnnkit.network.convolution import ConvolutionLayer
from rnnkit.network.dropout import Dropout, InputNoise
from rnnkit.network.layers import Dense, Layer
from rnnkit.network.pooling import AttentionPooling, Pooling
from rnnkit.network.quantiles import Quantiles
from rnnkit.network.recurrent import Recurrent
from rnnkit.network.tokens import TokenFeatures
from rnnkit.persistence.assembling import fitted_network, head_of
from rnnkit.persistence.atomic import write_atomically
from rnnkit.persistence.onnx.convolutions import add_convolution
from rnnkit.persistence.onnx.graph import Graph, load_onnx
from rnnkit.persistence.onnx.layers import Steps, add_recurrent, add_tokens, pooled
from rnnkit.persistence.onnx.outputs import Scores, add_outputs
from rnnkit.persistence.onnx.scalers import Scaled

__all__ = ["to_onnx"]

_REFUSED = ("full_gate_recurrence", "layer_norm", "zoneout", "precision")
_DOC = (
    "{name} of rnnkit {version}. Inputs: {inputs}. lengths are the real steps of every sequence, "
    "1 to T; what lies beyond is not looked at, and results per step are 0 or empty there."
)


def to_onnx(estimator: Any, path: Any = None, *, lengths: bool | None = None) -> Any:
    """Return a fitted estimator as an ONNX model.

    Parameters
    ----------
    estimator : estimator, RecurrentFeatures or Pipeline
        Fitted. A pipeline's other steps are StandardScaler, MinMaxScaler, MaxAbsScaler,
        RobustScaler, or `SequenceScaler` around one of them.
    path : str or path-like, default=None
        Also write the model to this file; either all of it is written or nothing.
    lengths : bool, default=None
        Whether the graph has the input `lengths`. None: unless X was two-dimensional in `fit`
        with all of its columns real.

    Returns
    -------
    onnx.ModelProto
        Checked in full by onnx. It computes in float32.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    TypeError
        If it is none of these.
    NotFittedError
        If it is not fitted.
    ValueError
        If it uses an option that ONNX's operators do not have; it is named: `layer_norm`,
        `zoneout`, ``precision="bf16"``, ``output="crf"``, `beam_width`, or another scaler.
    OSError
        If the file cannot be written.

    See Also
    --------
    rnnkit.from_onnx : The way back.

    Notes
    -----
    Inputs of the graph:

    ============= ======= ===========================================================
    X             float32 (N, T, F), or (N, T·F) where X was two-dimensional in `fit`
    X             int64   of the same shape where every column is an id
    X, ids        both    (N, T, I) and (N, T, C): `categorical_features` beside numbers
    lengths       int64   (N,), the real steps of every sequence, from 1 to T
    ============= ======= ===========================================================

    The ids of a column of labels are 1, 2, ... in the order of the labels seen in `fit`, 0 for
    others; the metadata "rnnkit.reader" list them under "labels".

    Outputs:

    ======================= =============================== =================================
    classifier, tagger      label (N,) or (N, T);           labels are int64, text, float64
                            probabilities (..., K) float32  or bool; several: (..., K) int64
    labeller                label (N, T), label_lengths     the first label_lengths of each
                            (N,), probabilities             row, read from the best classes
    regressors, features    variable (N, K) or (N, T, K)    float32; Q quantiles: (..., K·Q)
    ======================= =============================== =================================

    These are the names and shapes of skl2onnx without its ZipMap. Operator set 17; the operators
    RNN, LSTM and GRU hold layers with their peepholes, coupled gates, clipping and activations.
    Source: the operator documentation of ONNX.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import LSTMClassifier, to_onnx
    >>> X, y = np.random.RandomState(0).randn(8, 5, 3), np.arange(8) % 2
    >>> classifier = LSTMClassifier(4, max_iter=1, learning_rate="linear").fit(X, y)
    >>> model = to_onnx(classifier)
    >>> [value.name for value in model.graph.input], [v.name for v in model.graph.output]
    (['X', 'lengths'], ['label', 'probabilities'])
    """
    onnx = load_onnx("to_onnx")
    scalers, final = _steps_of(estimator)
    features = final if isinstance(final, RecurrentFeatures) else None
    if features is not None:
        check_is_fitted(features, "estimator_")
        final = features.estimator_
        final = final.estimator if isinstance(final, FrozenEstimator) else final
    network = fitted_network(final, "to_onnx")
    writing = _Writing(Graph(onnx), final, network, lengths)
    _refuse(writing.specs(features))
    if getattr(final, "beam_width", None) is not None and features is None:
        raise ValueError(
            f"to_onnx cannot express beam_width={final.beam_width!r}; set beam_width=None for the "
            "labels of the best class of every step"
        )
    steps = writing.read_inputs(scalers)
    if features is None:
        writing.add_scores(steps)
    else:
        writing.add_features(steps, features._fitted_layer, features._fitted_pooling)
    model = writing.to_model(final if features is None else features, bool(scalers))
    if path is not None:
        write_atomically(os.fspath(path), [model.SerializeToString()])
    return model


def _steps_of(estimator: Any) -> tuple[list[Any], Any]:
    """Return the scalers before an estimator, and itself."""
    if isinstance(estimator, FrozenEstimator):
        return _steps_of(estimator.estimator)
    if not isinstance(estimator, Pipeline):
        return [], estimator
    steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
    if not steps:
        raise TypeError("to_onnx takes a pipeline that ends in a recurrent estimator of rnnkit")
    inner, final = _steps_of(steps[-1])
    return [*steps[:-1], *inner], final


def _refuse(specs: list[LayerSpec]) -> None:
    for spec in specs:
        usual = LayerSpec(spec.cell, spec.n_inputs, spec.hidden_size)
        for name in _REFUSED:
            value = getattr(spec, name)
            if value != getattr(usual, name):
                raise ValueError(
                    f"to_onnx cannot express {name}={value!r}: ONNX's {spec.cell.upper()} has no "
                    "such option"
                )


class _Writing:
    """A network on its way into a graph."""

    def __init__(
        self, graph: Graph, estimator: Any, network: Network, lengths: bool | None
    ) -> None:
        self._graph = graph
        self._reader = estimator._reader
        self._codec = estimator._codec
        self._network = network
        reader = self._reader
        self._on_rows = reader.n_columns is not None
        self._has_lengths = lengths
        if lengths is None:
            self._has_lengths = not self._on_rows or reader.padded_steps is not None
        self._numeric = self._tokens = self._beside = ""

    def specs(self, features: RecurrentFeatures | None) -> list[LayerSpec]:
        """Return the cells that will be computed."""
        layers = self._network.recurrent_layers
        if features is not None:
            layers = layers[: _layer_number(layers, features._fitted_layer) + 1]
        return [spec for layer in layers for spec in layer.specs]

    def read_inputs(self, scalers: list[Any]) -> Steps:
        """Declare the inputs, scale the numbers, and put steps first."""
        graph, reader = self._graph, self._reader
        n_columns, n_numeric = len(reader.token_columns), reader.n_numeric
        if scalers and n_columns:
            raise ValueError("to_onnx cannot express a scaler before columns of ids")
        by_step = numeric = tokens = ""
        if n_numeric:
            x = graph.take_in("X", np.float32, self._dimensions(n_numeric))
            scaled = Scaled(graph, x, self._on_rows)
            for scaler in scalers:
                scaled.apply(scaler)
            by_step = numeric = scaled.steps(n_numeric)
        if n_columns:
            name = "ids" if n_numeric else "X"
            tokens = graph.take_in(name, np.int64, self._dimensions(n_columns))
            if self._on_rows:
                tokens = graph.add("Reshape", tokens, np.array([0, -1, n_columns]))
            by_step = by_step or tokens
        steps = Steps()
        if self._has_lengths:
            steps = Steps.of(graph, graph.take_in("lengths", np.int64, ["N"]), by_step)
        if n_numeric:
            numeric = graph.add("Transpose", numeric, perm=[1, 0, 2])
            self._numeric = steps.masked(graph, numeric, np.float32(0))
        if n_columns:
            tokens = graph.add("Transpose", tokens, perm=[1, 0, 2])
            self._tokens = steps.masked(graph, tokens, np.int64(0))
        return steps

    def _dimensions(self, n_features: int) -> list[Any]:
        """Return the dimensions of an input with so many columns of a step."""
        if not self._on_rows:
            return ["N", "T", n_features]
        reader = self._reader
        n_steps = reader.n_columns // reader.n_step_features
        return ["N", "columns" if reader.any_columns else n_steps * n_features]

    def add_scores(self, steps: Steps) -> None:
        """Add the whole network and its outputs."""
        states, last = self._numeric, ""
        left = steps
        for layer in self._network.layers:
            states, last, left = self._add(layer, states, last, left)
        if self._network.per_step:
            states = self._graph.add("Transpose", states, perm=[1, 0, 2])
        scores = Scores(states, steps, self._network.per_step)
        classes = getattr(self._codec, "classes", None)
        add_outputs(self._graph, self._network.output, classes, scores)

    def add_features(self, steps: Steps, layer: int, kind: str) -> None:
        """Add the network up to a recurrent layer, whose pooled states are the output."""
        recurrent = self._network.recurrent_layers
        wanted = recurrent[_layer_number(recurrent, layer)]
        states, last = self._numeric, ""
        for part in self._network.layers:
            states, last, steps = self._add(part, states, last, steps, all_steps=part is wanted)
            if part is wanted:
                break
        pool = last if kind == "last" else pooled(self._graph, kind, states, steps, {})
        self._graph.give_out("variable", pool, np.float32, ["N", wanted.width])

    def _add(
        self, layer: Layer, states: str, last: str, steps: Steps, *, all_steps: bool = False
    ) -> tuple[str, str, Steps]:
        """Add a layer; return what it gives, the last states of a recurrent one, and the steps."""
        graph, parameters = self._graph, self._network.parameters
        if isinstance(layer, (Dropout, InputNoise)):  # which act in training alone
            return states, last, steps
        if isinstance(layer, TokenFeatures):
            parts = [name for part in layer.parts
                     for name in add_tokens(graph, part, parameters, self._tokens)]  # fmt: skip
            parts += [states] if layer.n_numeric else []
            joined = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=2)
            return joined, last, steps
        if isinstance(layer, Recurrent):
            name = layer.names(0)["weight_ih"].replace("weight_ih_", "")
            states, last = add_recurrent(graph, layer, parameters, states, steps.lengths, name)
            return (last if layer.last_only and not all_steps else states), last, steps
        if isinstance(layer, Pooling):
            return pooled(graph, layer.kind, states, steps, {}), last, steps
        if isinstance(layer, AttentionPooling):
            return pooled(graph, "attention", states, steps, parameters), last, steps
        if isinstance(layer, Dense):
            weight, bias = head_of(self._network)
            turned = graph.constant(weight.T.astype(np.float32), "head.weight")
            product = graph.add("MatMul", states, turned)
            added = graph.constant(bias.astype(np.float32), "head.bias")
            return graph.add("Add", product, added), last, steps
        if isinstance(layer, ConvolutionLayer):
            y, left = add_convolution(graph, layer, parameters, states, steps)
            return y, last, left
        if isinstance(layer, Beside):
            beside, left = states, steps
            for part in layer.layers:
                beside, _, left = self._add(part, beside, last, left)
            self._beside = beside
            return states, last, steps
        if isinstance(layer, Joined):
            return graph.add("Concat", states, self._beside, axis=-1), last, steps
        raise ValueError(f"to_onnx cannot express a layer {type(layer).__name__}")

    def to_model(self, written: Any, scaled: bool) -> Any:
        """Return the checked model with what `from_onnx` reads of it."""
        name, release = type(written).__name__, version("rnnkit")
        metadata = {"rnnkit.estimator": name, "rnnkit.version": release}
        if scaled:
            metadata["rnnkit.scaled"] = "true"
        if not isinstance(written, RecurrentFeatures):
            metadata["rnnkit.parameters"] = json.dumps(_plain(written._built_with))
            metadata["rnnkit.reader"] = json.dumps(self._reader.to_dict())
            output = self._network.output
            if isinstance(output, Quantiles):  # whose unit does not fold into the head
                unit = {"center": output.center, "scale": output.scale}
                metadata["rnnkit.unit"] = json.dumps(unit)
            metadata["rnnkit.codec"] = json.dumps(self._codec.to_dict())
        inputs = ", ".join(value.name for value in self._graph.inputs)
        doc = _DOC.format(name=name, version=release, inputs=inputs)
        return self._graph.to_model(name, doc, release, metadata)


def _layer_number(layers: Any, layer: int) -> int:
    return layer % len(layers) if -len(layers) <= layer < len(layers) else len(layers) - 1


def _plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that JSON can hold; solver objects and the like stay behind."""
    kept = {}
    for name, value in parameters.items():
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, (list, tuple)) and any(isinstance(v, Convolution) for v in value):
            value = [shape.get_params() for shape in value]
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            continue
        try:
            json.dumps(value)
        except TypeError:
            continue
        kept[name] = value
    return kept
