"""Scores for several yes-or-no labels at once, for sequences or for each of their steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.metrics.numbers import values_with_targets

__all__ = ["label_accuracy", "label_log_likelihood"]


def label_accuracy(
    y_true: Any, y_pred: Any, *, lengths: Any = None, sample_weight: Any = None
) -> float:
    """Return the fraction of single labels, 0 or 1, that are right.

    Parameters
    ----------
    y_true : array of shape (n, K) or (n, T, K), or n arrays (T_i, K) in any container
        NaN is no label and counts nowhere.
    y_pred : array-like of the shape of `y_true`
        What lies beyond a sequence's length is padding.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), (n, T), or n arrays (T_i,), default=None
        The weight of each sequence, or of each step.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If shapes do not fit or there is no label.

    Examples
    --------
    >>> from rnnkit.metrics import label_accuracy
    >>> label_accuracy([[[0, 1], [1, 1]], [[0, 0]]], [[[0, 1], [1, 0]], [[0, 0]]])
    0.8333333333333334
    """
    true, (pred,), weights = values_with_targets(y_true, {"y_pred": y_pred}, lengths, sample_weight)
    return float(np.average(true == pred, weights=weights))


def label_log_likelihood(
    y_true: Any, y_proba: Any, *, lengths: Any = None, sample_weight: Any = None
) -> float:
    """Return the mean log-likelihood of a row of K labels, in nats; larger is better.

    ``mean over rows of Σ_k y log p + (1 - y) log(1 - p)``; a row is a sequence, or a step where
    labels come per step. Probabilities are kept off 0 and 1 by the spacing of their dtype.

    Parameters
    ----------
    y_true : array of shape (n, K) or (n, T, K), or n arrays (T_i, K) in any container
        0 and 1. NaN is no label and adds nothing; a row of NaN alone is no row.
    y_proba : array-like of the shape of `y_true`
        The probability of 1, as `predict_proba` gives it.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), (n, T), or n arrays (T_i,), default=None
        The weight of each sequence, or of each step.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If shapes do not fit, there is no label, or one, or a probability, is out of range.

    Examples
    --------
    >>> from rnnkit.metrics import label_log_likelihood
    >>> round(label_log_likelihood([[0, 1]], [[0.5, 0.5]]), 3)
    -1.386
    """
    true, (proba,), weights, rows = values_with_targets(
        y_true, {"y_proba": y_proba}, lengths, sample_weight, with_rows=True
    )
    odd = (true != 0) & (true != 1)
    if odd.any():
        raise ValueError(f"y_true must hold 0 and 1, got {true[odd][0]:g}")
    eps = np.finfo(proba.dtype if proba.dtype.kind == "f" else np.float64).eps
    outside = np.abs(proba - 0.5) > 0.5 + np.sqrt(eps)  # by more than rounding
    if outside.any():
        raise ValueError(f"y_proba must hold probabilities, got {proba[outside][0]:g}")
    proba = np.clip(proba, eps, 1 - eps)
    terms = true * np.log(proba) + (1 - true) * np.log1p(-proba)
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    per_row = np.bincount(inverse, weights=terms)
    return float(np.average(per_row, weights=None if weights is None else weights[first]))
