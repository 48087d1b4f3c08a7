"""A fitted estimator from weights that were trained elsewhere, and what its network must not use.

Letters: I numeric features of a step, H hidden units, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.cells import Activation, LayerSpec
from rnnkit.estimators.base import RecurrentEstimator
from rnnkit.estimators.building import build
from rnnkit.estimators.codecs import Codec, Indicators, LabelLists, Labels, Numbers
from rnnkit.estimators.labels import check_classes
from rnnkit.estimators.language.vocabulary import Vocabulary
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.transaction import learning
from rnnkit.network import (
    Adversarial,
    Autoencoder,
    CharacterEncoder,
    Embedding,
    EncoderDecoder,
    Network,
    RecurrentBoltzmann,
)
from rnnkit.network.beside import Beside
from rnnkit.network.convolution import ConvolutionLayer
from rnnkit.network.losses import StandardizedOutput
from rnnkit.network.quantiles import Quantiles
from rnnkit.network.reservoir import Reservoir
from rnnkit.network.tokens import TokenFeatures
from rnnkit.sequences import Sequences
from rnnkit.training import FitResult

__all__ = [
    "assemble",
    "fitted_network",
    "head_of",
    "is_classifying",
    "refuse_convolutions",
    "refuse_options",
    "refuse_quantiles",
    "tables_of",
    "two_classes",
]

PLAIN_ONLY = (
    "peephole", "coupled_gates", "full_gate_recurrence", "cell_clip", "layer_norm", "zoneout",
)  # fmt: skip


def fitted_network(estimator: Any, purpose: str) -> Network:
    """Return the network of a fitted estimator of this package.

    Raises
    ------
    TypeError
        If it is no such estimator; `purpose` is what cannot be done with it.
    NotFittedError
        If it is not fitted.
    """
    if not isinstance(estimator, RecurrentEstimator):
        raise TypeError(
            f"{purpose} takes a recurrent estimator of rnnkit, got {type(estimator).__name__}"
        )
    check_is_fitted(estimator, "network_")
    if isinstance(estimator._codec, Vocabulary):
        raise ValueError(
            f"{purpose} takes no language model, got {type(estimator).__name__}: other programs "
            "have no place for its tokens; rnnkit.save keeps all of it"
        )
    if not estimator.network_.recurrent_layers:
        raise ValueError(
            f"{purpose} takes recurrent networks, got {type(estimator).__name__} with "
            "hidden_size=(): weights_ holds its one linear map"
        )
    if isinstance(estimator.network_, EncoderDecoder):
        raise ValueError(
            f"{purpose} takes no encoder-decoder, got {type(estimator).__name__}: what it writes "
            "depends on what it wrote before; rnnkit.save keeps all of it"
        )
    if isinstance(estimator.network_, Autoencoder):
        raise ValueError(
            f"{purpose} takes no autoencoder, got {type(estimator).__name__}: other programs have "
            "no place for its codes; rnnkit.save keeps all of it"
        )
    if isinstance(estimator.network_, RecurrentBoltzmann):
        raise ValueError(
            f"{purpose} takes no Boltzmann machine, got {type(estimator).__name__}: other programs "
            "have no place for its energies; rnnkit.save keeps all of it"
        )
    if isinstance(estimator.network_, Adversarial):
        raise ValueError(
            f"{purpose} takes no generator of series, got {type(estimator).__name__}: it is two "
            "networks, and noise that other programs would draw otherwise; rnnkit.save keeps all "
            "of it"
        )
    if any(isinstance(layer, Reservoir) for layer in estimator.network_.recurrent_layers):
        raise ValueError(
            f"{purpose} takes no reservoir, got {type(estimator).__name__}: other programs have no "
            "cell with its leak; rnnkit.save keeps all of it"
        )
    if estimator._reader.static_columns:
        raise ValueError(
            f"{purpose} needs static='steps': other libraries have no place for the map from "
            "static columns to the initial state"
        )
    return estimator.network_


def refuse_options(
    specs: Iterable[LayerSpec],
    names: Sequence[str],
    library: str,
    activations: Sequence[str] | None = None,
) -> None:
    """Raise ValueError if a cell has an option that another library has no place for.

    Parameters
    ----------
    specs : iterable of LayerSpec
        The cells.
    names : sequence of str
        The options that must have their default.
    library : str
        What the message says has no such option.
    activations : sequence of str, default=None
        Which activations an rnn cell may have; None: any.
    """
    specs = list(specs)
    if not specs:
        raise ValueError(f"hidden_size must not be () for weights of {library}")
    for spec in specs:
        usual = LayerSpec(spec.cell, spec.n_inputs, spec.hidden_size)
        for name in names:
            value = getattr(spec, name)
            if name == "reset" and spec.cell != "gru":
                continue
            if name == "activation" and spec.cell == "rnn" and value.name in (activations or ()):
                continue
            if name == "gate_activation" and spec.cell == "rnn":
                continue
            if name == "output_activation" and spec.cell != "lstm":
                continue
            if value != getattr(usual, name):
                shown = value.name if isinstance(value, Activation) else value
                raise ValueError(
                    f"{library} has no {spec.cell.upper()} with {name}={shown!r}, so its weights "
                    "alone would say something else there"
                )


def tables_of(network: Network) -> list[str]:
    """Return the names of the embedding tables, in the order of their columns.

    Raises
    ------
    ValueError
        If tokens are spelled: no other library has a layer that does so.
    """
    first = network.layers[0] if network.layers else None
    if not isinstance(first, TokenFeatures):
        return []
    names: list[str] = []
    for part in first.parts:
        if isinstance(part, CharacterEncoder):
            raise ValueError(
                "spelling_columns has no counterpart there: the reader of spellings is no layer "
                "of another library"
            )
        assert isinstance(part, Embedding)
        names += part.names
    return names


def head_of(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return weight (K, W) and bias (K,) of the head, in the unit of the user's y.

    A regressor's network works with standardized targets; center and scale are folded in, in
    float64.
    """
    weight, bias = network.parameters["head.weight"], network.parameters["head.bias"]
    output = network.output
    is_linear = isinstance(output, StandardizedOutput) and not isinstance(output, Quantiles)
    if not isinstance(output, StandardizedOutput) or not is_linear or output.scale is None:
        return weight.copy(), bias.copy()
    assert output.center is not None
    scale, center = np.array(output.scale), np.array(output.center)
    folded = scale[:, None] * weight.astype(np.float64)
    moved = scale * bias.astype(np.float64) + center
    return folded.astype(weight.dtype), moved.astype(bias.dtype)


