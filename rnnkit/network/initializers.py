"""How parameters are drawn before training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.cells import LayerSpec

__all__ = ["chrono_biases", "gate_biases", "glorot_uniform", "orthogonal"]


def glorot_uniform(shape: tuple[int, int], rng: Any) -> np.ndarray:
    """Draw a matrix from U(-a, a) with ``a = sqrt(6 / (rows + columns))``.

    Parameters
    ----------
    shape : tuple of two int
        Outputs and inputs; for one gate, not for all gates together.
    rng : numpy.random.RandomState or numpy.random.Generator

    Returns
    -------
    ndarray of shape `shape`, float64

    Notes
    -----
    Keeps the variance of signals and gradients across the layer (Glorot & Bengio 2010).
    """
    limit = math.sqrt(6.0 / (shape[0] + shape[1]))
    drawn: np.ndarray = rng.uniform(-limit, limit, shape)
    return drawn


def orthogonal(size: int, rng: Any) -> np.ndarray:
    """Draw an orthogonal matrix, uniformly over all of them.

    Parameters
    ----------
    size : int
        Rows and columns.
    rng : numpy.random.RandomState or numpy.random.Generator

    Returns
    -------
    ndarray of shape (size, size), float64

    Notes
    -----
    Q of the QR decomposition of a Gaussian matrix, with R's diagonal made positive. A product
    with it keeps lengths, so that neither states nor gradients shrink or grow through it.
    """
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    drawn: np.ndarray = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return drawn


def chrono_biases(spec: LayerSpec, longest: int, rng: Any) -> dict[str, np.ndarray]:
    """Draw the gate biases that let a cell remember for up to `longest` steps.

    Parameters
    ----------
    spec : LayerSpec
        An lstm or gru layer.
    longest : int
        T, the number of steps of the longest sequence.
    rng : numpy.random.RandomState or numpy.random.Generator

    Returns
    -------
    dict of str to ndarray of shape (H,), float64
        By gate name.

    Raises
    ------
    ValueError
        If the cell has no gate that keeps its state.

    Notes
    -----
    LSTM: ``b_f = log U(1, T - 1)``, ``b_i = -b_f``; GRU, whose z keeps:
    ``b_z = log U(1, T - 1)``. A gate of such a bias forgets half of its content after the
    number of steps drawn (Tallec & Ollivier 2018).
    """
    if spec.cell == "rnn":
        raise ValueError("gate_bias='chrono' needs a cell with gates, lstm or gru, got 'rnn'")
    draws = rng.uniform(0.0, 1.0, spec.hidden_size)
    keep = np.log(1.0 + draws * max(longest - 2, 0))
    return {"z": keep} if spec.cell == "gru" else {"i": -keep, "f": keep}


def gate_biases(
    spec: LayerSpec,
    forget_bias: float,
    gate_bias: str | Mapping[str, float] | None,
    longest: int | None,
    rng: Any,
) -> dict[str, Any]:
    """Return the initial biases that are not zero, by gate name.

    Parameters
    ----------
    spec : LayerSpec
    forget_bias : float
        Bias of the LSTM's forget gate.
    gate_bias : "chrono", mapping of gate name to float, or None
        What replaces it.
    longest : int or None
        T, for "chrono".
    rng : numpy.random.RandomState or numpy.random.Generator

    Returns
    -------
    dict of str to float or ndarray of shape (H,)
    """
    biases: dict[str, Any] = {"f": forget_bias} if spec.cell == "lstm" else {}
    if gate_bias == "chrono":
        assert longest is not None
        biases.update(chrono_biases(spec, longest, rng))
    elif gate_bias is not None:
        assert not isinstance(gate_bias, str)
        biases.update(gate_bias)
    return biases
