"""Weights to and from Keras: what `Model.get_weights` returns, as plain arrays, without Keras.

Letters: I inputs of a layer, H hidden units, G gates, D directions, K outputs, V ids of a table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit.cells import LayerSpec
from rnnkit.estimators.embeddings import looks_up_ids
from rnnkit.network import CRF, Network
from rnnkit.network.pooling import AttentionPooling
from rnnkit.persistence.assembling import (
    PLAIN_ONLY,
    assemble,
    fitted_network,
    head_of,
    is_classifying,
    refuse_convolutions,
    refuse_options,
    refuse_quantiles,
    tables_of,
    two_classes,
)
from rnnkit.persistence.given import GivenArrays, as_numbers, natural_order, read_arrays

__all__ = ["from_weights", "to_weights"]

_ORDER = {"rnn": (0,), "lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}  # i f c o; z r h
_LAYERS = {"rnn": "simple_rnn", "lstm": "lstm", "gru": "gru"}


def to_weights(estimator: Any, *, named: bool = False) -> Any:
    """Return the weights as a Keras model with the same layers lists them.

    Parameters
    ----------
    estimator : estimator
        A fitted one of this package.
    named : bool, default=False
        Return a dict with paths such as "lstm/lstm_cell/kernel" as keys, in the same order.

    Returns
    -------
    list of ndarray, or dict of str to ndarray
        Copies, in the dtype of the network, as ``model.set_weights`` takes them.

    Raises
    ------
    TypeError
        If it is no estimator of this package.
    NotFittedError
        If it is not fitted.
    ValueError
        If it uses what Keras' layers do not have; the option is named.

    See Also
    --------
    from_weights : The way back.

    Notes
    -----
    In this order, all matrices transposed:

    ===================================  =====================================  ===============
    Keras                                rnnkit                                 shape in Keras
    ===================================  =====================================  ===============
    ``embedding/embeddings``             ``embedding.weight_0``, ``_1``, ...    (V, width)
    ``lstm/lstm_cell/kernel``            ``rnn.weight_ih_l0``                   (I, G·H)
    ``lstm/lstm_cell/recurrent_kernel``  ``rnn.weight_hh_l0``                   (H, G·H)
    ``lstm/lstm_cell/bias``              ``rnn.bias_l0``                        (G·H,)
    the same of a GRU, reset="after"     ``rnn.bias_l0``, ``rnn.bias_hn_l0``    (2, 3·H)
    ``bidirectional/backward_lstm/...``  ``rnn...._l0_reverse``                 the same
    ``lstm_1/...``                       ``rnn...._l1``, whose I is D·H         the same
    ``dense/kernel``                     ``head.weight``                        (D·H, K)
    ``dense/bias``                       ``head.bias``                          (K,)
    ===================================  =====================================  ===============

    The gates are i, f, c, o in Keras and i, f, g, o here, z, r, h of a GRU in Keras and r, z, n
    here. The layers are to be built with the activations of the estimator (`hard_sigmoid` has
    the slope 0.2 here by default and 1/6 in Keras 3), a GRU with ``reset_after=True`` unless
    ``reset="before"``, whose bias is one row (3·H,); directions are concatenated. A regressor's
    head is that for y itself. The blank of a labeller is its head's last row. The layouts are
    those of Keras' documentation of `LSTM`, `GRU` and `SimpleRNN`.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRURegressor
    >>> from rnnkit.persistence.keras import from_weights, to_weights
    >>> X, y = np.random.RandomState(0).randn(8, 5, 3), np.arange(8.0)
    >>> regressor = GRURegressor(4, max_iter=1, learning_rate="linear").fit(X, y)
    >>> weights = to_weights(regressor)
    >>> [array.shape for array in weights]
    [(3, 12), (4, 12), (2, 12), (4, 1), (1,)]
    >>> same = from_weights(GRURegressor(4), weights)
    >>> bool(np.allclose(same.predict(X), regressor.predict(X)))
    True
    """
    network = fitted_network(estimator, "to_weights")
    _refuse(network)
    tables, parameters = tables_of(network), network.parameters
    weights = {
        f"{_numbered('embedding', position)}/embeddings": parameters[name].copy()
        for position, name in enumerate(tables)
    }
    for number, layer in enumerate(network.recurrent_layers):
        for direction, spec in enumerate(layer.specs):
            own = {short: parameters[full] for short, full in layer.names(direction).items()}
            path = _cell_path(spec, number, len(layer.specs) > 1)
            weights[f"{path}/kernel"] = _reordered(own["weight_ih"], spec).T.copy()
            weights[f"{path}/recurrent_kernel"] = _reordered(own["weight_hh"], spec).T.copy()
            weights[f"{path}/bias"] = _bias_of(own, spec)
    weight, bias = head_of(network)
    weights |= {"dense/kernel": weight.T.copy(), "dense/bias": bias}
    return weights if named else list(weights.values())


def from_weights(
    estimator: Any, arrays: Any, *, classes: Any = None, multilabel: bool = False
) -> Any:
    """Give an estimator the weights of a Keras model of the same layers.

    Parameters
    ----------
    estimator : estimator
        Of this package; its parameters describe the network (`hidden_size`, `n_layers`,
        `bidirectional`, `embedding_dim`, `reset`, `activation`, ...). It need not be fitted; if
        it is, it keeps what it knows of X and of the labels.
    arrays : list of array, mapping of str to array, or path
        What ``model.get_weights()`` returns: embeddings, recurrent layers, the last `Dense`. Or
        ``{w.path: w for w in model.weights}``, or the path of a safetensors file with such keys;
        layers come in the order of the mapping, and in a file in the order of their names.
    classes : array-like of shape (K,), default=None
        The labels, sorted, in the order of the head's columns; None: those of the estimator if
        it is fitted, else 0, 1, ...
    multilabel : bool, default=False
        Whether the head's columns are yes-or-no labels, scored by a sigmoid each.

    Returns
    -------
    estimator
        The same, fitted. It stays as it was if anything raises.

    Raises
    ------
    TypeError
        If the estimator or the arrays are no such thing.
    OSError
        If there is no such file.
    ValueError
        If an array is missing, has no place or another shape, or a parameter asks for what Keras'
        layers do not have.

    Notes
    -----
    See `to_weights` for the table of names. A GRU's bias of shape (2, 3·H) needs
    ``reset="after"``, one of (3·H,) ``reset="before"``. The layers CuDNNLSTM and CuDNNGRU of
    older versions are known by their biases (8·H,) and (6·H,); each gate's block of their kernels
    holds W (H, I) row after row. A head of one column on a classifier of two classes is the
    score of the second one.
    """
    if not hasattr(estimator, "_make_output"):
        raise TypeError(
            f"from_weights takes a recurrent estimator of rnnkit, got {type(estimator).__name__}"
        )
    if isinstance(arrays, (Mapping, str, os.PathLike)):
        by_path = read_arrays(arrays, "arrays")
        given, keys = GivenArrays(by_path), _keys_of_paths(by_path, isinstance(arrays, Mapping))
    else:
        given, keys = _listed(estimator, arrays)
    tables = [given.shape(key, 2) for key in keys.tables]
    if not keys.cells or not keys.head:
        raise ValueError(
            "arrays must have a recurrent layer, with a recurrent_kernel, and one Dense layer "
            f"after it; found {len(keys.cells)} and {len(keys.head) and 1}"
        )
    n_inputs = given.shape(keys.cells[0]["kernel"], 2)[0]
    n_columns = given.shape(keys.head["kernel"], 2)[1]
    one_score = n_columns == 1 and is_classifying(estimator) and not multilabel
    n_numeric = n_inputs - sum(width for _, width in tables)
    if n_numeric < 0:
        raise ValueError(
            f"{keys.cells[0]['kernel']!r} takes {n_inputs} inputs, fewer than the "
            f"{len(tables)} embedding tables give"
        )

    def fill(network: Network) -> None:
        _refuse(network)
        for key, name in zip(keys.tables, tables_of(network)):
            shape = network.parameters.shapes[name]
            network.parameters[name][...] = given.take(key, shape, "embedding_dim")
        _fill_cells(network, given, keys.cells)
        width = network.parameters.shapes["head.weight"][1]
        weight = given.take(keys.head["kernel"], (width, n_columns), "the last states").T
        bias = np.zeros(n_columns)
        if "bias" in keys.head:
            bias = given.take(keys.head["bias"], (n_columns,))
        if one_score:
            weight, bias = two_classes(weight, bias)
        network.parameters["head.weight"][...] = weight
        network.parameters["head.bias"][...] = bias
        given.refuse_unused()

    return assemble(
        estimator,
        fill,
        n_numeric=n_numeric,
        n_tokens=[size for size, _ in tables],
        n_outputs=2 if one_score else n_columns,
        dtype=next(iter(given.arrays.values())).dtype,
        classes=classes,
        multilabel=multilabel,
    )


def _refuse(network: Network) -> None:
    specs = [spec for layer in network.recurrent_layers for spec in layer.specs]
    refuse_options(specs, PLAIN_ONLY, "Keras")
    for spec in specs:
        if spec.cell == "lstm" and spec.output_activation != spec.activation:
            raise ValueError(
                f"Keras has no LSTM with output_activation={spec.output_activation.name!r} "
                f"beside activation={spec.activation.name!r}"
            )
    refuse_quantiles(network, "Keras")
    refuse_convolutions(network, "Keras")
    if isinstance(network.output, CRF):
        raise ValueError("Keras has no layer for output='crf'")
    if any(isinstance(layer, AttentionPooling) for layer in network.layers):
        raise ValueError("Keras has no layer for pooling='attention'")


def _numbered(name: str, position: int) -> str:
    return f"{name}_{position}" if position else name


def _cell_path(spec: LayerSpec, number: int, both: bool) -> str:
    layer = _LAYERS[spec.cell]
    if not both:
        return f"{_numbered(layer, number)}/{layer}_cell"
    direction = "backward" if spec.reverse else "forward"
    inner = _numbered(f"{direction}_{layer}", number)
    return f"{_numbered('bidirectional', number)}/{inner}/{layer}_cell"


def _reordered(array: np.ndarray, spec: LayerSpec) -> np.ndarray:
    """Return the gates' blocks of rows in the other library's order; it undoes itself."""
    blocks = np.split(array, len(spec.gates))
    return np.concatenate([blocks[gate] for gate in _ORDER[spec.cell]])


def _bias_of(own: Mapping[str, np.ndarray], spec: LayerSpec) -> np.ndarray:
    bias = own["bias"].copy()
    if spec.cell != "gru":
        return bias
    h = spec.hidden_size
    if spec.reset == "before":
        bias[-h:] += own["bias_hn"]
        return _reordered(bias, spec)
    of_state = np.zeros_like(bias)
    of_state[-h:] = own["bias_hn"]
    return np.stack([_reordered(bias, spec), of_state])


class _Keys:
    """The keys of embedding tables, of each layer and direction, and of the head, in order."""

    def __init__(self) -> None:
        self.tables: list[str] = []
        self.cells: list[dict[str, str]] = []
        self.head: dict[str, str] = {}


def _listed(estimator: Any, arrays: Any) -> tuple[GivenArrays, _Keys]:
    """Give the arrays of a list names: what the estimator's parameters say they are."""
    if not isinstance(arrays, Sequence) or isinstance(arrays, (str, bytes)):
        raise TypeError(
            "arrays must be a list of arrays, a dict of arrays or the path of a safetensors file, "
            f"got a {type(arrays).__name__}"
        )
    directions = 2 if estimator.bidirectional else 1
    widths = estimator.hidden_size
    n_layers = len(widths) if isinstance(widths, Sequence) else int(estimator.n_layers)
    n_cells = n_layers * directions
    numbers = as_numbers(arrays, [f"arrays[{i}]" for i in range(len(arrays))])
    head_bias = bool(numbers) and numbers[-1].ndim == 1
    n_tables = _n_tables(estimator, numbers, n_cells, head_bias)
    bias = len(numbers) - n_tables - 1 - head_bias == 3 * n_cells
    parts = ("kernel", "recurrent_kernel", "bias") if bias else ("kernel", "recurrent_kernel")
    expected = n_tables + n_cells * len(parts) + 1 + head_bias
    if len(numbers) != expected:
        raise ValueError(
            f"arrays must be {n_tables} embedding tables, kernel, recurrent_kernel and bias of "
            f"{n_cells} layers and directions, and kernel and bias of the Dense layer, "
            f"{n_tables + 3 * n_cells + 2} arrays; got {len(numbers)}"
        )
    keys = _Keys()
    names: list[str] = []
    for table in range(n_tables):
        names.append(f"arrays[{len(names)}] (embeddings {table})")
        keys.tables.append(names[-1])
    for cell in range(n_cells):
        place = f"layer {cell // directions}" + (", backward" if cell % directions else "")
        keys.cells.append({})
        for part in parts:
            names.append(f"arrays[{len(names)}] ({part} of {place})")
            keys.cells[-1][part] = names[-1]
    for part in ("kernel", "bias")[: 1 + head_bias]:
        names.append(f"arrays[{len(names)}] ({part} of the Dense layer)")
        keys.head[part] = names[-1]
    return GivenArrays(dict(zip(names, numbers))), keys


