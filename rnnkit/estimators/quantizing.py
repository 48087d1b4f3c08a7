"""`quantize`: a fitted estimator that predicts with products of 8-bit integers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from rnnkit.estimators.fitted import FittedEstimator
from rnnkit.network import Network
from rnnkit.network.autoencoder import Autoencoder
from rnnkit.network.encoder_decoder import EncoderDecoder
from rnnkit.network.quantizing import quantized, recurrent_parts
from rnnkit.network.reservoir import Reservoir

__all__ = ["quantize"]

Estimator = TypeVar("Estimator")

# What training leaves behind, of which predictions need nothing.
_OF_TRAINING = ("_trainer", "_training_state", "_trained_with")


def quantize(estimator: Estimator) -> Estimator:
    """Return a fitted estimator that predicts with products of 8-bit integers.

    It has a quarter of the file of the one that is given, which stays as it is, and predicts
    faster where the layers are wide and the processor multiplies bytes (`rnnkit.show_config` says
    under "int8" whether it does). Predictions are close to those of the original, not equal.

    Parameters
    ----------
    estimator : estimator
        Fitted, of rnnkit, and computing in float32 on the CPU.

    Returns
    -------
    estimator
        Of the same class and parameters, for predictions alone: everything that predicts, scores,
        writes or looks inside works as ever, `rnnkit.save` and pickle too; `fit` and `partial_fit`
        raise ValueError. A clone of it is an ordinary estimator that is not fitted.

    Raises
    ------
    TypeError
        If it is none whose network can be quantized.
    ValueError
        If it computes in float64, or on a GPU, or has no recurrent layer.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Notes
    -----
    Every row of a matrix, the weights of one output channel, becomes the integers nearest to
    ``w / s`` and a float32 scale ``s = max |w| / 127``. In recurrent layers the inputs of each step
    and the hidden state become integers too, each row by its own largest magnitude, so that no
    other sequence of a minibatch has a say; their sums are exact 32-bit integers, equal on every
    processor. Biases, peepholes, gate functions and states are float32, and so are the products of
    embeddings and dense layers, by the rounded weights. This is symmetric per-channel quantization
    of weights and dynamic quantization of activations: Jacob et al. (2018), "Quantization and
    training of neural networks for efficient integer-arithmetic-only inference", in parts.

    ``weights_`` shows the rounded numbers as float32, and memory holds these: the file is small.

    Examples
    --------
    >>> import numpy as np
    >>> import rnnkit
    >>> X = np.sin(np.arange(600.0)).reshape(100, 6, 1).astype(np.float32)
    >>> y = X[:, 0, 0] > 0
    >>> model = rnnkit.GRUClassifier(16, max_iter=20, learning_rate="linear", random_state=0)
    >>> small = rnnkit.quantize(model.fit(X, y))
    >>> bool(np.abs(small.predict_proba(X) - model.predict_proba(X)).max() < 0.02)
    True
    >>> small.network_
    Network(gru 1 → 16 (products in 8 bits, last state), dense 16 → 2: 914 parameters, float32)
    """
    _refuse_other_kinds(estimator)
    check_is_fitted(estimator)
    fitted: Any = estimator
    name, network = type(estimator).__name__, fitted.network_
    if type(network) not in (Network, Autoencoder, EncoderDecoder):
        raise TypeError(f"quantize does not take {name}, whose network is no chain of layers")
    parts = list(recurrent_parts(network.layers))
    if not parts:
        raise ValueError(f"quantize needs a recurrent layer, and this {name} has none")
    if any(isinstance(part, Reservoir) for part in parts):
        raise TypeError(f"quantize does not take {name}: its readout was solved for exact states")
    if any(spec.full_gate_recurrence for part in parts for spec in part.specs):
        raise ValueError(
            f"quantize does not take {name} with full_gate_recurrence=True: gates are no rows of h"
        )
    if network.dtype != np.float32:
        raise ValueError(
            f"quantize needs an estimator that computes in float32, and this {name} was fitted in "
            f"{network.dtype}; fit it to X.astype('float32')"
        )
    if fitted.device not in ("cpu", "reference"):
        raise ValueError(
            f"quantize needs device='cpu', got {name} with device={fitted.device!r}; "
            "set_params(device='cpu')"
        )
    state = {key: value for key, value in vars(fitted).items() if key not in _OF_TRAINING}
    new: Any = object.__new__(type(estimator))
    weights = state.pop("network_")
    vars(new).update(deepcopy(state))
    new.network_ = quantized(weights)
    return new  # type: ignore[no-any-return]


def _refuse_other_kinds(estimator: Any) -> None:
    if isinstance(estimator, FittedEstimator):
        return
    name = type(estimator).__name__
    if isinstance(estimator, type):
        raise TypeError(f"quantize takes a fitted estimator, got the class {estimator.__name__}")
    hint = ""
    if isinstance(estimator, Pipeline):
        hint = "; quantize its last step"
    elif hasattr(estimator, "best_estimator_"):
        hint = "; quantize its best_estimator_"
    for inner in ("estimator_", "regressor_"):
        if hasattr(estimator, inner):
            hint = f"; quantize its {inner}"
    raise TypeError(
        f"quantize takes a fitted estimator of rnnkit with one network, got {name}{hint}"
    )
