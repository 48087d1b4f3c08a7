"""How a series goes on by its smoothed level and trend alone, which networks then correct.

Exponential smoothing with a damped trend (Gardner & McKenzie 1985): with the error
``e_t = z_t - (l_{t-1} + φ b_{t-1})`` of the next step the level is
``l_t = l_{t-1} + φ b_{t-1} + α e_t``, the trend ``b_t = φ b_{t-1} + α β e_t``, and s steps ahead
the series is at ``l_t + (φ + ... + φ^s) b_t``. Several α, β and φ are
tried, and the paths of those that did well are averaged.

Letters: T steps, K channels, S steps ahead, M ways to smooth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import lfilter

__all__ = ["fit_smoothing", "smoothed"]

ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
BETAS = (0.02, 0.05, 0.1, 0.2, 0.4)
PHIS = (0.8, 0.9, 0.95, 0.98, 1.0)
LEAST = 0.02  # of all, the share of a way that is kept
FIRST = 24  # steps at most that are not judged


def _ways() -> list[tuple[float, float, float, bool, int]]:
    """Return α, β, φ, whether the trend begins at the drift, and how many numbers are fitted."""
    ways = [(0.0, 0.0, 0.0, False, 1)]  # a level that stays
    for alpha in ALPHAS:
        ways += [(alpha, 0.0, 0.0, False, 2), (alpha, 0.0, 1.0, True, 3)]
        ways += [(alpha, beta, phi, False, 4) for phi in PHIS for beta in BETAS]
    return ways


WAYS = _ways()


def fit_smoothing(z: np.ndarray, n_steps: int) -> list[np.ndarray]:
    """Return for each channel the ways (M, 6) to smooth: share, α, β, φ, first level and trend.

    The share of a way is its Akaike weight ``exp(-AIC / 2)`` with the mean squared error of all
    steps up to S ahead. These overlap: of n errors n / ((S + 1) / 2) count.

    Parameters
    ----------
    z : ndarray of shape (T, K)
    n_steps : int
        S.
    """
    n = len(z)
    first = min(n // 4, FIRST)
    n_own = max(n - first, 1) / ((n_steps + 1) / 2)
    drift = (z[-1] - z[0]) / max(n - 1, 1)
    tables = []
    for channel in range(z.shape[1]):
        x = z[:, channel]
        rows = []
        criteria = []
        for alpha, beta, phi, drifts, n_fitted in WAYS:
            level = x[0] if alpha else x.mean()
            way = (alpha, beta, phi, level, drift[channel] if drifts else 0.0)
            error = _error(x, way, n_steps, first)
            criteria.append(n_own * np.log(max(error, np.finfo(float).tiny)) + 2 * n_fitted)
            rows.append(way)
        best = np.array(criteria) - min(criteria)
        shares = np.exp(-best / 2)
        shares /= shares.sum()
        kept = shares >= min(LEAST, shares.max())
        shares = shares[kept] / shares[kept].sum()
        tables.append(np.column_stack([shares, np.array(rows)[kept]]))
    return tables


def _error(x: np.ndarray, way: Any, n_steps: int, first: int) -> float:
    """Return the mean squared error of all steps up to S ahead."""
    level, trend = _states(x, way)
    growth = _growth(way[2], n_steps)
    total, count = 0.0, 0
    for ahead in range(1, n_steps + 1):
        off = x[first + ahead :] - level[first:-ahead] - growth[ahead - 1] * trend[first:-ahead]
        total += float(off @ off)
        count += len(off)
    return total / max(count, 1)


def _growth(phi: float, n_steps: int) -> np.ndarray:
    """Return φ + ... + φ^s for each s up to S."""
    return np.cumsum(np.power(phi, np.arange(1.0, n_steps + 1)))


def _states(x: np.ndarray, way: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return level and trend (T,) after each step."""
    alpha, beta, phi, level, trend = way
    n = len(x)
    if not alpha:
        return np.full(n, level), np.zeros(n)
    # The recurrence is linear: where it would go by itself, and what the rest of x adds.
    by_itself = level + trend * _growth(phi, n)
    rest = x - by_itself
    error = lfilter(
        [1.0, -(1 + phi), phi], [1.0, alpha * (1 + beta * phi) - (1 + phi), phi * (1 - alpha)], rest
    )
    trends = lfilter([alpha * beta], [1.0, -phi], error)
    before = np.concatenate([[0.0], trends[:-1]])
    levels = np.cumsum(alpha * error + phi * before)
    return levels + by_itself, trends + trend * np.power(phi, np.arange(1.0, n + 1))


def smoothed(z: np.ndarray, tables: list[np.ndarray], n_steps: int, rows: np.ndarray) -> np.ndarray:
    """Return how a series (T, K) goes on after some of its steps, (len(rows), S, K).

    Parameters
    ----------
    z : ndarray of shape (T, K)
    tables : list of K ndarray of shape (M, 6)
        What `fit_smoothing` returned.
    n_steps : int
        S.
    rows : ndarray of int
        The steps after which it goes on.
    """
    result = np.zeros((len(rows), n_steps, z.shape[1]))
    for channel, table in enumerate(tables):
        for share, *way in table.tolist():
            level, trend = _states(z[:, channel], way)
            growth = _growth(way[2], n_steps)
            path = level[rows, None] + trend[rows, None] * growth
            result[:, :, channel] += share * path
    return result