def _n_tables(estimator: Any, arrays: Sequence[np.ndarray], n_cells: int, head_bias: bool) -> int:
    """Return how many of the first arrays are embedding tables."""
    if not looks_up_ids(estimator):
        return 0
    if isinstance(estimator.embedding_dim, (tuple, list)):
        return len(estimator.embedding_dim)
    if isinstance(estimator.categorical_features, (tuple, list)):
        return len(estimator.categorical_features)
    left = len(arrays) - 1 - head_bias
    has_bias = any(a.ndim == 1 for a in arrays[: left + 1]) or left - 3 * n_cells >= 1
    return max(left - (3 if has_bias else 2) * n_cells, 1)


def _keys_of_paths(arrays: Mapping[str, np.ndarray], in_order: bool) -> _Keys:
    """Find the layers among paths such as "model/bidirectional/forward_lstm/lstm_cell/kernel"."""
    keys = _Keys()
    groups: dict[str, dict[str, str]] = {}
    for key in arrays if in_order else sorted(arrays, key=natural_order):
        path, _, part = key.removesuffix(":0").rpartition("/")
        groups.setdefault(path, {})[part] = key
    layers: dict[str, list[str]] = {}
    for path, parts in groups.items():
        if "recurrent_kernel" in parts and "kernel" in parts:
            layers.setdefault(_layer_path(path), []).append(path)
        elif "embeddings" in parts:
            keys.tables.append(parts["embeddings"])
        elif "kernel" in parts:
            keys.head = parts
    for paths in layers.values():
        paths.sort(key=_is_backward)
        keys.cells += [groups[path] for path in paths]
    return keys


