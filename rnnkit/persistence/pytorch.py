"""Weights to and from PyTorch: what `Module.state_dict` returns, as plain arrays, without torch.

Letters: I inputs of a layer, H hidden units, G gates, D directions, K outputs, V ids of a table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.cells import weight_name
from rnnkit.estimators.embeddings import looks_up_ids
from rnnkit.network import CRF, Network
from rnnkit.network.pooling import AttentionPooling
from rnnkit.persistence.assembling import (
    PLAIN_ONLY,
    assemble,
    fitted_network,
    head_of,
    is_classifying,
    refuse_options,
    refuse_quantiles,
    tables_of,
    two_classes,
)
from rnnkit.persistence.given import GivenArrays, natural_order, read_arrays

__all__ = ["from_state_dict", "to_state_dict"]

_REFUSED = ("activation", "gate_activation", "output_activation", "reset", *PLAIN_ONLY)
_ATTENTION = {
    "attention.weight": "attention.0.weight",
    "attention.bias": "attention.0.bias",
    "attention.query": "attention.2.weight",
}
_FORBIDDEN = -10_000.0  # beside which a probability is 0; pytorch-crf takes no infinity
_FIELD = {
    "crf.transitions": "crf.transitions",
    "crf.start": "crf.start_transitions",
    "crf.end": "crf.end_transitions",
}


def to_state_dict(
    estimator: Any,
    prefix: str = "",
    *,
    rnn: str = "rnn",
    head: str | None = "head",
    embedding: str = "embedding",
) -> dict[str, np.ndarray]:
    """Return the weights as a PyTorch module with the same layers names them.

    Parameters
    ----------
    estimator : estimator
        A fitted one of this package.
    prefix : str, default=""
        What stands before every key, such as "model.".
    rnn, head, embedding : str
        The attributes under which the module keeps its layers. ``rnn=""`` and ``head=None`` give
        the keys of `torch.nn.LSTM` itself.

    Returns
    -------
    dict of str to ndarray
        Copies, in the dtype of the network. ``module.load_state_dict({k: torch.from_numpy(v) for
        k, v in mapping.items()}, strict=True)`` takes them, and
        ``safetensors.numpy.save_file(mapping, path)`` writes the file that Hugging Face's
        libraries read.

    Raises
    ------
    TypeError
        If it is no estimator of this package.
    NotFittedError
        If it is not fitted.
    ValueError
        If it uses what PyTorch's layers do not have; the option is named.

    See Also
    --------
    from_state_dict : The way back.

    Notes
    -----
    ======================================  ========================================  ===========
    PyTorch                                 rnnkit                                    shape
    ======================================  ========================================  ===========
    ``rnn.weight_ih_l0``                    ``rnn.weight_ih_l0``                      (G·H, I)
    ``rnn.weight_hh_l0``                    ``rnn.weight_hh_l0``                      (G·H, H)
    ``rnn.bias_ih_l0``                      ``rnn.bias_l0``                           (G·H,)
    ``rnn.bias_hh_l0``                      0; rows n of a GRU: ``rnn.bias_hn_l0``    (G·H,)
    ``..._l0_reverse``                      ``..._l0_reverse``                        the same
    ``..._l1``                              ``..._l1``, whose I is D·H                the same
    ``embedding.weight``                    ``embedding.weight_0``                    (V, width)
    ``embedding.0.weight``, ``.1.weight``   ``embedding.weight_0``, ``_1``: several   (V, width)
    ``attention.0.weight``, ``.0.bias``     ``attention.weight``, ``.bias``           (W, W), (W,)
    ``attention.2.weight``                  ``attention.query``                       (1, W)
    ``head.weight``, ``head.bias``          ``head.weight``, ``head.bias``            (K, D·H), (K,)
    ``crf.transitions``                     ``crf.transitions``, from row to column   (K, K)
    ``crf.start_transitions``               ``crf.start``                             (K,)
    ``crf.end_transitions``                 ``crf.end``                               (K,)
    ======================================  ========================================  ===========

    Gate order is that of PyTorch in both: i, f, g, o and r, z, n. ``pooling="attention"`` is
    ``Sequential(Linear(W, W), Tanh(), Linear(W, 1, bias=False))`` before a softmax over the
    steps, the random field that of the package pytorch-crf, in which a forbidden transition
    scores -10000. The blank of a labeller is the last row of its head. A regressor's head is
    that for y itself: center and scale of the training data are folded in. ``batch_first`` and
    ``dropout`` have no weights. Of ``precision="bf16"`` the weights are those that are rounded in
    every product. The gate names follow PyTorch's documentation of `torch.nn.LSTM` and
    `torch.nn.GRU`.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import LSTMClassifier
    >>> from rnnkit.persistence.pytorch import from_state_dict, to_state_dict
    >>> X, y = np.random.RandomState(0).randn(8, 5, 3), np.arange(8) % 2
    >>> classifier = LSTMClassifier(4, max_iter=1, learning_rate="linear").fit(X, y)
    >>> mapping = to_state_dict(classifier)
    >>> mapping["rnn.weight_ih_l0"].shape
    (16, 3)
    >>> same = from_state_dict(LSTMClassifier(4), mapping)
    >>> bool((same.predict_proba(X) == classifier.predict_proba(X)).all())
    True
    """
    network = fitted_network(estimator, "to_state_dict")
    _refuse(network)
    place = _Places(prefix, rnn, head, embedding)
    tables = tables_of(network)
    parameters = network.parameters
    mapping = {
        place.table(position, len(tables)): parameters[name].copy()
        for position, name in enumerate(tables)
    }
    for number, layer in enumerate(network.recurrent_layers):
        for direction, spec in enumerate(layer.specs):
            own = {short: parameters[full] for short, full in layer.names(direction).items()}
            recurrent_bias = np.zeros_like(own["bias"])
            if spec.cell == "gru":
                recurrent_bias[-spec.hidden_size :] = own["bias_hn"]
            arrays = {
                "weight_ih": own["weight_ih"].copy(),
                "weight_hh": own["weight_hh"].copy(),
                "bias_ih": own["bias"].copy(),
                "bias_hh": recurrent_bias,
            }
            for short, array in arrays.items():
                mapping[place.of_rnn(weight_name(short, number, spec.reverse))] = array
    if head is None:
        return mapping
    for ours, theirs in _others(network).items():
        mapping[prefix + theirs] = parameters[ours].copy()
    if isinstance(network.output, CRF):
        for before, after in network.output.forbidden:
            name, pair = _of_pair(before, after)
            mapping[prefix + name][pair] = _FORBIDDEN
    mapping[place.of_head("weight")], mapping[place.of_head("bias")] = head_of(network)
    return mapping


def from_state_dict(
    estimator: Any,
    mapping: Any,
    prefix: str | None = None,
    *,
    rnn: str | None = None,
    head: str | None = None,
    embedding: str | None = None,
    classes: Any = None,
    multilabel: bool = False,
) -> Any:
    """Give an estimator the weights of a PyTorch module of the same layers.

    Parameters
    ----------
    estimator : estimator
        Of this package; its parameters describe the network (`hidden_size`, `n_layers`,
        `bidirectional`, `embedding_dim`, `pooling`, ...). It need not be fitted; if it is, it
        keeps what it knows of X and of the labels.
    mapping : dict of str to array or tensor, or path
        What `Module.state_dict` returns, with the keys of `to_state_dict`, or the path of a
        safetensors file with it. All keys must find their place.
    prefix : str, default=None
        Take only the keys that begin so, without it. None: all keys.
    rnn, head, embedding : str, default=None
        The attributes of the module that hold these layers. None: what the keys tell.
    classes : array-like of shape (K,), default=None
        The labels, sorted, in the order of the head's rows; None: those of the estimator if it
        is fitted, else 0, 1, ...
    multilabel : bool, default=False
        Whether the head's rows are yes-or-no labels, scored by a sigmoid each.

    Returns
    -------
    estimator
        The same, fitted. It stays as it was if anything raises.

    Raises
    ------
    TypeError
        If the estimator or the mapping is no such thing.
    OSError
        If there is no such file.
    ValueError
        If a key is missing, has no place or another shape, or a parameter asks for what PyTorch's
        layers do not have.

    Notes
    -----
    See `to_state_dict` for the table of names. The two biases of PyTorch are added up, except
    for the candidate of a GRU. A head of one row on a classifier of two classes is the score of
    the second one. Layers without biases have zeros.
    """
    if not hasattr(estimator, "_make_output"):
        raise TypeError(
            f"from_state_dict takes a recurrent estimator of rnnkit, got {type(estimator).__name__}"
        )
    arrays = read_arrays(mapping, "mapping")
    if prefix is not None:
        arrays = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    given = GivenArrays(arrays)
    rnn_path = _find_rnn(arrays) if rnn is None else _path(rnn)
    n_inputs = given.shape(f"{rnn_path}weight_ih_l0", 2)[1]
    table_keys = _find_tables(arrays, rnn_path, embedding) if looks_up_ids(estimator) else []
    tables = [given.shape(key, 2) for key in table_keys]
    head_path = _find_head(arrays, rnn_path, table_keys) if head is None else _path(head)
    n_rows = given.shape(f"{head_path}weight", 2)[0]
    n_numeric = n_inputs - sum(width for _, width in tables)
    if n_numeric < 0:
        raise ValueError(
            f"{rnn_path + 'weight_ih_l0'!r} takes {n_inputs} inputs, fewer than the embedding "
            f"tables {table_keys} give"
        )
    one_score = n_rows == 1 and is_classifying(estimator) and not multilabel

    def fill(network: Network) -> None:
        _refuse(network)
        for key, name in zip(table_keys, tables_of(network)):
            shape = network.parameters.shapes[name]
            network.parameters[name][...] = given.take(key, shape, "embedding_dim")
        _fill_recurrent(network, given, rnn_path)
        for ours, theirs in _others(network).items():
            network.parameters[ours][...] = given.take(theirs, network.parameters.shapes[ours])
        k, width = network.parameters["head.weight"].shape
        rows = 1 if one_score else k
        weight = given.take(f"{head_path}weight", (rows, width), "the states of the last layer")
        bias = np.zeros(rows)
        if f"{head_path}bias" in given:
            bias = given.take(f"{head_path}bias", (rows,))
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
        n_outputs=2 if one_score else n_rows,
        dtype=next(iter(arrays.values())).dtype,
        classes=classes,
        multilabel=multilabel,
    )


class _Places:
    """The keys of a module's layers."""

    def __init__(self, prefix: str, rnn: str, head: str | None, embedding: str) -> None:
        self._prefix, self._rnn, self._head = prefix, _path(rnn), _path(head or "")
        self._embedding = _path(embedding)

    def of_rnn(self, name: str) -> str:
        return f"{self._prefix}{self._rnn}{name}"

    def of_head(self, name: str) -> str:
        return f"{self._prefix}{self._head}{name}"

    def table(self, position: int, n_tables: int) -> str:
        number = f"{position}." if n_tables > 1 else ""
        return f"{self._prefix}{self._embedding}{number}weight"


