"""How a series goes on by its smoothed level and trend alone, which networks then correct.

Exponential smoothing with a damped trend (Gardner & McKenzie 1985): with the error
``e_t = z_t - (l_{t-1} + φ b_{t-1})`` of the next step the level is
``l_t = l_{t-1} + φ b_{t-1} + α e_t``, the trend ``b_t = φ b_{t-1} + α β e_t``, and s steps ahead
the series is at ``l_t + (φ + ... + φ^s) b_t``. Several α, β and φ are
tried, and the paths of those that did well are averaged.

Letters: T steps, K channels, S steps ahead, M ways to smooth.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["fit_smoothing", "smoothed"]

ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1.0)
BETAS = (0.03, 0.1, 0.3)
PHIS = (0.8, 0.9, 0.97, 1.0)
LEAST = 0.02  # of all, the share of a way that is kept
PARTS = 5  # of the time, by which it is seen how errors grow where nothing was chosen
BLOCK = 1 << 17  # numbers that are computed at once
FIRST = 24  # steps at most that are not judged


def _ways() -> list[tuple[float, float, float, bool]]:
    """Return α, β, φ, and whether the trend begins at the drift."""
    ways = [(0.0, 0.0, 0.0, False)]  # a level that stays
    for alpha in ALPHAS:
        ways += [(alpha, 0.0, 0.0, False), (alpha, 0.0, 1.0, True)]
        ways += [(alpha, beta, phi, False) for phi in PHIS for beta in BETAS]
    return ways


WAYS = _ways()


def fit_smoothing(z: np.ndarray, n_steps: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return for each channel the ways (M, 6) to smooth: share, α, β, φ, first level and trend.

    The share of a way is as its likelihood, ``MSE^(-N / 2)`` with the mean squared error of all
    steps up to S ahead. These overlap: of n errors only n / ((S + 1) / 2) are of their own. N lies
    between the two, at their geometric mean, which did best on series other than those of
    benchmarks/bench_forecast.py.

    Beside it how many times larger, (S, K), errors are in parts of the time that shares were not
    chosen by.

    Parameters
    ----------
    z : ndarray of shape (T, K)
    n_steps : int
        S.
    """
    n = len(z)
    first = min(n // 4, FIRST)
    drift = (z[-1] - z[0]) / max(n - 1, 1)
    parts = (np.arange(n - first) * PARTS) // max(n - first, 1)
    tables, wider = [], np.ones((n_steps, z.shape[1]))
    for channel in range(z.shape[1]):
        x = z[:, channel]
        ways = np.array(
            [
                (alpha, beta, phi, x[0] if alpha else x.mean(), drifts * drift[channel])
                for alpha, beta, phi, drifts in WAYS
            ]
        )
        squares, counts = _squares(x, ways, n_steps, first, parts)
        table = _chosen(ways, squares.sum(axis=1), counts.sum(axis=1), n_steps)
        tables.append(table)
        wider[:, channel] = _beyond(x, ways, table, squares, counts, n_steps, first, parts)
    return tables, wider


def _squares(
    x: np.ndarray, ways: np.ndarray, n_steps: int, first: int, parts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared errors of each way, summed over steps ahead by parts, and their number."""
    squares = np.zeros((len(ways), PARTS))
    counts = np.zeros((1, PARTS))
    for ahead in range(1, n_steps + 1):
        counts += np.bincount(parts[:-ahead], minlength=PARTS)
    growths = np.array([_growth(phi, n_steps) for phi in ways[:, 2]])
    at_once = max(1, BLOCK // len(x))
    for begin in range(0, len(ways), at_once):
        block = slice(begin, begin + at_once)
        states = [_states(x, way) for way in ways[block].tolist()]
        level = np.array([level for level, _ in states])
        trend = np.array([trend for _, trend in states])
        sums = np.zeros((len(states), len(x) - first))
        for ahead in range(1, n_steps + 1):
            off = x[first + ahead :] - level[:, first:-ahead]
            off -= growths[block, ahead - 1, None] * trend[:, first:-ahead]
            off *= off
            sums[:, :-ahead] += off
        for number, of_way in enumerate(sums):
            squares[begin + number] = np.bincount(parts, of_way, PARTS)
    return squares, counts


def _chosen(ways: np.ndarray, squares: np.ndarray, count: np.ndarray, n_steps: int) -> np.ndarray:
    """Return the ways that count, with their shares."""
    n = max(float(count[0]) / n_steps, 1.0) / np.sqrt((n_steps + 1) / 2)
    logs = np.log(np.maximum(squares, np.finfo(float).tiny))
    shares = np.exp(-n / 2 * (logs - logs.min()))
    shares /= shares.sum()
    kept = shares >= min(LEAST, shares.max())
    return np.column_stack([shares[kept] / shares[kept].sum(), ways[kept]])


def _beyond(
    x: np.ndarray,
    ways: np.ndarray,
    table: np.ndarray,
    squares: np.ndarray,
    counts: np.ndarray,
    n_steps: int,
    first: int,
    parts: np.ndarray,
) -> np.ndarray:
    """Return how many times larger errors are where shares were chosen by other parts, (S,)."""
    n = len(x)
    sums = np.zeros((2, n_steps))
    known: dict[tuple[float, ...], Any] = {}  # states by the way
    for part in range(PARTS):
        rows = first + np.flatnonzero(parts == part)
        others = np.arange(PARTS) != part
        left = _chosen(ways, squares[:, others].sum(axis=1), counts[:, others].sum(axis=1), n_steps)
        places = rows[:, None] + 1 + np.arange(n_steps)
        true = x[np.minimum(places, n - 1)]
        for number, used in enumerate((table, left)):
            path = np.zeros(places.shape)
            for share, *way in used.tolist():
                if tuple(way) not in known:
                    known[tuple(way)] = _states(x, way)
                level, trend = known[tuple(way)]
                path += share * (level[rows, None] + trend[rows, None] * _growth(way[2], n_steps))
            off = np.where(places < n, true - path, 0.0)
            sums[number] += (off * off).sum(axis=0)
    ratio: np.ndarray = np.sqrt(
        np.maximum(sums[1] / np.maximum(sums[0], np.finfo(float).tiny), 1.0)
    )
    return ratio


@lru_cache(2 * len(PHIS) + 4)  # each of a few φ belongs to many ways
def _powers(phi: float, n_steps: int) -> np.ndarray:
    """Return φ^s for each s up to S, not to be written to."""
    powers: np.ndarray = np.power(phi, np.arange(1.0, n_steps + 1))
    powers.flags.writeable = False
    return powers


@lru_cache(2 * len(PHIS) + 4)
def _growth(phi: float, n_steps: int) -> np.ndarray:
    """Return φ + ... + φ^s for each s up to S, not to be written to."""
    growth: np.ndarray = np.cumsum(_powers(phi, n_steps))
    growth.flags.writeable = False
    return growth


def _states(x: np.ndarray, way: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return level and trend (T,) after each step."""
    from scipy.signal import lfilter  # forty modules, for which every import would wait

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
    before = np.empty(n)
    before[0] = 0.0
    before[1:] = trends[:-1]
    levels = np.cumsum(alpha * error + phi * before)
    return levels + by_itself, trends + trend * _powers(phi, n)


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