def _is_backward(path: str) -> bool:
    return any(part.startswith("backward") for part in path.split("/"))


def _layer_path(path: str) -> str:
    """Return a cell's path up to where its direction is said, which both directions share."""
    parts = path.split("/")
    for position, part in enumerate(parts):
        if part.startswith(("forward", "backward")):
            return "/".join(parts[:position])
    return path


def _fill_cells(network: Network, given: GivenArrays, cells: Sequence[Mapping[str, str]]) -> None:
    """Write the weights of every layer and direction."""
    specs = [
        (spec, {short: network.parameters[full] for short, full in layer.names(d).items()})
        for layer in network.recurrent_layers
        for d, spec in enumerate(layer.specs)
    ]
    if len(specs) != len(cells):
        raise ValueError(
            f"n_layers and bidirectional ask for {len(specs)} recurrent layers and directions, "
            f"but {len(cells)} were given"
        )
    for (spec, own), keys in zip(specs, cells):
        g, h, i = len(spec.gates), spec.hidden_size, spec.n_inputs
        why = f"hidden_size={h} of {spec.cell.upper()} cells"
        kernel = given.take(keys["kernel"], (i, g * h), why)
        recurrent = given.take(keys["recurrent_kernel"], (h, g * h), why)
        biases = np.zeros((2, g * h))
        if "bias" in keys:
            biases, from_cudnn = _biases(given, keys["bias"], spec)
            if from_cudnn:
                kernel, recurrent = _from_cudnn(kernel, g), _from_cudnn(recurrent, g)
        own["weight_ih"][...] = _reordered(kernel.T, spec)
        own["weight_hh"][...] = _reordered(recurrent.T, spec)
        of_input, of_state = (_reordered(row, spec) for row in biases)
        if spec.cell == "gru":
            own["bias_hn"][...] = of_state[-h:]
            of_state[-h:] = 0
        own["bias"][...] = of_input + of_state


