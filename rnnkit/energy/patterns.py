"""How patterns of -1 and +1 are read, and stored in the weights between units."""

from __future__ import annotations

from contextlib import suppress
from math import sqrt
from typing import Any

import numpy as np
from scipy.linalg import svd

__all__ = [
    "by_hebb",
    "by_projection",
    "levels_of",
    "read_thresholds",
    "refuse_too_large",
    "signs_of",
]


def read_thresholds(thresholds: Any, rule: str, rows: np.ndarray) -> np.ndarray:
    """Return a threshold for each unit."""
    n_units = rows.shape[1]
    given = np.asarray(thresholds)
    if given.dtype.kind == "O":
        with suppress(TypeError, ValueError):
            given = given.astype(np.float64)
    is_real = given.dtype.kind in "biuf" and given.shape in ((), (n_units,))
    with np.errstate(over="ignore"):
        values = given.astype(rows.dtype) if is_real else np.full((), np.nan, rows.dtype)
    if not np.isfinite(values).all():
        raise ValueError(
            f"thresholds must be a finite number, or one for each of {n_units} features of X, got "
            f"{thresholds!r:.100}"
        )
    if rule == "softmax" and np.any(values != 0):
        raise ValueError(f"thresholds must be 0 with rule='softmax', got {thresholds!r:.100}")
    return np.broadcast_to(values, n_units).copy()


def refuse_too_large(rows: np.ndarray, beta: float) -> None:
    """Raise ValueError if products that rule="softmax" forms may be beyond the rows' dtype."""
    finite = np.finfo(rows.dtype).max.item()
    most = sqrt(finite / (4 * max(1.0, beta) * rows.shape[1]))
    largest = float(np.abs(rows).max())
    if largest > most:
        raise ValueError(
            f"X must lie within {most:.3g} of 0 with rule='softmax' and beta={beta:.3g}, which "
            f"forms products in {rows.dtype}, got values up to {largest:.3g}: scale X before"
        )


def signs_of(rows: np.ndarray, binarize: float) -> np.ndarray:
    """Return +1 where rows are above the threshold, -1 elsewhere."""
    return np.where(rows > binarize, 1, -1).astype(rows.dtype)


def levels_of(rows: np.ndarray, binarize: float) -> np.ndarray:
    """Return the two values of X, if it has two on both sides of the threshold; else -1 and +1."""
    low, high = rows.min(), rows.max()
    if low <= binarize < high and np.all((rows == low) | (rows == high)):
        return np.array([low, high], dtype=rows.dtype)
    return np.array([-1, 1], dtype=rows.dtype)


def by_hebb(patterns: np.ndarray) -> np.ndarray:
    """Return the weights of the rule of Hebb, no unit joined to itself."""
    weights: np.ndarray = patterns.T @ patterns / patterns.shape[1]
    np.fill_diagonal(weights, 0)
    return weights.astype(patterns.dtype, copy=False)


def by_projection(patterns: np.ndarray) -> np.ndarray:
    """Return the projection onto the span of patterns, from their singular vectors."""
    _, sizes, vectors = svd(patterns.astype(np.float64), full_matrices=False)
    least = sizes[0] * max(patterns.shape) * np.finfo(np.float64).eps
    span = vectors[sizes > least]
    weights = span.T @ span
    symmetric: np.ndarray = ((weights + weights.T) / 2).astype(patterns.dtype, copy=False)
    return symmetric
