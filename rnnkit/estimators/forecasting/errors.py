"""What the networks of a forecaster got wrong where they had not learnt, and quantiles of it.

Letters: M errors, S steps ahead, K channels, Q quantiles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import ndtri, stdtrit

from rnnkit.estimators.forecasting.members import Member, answer, left_out, roll
from rnnkit.estimators.forecasting.steps import Steps, Windows, warm_up

__all__ = ["direct_errors", "quantiles_of", "recursive_errors"]

CHOSEN = 0.1  # on the ten series of benchmarks/bench_forecast.py
AT_MOST = 2000  # errors of each step ahead that are kept


Errors = tuple[np.ndarray, np.ndarray | None]


def direct_errors(members: list[Member], windows: Windows, dtype: str, weight: float) -> Errors:
    """Return the errors at the steps that each network left out, (M, S, K), in units of series.

    NaN where a step was not left out or has no answer. Beside them how much each counts, (M, S),
    or None.
    """
    found, counts = [], []
    for number, member in enumerate(members):
        given = answer([member], windows.inputs, dtype, weight)
        for i, said in enumerate(given):
            targets, times = windows.targets[i], windows.times[i]
            out = left_out(times, number, len(members))
            missing = np.where(out[:, :, None], targets - said.reshape(targets.shape), np.nan)
            kept = ~np.isnan(missing).all(axis=(1, 2))
            found.append(missing[kept])
            if windows.weights is not None:
                counts.append(windows.weights[i][kept])
    return _some(np.concatenate(found), np.concatenate(counts) if counts else None)


def recursive_errors(
    members: list[Member],
    series: list[Steps],
    window: int,
    n_steps: int,
    dtype: str,
    weight: float,
) -> Errors:
    """Return the errors of going on from the steps that each network left out, as above."""
    found, counts = [], []
    for number, member in enumerate(members):
        starts, truths = [], []
        for steps in series:
            n = len(steps.z)
            rows = np.arange(steps.first + warm_up(window), n - 1)
            times = steps.shares(rows - steps.first, 1, window)
            chosen = rows[left_out(times, number, len(members))]
            for row in chosen[:: max(1, len(chosen) * len(members) // 200)]:
                end = row + 1
                start = max(0, end - window - steps.first)
                known = steps.known
                if known is not None:
                    last = len(known) - 1
                    known = known[np.minimum(np.arange(start, end + n_steps + 1), last)]
                past = None if steps.past is None else steps.past[start:end]
                z = steps.z[start:end]
                starts.append(replace(steps, z=z, known=known, past=past))
                truth = np.full((n_steps, z.shape[1]), np.nan)
                after = steps.z[end : end + n_steps]
                truth[: len(after)] = after
                if steps.weights is not None:
                    count = np.zeros(n_steps)
                    count[: len(after)] = steps.weights[end : end + n_steps]
                    truth[count == 0] = np.nan
                    counts.append(count)
                truths.append(truth)
        for said, truth in zip(roll([member], starts, window, n_steps, dtype, weight), truths):
            found.append(truth - said)
    return _some(np.stack(found), np.stack(counts) if counts else None)


def _some(errors: np.ndarray, counts: np.ndarray | None) -> Errors:
    """Return no more errors than are of use, evenly chosen."""
    if len(errors) > AT_MOST:
        rows = np.linspace(0, len(errors) - 1, AT_MOST).round().astype(int)
        errors, counts = errors[rows], None if counts is None else counts[rows]
    return errors, counts


def quantiles_of(
    errors: np.ndarray,
    quantiles: np.ndarray,
    n_seen: float,
    weight: float,
    *,
    adds_up: bool,
    counts: np.ndarray | None = None,
) -> np.ndarray:
    """Return the quantiles of the errors at each step ahead, (S, K, Q); they do not cross.

    Where differences add up, errors s steps ahead overlap: of n steps only m = n / s are errors of
    their own. As with Student's t, the mean and spread of so few are not those of what comes:
    quantiles are moved away from the median as those of a t distribution lie beyond those of a
    normal one, and by ``sqrt(1 + 1 / m)`` for the mean. Where networks count, they stopped where
    they did best on what was left out, and its errors are too small by about `CHOSEN`.

    Parameters
    ----------
    errors : ndarray of shape (M, S, K)
    quantiles : ndarray of shape (Q,)
    n_seen : float
        Steps n of all series that were learnt from.
    weight : float
        How much networks count, in [0, 1].
    adds_up : bool
        Whether differences are forecast, or what a level that moves leads to; otherwise m = n.
    counts : ndarray of shape (M, S), default=None
        How much each error counts.
    """
    _, n_steps, n_channels = errors.shape
    result = np.empty((n_steps, n_channels, len(quantiles)))
    normal = ndtri(quantiles)
    off = np.abs(normal) > 1e-9
    for step in range(n_steps):
        own = max(n_seen / (step + 1 if adds_up else 1), 3.0)
        wider = np.full(len(quantiles), 1 + CHOSEN * weight)
        wider[off] *= stdtrit(own - 1, quantiles[off]) / normal[off] * np.sqrt(1 + 1 / own)
        for channel in range(n_channels):
            column = errors[:, step, channel]
            there = ~np.isnan(column)
            known = column[there]
            if counts is None:
                middle = np.quantile(known, 0.5)
                found = np.quantile(known, quantiles, method="weibull")
            else:
                both = _weighted(known, counts[there, step], np.append(quantiles, 0.5))
                middle, found = both[-1], both[:-1]
            result[step, channel] = middle + (found - middle) * wider
    return result


def _weighted(values: np.ndarray, counts: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Return quantiles of values that count differently.

    With equal counts those of Weibull's plotting positions i / (n + 1), where n is the number of
    values that would tell as much if all counted the same.
    """
    order = np.argsort(values, kind="stable")
    share = counts[order] / counts.sum()
    n = 1 / (share**2).sum()
    places = np.cumsum(share) - share / 2
    places = places * n / (n + 1) + 0.5 / (n + 1)
    found: np.ndarray = np.interp(quantiles, places, values[order])
    return found