def _path(name: str) -> str:
    return f"{name.removesuffix('.')}." if name else ""


def _refuse(network: Network) -> None:
    specs = [spec for layer in network.recurrent_layers for spec in layer.specs]
    refuse_options(specs, _REFUSED, "PyTorch", activations=("tanh", "relu"))
    widths = tuple(layer.specs[0].hidden_size for layer in network.recurrent_layers)
    if len(set(widths)) > 1:
        raise ValueError(f"PyTorch has no layers of several widths, got hidden_size={widths!r}")
    refuse_quantiles(network, "PyTorch")


def _others(network: Network) -> dict[str, str]:
    """Map our names of attention and random field, where the network has them, to PyTorch's."""
    has_attention = any(isinstance(layer, AttentionPooling) for layer in network.layers)
    return {
        **(_ATTENTION if has_attention else {}),
        **(_FIELD if isinstance(network.output, CRF) else {}),
    }


def _of_pair(before: int | None, after: int | None) -> tuple[str, Any]:
    """Return the score of label `after` right after `before`, None being beginning and end."""
    if before is None:
        return "crf.start_transitions", after
    if after is None:
        return "crf.end_transitions", before
    return "crf.transitions", (before, after)


def _fill_recurrent(network: Network, given: GivenArrays, path: str) -> None:
    """Write the weights of every layer and direction."""
    has_biases = any(key.startswith(f"{path}bias_") for key in given.arrays)
    for number, layer in enumerate(network.recurrent_layers):
        for direction, spec in enumerate(layer.specs):
            names = layer.names(direction)
            own = {short: network.parameters[full] for short, full in names.items()}

            def take(
                short: str, shape: tuple[int, ...], number: int = number, spec: Any = spec
            ) -> np.ndarray:
                key = path + weight_name(short, number, spec.reverse)
                why = f"hidden_size={spec.hidden_size} of {spec.cell.upper()} cells"
                return given.take(key, shape, why)

            own["weight_ih"][...] = take("weight_ih", own["weight_ih"].shape)
            own["weight_hh"][...] = take("weight_hh", own["weight_hh"].shape)
            if not has_biases:
                continue
            of_input = take("bias_ih", own["bias"].shape)
            of_state = take("bias_hh", own["bias"].shape).copy()
            if spec.cell == "gru":
                own["bias_hn"][...] = of_state[-spec.hidden_size :]
                of_state[-spec.hidden_size :] = 0
            own["bias"][...] = of_input + of_state


