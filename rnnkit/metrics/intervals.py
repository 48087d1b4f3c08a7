"""Scores for quantiles and intervals, for sequences or for each of their steps."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from rnnkit.metrics.numbers import values_with_targets

__all__ = ["interval_coverage", "interval_score", "pinball_loss"]


def pinball_loss(
    y_true: Any,
    y_pred: Any,
    *,
    quantile: float | Sequence[float] = 0.5,
    lengths: Any = None,
    sample_weight: Any = None,
) -> float:
    """Return the mean pinball loss of predicted quantiles.

    ``q (y - p)`` if ``y > p`` else ``(1 - q) (p - y)``, whose mean is smallest where p is the
    quantile q of y (Koenker & Bassett 1978); the mean over quantiles where there are several.

    Parameters
    ----------
    y_true : array of shape (n,), (n, K), (n, T) or (n, T, K), or n arrays (T_i,) or (T_i, K)
        NaN is no target and counts nowhere.
    y_pred : array-like of the shape of `y_true`
        With several quantiles one more axis, the last. What lies beyond a sequence's length is
        padding.
    quantile : float or list of Q float, default=0.5
        Which quantile was predicted, in (0, 1), or which were, in the order of their columns.
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), (n, T), or n arrays (T_i,), default=None
        The weight of each sequence, or of each step.

    Returns
    -------
    float
        NaN if a prediction beside a target is NaN.

    Raises
    ------
    ValueError
        If shapes do not fit, a quantile is out of range or no target is a number.

    Examples
    --------
    >>> from rnnkit.metrics import pinball_loss
    >>> pinball_loss([1.0, 2.0], [0.0, 4.0], quantile=0.75)
    0.625
    >>> pinball_loss([[1.0], [2.0, 3.0]], [[[0, 2]], [[1, 3], [2, 4]]], quantile=[0.25, 0.75])
    0.25
    """
    several = not isinstance(quantile, Real)
    given: Any = np.array(quantile)
    quantiles = given.astype(np.float64).reshape(-1) if given.dtype.kind in "biuf" else np.empty(0)
    if not quantiles.size or not ((quantiles > 0) & (quantiles < 1)).all():
        raise ValueError(f"quantile must lie in (0, 1), got {quantile!r}")
    true, (pred,), weights = values_with_targets(
        y_true,
        {"y_pred": y_pred},
        lengths,
        sample_weight,
        n_quantiles=len(quantiles) if several else None,
    )
    errors = true[:, None] - pred.reshape(len(true), -1)
    losses = np.maximum(quantiles * errors, (quantiles - 1) * errors).mean(axis=1)
    return float(np.average(losses, weights=weights))


def interval_score(
    y_true: Any,
    lower: Any,
    upper: Any,
    alpha: float,
    *,
    lengths: Any = None,
    sample_weight: Any = None,
) -> float:
    """Return the mean score of intervals that should hold the share 1 - alpha; smaller is better.

    ``upper - lower + 2 / alpha × (distance of y from the interval)`` (Gneiting & Raftery 2007,
    equation 43). It is ``2 / alpha`` times the sum of the pinball losses of the quantiles
    ``alpha / 2`` and ``1 - alpha / 2``.

    Parameters
    ----------
    y_true : array of shape (n,), (n, K), (n, T) or (n, T, K), or n arrays (T_i,) or (T_i, K)
        NaN is no target and counts nowhere.
    lower, upper : array-like of the shape of `y_true`
        The ends of the intervals; what lies beyond a sequence's length is padding.
    alpha : float
        The share of targets that may lie outside, in (0, 1).
    lengths : array-like of shape (n,), integer, default=None
        Real steps of each sequence where `y_true` is padded; None: all.
    sample_weight : array-like of shape (n,), (n, T), or n arrays (T_i,), default=None
        The weight of each sequence, or of each step.

    Returns
    -------
    float
        In the unit of y; NaN if an end beside a target is NaN.

    Raises
    ------
    ValueError
        If shapes do not fit, `alpha` is out of range, an upper end lies below its lower one or
        no target is a number.

    Examples
    --------
    >>> from rnnkit.metrics import interval_score
    >>> interval_score([1.0, 5.0], [0.0, 2.0], [2.0, 4.0], alpha=0.5)
    4.0
    """
    if not isinstance(alpha, Real) or not 0 < alpha < 1:
        raise ValueError(f"alpha must lie in (0, 1), got {alpha!r}")
    true, low, high, weights = _intervals(y_true, lower, upper, lengths, sample_weight)
    outside = np.maximum(low - true, 0.0) + np.maximum(true - high, 0.0)
    return float(np.average(high - low + 2.0 / alpha * outside, weights=weights))


def interval_coverage(
    y_true: Any, lower: Any, upper: Any, *, lengths: Any = None, sample_weight: Any = None
) -> float:
    """Return the share of targets that lie in their intervals, ends included.

    Parameters
    ----------
    y_true, lower, upper, lengths, sample_weight
        As in `interval_score`.

    Returns
    -------
    float
        NaN if an end beside a target is NaN.

    Raises
    ------
    ValueError
        As `interval_score`.

    Examples
    --------
    >>> from rnnkit.metrics import interval_coverage
    >>> interval_coverage([1.0, 5.0], [0.0, 2.0], [2.0, 4.0])
    0.5
    """
    true, low, high, weights = _intervals(y_true, lower, upper, lengths, sample_weight)
    inside = np.where(np.isnan(low) | np.isnan(high), np.nan, (low <= true) & (true <= high))
    return float(np.average(inside, weights=weights))


def _intervals(
    y_true: Any, lower: Any, upper: Any, lengths: Any, sample_weight: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    ends = {"lower": lower, "upper": upper}
    true, (low, high), weights = values_with_targets(y_true, ends, lengths, sample_weight)
    crossed = np.flatnonzero(low > high)
    if len(crossed):
        first = crossed[0]
        raise ValueError(f"lower must not exceed upper, got {low[first]} and {high[first]}")
    return true, low, high, weights