def refuse_quantiles(network: Network, library: str) -> None:
    """Raise ValueError if the head's scores are gaps between quantiles."""
    if isinstance(network.output, Quantiles):
        raise ValueError(
            f"{library} has no layer that makes several quantiles of the scores of the head; fit "
            "with one quantile each"
        )


def refuse_convolutions(network: Network, library: str) -> None:
    """Raise ValueError if there are convolutions, whose weights the library lays out otherwise."""
    if any(isinstance(layer, (ConvolutionLayer, Beside)) for layer in network.layers):
        raise ValueError(
            f"arrays for {library} hold recurrent layers, tables and a head, and no convolutions; "
            "use rnnkit.save or rnnkit.to_onnx"
        )


def is_classifying(estimator: Any) -> bool:
    """Whether an estimator gives each sequence, or each step, one label."""
    return hasattr(estimator, "class_weight")


def two_classes(weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the head of two classes whose softmax is the sigmoid of a head of one score."""
    return np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])


def assemble(
    estimator: Any,
    fill: Callable[[Network], None],
    *,
    n_numeric: int,
    n_tokens: Sequence[int],
    n_outputs: int,
    dtype: np.dtype,
    classes: Any = None,
    multilabel: bool = False,
    known: tuple[Reader, Codec] | None = None,
) -> Any:
    """Give an estimator a network with weights from elsewhere, as a fit would.

    Parameters
    ----------
    estimator : estimator
        Whose parameters describe the network. If it is fitted, what it knows of X and y stays as
        far as it fits; otherwise X is numbers in the order of the weights' columns.
    fill : callable
        Takes the network and writes all of its parameters.
    n_numeric : int
        I.
    n_tokens : sequence of int
        Ids of each embedding table.
    n_outputs : int
        Rows of the head.
    dtype : dtype
        float32 or float64.
    classes : array-like, default=None
        The labels in the order of the head's rows; None: those the estimator knows, else
        0, 1, ... Regressors have none.
    multilabel : bool, default=False
        Whether the rows of the head are yes-or-no labels that do not exclude each other.
    known : tuple of Reader and Codec, default=None
        What X and y are like, where that is known.

    Returns
    -------
    estimator
        The same, fitted. It stays as it was if anything raises.

    Raises
    ------
    ValueError
        If a parameter is out of range or does not fit, or the classes are not as many.
    """
    check_parameters(estimator)
    with learning(estimator) as draft:
        if known is None:
            reader = _reader(draft, n_numeric, n_tokens, dtype)
            codec = _codec(draft, n_outputs, classes, multilabel)
        else:
            reader, codec = known
        kind = "tokens" if reader.all_tokens else None
        one_step = [np.zeros((1, reader.n_step_features))]
        sequences = Sequences.from_any(one_step, dtype=kind)
        output = draft._make_output(codec)
        network = build(draft, reader, output, sequences, np.zeros(output.width))
        fill(network)
        _check_fixed(network)
        for name in ("_trainer", "_training_state", "_trained_with"):
            vars(draft).pop(name, None)
        draft._built_with = draft.get_params(deep=False)
        draft._record(reader, codec, network, _no_training(), (), anew=True)
    return estimator


def _check_fixed(network: Network) -> None:
    """Refuse weights that do not keep the gates open that the estimator says are."""
    for layer in network.layers:
        for name, rows, value in layer.fixed_entries():
            if np.any(network.parameters[name][rows] != value):
                raise ValueError(
                    f"the estimator has fixed_gates, so {name} must be {value:g} at the rows "
                    f"{rows.start} to {rows.stop - 1}, which belong to one of them"
                )


def _reader(estimator: Any, n_numeric: int, n_tokens: Sequence[int], dtype: Any) -> Reader:
    n_columns = n_numeric + len(n_tokens)
    width = "float32" if n_tokens or estimator.precision == "bf16" else str(np.dtype(dtype))
    known: Reader | None = getattr(estimator, "_reader", None)
    fits = known is not None and known.n_step_features == n_columns
    if known is not None and fits and len(known.token_columns) == len(n_tokens):
        return replace(known, n_tokens=tuple(n_tokens), dtype=width)
    one_step = [np.zeros((1, n_columns))]
    reader, _, _ = Reader.learn(estimator, one_step, None, per_step=estimator._per_step)
    if len(reader.token_columns) != len(n_tokens):
        raise ValueError(
            f"embedding_dim and categorical_features ask for {len(reader.token_columns)} "
            f"embedding tables, but {len(n_tokens)} were given"
        )
    return replace(reader, n_columns=None, n_tokens=tuple(n_tokens), dtype=width)


def _no_training() -> FitResult:
    nan = float("nan")
    return FitResult(0, "max_iter", "not trained here", [], nan, None, None, None, None, None)


def _codec(estimator: Any, n_outputs: int, classes: Any, multilabel: bool) -> Codec:
    known: Any = getattr(estimator, "_codec", None)
    kind = _kind(estimator)
    if kind is Numbers:
        if classes is not None or multilabel:
            raise ValueError(f"{type(estimator).__name__} predicts numbers and takes no classes")
        if isinstance(known, Numbers) and known.n_outputs == n_outputs:
            return known
        return Numbers(n_outputs, n_outputs > 1)
    if isinstance(known, Indicators) and known.n_labels == n_outputs and classes is None:
        return known
    if multilabel:
        if not is_classifying(estimator) or classes is not None:
            raise ValueError(
                "multilabel=True is for a classifier or tagger, whose labels are 0 to K - 1"
            )
        return Indicators(n_outputs, "step" if estimator._per_step else "sequence")
    n_classes = n_outputs - (kind is LabelLists)  # beside which there is the blank
    if classes is None:
        fits = isinstance(known, kind) and known.width == n_classes
        classes = known.classes if fits else np.arange(n_classes)
    check_classes(classes)
    labels = np.asarray(classes)
    if len(labels) != n_classes:
        raise ValueError(f"classes must be {n_classes} labels, got {classes!r}")
    if len(np.unique(labels)) != n_classes or np.any(labels != np.unique(labels)):
        raise ValueError(f"classes must be sorted and all different, got {classes!r}")
    codec: Codec = kind(labels)
    return codec


def _kind(estimator: Any) -> Any:
    if is_classifying(estimator):
        return Labels
    return LabelLists if hasattr(estimator, "beam_width") else Numbers