def _biases(given: GivenArrays, key: str, spec: LayerSpec) -> tuple[np.ndarray, bool]:
    """Return the biases of inputs and of states (2, G·H), and whether CuDNN's layer wrote them."""
    n = len(spec.gates) * spec.hidden_size
    shape = given.arrays[key].shape
    if spec.cell != "rnn" and shape == (2 * n,):
        if spec.cell == "gru" and spec.reset == "before":
            raise ValueError(f"{key!r} of a CuDNNGRU needs reset='after', got reset='before'")
        return given.take(key, shape).reshape(2, n), True
    if spec.cell != "gru":
        row = given.take(key, (n,))
        return np.stack([row, np.zeros_like(row)]), False
    if shape not in ((2, n), (n,)):
        given.take(key, (2, n) if spec.reset == "after" else (n,))
    reset = "after" if shape == (2, n) else "before"
    if reset != spec.reset:
        raise ValueError(
            f"{key!r} has the shape {shape} of a GRU with reset_after={reset == 'after'}: it needs "
            f"reset={reset!r}, got reset={spec.reset!r}"
        )
    rows = given.take(key, shape)
    return (rows if reset == "after" else np.stack([rows, np.zeros_like(rows)])), False


def _from_cudnn(kernel: np.ndarray, n_gates: int) -> np.ndarray:
    """Return a kernel (I, G·H) whose gates' blocks held W (H, I) row after row."""
    blocks = np.split(kernel, n_gates, axis=1)
    return np.concatenate([block.reshape(block.shape[::-1]).T for block in blocks], axis=1)