def _find_rnn(arrays: dict[str, np.ndarray]) -> str:
    """Return what stands before the keys of the recurrent module."""
    ending = "weight_ih_l0"
    found = [key.removesuffix(ending) for key in arrays if key.endswith(ending)]
    if len(found) != 1:
        raise ValueError(
            f"mapping must have one recurrent module, with a key that ends in {ending!r}; found "
            f"{found}; name the one to take with prefix= or rnn="
        )
    return found[0]


def _find_tables(arrays: dict[str, np.ndarray], rnn_path: str, name: str | None) -> list[str]:
    """Return the keys of the embedding tables: matrices beside which there is no bias."""
    if name is not None:
        path = _path(name)
        found = [k for k in arrays if k.startswith(path) and k.endswith("weight")]
    else:
        found = [
            key
            for key in _matrices(arrays, rnn_path)
            if f"{key.removesuffix('weight')}bias" not in arrays
        ]
    return sorted(found, key=natural_order)


def _find_head(arrays: dict[str, np.ndarray], rnn_path: str, tables: list[str]) -> str:
    """Return what stands before the keys of the head."""
    found = [key for key in _matrices(arrays, rnn_path) if key not in tables]
    if len(found) != 1:
        raise ValueError(
            "mapping must have one head, a matrix named '....weight' beside the recurrent module; "
            f"found {found}; name the one to take with head="
        )
    return found[0].removesuffix("weight")


def _matrices(arrays: dict[str, np.ndarray], rnn_path: str) -> list[str]:
    return [
        key
        for key, array in arrays.items()
        if key.split(".")[-1] == "weight"
        and array.ndim == 2
        and not key.startswith(f"{rnn_path}weight_ih")
        and key not in _ATTENTION.values()
    ]
